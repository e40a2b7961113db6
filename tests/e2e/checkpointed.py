"""A run that dies and leaves checkpoints, and how its files are compared."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cosim.inputs.kept import sha256

INTERVALS, EVERY = 12, 3


class Killed(BaseException):
    """Stands for whatever ends a process."""


def files_of(folder: Path) -> dict[str, str]:
    """SHA-256 of every file; of the manifest, of all but the timing."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.name == "manifest.json":
            data = json.loads(path.read_text())
            del data["timing"]
            found[path.name] = json.dumps(data, sort_keys=True)
        elif path.is_file():
            found[path.relative_to(folder).as_posix()] = sha256(path)
    return found


def die_after(interval: int) -> Callable[[int, bool], None]:
    def progress(at: int, violated: bool) -> None:
        if at == interval:
            raise Killed

    return progress


@contextmanager
def dying() -> Iterator[None]:
    with pytest.raises(Killed):
        yield
