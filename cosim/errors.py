"""Every error that cosim raises on purpose.

::

    CosimError
    ├── UserError                 the user can mend it; the command line exits with code 2
    │   ├── ScenarioError         a scenario file
    │   ├── GridDataError         a network, its connection points, its coordinates
    │   ├── ProfileError          a time series: gaps, length, window
    │   ├── ResultFolderError     a result folder that exists, or is not one
    │   │   └── BusyFolderError   another run is writing it
    │   ├── StorageError          a disk is full, read-only, or not the user's
    │   ├── PluginError           an installed plug-in that cannot be used
    │   ├── NodeError             an Ethereum node that is gone, or holds something else
    │   └── ClusterError          a scheduler that is gone, or workers that cannot be used
    ├── RunError                  a run that must not be believed; exit code 1
    │   ├── ReconciliationError   money or energy does not balance in an interval
    │   ├── PowerFlowMismatchError    fast engine and reference disagree
    │   ├── SimulatorError        a mosaik simulator stopped early
    │   └── PluginFailure         a plug-in failed in a run, or would have ended the program
    ├── CheckError                a verification that could not be made; exit code 3
    └── LedgerError
        ├── ContractRevert        a contract refused a call
        ├── CalldataError         a value that no argument of a contract can hold
        └── EngineError           an EVM engine could not do what it was asked

:class:`Interrupted` is a ``KeyboardInterrupt``: the user stopped a run that has something to show.
:class:`OutOfTime` is no ``Exception`` either: the code in which it is raised shall not catch it.
A power flow that does not converge is not an exception: it is a recorded violation.
"""

from __future__ import annotations

import errno
import re
import traceback
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any


class CosimError(Exception):
    """Base of every error that cosim raises on purpose."""

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle with every attribute, whatever the constructor asks for."""
        return _rebuilt, (type(self), self.args, self.__dict__)


def _rebuilt(kind: type[CosimError], args: tuple[Any, ...], state: dict[str, Any]) -> CosimError:
    error = kind.__new__(kind, *args)
    error.__dict__.update(state)
    return error


class Interrupted(KeyboardInterrupt):
    """The user interrupted a run between two intervals.

    Parameters
    ----------
    intervals_done : int
        Intervals that are recorded and settled.
    folder : Path
        The result so far, marked incomplete.
    """

    def __init__(self, intervals_done: int, folder: Path) -> None:
        self.intervals_done = intervals_done
        self.folder = folder
        super().__init__(f"interrupted after {intervals_done} intervals; so far: {folder}")

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle with what the constructor asks for."""
        return type(self), (self.intervals_done, self.folder)


class Terminated(KeyboardInterrupt):
    """The process was asked to end (SIGTERM); the run can go on from its last checkpoint.

    Parameters
    ----------
    intervals_done : int
        Intervals that the checkpoint holds.
    folder : Path
        Where it is.
    """

    def __init__(self, intervals_done: int, folder: Path) -> None:
        self.intervals_done = intervals_done
        self.folder = folder
        super().__init__(
            f"{intervals_done} intervals are kept in {folder}: go on with --resume (in Python "
            "resume=True)"
        )

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle with what the constructor asks for."""
        return type(self), (self.intervals_done, self.folder)


class NotResumableWarning(UserWarning):
    """Something in a run cannot be written: it has no checkpoints, and cannot go on from one."""


class OutOfTime(BaseException):
    """Raised in foreign code that takes too long, past its every ``except Exception``.

    Whoever calls that code makes an error of it that names it.
    """

    said = ""
    n_own_frames = 0
    """Innermost frames that are of who raised it, not of the foreign code."""

    def __str__(self) -> str:
        return self.said or super().__str__()


class SlowEngineWarning(UserWarning):
    """A run goes on a slower EVM engine than there could be, with the same results."""


class UngovernedDrawsWarning(UserWarning):
    """Something in a run drew from a generator that the scenario's seed does not govern."""


_LONG = re.compile(r"\S{200,}")
_KEPT = 60


def _shortened(word: re.Match[str]) -> str:
    """Return the beginning of a word that would fill the screen, and how long it is."""
    return f"{word[0][:_KEPT]}… ({len(word[0])} characters)"


class UserError(CosimError):
    """Something the user can mend: names the file, the field and the remedy.

    Parameters
    ----------
    problem : str
        What is wrong, in one sentence.
    file : str or Path, optional
        The file at fault.
    field : str, optional
        The field, column or element in it, e.g. ``prosumers.battery.capacity_kwh``.
    remedy : str, optional
        What to do about it.
    """

    def __init__(
        self,
        problem: str,
        *,
        file: str | Path | None = None,
        field: str | None = None,
        remedy: str | None = None,
    ) -> None:
        self.problem = problem = _LONG.sub(_shortened, problem)
        self.file = None if file is None else str(file)
        self.field = field
        self.remedy = remedy
        where = ", ".join(
            part
            for part in (
                f"file {self.file}" if self.file else "",
                f"field {_LONG.sub(_shortened, field)}" if field else "",
            )
            if part
        )
        text = f"{where}: {problem}" if where else problem
        if remedy:
            text = f"{text}\n  remedy: {remedy}"
        super().__init__(text)


