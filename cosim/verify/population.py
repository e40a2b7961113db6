"""Population of a result, built again from scenario, grid and seed; its devices, played again."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from cosim.devices.delivery import Devices
from cosim.errors import CosimError
from cosim.grid.catalogue import GridCase
from cosim.grid.network_model import NetworkModel, build_network_model
from cosim.prosumers.population import Population
from cosim.replay.findings import Check
from cosim.replay.participants import Participants, deviation
from cosim.results.reader import Results, by_interval
from cosim.results.schemas import DEVICES
from cosim.runs.preparation import prepare_grid, prepare_people
from cosim.units import FloatArray, energy_wh_from_mw

TOLERANCE_MW = 1e-12
KEY = ["interval", "prosumer"]

PARTS = ("p_inject_mw", "q_inject_mvar", *(column.name for column in DEVICES))
_OF_DELIVERY = {"deferred_mwh": "owed_mwh"}
"""Names of parts in a delivery, where they differ."""


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
    forecast_q_mvar : (T, n) float or None
        Reactive power that the schedules were checked with. [Mvar]
    missing : str
        Why something is None.
    """

    def __init__(self, results: Results) -> None:
        self.results = results
        self.names = Participants(results).prosumers
        self.grid: GridCase | None = None
        self.population: Population | None = None
        self.forecast_q_mvar: FloatArray | None = None
        self.missing = ""
        reason = deviation(results.scenario)
        try:
            self.grid = prepare_grid(results.scenario)
            if reason is not None:
                self.missing = reason
                return
            self.population, bidders = prepare_people(results.scenario, self.grid)
        except (CosimError, OSError) as error:
            self.missing = f"the grid of the scenario cannot be read here ({error})"
            return
        forecasts = bidders.forecasts
        self.forecast_q_mvar = (
            forecasts.pv_q_mvar - forecasts.load_q_mvar - forecasts.flexible_q_mvar
        )

    @cached_property
    def model(self) -> NetworkModel:
        """Recorded network, condensed to its connection points; nothing is solved with it here."""
        return build_network_model(self.results.network)


def check_devices(rebuilt: RebuiltPopulation) -> Check:
    """Compare what every prosumer did with profiles, schedules and device physics.

    Devices follow from the scenario's profiles and from the schedules alone, so that they can be
    played again. Where a scenario replaces them, only the sums are checked.
    """
    check = Check("devices", "profiles, schedules and device physics played again")
    results = rebuilt.results
    frame = results.table("prosumers").reset_index(drop=True)
    step_s = results.scenario.time.step_s
    rows = pd.Index(
        ["interval " + str(i) + ", prosumer " + name for i, name in frame[KEY].to_numpy()],
        dtype=object,
    )
    net = frame["pv_p_mw"] - frame["load_p_mw"] - frame["ev_p_mw"]
    net = net - frame["heat_pump_p_mw"] - frame["battery_p_mw"]
    check.numbers("prosumers", rows, "p_inject_mw", frame["p_inject_mw"], net, TOLERANCE_MW)
    counted = energy_wh_from_mw(frame["p_inject_mw"], step_s)
    attacked = rebuilt.population is None and "attack" in rebuilt.missing
    if not attacked:
        check.columns(
            "prosumers", rows, frame, pd.DataFrame({"metered_wh": counted}), ["metered_wh"]
        )
    bus_of = dict(zip(results.network.sgen["name"], results.network.sgen["bus"], strict=True))
    buses = pd.DataFrame({"bus": [bus_of.get(name, -1) for name in frame["prosumer"]]})
    check.columns("prosumers", rows, frame, buses, ["bus"])
    if rebuilt.population is None:
        check.note(f"only sums are checked: {rebuilt.missing}")
        return check
    own = _played(results, rebuilt.population)
    check.equal("prosumers", "", "number of rows", len(frame), len(own))
    if len(frame) == len(own):
        check.columns("prosumers", rows, frame, own, KEY)
        for part in PARTS:
            check.numbers("prosumers", rows, part, frame[part], own[part], TOLERANCE_MW)
    return check


def _played(results: Results, population: Population) -> pd.DataFrame:
    """The table of prosumers as the devices make it of the schedules."""
    devices, parts = Devices(population), []
    names = np.array(population.names, dtype=object)
    for interval, rows in by_interval(results.table("schedules")):
        wh: dict[str, Any] = {
            name: rows[f"{name}_wh"].to_numpy(np.int64)
            for name in ("nominated", "activated", "curtailed")
        }
        delivery = devices.deliver(interval, wh["nominated"], wh["activated"], -wh["curtailed"])
        columns = {part: getattr(delivery, _OF_DELIVERY.get(part, part)) for part in PARTS}
        parts.append(pd.DataFrame({"interval": interval, "prosumer": names, **columns}))
    return pd.concat(parts, ignore_index=True)
