"""Processes of our own: where they find code, which signals reach them, when they end."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import connection, resource_tracker, util
from typing import Any

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


def end_with_parent(stop: connection.Connection | None = None) -> None:
    """End this process of ``multiprocessing`` as soon as the one that started it is gone.

    A process that is killed can tell its workers nothing, and they would wait, or compute, for
    nobody.

    Parameters
    ----------
    stop : Connection, optional
        Its other end closed, or anything sent, ends this process as well, in the middle of
        whatever it does.
    """
    parent = multiprocessing.parent_process()
    if parent is None:
        return
    watched: list[Any] = [parent.sentinel] if stop is None else [parent.sentinel, stop]

    def watch() -> None:
        connection.wait(watched)
        util._run_finalizers()  # type: ignore[attr-defined]  # named semaphores, which outlive it
        os._exit(1)

    threading.Thread(target=watch, name="end with parent", daemon=True).start()


@contextmanager
def deaf_to_signals() -> Iterator[None]:
    """Start processes that neither Ctrl-C nor SIGTERM reaches; whoever starts them ends them.

    A terminal's Ctrl-C, and the signal of a batch system, go to all processes of a group. What
    comes for this process meanwhile comes afterwards.
    """
    resource_tracker.ensure_running()  # else it would be started, and let signals in, within
    signals = {signal.SIGINT, signal.SIGTERM}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


_terminated = False


def terminated() -> bool:
    """Return True once SIGTERM was taken for an interruption."""
    return _terminated


@contextmanager
def sigterm_interrupts() -> Iterator[None]:
    """Let SIGTERM do what Ctrl-C does, whoever handles that at the time.

    Batch systems, ``timeout`` and a machine that is shut down send it.
    """
    global _terminated
    _terminated = False

    def interrupt(signum: int, frame: Any) -> None:
        global _terminated
        _terminated = True
        signal.raise_signal(signal.SIGINT)

    try:
        previous = signal.signal(signal.SIGTERM, interrupt)
    except ValueError:  # not the main thread: no signals to catch
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)
