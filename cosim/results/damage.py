"""Damaged result folders: what cannot be read is said by the file that is not what was written."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

from cosim.errors import CosimError, ResultFolderError, in_one_line, own_trouble
from cosim.inputs.kept import sha256
from cosim.plugins.blame import blamed
from cosim.results.manifest import MANIFEST, read_manifest

T = TypeVar("T")

REMEDY = (
    "take the folder from where it came once more, or run its scenario again; 'cosim verify' names "
    "every file that differs"
)


def damaged_file(folder: Path) -> Path:
    """Return the first file that differs from its hash in the manifest; else the manifest.

    The manifest is the one file that nothing in the folder vouches for. It must be readable.
    """
    stated = read_manifest(folder).get("sha256")
    if isinstance(stated, dict):
        for name, said in sorted(stated.items()):
            path: Path = folder / str(name)
            if Path(name).is_absolute() or ".." in Path(name).parts:
                continue
            try:
                found = sha256(path)
            except OSError:
                return path
            if found != said:
                return path
    return folder / MANIFEST


@contextmanager
def reading(folder: str | Path) -> Iterator[None]:
    """Let whatever reads a result folder fail by the file that is damaged.

    Parameters
    ----------
    folder : str or Path
        A result folder, or a study's.

    Raises
    ------
    ResultFolderError
        For any failure but cosim's own errors, those of a plug-in, and this machine's trouble.
    """
    try:
        yield
    except CosimError:
        raise
    except Exception as error:
        if own_trouble(error) is not None or blamed(error) is not None:
            raise
        raise ResultFolderError(
            f"holds what no run of this version writes: {in_one_line(error)}",
            file=damaged_file(Path(folder)),
            remedy=REMEDY,
        ) from error


def guarded(method: Callable[..., T]) -> Callable[..., T]:
    """Let a method of what has a result ``folder`` fail as :func:`reading` lets it."""

    @wraps(method)
    def guard(self: Any, *given: Any, **named: Any) -> T:
        with reading(self.folder):
            return method(self, *given, **named)

    return guard


__all__ = ["damaged_file", "guarded", "reading"]
