"""Population of a result, built again from scenario, grid and seed; its devices, played again."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from cosim.devices.catalogue import net_injection_mw
from cosim.devices.delivery import Devices
from cosim.devices.population import Population
from cosim.errors import CosimError
from cosim.grid.catalogue import GridCase
from cosim.grid.network_model import NetworkModel, build_network_model
from cosim.grid.power_flow import GridState, PowerFlow
from cosim.grid.sensitivities import Sensitivities
from cosim.prosumers.end_of_run import storage_rows
from cosim.prosumers.forecasts import Forecasts, forecast_rows
from cosim.replay.findings import Check, RowNames
from cosim.replay.participants import Participants, deviation
from cosim.results.reader import Results, by_interval
from cosim.runs.preparation import prepare_grid, prepare_prosumers
from cosim.units import BoolArray, FloatArray, energy_wh_from_mw
from cosim.verify.operation import RecordedOperation
from cosim.verify.stretches import Stretch

Slopes = Callable[[GridState, FloatArray, FloatArray, BoolArray], Sensitivities]
"""Sensitivities of chosen rows of a grid check to the injections."""

TOLERANCE_MW = 1e-12
KEY = ["interval", "prosumer"]


class RebuiltPopulation:
    """Population and forecasts of a result's scenario, as far as this machine has its grid.

    Parameters
    ----------
    results : Results

    Attributes
    ----------
    names : tuple of str
        Connection points in their order.
    grid : GridCase or None
    population : Population or None
    forecasts : Forecasts or None
    forecast_q_mvar : (T, n) float or None
        Reactive power that the schedules were checked with. [Mvar]
    missing : str
        The reason for what is None.
    """

    def __init__(self, results: Results) -> None:
        self.results = results
        self._whole = self
        self.names = Participants(results).prosumers
        self.grid: GridCase | None = None
        self.population: Population | None = None
        self.forecast_q_mvar: FloatArray | None = None
        self.forecasts: Forecasts | None = None
        self.missing = ""
        reason = deviation(results.scenario)
        try:
            self.grid = prepare_grid(results.scenario)
            if reason is not None:
                self.missing = reason
                return
            self.population, bidders = prepare_prosumers(results.scenario, self.grid)
        except (CosimError, OSError) as error:
            self.missing = f"the grid of the scenario cannot be read here ({error})"
            return
        self.forecasts = bidders.forecasts
        self.forecast_q_mvar = bidders.forecasts.q_inject_mvar

    def within(self, results: Results) -> RebuiltPopulation:
        """Return the same with a stretch of the run as its result."""
        part = copy.copy(self)
        part.results = results
        return part

    @property
    def model(self) -> NetworkModel:
        """Recorded network, condensed to its connection points; nothing is solved with it here."""
        return self._whole._model

    @property
    def operation(self) -> RecordedOperation:
        """Taps and slack voltages of the recorded run."""
        return self._whole._operation

    @cached_property
    def _model(self) -> NetworkModel:
        return build_network_model(self.results.network)

    @cached_property
    def _operation(self) -> RecordedOperation:
        return RecordedOperation(self.results, None if self.grid is None else self.grid.slack_vm_pu)

    @cached_property
    def _engine(self) -> PowerFlow:
        return self.operation.dso_engine("fixed-point")

    def slopes(self, interval: int, state: GridState) -> Slopes:
        """Return sensitivities in a state of an interval, of the network as the DSO models it."""
        return self._whole._engine.under(interval, state).sensitivities


def check_devices(rebuilt: RebuiltPopulation, devices: Devices | None = None) -> Check:
    """Compare what every prosumer did with profiles, schedules and device physics.

    Devices follow from the scenario's profiles and from the schedules alone, so that they can be
    played again. Where a scenario replaces them, only the sums are checked.

    Parameters
    ----------
    rebuilt : RebuiltPopulation
    devices : Devices, optional
        As the intervals before have left them; default: as at the start of a run.
    """
    check = Check("devices", "profiles, schedules and device physics played again")
    results = rebuilt.results
    frame = results.table("prosumers").reset_index(drop=True)
    step_s = results.scenario.time.step_s
    rows = pd.Index(
        ["interval " + str(i) + ", prosumer " + name for i, name in frame[KEY].to_numpy()],
        dtype=object,
    )
    net = net_injection_mw({str(name): column for name, column in frame.items()})
    check.numbers("prosumers", rows, "p_inject_mw", frame["p_inject_mw"], net, TOLERANCE_MW)
    counted = energy_wh_from_mw(frame["p_inject_mw"], step_s)
    attacked = rebuilt.population is None and "attack" in rebuilt.missing
    if not attacked:
        check.columns(
            "prosumers", rows, frame, pd.DataFrame({"metered_wh": counted}), ["metered_wh"]
        )
    scheduled = results.table("schedules").set_index(KEY)["dispatched_wh"]
    dispatched_wh = scheduled.reindex(pd.MultiIndex.from_frame(frame[KEY]), fill_value=0)
    imbalance = pd.DataFrame({"imbalance_wh": frame["metered_wh"] - dispatched_wh.to_numpy()})
    check.columns("prosumers", rows, frame, imbalance, ["imbalance_wh"])
    bus_of = dict(zip(results.network.sgen["name"], results.network.sgen["bus"], strict=True))
    buses = pd.DataFrame({"bus": [bus_of.get(name, -1) for name in frame["prosumer"]]})
    check.columns("prosumers", rows, frame, buses, ["bus"])
    if rebuilt.population is None:
        check.note(f"only sums are checked: {rebuilt.missing}")
        return check
    own = _played(results, devices or Devices(rebuilt.population), rebuilt.names)
    check.equal("prosumers", "", "number of rows", len(frame), len(own))
    if len(frame) == len(own):
        check.columns("prosumers", rows, frame, own, KEY)
        for part in own.columns.drop(KEY):
            check.numbers("prosumers", rows, part, frame[part], own[part], TOLERANCE_MW)
    return check


def check_forecasts(rebuilt: RebuiltPopulation) -> Check:
    """Compare forecasts, and what they are judged by, with those made again from the profiles."""
    check = Check("forecasts", "made again from profiles and seed")
    if rebuilt.forecasts is None:
        check.note(f"not comparable: {rebuilt.missing}")
        return check
    results = rebuilt.results
    frame = results.table("forecasts").reset_index(drop=True)
    if isinstance(results, Stretch):
        done = results.recorded_until("forecasts")
    else:
        done = int(frame["interval"].max()) + 1 if len(frame) else 0
    again = forecast_rows(rebuilt.forecasts, rebuilt.names, done, results.first)
    parts, rows = [pd.DataFrame(each) for each in again], RowNames(frame)
    own = pd.concat(parts, ignore_index=True) if parts else frame.iloc[:0]
    check.equal("forecasts", "", "number of rows", len(frame), len(own))
    if len(frame) == len(own):
        key = ["interval", "device_class", "prosumer"]
        check.columns("forecasts", None, frame, own, key)
        for name in own.columns.drop(key):
            check.numbers("forecasts", rows, str(name), frame[name], own[name], TOLERANCE_MW)
    return check


def check_storages(rebuilt: RebuiltPopulation) -> Check:
    """Compare the storages' sizes, first and wanted energy with those of the scenario."""
    check = Check("storages", "made again from the scenario and its seed")
    if rebuilt.population is None:
        check.note(f"not comparable: {rebuilt.missing}")
        return check
    frame = rebuilt.results.table("storages").reset_index(drop=True)
    rows = storage_rows(rebuilt.population.storages, rebuilt.names)
    parts = [pd.DataFrame(each) for each in rows]
    own = pd.concat(parts, ignore_index=True) if parts else frame.iloc[:0]
    check.equal("storages", "", "number of rows", len(frame), len(own))
    if len(frame) == len(own):
        check.columns("storages", None, frame, own, list(own.columns))
    return check


def _played(results: Results, devices: Devices, points: tuple[str, ...]) -> pd.DataFrame:
    """Return the table of prosumers as the devices make it of the schedules."""
    parts, names = [], np.array(points, dtype=object)
    for interval, rows in by_interval(results.table("schedules")):
        wh: dict[str, Any] = {
            name: rows[f"{name}_wh"].to_numpy(np.int64)
            for name in ("nominated", "activated", "curtailed", "unserved")
            if f"{name}_wh" in rows
        }
        unserved_wh = -wh["unserved"] if "unserved" in wh else None
        delivery = devices.deliver(
            interval,
            wh["nominated"],
            wh["activated"],
            -wh["curtailed"],
            unserved_wh=unserved_wh,
        )
        columns = {
            "interval": interval,
            "prosumer": names,
            "p_inject_mw": delivery.p_inject_mw,
            "q_inject_mvar": delivery.q_inject_mvar,
            "soc_mwh": delivery.soc_mwh,
            "deferred_mwh": delivery.owed_mwh,
        }
        parts.append(pd.DataFrame(columns | dict(delivery.parts)))
    none = results.table("prosumers").iloc[:0]
    return pd.concat(parts, ignore_index=True) if parts else none
