"""Signals that ask a run to stop."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class Interrupts:
    """A run's knowledge of signals: the first is looked at between intervals.

    Attributes
    ----------
    is_terminated : bool
        True after SIGTERM, which cluster schedulers and containers send before they kill.
    """

    def __init__(self) -> None:
        self.is_terminated = False
        self._asked = False

    def ask(self, signum: int, frame: Any) -> None:
        """Take a signal; the second interrupts at once."""
        if self._asked:
            raise KeyboardInterrupt
        self._asked = True
        self.is_terminated = signum == signal.SIGTERM

    def stop(self) -> bool:
        """Tell if the run is to stop."""
        return self._asked


@contextmanager
def interruptible() -> Iterator[Interrupts]:
    """Turn the first Ctrl-C or SIGTERM into a question that is asked between intervals."""
    interrupts = Interrupts()
    previous = {}
    try:
        for signum in (signal.SIGINT, signal.SIGTERM):
            previous[signum] = signal.signal(signum, interrupts.ask)
    except ValueError:  # not the main thread: no signals to catch
        yield interrupts
        return
    try:
        yield interrupts
    finally:
        for signum, handler in previous.items():
            signal.signal(signum, handler)
