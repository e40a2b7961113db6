"""Own time by stage of a run: for the manifest and the benchmark, never for results."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter, process_time


class StageTimer:
    """Adds up own time by stage name: a stage measured inside another one pauses it.

    The stages therefore add up to the time of the outermost one. One thread only.

    Attributes
    ----------
    seconds : dict of str to float
        Wall time by stage. [s]
    cpu_seconds : dict of str to float
        Processor time of this process by stage, which a busy machine does not stretch. [s]
    running : list of str
        Stages that are being measured now, the innermost last.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.cpu_seconds: dict[str, float] = {}
        self.running: list[str] = []
        self._wall = self._cpu = 0.0

    @contextmanager
    def measure(self, stage: str) -> Iterator[None]:
        """Add the time spent in the ``with`` block, less that of stages inside, to a stage."""
        self._pass_on()
        self.running.append(stage)
        try:
            yield
        finally:
            self._pass_on()
            self.running.pop()

    def _pass_on(self) -> None:
        """Credit the time since the last change to the stage that ran until now."""
        wall, cpu = perf_counter(), process_time()
        if self.running:
            stage = self.running[-1]
            self.seconds[stage] = self.seconds.get(stage, 0.0) + wall - self._wall
            self.cpu_seconds[stage] = self.cpu_seconds.get(stage, 0.0) + cpu - self._cpu
        self._wall, self._cpu = wall, cpu
