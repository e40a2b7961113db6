"""Checks of the grid's tables over a whole run; of a long one day by day."""

from __future__ import annotations

from concurrent.futures import Executor
from dataclasses import dataclass

from cosim.devices.delivery import Devices
from cosim.replay.findings import Check
from cosim.verify import grid
from cosim.verify.population import RebuiltPopulation, check_devices, check_forecasts
from cosim.verify.power_flows import Owed, delivered_cases, scheduled_cases, solve_cases
from cosim.verify.relief import awarding_network, check_margins
from cosim.verify.stretches import in_stretches, joined, populations_of


@dataclass
class GridOfRun:
    """Population of a run, and how its states are solved again.

    Parameters
    ----------
    rebuilt : RebuiltPopulation
    every : int
        Power flows are solved for one interval in so many.
    jobs : int
        Processes that solve them.
    pool : Executor, optional
        That has them; default: they are started when there is something to solve.
    """

    rebuilt: RebuiltPopulation
    every: int
    jobs: int
    pool: Executor | None = None

    def forecasts(self) -> Check:
        """Return the check of forecasts."""
        return in_stretches(self.rebuilt, check_forecasts)

    def devices(self) -> Check:
        """Return the check of devices, which are played from the first interval to the last."""
        population = self.rebuilt.population
        devices = None if population is None else Devices(population)
        return in_stretches(self.rebuilt, lambda part: check_devices(part, devices))

    def power_flows(self) -> tuple[Check, Check | Exception]:
        """Return the check of power flows and, made with the same states, that of grid checks.

        In place of the latter, what it could not be made for.
        """
        flows: list[Check] = []
        limits: list[Check] = []
        broken: Exception | None = None
        for part in populations_of(self.rebuilt):
            delivered = delivered_cases(part, self.every)
            cases = delivered + scheduled_cases(part, self.every)
            states = solve_cases(part, cases, self.jobs, self.pool)
            flows.append(grid.check_power_flows(part, delivered, states[: len(delivered)]))
            try:
                if broken is None:
                    limits.append(grid.check_grid_checks(part, cases, states, self.every))
            except Exception as error:
                broken = error
        return joined(flows), broken or joined(limits)

    def rebounds(self) -> Check:
        """Return the check of what consumption that was caught up did to the grid."""
        owed = Owed()
        return in_stretches(
            self.rebuilt,
            lambda part: grid.check_rebounds(part, self.every, self.jobs, owed, self.pool),
        )

    def margins(self) -> Check:
        """Return the check of awards for margins, and of pivotal providers."""
        network = None if self.rebuilt.population is None else awarding_network(self.rebuilt)
        return in_stretches(self.rebuilt, lambda part: check_margins(part, self.every, network))


def made(check: Check | Exception) -> Check:
    """Return a check, or raise what it could not be made for."""
    if isinstance(check, Exception):
        raise check
    return check
