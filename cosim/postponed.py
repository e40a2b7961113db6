"""A part of pandapower that is executed when somebody uses it.

``import pandapower`` imports all of its subpackages. Its state estimation, of which cosim uses
nothing, imports :mod:`scipy.stats` and takes a fifth of that time. A finder gives it a loader that
waits for the first look at an attribute; ``pandapower.estimation`` is what it always was for
whoever uses it. :class:`importlib.util.LazyLoader` waits for less: pandapower executes its own
``__init__`` twice, and the second ``import`` of a module asks it for its ``__spec__``.
"""

from __future__ import annotations

import sys
import threading
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.abc import Loader

POSTPONED = "pandapower.estimation"

_LOCK = threading.RLock()


class _Waiting(ModuleType):
    """A module that is executed when an attribute is asked for that it has not."""

    def __getattr__(self, name: str) -> Any:
        with _LOCK:
            if type(self) is _Waiting:
                self.__class__ = ModuleType  # type: ignore[assignment]  # its own lookups end here
                spec = self.__spec__
                assert spec is not None
                assert isinstance(spec.loader, _Patient)
                spec.loader = self.__loader__ = spec.loader.own
                spec.loader.exec_module(self)
        return getattr(self, name)


class _Patient:
    """Loader that leaves executing a module to its first use.

    Parameters
    ----------
    own : Loader
        Executes it.
    """

    def __init__(self, own: Loader) -> None:
        self.own = own

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self.own.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        module.__class__ = _Waiting


class _Finder:
    """Finder of :data:`POSTPONED`; all else is left to the finders after it."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != POSTPONED:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = _Patient(spec.loader)  # type: ignore[assignment]  # all that is asked of one
        return spec


def postpone() -> None:
    """Let :data:`POSTPONED` wait for its first use, if it is not imported yet."""
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())
