"""Failures of plug-ins by their names: which of those in use a traceback leads through."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any

from cosim import plugins
from cosim.errors import CosimError, OutOfTime, PluginFailure, RunError, in_one_line, own_trouble
from cosim.plugins.registry import Registry
from cosim.plugins.watch import watching

REGISTRIES: tuple[Registry[Any], ...] = tuple(
    each for each in vars(plugins).values() if isinstance(each, Registry)
)
"""All kinds of plug-ins."""


def blamed(error: BaseException) -> PluginFailure | None:
    """Return an error that names the plug-in of another package in which an exception was raised.

    Parameters
    ----------
    error : BaseException
        As it was caught, with its traceback; what it was raised from is looked at first.

    Returns
    -------
    PluginFailure or None
        None if no plug-in of another package took part.
    """
    for one in reversed(_chain(error)):
        for module in reversed([*_modules(one.__traceback__)]):
            known = [found for each in REGISTRIES if (found := each.declares(module)) is not None]
            if known:
                _, name = max(known, key=lambda found: found[0])
                return PluginFailure(f"plug-in of package {name}: {in_one_line(one)}")
    return None


@contextmanager
def naming_plug_ins() -> Iterator[None]:
    """Let no plug-in end the program or take for ever; give every failure of one its name.

    Raises
    ------
    PluginFailure
        For whatever a plug-in of another package raises that is no error of cosim's own.
    RunError
        For an end of the program, ``sys.exit``, by anything else.
    UserError
        If the environment sets a time limit of plug-ins that is no time.
    """
    try:
        with watching():
            yield
    except CosimError:
        raise
    except (Exception, SystemExit, OutOfTime) as error:
        if own_trouble(error) is not None:
            raise
        failure = blamed(error)
        if failure is not None:
            raise failure from error
        if isinstance(error, SystemExit | OutOfTime):
            raise RunError(in_one_line(error)) from error
        raise


def _chain(error: BaseException) -> list[BaseException]:
    """Return an error and what it was raised from, the first cause last."""
    chain = [error]
    while (cause := chain[-1].__cause__) is not None and not any(cause is one for one in chain):
        chain.append(cause)
    return chain


def _modules(trace: TracebackType | None) -> Iterator[str]:
    for frame, _ in traceback.walk_tb(trace):
        yield str(frame.f_globals.get("__name__", ""))


__all__ = ["blamed", "naming_plug_ins"]
