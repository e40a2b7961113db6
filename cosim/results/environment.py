"""Packages, plug-ins and lock file that a run was played with, for its manifest.

Says how to build the same environment again. No check depends on it: anybody can write it.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from importlib import metadata
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any

from cosim.inputs.kept import sha256
from cosim.plugins import (
    DEVICES,
    EVM_ENGINES,
    FORECASTS,
    INSTRUMENTS,
    MECHANISMS,
    POWER_FLOW,
    STRATEGIES,
)
from cosim.plugins.registry import Registry

LOCK = "requirements.lock"
OWN = "cosim"

_REGISTRIES: tuple[Registry[Any], ...] = (
    MECHANISMS, EVM_ENGINES, INSTRUMENTS, POWER_FLOW, DEVICES, STRATEGIES, FORECASTS,
)  # fmt: skip
GROUPS = tuple(registry.group for registry in _REGISTRIES)
"""Groups of entry points by which cosim finds plug-ins."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def environment() -> dict[str, Any]:
    """Return the lock file's hash, packages with their versions, and plug-ins of others.

    Returns
    -------
    dict
        ``requirements_lock``: SHA-256 of the lock file of this checkout, None without one.
        ``packages``: versions, by name, of what cosim and the plug-ins need and is installed.
        ``plug_ins``: a list of group, name, value, package, version and SHA-256 of the module.
    """
    plug_ins = foreign_plug_ins()
    roots = (OWN, *sorted({str(each["package"]) for each in plug_ins}))
    return {
        "requirements_lock": _lock_hash(),
        "packages": _needed(roots),
        "plug_ins": plug_ins,
    }


def foreign_plug_ins() -> list[dict[str, str | None]]:
    """Return the plug-ins of other packages that are installed, as ``plug_ins`` has them."""
    return [_described(point) for point in _foreign_points()]


def _lock_hash() -> str | None:
    lock = Path(__file__).resolve().parents[2] / LOCK
    return sha256(lock) if lock.is_file() else None


def _foreign_points() -> Iterator[metadata.EntryPoint]:
    """Yield entry points of cosim's groups that other packages declare, in order."""
    every = metadata.entry_points()  # of all groups at once: each call reads every package
    package = functools.cache(lambda dist: dist.name)  # reads the metadata anew for each point
    found = {
        (point.group, point.name, point.value): point
        for group in GROUPS
        for point in every.select(group=group)
        if point.dist is not None and package(point.dist) != OWN
    }
    yield from (found[key] for key in sorted(found))


def _described(point: metadata.EntryPoint) -> dict[str, str | None]:
    assert point.dist is not None
    return {
        "group": point.group,
        "name": point.name,
        "value": point.value,
        "package": point.dist.name,
        "version": point.dist.version,
        "sha256": _module_hash(point.module),
    }


def _module_hash(module: str) -> str | None:
    """Return the SHA-256 of a module's source without importing it; None if it is not found."""
    path: Any = None
    spec = None
    for k in range(len(parts := module.split("."))):
        spec = PathFinder.find_spec(".".join(parts[: k + 1]), path)
        if spec is None:
            return None
        path = spec.submodule_search_locations
    origin = Path(spec.origin) if spec is not None and spec.origin else None
    if origin is None or not origin.is_file():
        return None
    return sha256(origin)


@functools.cache
def _needed(roots: tuple[str, ...]) -> dict[str, str]:
    """Return versions of installed packages that others need, by their normalised names."""
    found: dict[str, str] = {}
    waiting = list(roots)
    while waiting:
        name = re.sub(r"[-_.]+", "-", waiting.pop()).lower()
        if name in found:
            continue
        try:
            told = metadata.metadata(name)  # read once: it is long
        except metadata.PackageNotFoundError:  # for another system, or an extra
            continue
        found[name] = told["Version"]
        needs = (_NAME.match(text) for text in told.get_all("Requires-Dist") or ())
        waiting += [match.group() for match in needs if match]
    return dict(sorted(found.items()))
