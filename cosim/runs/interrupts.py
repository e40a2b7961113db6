"""Signals that ask a run to stop."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from cosim.processes import sigterm_interrupts, terminated


class Interrupts:
    """A run's knowledge of signals: the first is looked at between intervals."""

    def __init__(self) -> None:
        self._asked = False

    def ask(self, signum: int, frame: Any) -> None:
        """Take a signal; the second interrupts at once."""
        if self._asked:
            raise KeyboardInterrupt
        self._asked = True

    def stop(self) -> bool:
        """Tell if the run is to stop."""
        return self._asked

    @property
    def is_terminated(self) -> bool:
        """True after SIGTERM, which cluster schedulers and containers send before they kill."""
        return self._asked and terminated()


@contextmanager
def interruptible() -> Iterator[Interrupts]:
    """Turn the first Ctrl-C or SIGTERM into a question that is asked between intervals."""
    interrupts = Interrupts()
    try:
        previous = signal.signal(signal.SIGINT, interrupts.ask)
    except ValueError:  # not the main thread: no signals to catch
        yield interrupts
        return
    try:
        with sigterm_interrupts():
            yield interrupts
    finally:
        signal.signal(signal.SIGINT, previous)
