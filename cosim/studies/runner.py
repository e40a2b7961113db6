"""Parallel runs of a study, and its folder.

Every run is a process's whole work: nothing that a run computes depends on which process plays it,
how many there are, or which is done first. The folder appears under its name only when every run
is finished and everything is written; an earlier result is kept until then.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from cosim.errors import RunError
from cosim.processes import end_with_parent, terminated, without_the_working_folder
from cosim.results.manifest import RUNS_FOLDER, flatten, read_manifest, write_manifest
from cosim.results.writer import prepare
from cosim.runs.experiment import run_scenario
from cosim.scenario import Scenario
from cosim.scenario.trust import require_trust
from cosim.studies.declaration import ImpossibleRun, Study, StudyRun
from cosim.studies.differences import (
    Difference,
    differences,
    mean_differences,
    write_comparison,
)
from cosim.studies.expectations import Outcome
from cosim.studies.failures import Failure
from cosim.studies.folder import STUDY_FILE, kept_runs, pending, study_manifest
from cosim.studies.outcomes import outcomes_of
from cosim.studies.points import write_means
from cosim.studies.report import write_study_report
from cosim.studies.results import FinishedRun, write_study_table
from cosim.studies.yardstick import Measured, measure

Progress = Callable[[int, int], None]
"""Told how many intervals and how many runs are done."""

_POLL_S = 0.2
_STUCK_S = 15.0
"""Time for workers to end after SIGTERM. [s]"""

_GRACE_S = 0.5
"""Signals to a group of processes come within."""


@dataclass(frozen=True)
class StudyResult:
    """Folder, runs and outcomes of a study.

    Parameters
    ----------
    folder, report : Path
    runs : tuple of FinishedRun
        In the order of the study.
    impossible : tuple of ImpossibleRun
        Combinations left out: no scenarios, or refused by their set-up.
    outcomes : tuple of Outcome
        Of its expectations.
    differences : tuple of Difference
        Between runs and their counterfactuals; with several seeds between points, as means.
    measured : tuple of Measured
        Runs against the central optimum.
    """

    folder: Path
    report: Path
    runs: tuple[FinishedRun, ...]
    impossible: tuple[ImpossibleRun, ...]
    outcomes: tuple[Outcome, ...]
    differences: tuple[Difference, ...]
    measured: tuple[Measured, ...]

    @property
    def as_expected(self) -> bool:
        """True if every expectation is met."""
        return all(outcome.met for outcome in self.outcomes)


def run_study(
    study: Study,
    out: Path,
    *,
    jobs: int | None = None,
    force: bool = False,
    progress: Progress = lambda intervals, runs: None,
    trust: bool = False,
) -> StudyResult:
    """Play every run of a study and write its folder.

    Parameters
    ----------
    study : Study
    out : Path
        Folder to be.
    jobs : int, optional
        How many runs are played at once; by default as many as there are cores.
    force : bool
        Replace an earlier result there, once this study is finished.
    progress : callable
    trust : bool
        Start the programs, and import the modules, that its scenarios name as their simulators.

    Raises
    ------
    UserError
        For anything the user can mend, with the run's name; nothing is left behind. With
        ``study.skip_impossible``, only if no run can be made.
    RunError
        If a run's numbers cannot be trusted; names the run. Nothing is left behind.
    KeyboardInterrupt
        If the user interrupted it; runs that are finished are kept, and the next study of this name
        there goes on with them.
    """
    for run in study.runs:
        require_trust(run.scenario, study.file, trust)
    begin = time.monotonic()
    target = prepare(out, force)
    at_once = min(cores() if jobs is None else jobs, len(study.runs))
    with pending(target) as folder:
        kept = kept_runs(folder, study.runs)
        tasks = [
            _Task(run.name, run.scenario, study.file, folder, trust)
            for run in study.runs
            if run.name not in kept
        ]
        skip, told = study.settings.skip_impossible, _on_top_of(kept, study, progress)
        if min(at_once, len(tasks)) <= 1:
            failures = _play_here(tasks, skip, told)
        else:
            failures = _play_in_processes(tasks, min(at_once, len(tasks)), skip, told)
        if len(failures) == len(study.runs):
            raise failures[tasks[0].name].error(tasks[0].name)
        played = [run for run in study.runs if run.name not in failures]
        impossible = (*study.impossible, *_left_out(study, failures))
        runs = tuple(_finished(run, folder) for run in played)
        found = {run.name: run.indicators for run in runs}
        outcomes = outcomes_of(study, runs)
        pairs = [each for each in study.comparisons if {each.run, each.against} <= found.keys()]
        compared = tuple(each for pair in pairs for each in differences(folder, pair, found))
        measured = measure(study.measured, found)
        compared += tuple(each for one in measured for each in one.differences())
        if study.settings.seeds > 1:
            compared = tuple(mean_differences(compared, {run.name: run.point for run in runs}))
            write_means(folder, runs)
        (folder / STUDY_FILE).write_text(study.text, encoding="utf-8")
        write_study_table(folder, runs)
        if compared:
            write_comparison(folder, compared)
        spent = {"jobs": at_once, "seconds": round(time.monotonic() - begin, 6)}
        manifest = study_manifest(study, folder, runs, impossible, outcomes, spent)
        manifest["comparisons"] = [asdict(pair) for pair in pairs]
        manifest["optima"] = [asdict(one) for one in measured]
        write_manifest(folder, manifest)
        report = write_study_report(folder)
        prepare(target, force)
    return StudyResult(target, target / report.name, runs, impossible, outcomes, compared, measured)


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _on_top_of(kept: Collection[str], study: Study, progress: Progress) -> Progress:
    """Return a progress that counts what an earlier study finished, too."""
    intervals = sum(run.scenario.time.intervals for run in study.runs if run.name in kept)
    return lambda done, runs: progress(done + intervals, runs + len(kept))


@dataclass(frozen=True)
class _Task:
    """One run as a process is told of it."""

    name: str
    scenario: Scenario
    file: Path
    folder: Path
    trust: bool

    def play(self, tell: Callable[[], None]) -> bool:
        """Play the run; False when it was interrupted."""
        result = run_scenario(
            self.scenario,
            self.file,
            self.folder / RUNS_FOLDER / self.name,
            progress=lambda interval, violated: tell(),
            trust=self.trust,
        )
        return result.complete


def _play_here(tasks: Sequence[_Task], skip: bool, progress: Progress) -> dict[str, Failure]:
    """Play runs one after the other; return those that were skipped."""
    done = 0
    skipped: dict[str, Failure] = {}
    for n_runs, task in enumerate(tasks):

        def tell(n_runs: int = n_runs) -> None:
            nonlocal done
            done += 1
            progress(done, n_runs)

        try:
            complete = task.play(tell)
        except Exception as error:
            failure = Failure.of(error)
            if not (skip and failure.kind == "user"):
                raise failure.error(task.name) from error
            skipped[task.name] = failure
            complete = True
        if not complete:
            raise KeyboardInterrupt
        progress(done, n_runs + 1)
    return skipped


def _play_in_processes(
    tasks: Sequence[_Task], at_once: int, skip: bool, progress: Progress
) -> dict[str, Failure]:
    """Play runs in processes; return those that were skipped."""
    skipped: dict[str, Failure] = {}
    context = multiprocessing.get_context("spawn")
    with without_the_working_folder():  # these start a process, too
        done, stop = context.Value("q", 0), context.Event()
    pool = ProcessPoolExecutor(at_once, context, initializer=_begin, initargs=(done, stop))
    try:
        # a terminal's Ctrl-C reaches the processes too: they inherit that it is ignored, and each
        # run looks at it, and at `stop`, for itself between intervals
        with _ignoring_interrupts(), without_the_working_folder():
            futures = {pool.submit(_play, task): task.name for task in tasks}
        waiting: set[Future[Failure | bool]] = set(futures)
        while waiting:
            finished, waiting = wait(waiting, _POLL_S, FIRST_COMPLETED)
            for future in futures:  # in the order of the study, whichever was done first
                failure = future.result() if future in finished else None
                if not isinstance(failure, Failure):
                    continue
                if not (skip and failure.kind == "user"):
                    raise failure.error(futures[future])
                skipped[futures[future]] = failure
            if terminated() or any(future.result() is False for future in finished):
                raise KeyboardInterrupt
            progress(int(done.value), len(tasks) - len(waiting))
    except BrokenProcessPool as error:
        if _is_ending():
            raise KeyboardInterrupt from None
        broken = [name for future, name in futures.items() if _broke(future)]
        raise RunError(
            f"a process ended without a word (os._exit, a crash, no memory) while it played one of "
            f"{', '.join(broken)}; --jobs 1 plays one after the other"
        ) from error
    finally:
        stop.set()
        with _killed_if_stuck(list((pool._processes or {}).values())):
            pool.shutdown(wait=True, cancel_futures=True)
    return skipped


@contextmanager
def _killed_if_stuck(workers: Sequence[BaseProcess]) -> Iterator[None]:
    """Kill workers that do not end some time after SIGTERM.

    One that SIGTERM ended while it handed over its result keeps the lock of all results, for which
    another would wait for ever. What they were at is played again anyway.
    """

    def kill() -> None:
        for worker in workers:
            if worker.is_alive():
                worker.kill()

    timer = threading.Timer(_STUCK_S, kill)
    timer.daemon = True
    if terminated():
        timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _is_ending() -> bool:
    """Return True if SIGTERM, which went to the whole group of processes, is about to come here."""
    deadline = time.monotonic() + _GRACE_S
    while not terminated() and time.monotonic() < deadline:
        time.sleep(0.01)
    return terminated()


def _broke(future: Future[Any]) -> bool:
    """Return True for a run that was lost with its process."""
    return (
        future.done()
        and not future.cancelled()
        and isinstance(future.exception(), BrokenProcessPool)
    )


_shared: tuple[Any, Any] | None = None
"""In a worker: the number of intervals done by all, and the event that asks them to stop."""


def _begin(done: Any, stop: Any) -> None:
    global _shared
    end_with_parent()
    _shared = (done, stop)


def _play(task: _Task) -> Failure | bool:
    """Play a run in a worker; return if it is complete, or why it failed."""
    assert _shared is not None
    done, stop = _shared
    asked = False

    def tell() -> None:
        nonlocal asked
        with done.get_lock():
            done.value += 1
        if stop.is_set() and not asked:
            asked = True
            signal.raise_signal(signal.SIGINT)

    if stop.is_set():
        return False
    try:
        return task.play(tell)
    except KeyboardInterrupt:
        return False
    except Exception as error:
        return Failure.of(error)


@contextmanager
def _ignoring_interrupts() -> Iterator[None]:
    try:
        previous = signal.signal(signal.SIGINT, signal.SIG_IGN)
    except ValueError:  # not the main thread: no signals to catch
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)


def _left_out(study: Study, failures: Mapping[str, Failure]) -> Iterator[ImpossibleRun]:
    """Return the runs that their set-up refused."""
    for run in study.runs:
        if run.name in failures:
            failure = failures[run.name]
            reason = f"{failure.field}: {failure.text}" if failure.field else failure.text
            yield ImpossibleRun(run.name, run.variant, run.values, reason)


def _finished(run: StudyRun, folder: Path) -> FinishedRun:
    indicators = read_manifest(folder / RUNS_FOLDER / run.name)["indicators"]
    return FinishedRun(run.name, run.variant, run.values, flatten(indicators), run.replication)
