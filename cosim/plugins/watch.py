"""Time limit of whatever foreign code runs in this process: plug-ins, simulators named by module.

A thread looks now and then where the watched thread is. Code of a plug-in that is in one and the
same call for longer than the limit, and a simulator that is asked something and does not answer
within its own, get an `OutOfTime` raised in them. Calls of plug-ins cost nothing for it, as
nothing is done when one begins or ends.

In the main thread of POSIX the exception comes out of a signal handler, which also ends a call that
waits (``time.sleep``, a socket, a lock). In another thread it waits until the thread runs Python
code again. Compiled code that keeps the interpreter's lock cannot be interrupted by either.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from types import FrameType
from typing import Any

from cosim import plugins
from cosim.errors import OutOfTime, PluginError, UserError
from cosim.plugins.registry import Registry

LIMIT_S = 300.0
"""Time for one call of a plug-in, unless :data:`LIMIT_VARIABLE` sets another. [s]"""

LIMIT_VARIABLE = "COSIM_PLUGIN_TIMEOUT_S"
"""Environment variable with that time in seconds, for the processes of a study, too."""

LOOKS = 8
"""Looks within the shortest limit: so much of it, in parts, a call may last beyond it."""

_REGISTRIES: tuple[Registry[Any], ...] = tuple(
    each for each in vars(plugins).values() if isinstance(each, Registry)
)


def limit_s() -> float:
    """Return the time for one call of a plug-in. [s]

    Raises
    ------
    UserError
        If the environment sets one that is no time.
    """
    text = os.environ.get(LIMIT_VARIABLE)
    if text is None:
        return LIMIT_S
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise UserError(
            f"{text!r} is no time above 0",
            field=LIMIT_VARIABLE,
            remedy="set it to seconds, or leave it out of the environment",
        )
    return seconds


@dataclass(frozen=True, eq=False)
class _Call:
    """A call with a limit of its own: begun at a reading of the watch's clock."""

    doing: str
    seconds: float
    begun: float


class Watch:
    """Looks after one thread for as long as it is in the ``with`` block.

    Parameters
    ----------
    seconds : float
        Time for one call of a plug-in. [s]
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._every = seconds / LOOKS
        self._calls: list[_Call] = []
        self._clock = 0.0
        self._seen: tuple[FrameType, float] | None = None
        self._overdue: _Call | FrameType | None = None
        self._changed = threading.Condition()
        self._ended = False
        self._handler: Any = None

    def __enter__(self) -> Watch:
        self._ident = threading.get_ident()
        self._depth = sum(1 for _ in _outwards(_entered_from()))
        self._signals = hasattr(signal, "SIGALRM") and (
            threading.current_thread() is threading.main_thread()
        )
        if self._signals:
            self._handler = signal.signal(signal.SIGALRM, self._interrupt)
        self._thread = threading.Thread(target=self._look, name="cosim watch", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *details: object) -> None:
        with self._changed:
            self._ended = True
            self._changed.notify()
        self._thread.join()
        self._seen = self._overdue = None
        if self._signals:
            signal.signal(signal.SIGALRM, self._handler or signal.SIG_DFL)
        else:
            _raise_in(self._ident, None)

    @contextmanager
    def call(self, doing: str, seconds: float) -> Iterator[None]:
        """Give a call a limit of its own.

        Parameters
        ----------
        doing : str
            Subject of the error, e.g. ``it did not answer step``.
        seconds : float
            [s]
        """
        if seconds / LOOKS < self._every:
            with self._changed:
                self._every = seconds / LOOKS
                self._changed.notify()
        call = _Call(doing, seconds, self._clock)
        self._calls.append(call)
        try:
            yield
        finally:
            self._calls.remove(call)

    def _look(self) -> None:
        before = time.monotonic()
        with self._changed:
            while not self._ended:
                self._changed.wait(self._every)
                now = time.monotonic()
                # a process that was stopped, or a machine that slept, is no slow plug-in
                self._clock += min(now - before, 2 * self._every)
                before = now
                if not self._ended and (overdue := self._find()) is not None:
                    self._overdue = overdue
                    if self._signals:
                        signal.pthread_kill(self._ident, signal.SIGALRM)
                    else:
                        _raise_in(self._ident, type("Late", (OutOfTime,), {"said": self._said()}))

    def _find(self) -> _Call | FrameType | None:
        """Return a call that is over its time."""
        for call in reversed(self._calls):
            if self._clock - call.begun >= call.seconds + self._every:
                return call
        frame = self._outermost()
        if frame is None or self._seen is None or frame is not self._seen[0]:
            self._seen = None if frame is None else (frame, self._clock)
        elif self._clock - self._seen[1] >= self._seconds:
            return frame
        return None

    def _outermost(self) -> FrameType | None:
        """Return the frame in which the thread entered code of a plug-in, None outside of one."""
        frames = list(_outwards(sys._current_frames().get(self._ident)))
        foreign = _of_others()
        for frame in frames[::-1][self._depth :]:
            if str(frame.f_globals.get("__name__", "")).partition(".")[0] in foreign:
                return frame
        return None

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        """End the call, in the watched thread, unless it has ended meanwhile."""
        overdue = self._overdue
        still = overdue in self._calls or any(one is overdue for one in _outwards(frame))
        if overdue is not None and still:
            error = OutOfTime(self._said())
            error.n_own_frames = 1
            raise error

    def _said(self) -> str:
        if isinstance(call := self._overdue, _Call):
            return f"{call.doing} within {call.seconds:g} s"
        return (
            f"it did not return within {self._seconds:g} s; the environment variable "
            f"{LIMIT_VARIABLE} gives it longer"
        )


@cache
def _of_others() -> frozenset[str]:
    """Return the top-level packages that declare plug-ins, but for cosim itself."""
    try:
        return frozenset().union(*(each.packages_of_others() for each in _REGISTRIES))
    except PluginError:  # whoever asks for a plug-in by name is told
        return frozenset()


def _entered_from() -> FrameType | None:
    """Return the frame whose ``with`` statement began to watch."""
    for frame in _outwards(sys._getframe(1)):
        if frame.f_globals.get("__name__") not in (__name__, "contextlib", "cosim.plugins.blame"):
            return frame
    return None


def _outwards(frame: FrameType | None) -> Iterator[FrameType]:
    """Yield a frame, and those that led to it."""
    while frame is not None:
        yield frame
        frame = frame.f_back


def _raise_in(ident: int, error: Any) -> None:
    """Raise an exception in another thread when it next runs Python code; None takes it back."""
    given = None if error is None else ctypes.py_object(error)
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(ident), given)


_watches: dict[int, Watch] = {}
"""By the thread that is watched."""


@contextmanager
def watching() -> Iterator[None]:
    """Watch this thread; harmless where it is watched already.

    Raises
    ------
    UserError
        If the environment sets a limit that is no time.
    """
    ident = threading.get_ident()
    if ident in _watches:
        yield
        return
    with Watch(limit_s()) as watch:
        _watches[ident] = watch
        try:
            yield
        finally:
            del _watches[ident]


@contextmanager
def within(seconds: float, doing: str) -> Iterator[None]:
    """Give what is called here a limit of its own.

    Parameters
    ----------
    seconds : float
        [s]
    doing : str
        Subject of the error, e.g. ``it did not answer step``.

    Raises
    ------
    OutOfTime
        In the call.
    """
    with watching(), _watches[threading.get_ident()].call(doing, seconds):
        yield


__all__ = ["LIMIT_VARIABLE", "Watch", "watching", "within"]