class ScenarioError(UserError):
    """A scenario file cannot be understood or contradicts itself."""


class GridDataError(UserError):
    """A network or its connection-point table cannot be used."""


class ProfileError(UserError):
    """A time series has gaps, the wrong length, or does not cover the run."""


class ResultFolderError(UserError):
    """A result folder exists already, or is not a result folder."""


class BusyFolderError(ResultFolderError):
    """Another run is writing to the same place."""


class StorageError(UserError):
    """Nothing can be written where a result is to be."""


class MissingDeviceError(ResultFolderError):
    """Result with devices of a package that is not installed."""


class PluginError(UserError):
    """An installed plug-in cannot be used.

    Parameters
    ----------
    problem : str
        What is wrong with it.
    package : str
        Distribution that declares it.
    point : str
        Its entry point: group, name and value.
    remedy : str
        What to do about it.
    """

    def __init__(self, problem: str, *, package: str, point: str, remedy: str) -> None:
        self.package = package
        self.point = point
        super().__init__(f"plug-in of package {package} ({point}) {problem}", remedy=remedy)


class NodeError(UserError):
    """An Ethereum node is gone, cannot do what a run needs, or holds another chain."""


class ClusterError(UserError):
    """A scheduler cannot be reached, or its workers are not those of this installation."""


class RunError(CosimError):
    """The run stopped because its results could not be trusted."""


class ReconciliationError(RunError):
    """Money or energy does not balance to the integer.

    Parameters
    ----------
    interval : int
        Delivery interval that does not balance.
    accounts : iterable of str
        Prosumers or contract accounts involved.
    problem : str
        Which identity is broken, with both sides.
    """

    def __init__(self, interval: int, accounts: Iterable[str], problem: str) -> None:
        self.interval = interval
        self.accounts = tuple(accounts)
        self.problem = problem
        super().__init__(f"interval {interval}, {', '.join(self.accounts)}: {problem}")


class PowerFlowMismatchError(RunError):
    """The fast power-flow engine and the reference differ by more than the tolerance."""


class SimulatorError(RunError):
    """A simulator crashed or stopped before the end of the run.

    Parameters
    ----------
    simulator : str
        Its name in the scenario.
    problem : str
        What happened.
    """

    def __init__(self, simulator: str, problem: str) -> None:
        self.simulator = simulator
        self.problem = problem
        super().__init__(f"simulator {simulator}: {problem}")


class PluginFailure(RunError):
    """A plug-in of another package failed, or called ``sys.exit``; names it."""


class CheckError(CosimError):
    """A verification could not be made, for reasons that are none of the result's."""


_OWN_TROUBLE = frozenset(
    (
        errno.ENOSPC,
        errno.EDQUOT,
        errno.EFBIG,
        errno.EROFS,
        errno.EIO,
        errno.ENOMEM,
        errno.EMFILE,
        errno.ENFILE,
    )
)


def own_trouble(error: BaseException | None) -> OSError | MemoryError | None:
    """Return what this machine failed in, if that is at the root of an error: space, memory."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        if isinstance(error, MemoryError):
            return error
        if isinstance(error, OSError) and error.errno in _OWN_TROUBLE:
            return error
        seen.add(id(error))
        error = error.__cause__ or error.__context__
    return None


class LedgerError(CosimError):
    """Base of what goes wrong on the ledger."""


class ContractRevert(LedgerError):
    """A contract refused a call.

    Parameters
    ----------
    text : str
        The contract's revert text, e.g. ``local market: gate closed``.
    contract, function : str
        What was called.
    arguments : mapping
        Decoded arguments by name.
    """

    def __init__(
        self,
        text: str,
        contract: str = "",
        function: str = "",
        arguments: Mapping[str, Any] | None = None,
    ) -> None:
        self.text = text
        self.contract = contract
        self.function = function
        self.arguments = dict(arguments or {})
        call = f"{contract}.{function}" if function else contract
        shown = ", ".join(f"{name}={value!r}" for name, value in self.arguments.items())
        super().__init__(f"{call}({shown}): {text}" if call else text)


class CalldataError(LedgerError):
    """A value that no argument of a contract can hold; it never reached the contract."""


class EngineError(LedgerError):
    """An EVM engine could not do what it was asked."""


def in_one_line(error: BaseException) -> str:
    """Return an exception's type, its text, and the place in the code where it was raised."""
    text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    if isinstance(error, SystemExit):
        code = "" if error.code is None else repr(error.code)
        text = f"it ended the program, sys.exit({code})"
    frames = [*traceback.extract_tb(error.__traceback__)]
    if isinstance(error, OutOfTime):
        text = str(error)
        frames = frames[: len(frames) - error.n_own_frames]
    if not frames:
        return text
    last = frames[-1]
    return f'{text} (File "{last.filename}", line {last.lineno}, in {last.name})'
