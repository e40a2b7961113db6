"""Taps and slack voltages that a recorded run had at the start of each interval."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from cosim.grid.element_tables import in_service
from cosim.grid.operation import OperatedPowerFlow, make_operated
from cosim.grid.power_flow import PowerFlow
from cosim.grid.tap_control import TapControls, Waiting
from cosim.results.reader import Results
from cosim.runs.preparation import dso_network
from cosim.units import BoolArray, FloatArray, IntArray
from cosim.verify.stretches import Rows, rows_by_interval, stretches_of


@dataclass(frozen=True)
class Conditions:
    """State of the network in which an interval begins.

    Parameters
    ----------
    tap_pos : (k,) float
        Positions of the taps with a controller.
    acts : (k,) bool
        Which of their controllers do not wait.
    slack_vm_pu : float or None
        Voltage of all external grids in service; None: as the network has it. [pu]
    """

    tap_pos: FloatArray
    acts: BoolArray
    slack_vm_pu: float | None


class RecordedOperation:
    """Operation of the network of a result.

    Parameters
    ----------
    results : Results
    slack_vm_pu : (T,) float, optional
        As the scenario gives it here; default: as the buses of the external grids had it, where
        the scenario says that it changes.
    """

    def __init__(self, results: Results, slack_vm_pu: FloatArray | None) -> None:
        self.results = results
        self.controls = TapControls.of(results.network)
        settings = results.scenario.grid.slack_voltage
        if slack_vm_pu is None and settings is not None and settings.vm_pu is None:
            slack_vm_pu = self._recorded_voltage()
        self.slack_vm_pu = slack_vm_pu
        scenario = results.scenario
        self._tap_waits = scenario.grid.tap_delay_s // scenario.time.step_s
        self._starts = self._recorded_taps()
        self._waited = self._recorded_waiting()

    def at(self, interval: int) -> Conditions:
        """Return the conditions at the start of an interval."""
        vm_pu = self.slack_vm_pu
        return Conditions(
            self._starts.get(interval, self.controls.start),
            self._waited_until(interval) >= self._tap_waits,
            None if vm_pu is None else float(vm_pu[min(interval, vm_pu.size - 1)]),
        )

    @cached_property
    def dso_network(self) -> Any:
        """Recorded network as the scenario's DSO models it."""
        return dso_network(self.results.scenario, self.results.network)

    def dso_engine(self, name: str) -> PowerFlow:
        """Return an engine of the network as the DSO models it."""
        return make_operated(name, self.dso_network, self.slack_vm_pu, self._tap_waits)

    def begin(self, engine: PowerFlow, interval: int) -> None:
        """Put an engine of this operation at the start of an interval."""
        engine.begin(interval)
        if isinstance(engine, OperatedPowerFlow):
            engine.tap_pos = self.at(interval).tap_pos
            engine.waiting.waited = self._waited_until(interval)

    def _waited_until(self, interval: int) -> IntArray:
        """Return for how many intervals before one each voltage was outside of its band, (k,)."""
        nothing = np.zeros(self.controls.trafo_idx.size, dtype=np.int64)
        return self._waited.get(interval, nothing)

    def _recorded_waiting(self) -> dict[int, IntArray]:
        """Return how long controllers have waited when each interval begins."""
        waited: dict[int, IntArray] = {}
        if not self.controls.trafo_idx.size or not self._tap_waits:
            return waited
        waiting = Waiting(self.controls, self._tap_waits)
        buses = self.results.network.bus.index
        for interval, rows in rows_by_interval(self.results, "buses"):
            waited[interval] = waiting.waited
            vm_pu = rows.set_index("bus")["vm_pu"].reindex(buses).to_numpy(np.float64)
            if np.isfinite(vm_pu[self.controls.bus_row]).any():
                waiting.settle(vm_pu)
        return waited

    def _recorded_taps(self) -> dict[int, FloatArray]:
        """Return the taps with which each interval begins: those at the end of the one before."""
        starts: dict[int, FloatArray] = {}
        if not self.controls.trafo_idx.size:
            return starts
        tap_pos = self.controls.start
        for interval, rows in rows_by_interval(self.results, "taps"):
            starts[interval] = tap_pos
            own = rows.set_index("trafo")["tap_pos"].reindex(self.controls.trafo_idx)
            if own.notna().all():
                tap_pos = own.to_numpy(np.float64)
        return starts

    def _recorded_voltage(self) -> FloatArray:
        network = self.results.network
        bus = int(network.ext_grid.bus[in_service(network.ext_grid)].iloc[0])
        recorded = [
            buses.loc[buses["bus"] == bus, "vm_pu"].to_numpy(np.float64)
            for part in stretches_of(Rows(self.results))
            for buses in [part.table("buses")]
        ]
        return np.concatenate(recorded)
