"""Runs in processes of this machine; one that dies takes no other with it.

A worker gets one run at a time over a pipe. If it ends without a word (no memory, a crash) its run
is played once more by another; the second time it is a failure of the run. Signals reach the sweep
alone, which ends its workers, and workers end by themselves when the sweep is killed.
"""

from __future__ import annotations

import multiprocessing
import shutil
import signal
from collections import Counter, deque
from collections.abc import Generator, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import connection
from typing import Any

from cosim.campaigns.execution import Answer, Task, Tell, play
from cosim.errors import RunError
from cosim.processes import deaf_to_signals, end_with_parent, without_the_working_folder
from cosim.studies.failures import Failure

_RUNS_PER_PROCESS = 100
"""After so many a process is replaced, so that nothing piles up in it."""
_TRIES = 2
"""Times that a run is played whose process ends without a word."""
_PATIENCE_S = 5.0
"""A worker that does not end within is killed."""


@dataclass
class _Worker:
    process: Any
    pipe: connection.Connection
    stop: connection.Connection
    task: Task | None = None
    is_ready: bool = False
    runs: int = 0


class Processes:
    """Executor on this machine.

    Parameters
    ----------
    jobs : int
        How many runs are played at once.
    """

    name = "processes"

    def __init__(self, jobs: int) -> None:
        self.jobs = jobs
        self._workers: list[_Worker] = []
        self._context = multiprocessing.get_context("spawn")

    def check(self) -> None:
        """Return: processes of this machine have this code."""

    def play(self, tasks: Sequence[Task], tell: Tell) -> Generator[Answer, None, None]:
        """Play runs, as :meth:`cosim.campaigns.execution.Executor.play`.

        Raises
        ------
        RunError
            If no process can be started.
        """
        waiting, tries = deque(tasks), Counter[str]()
        try:
            while waiting or any(worker.task for worker in self._workers):
                self._hand_out(waiting, tries)
                pipes = {worker.pipe: worker for worker in self._workers}
                for pipe in connection.wait(list(pipes)):
                    worker = pipes[pipe]  # type: ignore[index]
                    try:
                        kind, *said = worker.pipe.recv()
                    except (EOFError, OSError):
                        yield from self._buried(worker, waiting, tries)
                        continue
                    if kind == "ready":
                        worker.is_ready = True
                    elif kind == "intervals" and worker.task is not None:
                        tell(worker.task.hash, said[0])
                    elif kind == "done" and worker.task is not None:
                        done, worker.task = worker.task, None
                        yield Answer(done.hash, said[0])
        finally:
            self.close()

    def close(self) -> None:
        """End all workers, and remove what they were writing."""
        for worker in self._workers:
            worker.stop.close()
        for worker in self._workers:
            _end(worker)
            if worker.task is not None:
                _clear(worker.task)
        self._workers = []

    def _hand_out(self, waiting: deque[Task], tries: Counter[str]) -> None:
        """Give runs to workers that have none; start workers, and replace those of many runs."""
        for worker in [w for w in self._workers if not w.task and w.runs >= _RUNS_PER_PROCESS]:
            self._dismiss(worker)
        while len(self._workers) < min(self.jobs, len(waiting) + self._n_busy()):
            self._workers.append(self._started())
        for worker in self._workers:
            if worker.task is None and waiting:
                worker.task = waiting.popleft()
                worker.runs += 1
                tries[worker.task.hash] += 1
                with suppress(OSError):  # if it is gone, the end of its pipe says so
                    worker.pipe.send(worker.task)

    def _n_busy(self) -> int:
        return sum(worker.task is not None for worker in self._workers)

    def _started(self) -> _Worker:
        with deaf_to_signals(), without_the_working_folder():
            pipe, its_pipe = self._context.Pipe()
            its_stop, stop = self._context.Pipe(duplex=False)
            process = self._context.Process(target=_work, args=(its_pipe, its_stop), daemon=False)
            process.start()
        its_pipe.close()
        its_stop.close()
        return _Worker(process, pipe, stop)

    def _dismiss(self, worker: _Worker) -> None:
        _end(worker)
        self._workers.remove(worker)

    def _buried(
        self, worker: _Worker, waiting: deque[Task], tries: Counter[str]
    ) -> Iterator[Answer]:
        """Give up a worker that is gone; its run is played again, or has failed."""
        worker.process.join()
        code = worker.process.exitcode
        self._dismiss(worker)
        task = worker.task
        if task is None:
            return
        _clear(task)
        if not worker.is_ready and (code or 0) >= 0:
            raise RunError(
                f"a process to play runs in ended at once (exit code {code}); a script that calls "
                "cosim.sweep needs the guard: if __name__ == '__main__':"
            )
        if tries[task.hash] < _TRIES:
            waiting.appendleft(task)
            return
        yield Answer(
            task.hash,
            Failure("lost", f"the process that played it ended without a word ({_ending(code)})"),
        )


def _end(worker: _Worker) -> None:
    """End a worker, by force if it has not ended soon."""
    worker.stop.close()
    worker.process.join(_PATIENCE_S)
    if worker.process.exitcode is None:
        worker.process.kill()
        worker.process.join()
    worker.pipe.close()


def _ending(code: int | None) -> str:
    """Return an exit code in words."""
    if code is None or code >= 0:
        return f"exit code {code}"
    try:
        return f"killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"killed by signal {-code}"


def _clear(task: Task) -> None:
    """Remove what a run left that was not finished."""
    shutil.rmtree(task.target.with_name(task.target.name + ".partial"), ignore_errors=True)


def _work(pipe: connection.Connection, stop: connection.Connection) -> None:
    """Play runs in a process of its own, until it is stopped or the parent is gone."""
    end_with_parent(stop)
    pipe.send(("ready",))
    while True:
        try:
            task: Task = pipe.recv()
        except EOFError:
            return
        failure = play(task, lambda n: pipe.send(("intervals", n)))
        pipe.send(("done", failure))
