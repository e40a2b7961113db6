"""Executors: the runs that they are given, and their answers."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from cosim.errors import ResultFolderError
from cosim.results.parts import unfinished
from cosim.scenario import Scenario
from cosim.studies.failures import Failure

Tell = Callable[[str, int], None]
"""Told how many intervals of a run, by its hash, are done."""


@dataclass(frozen=True)
class Task:
    """One run that is missing.

    Parameters
    ----------
    hash : str
        Of its inputs.
    scenario : Scenario
    file : Path
        Of the campaign; named in errors.
    target : Path
        Result folder to be; it appears there when it is whole.
    trust : bool
        Start the programs that the scenario names.
    """

    hash: str
    scenario: Scenario
    file: Path
    target: Path
    trust: bool


@dataclass(frozen=True)
class Answer:
    """A run that is in its folder, or why it is not."""

    hash: str
    failure: Failure | None = None


class Executor(Protocol):
    """Somebody who plays runs."""

    name: str

    def check(self) -> None:
        """Make sure that runs can be played, before any is.

        Raises
        ------
        ClusterError
            If a scheduler cannot be reached, or a worker is another version.
        """

    def play(self, tasks: Sequence[Task], tell: Tell) -> Generator[Answer, None, None]:
        """Play runs; yield each when it is done, in whatever order.

        A caller that stops, by an exception or ``close``, ends what is under way, of which nothing
        is left.
        """

    def close(self) -> None:
        """Let processes and connections go."""


def play(task: Task, tell: Callable[[int], None]) -> Failure | None:
    """Play a run in this process, from its last checkpoint on if it has one.

    Parameters
    ----------
    task : Task
    tell : callable
        Told how many intervals are done.

    Returns
    -------
    Failure or None
        None once its result folder is whole.
    """
    resume = unfinished(task.target) is not None
    try:
        try:
            complete = _played(task, tell, resume=resume)
        except ResultFolderError:
            if not resume:
                raise
            # a checkpoint that is damaged, or of a run under another name
            complete = _played(task, tell, resume=False)
    except Exception as error:
        return Failure.of(error)
    return None if complete else Failure("lost", "it was interrupted")


def _played(task: Task, tell: Callable[[int], None], *, resume: bool) -> bool:
    """Play a run, or go on with it from its checkpoint; False when it was interrupted."""
    from cosim.runs.experiment import run_scenario

    result = run_scenario(
        task.scenario,
        task.file,
        task.target,
        progress=lambda interval, violated: tell(interval + 1),
        resume=resume,
        report=False,
        trust=task.trust,
    )
    return result.complete
