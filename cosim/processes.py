"""Processes of our own, which take no code from the folder that the user is in."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

SAFE_PATH = "PYTHONSAFEPATH"
"""Set, a Python does not look for modules in the working folder (3.11 and later)."""


@contextmanager
def without_the_working_folder() -> Iterator[None]:
    """Start processes that find modules where this one does, and nowhere else.

    A process of ``multiprocessing`` is ``python -c``, which looks in the working folder first: a
    file there with the name of a module would be run.
    """
    before = os.environ.get(SAFE_PATH)
    os.environ[SAFE_PATH] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[SAFE_PATH]
        else:
            os.environ[SAFE_PATH] = before
