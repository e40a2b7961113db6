"""The mosaik world: which simulators there are, and its run over a stretch of intervals.

::

    Bidders → [ Market ⇄ Dso ] → Devices → Grid → Recorder

Market and Dso form one group; their cycle is closed by one weak connection, so they take turns
within one time step until the DSO accepts the schedules. Leaving the group is the barrier after
which the devices act once. Meters reach the market, and states of charge and prices the bidders,
over time-shifted connections. Foreign simulators take the place of one of these, or join:
they feed connection points of the Devices, and read any of them.
"""

from __future__ import annotations

import asyncio
from typing import Any

import mosaik

from cosim.errors import CosimError, ScenarioError, SimulatorError
from cosim.runs.wiring import Wiring, WorldSettings
from cosim.simulators.foreign import describe
from cosim.timing import StageTimer

OURS = {
    "bidders": "cosim.simulators.bidders:BiddersSimulator",
    "market": "cosim.simulators.market:MarketSimulator",
    "dso": "cosim.simulators.dso:DsoSimulator",
    "devices": "cosim.simulators.devices:DevicesSimulator",
    "grid": "cosim.simulators.grid:GridSimulator",
    "recorder": "cosim.simulators.recorder:RecorderSimulator",
}
"""Our simulators by role. What travels between them is declared with the messages."""

MOSAIK_TIMEOUT_S = 86_400 * 8
"""Longer than any ``timeout_s`` of a scenario, which is what counts."""


class CoSimulation:
    """A wired world, ready to run once over its stretch.

    Parameters
    ----------
    settings : WorldSettings
    timer : StageTimer
        Wall time by stage.

    Raises
    ------
    ScenarioError
        If a foreign simulator does not start, or lacks what the scenario connects.
    """

    def __init__(self, settings: WorldSettings, timer: StageTimer) -> None:
        self.until = settings.n_steps * settings.step_s
        config: dict[str, Any] = {role: {"python": place} for role, place in OURS.items()}
        self._runners: dict[str, Any] = {}
        self._standing: set[Any] | None = None
        self._failed = True  # until a run has come to its end
        self.world = mosaik.World(
            config,
            mosaik_config={"start_timeout": MOSAIK_TIMEOUT_S},
            skip_greetings=True,
            configure_logging=False,
            cache=True,
        )
        self._wiring = Wiring(self.world, settings, timer)
        try:
            self._wiring.start()
            self._wiring.connect()
            self._runners = self._wiring.compile()
        except BaseException:
            self.shut_down()
            raise

    def run(self) -> None:
        """Run to the end.

        Raises
        ------
        SimulatorError
            If a foreign simulator failed or stopped early; names it.
        Exception
            If one of ours failed: what it raised.
        """
        self._standing = asyncio.all_tasks(self.world.loop)
        try:
            self.world.run(until=self.until, print_progress=False, shutdown=False)
        except Exception as error:
            cause = self._cause(error)
            if cause is error:
                raise
            raise cause from (error if isinstance(cause, SimulatorError) else None)
        for sid, runner in self._runners.items():
            reached = runner.progress.time.time
            if reached < self.until:
                raise SimulatorError(
                    self._wiring.names[sid], f"stopped at {reached} s of {self.until} s"
                )
        self._failed = False

    def shut_down(self) -> None:
        """Stop every simulator; harmless when that was done.

        Raises
        ------
        SimulatorError
            If a foreign simulator fails to finalise a run that was good until then.
        ScenarioError
            If it takes longer for that than its ``timeout_s``, in this process.
        """
        loop = self.world.loop
        if loop.is_closed():
            return
        if self._standing is not None:
            # after a failure the other simulators' tasks still wait for it
            self._cancel(asyncio.all_tasks(loop) - self._standing)
        errors: list[CosimError] = []
        for starter in self._wiring.starters:
            try:
                loop.run_until_complete(starter.stop())
            except (SimulatorError, ScenarioError) as error:  # it failed, or took too long
                errors.append(error)
        self._cancel(asyncio.all_tasks(loop))
        self.world.shutdown()  # type: ignore[no-untyped-call]
        if errors and not self._failed:
            raise errors[0]

    def _cancel(self, tasks: set[Any]) -> None:
        for task in tasks:
            task.cancel()
        if tasks:
            self.world.loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))

    def _cause(self, error: Exception) -> Exception:
        """Return the error to raise for one that mosaik raised."""
        if isinstance(error, CosimError):
            return error
        for sid, runner in self._runners.items():
            task = runner.task
            if task is None or not task.done() or task.cancelled() or task.exception() is not error:
                continue
            name = self._wiring.names[sid]
            if name not in OURS:
                return SimulatorError(name, f"broke the rules of mosaik: {describe(error)}")
        # mosaik takes a TypeError in a step for an output that JSON cannot hold
        if isinstance(error, mosaik.exceptions.NonSerializableOutputsError) and isinstance(
            error.__context__, TypeError
        ):
            return error.__context__
        return error


__all__ = ["CoSimulation", "WorldSettings"]
