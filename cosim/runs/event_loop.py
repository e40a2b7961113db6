"""A run in a notebook: mosaik needs an event loop of its own."""

from __future__ import annotations

import asyncio
import ctypes
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")


def with_a_loop_of_its_own(play: Callable[[], T], stop: threading.Event) -> T:
    """Play here, or in another thread if an event loop runs in this one: mosaik needs its own.

    In this thread the run itself looks at signals; another one is asked to stop by the event, and
    by a second interrupt at once.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return play()
    outcome: Future[T] = Future()

    def work() -> None:
        try:
            outcome.set_result(play())
        except BaseException as error:
            outcome.set_exception(error)

    thread = threading.Thread(target=work, name="cosim.run")
    thread.start()
    while True:
        try:
            return outcome.result()
        except KeyboardInterrupt:
            if outcome.done():
                raise
            if stop.is_set() and thread.ident is not None:
                ctypes.pythonapi.PyThreadState_SetAsyncExc(
                    ctypes.c_ulong(thread.ident), ctypes.py_object(KeyboardInterrupt)
                )
            stop.set()
