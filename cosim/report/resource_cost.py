"""Resource cost of a run, and welfare as its negative.

Welfare is the value of consumption less the cost of the resources that serve it; payments between
those who take part cancel out of it (Schweppe, Caramanis, Tabors, Bohn: Spot Pricing of Electricity
(1988), ch. 6; Kirschen, Strbac: Fundamentals of Power System Economics, 2nd ed. (2018), ch. 2 and
5). Consumption here has no price elasticity: its value is the same in every run of a scenario but
for what is cut, which counts at the value of lost load. What is left to compare is

    energy from upstream + fuel + wear + discomfort + unserved energy + closing,

all in EUR:

* energy from upstream: net import at the slack bus, losses included, at the wholesale price of the
  interval; export counts at the same price with the other sign;
* fuel: generation at its kind's ``fuel_ueur_per_kwh``;
* wear: what storages charge and discharge, at ``prosumers.battery.wear_eur_per_kwh``, or the
  ``wear_ueur_per_kwh`` of another kind;
* discomfort: consumption newly put off, at ``prosumers.deferral.discomfort_eur_per_kwh``;
* unserved energy: consumption that was cut, at the value of lost load;
* closing: storage ends as it began, and nothing stays owed. What is missing in a storage is bought
  back at the mean wholesale price through its charging efficiency, what is left over is sold
  through its discharging efficiency, both with the wear of it and where that pays; owed consumption
  is served at that price.

Retail margin, charges, flexibility payments, penalties and fees of the ledger are transfers and in
none of these (:mod:`cosim.report.roles`). Simplified: no capacity cost; the
ledger's own energy is left out.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import TypeVar

import numpy as np
import pandas as pd

from cosim.devices.battery import Battery, BatterySettings
from cosim.devices.catalogue import SHED, registered
from cosim.devices.deferral import OWED, Deferrable, DeferralSettings
from cosim.devices.profiled import Generator
from cosim.devices.storage import Storage
from cosim.inputs.prices import price_series
from cosim.report.energy import by_prosumer
from cosim.report.stretches import codes_of, column_of, first_of
from cosim.report.subjects import subjects
from cosim.results.reader import Results
from cosim.scenario.time import TimeSettings
from cosim.scenario.valuation import ValuationSettings
from cosim.units import MWH_PER_KWH, FloatArray, eur_from_ueur


@dataclass(frozen=True)
class ResourceCost:
    """Parts of the resource cost; negative where something was earned. [EUR]

    Parameters
    ----------
    upstream_eur, fuel_eur, wear_eur, discomfort_eur, unserved_eur, closing_eur : float
        ``upstream_eur`` is NaN where a power flow has no solution.
    """

    upstream_eur: float
    fuel_eur: float
    wear_eur: float
    discomfort_eur: float
    unserved_eur: float
    closing_eur: float

    @property
    def total_eur(self) -> float:
        """Sum of all parts. [EUR]"""
        return sum(self.parts().values())

    def parts(self) -> dict[str, float]:
        """Return the parts by name, without their unit. [EUR]"""
        return {f.name.removesuffix("_eur"): getattr(self, f.name) for f in fields(self)}


IN_KIND = ("fuel", "wear", "discomfort", "unserved", "closing")
"""Parts that arise behind a connection point, where nobody pays for them in money."""


def valuation(results: Results) -> ValuationSettings:
    """Return the scenario's values of resources."""
    return ValuationSettings.model_validate(results.scenario_fields.get("valuation", {}))


def wholesale(results: Results) -> FloatArray:
    """Return the wholesale price of every interval, (T,). [EUR/kWh]"""
    time = TimeSettings.model_validate(results.scenario_fields["time"])
    return price_series(
        valuation(results).wholesale_eur_per_kwh,
        time.start,
        results.n_intervals,
        time.step_s,
        results.folder,
        "valuation.wholesale_eur_per_kwh",
    )


def resource_cost(results: Results) -> ResourceCost:
    """Return the resource cost of a run."""
    in_kind = in_kind_costs(results).sum()
    return ResourceCost(
        upstream_eur=float((imported_kwh(results) * wholesale(results)).sum(skipna=False)),
        **{f"{name}_eur": float(in_kind[name]) for name in IN_KIND},
    )


def imported_kwh(results: Results) -> pd.Series:
    """Return net import from upstream by interval; NaN where a power flow has no solution. [kWh]"""
    balance = results.frame("grid_balance", ("interval", "p_slack_mw")).set_index("interval")
    imported = balance["p_slack_mw"] * (results.step_h / MWH_PER_KWH)
    return pd.Series(imported.reindex(range(results.n_intervals)), name="imported_kwh")


def in_kind_costs(results: Results) -> pd.DataFrame:
    """Return what arises behind each connection point, one column per name in :data:`IN_KIND`.

    Returns
    -------
    pandas.DataFrame
        Indexed by ``prosumer``. [EUR]
    """
    return results.kept("costs in kind", lambda: _in_kind_costs(results))


def _in_kind_costs(results: Results) -> pd.DataFrame:
    values, kwh = valuation(results), results.step_h / MWH_PER_KWH
    mean_price = float(wholesale(results).mean())
    codes, names = codes_of(results, "prosumers", "prosumer")
    index = pd.Index(sorted(names), name="prosumer", dtype=object)
    cost = pd.DataFrame(0.0, index=index, columns=list(IN_KIND))
    if not len(codes):
        return cost

    def energy_kwh(column: str) -> pd.Series:
        power_mw = pd.Series(np.abs(column_of(results, "prosumers", column)))
        sums = power_mw.groupby(codes).sum()
        return sums.rename(index=dict(enumerate(names))).sort_index() * kwh

    first = first_of(results).frame("prosumers")
    for device in registered():
        column = device.power_column()
        if column not in first:
            continue
        if issubclass(device, Generator):
            cost["fuel"] += energy_kwh(column) * eur_from_ueur(device.fuel_ueur_per_kwh)
        elif issubclass(device, Storage):
            cost["wear"] += energy_kwh(column) * wear_eur_per_kwh(results, device)
            state = by_prosumer(results, device.soc_column())
            cost["closing"] += _closing_eur(results, device, state, first, mean_price)
    owed = by_prosumer(results, OWED.name) / MWH_PER_KWH
    put_off = owed.diff().fillna(owed.iloc[:1]).clip(lower=0.0).sum()
    cost["discomfort"] = put_off * _section(results, DeferralSettings).discomfort_eur_per_kwh
    cost["unserved"] = energy_kwh(SHED.name) * values.unserved_eur_per_kwh
    cost["closing"] += owed.iloc[-1] * mean_price
    return cost


def _closing_eur(
    results: Results,
    device: type[Storage],
    state_mwh: pd.DataFrame,
    rows: pd.DataFrame,
    wholesale_eur_per_kwh: float,
) -> pd.Series:
    """Return the cost of bringing a kind of storage back to where it began, by prosumer. [EUR]

    The first state is that at the end of the first interval; its power leads back to the start.
    """
    charge, discharge = efficiencies(results, device, state_mwh.columns)
    at_first = rows[rows["interval"] == 0].astype({"prosumer": str})
    first = at_first.set_index("prosumer")[device.power_column()]
    power = first.reindex(state_mwh.columns).to_numpy()
    gained = stored_mwh(power, charge, discharge, results.step_h)
    change_mwh = state_mwh.iloc[-1].to_numpy() - (state_mwh.iloc[0].to_numpy() - gained)
    wear_eur = wear_eur_per_kwh(results, device)
    bought, sold = closing_prices(wear_eur, wholesale_eur_per_kwh)
    eur = np.where(change_mwh < 0, change_mwh / charge * bought, change_mwh * discharge * sold)
    return pd.Series(-eur / MWH_PER_KWH, index=state_mwh.columns)


def wear_eur_per_kwh(results: Results, device: type[Storage]) -> float:
    """Return the wear of a kind of storage, per kWh charged and again per kWh discharged. [EUR]"""
    if issubclass(device, Battery):
        return _section(results, BatterySettings).wear_eur_per_kwh
    return float(eur_from_ueur(device.wear_ueur_per_kwh))


def closing_prices(wear_eur_per_kwh: float, wholesale_eur_per_kwh: float) -> tuple[float, float]:
    """Return what a kWh costs that fills a storage at the end, and what one earns that leaves it.

    Returns
    -------
    float, float
        With its wear; what would earn nothing is kept. [EUR/kWh]
    """
    wear = wear_eur_per_kwh
    return wholesale_eur_per_kwh + wear, max(wholesale_eur_per_kwh - wear, 0.0)


def stored_mwh(
    p_mw: FloatArray, charge_efficiency: FloatArray, discharge_efficiency: FloatArray, step_h: float
) -> FloatArray:
    """Return the energy that a power, charging positive, adds to a storage. [MWh]"""
    stored_mw = np.where(p_mw > 0, p_mw * charge_efficiency, p_mw / discharge_efficiency)
    return np.asarray(stored_mw * step_h, dtype=np.float64)


M = TypeVar("M", BatterySettings, DeferralSettings)
_SECTIONS = {BatterySettings: Battery.section, DeferralSettings: Deferrable.section}


def _section(results: Results, kind: type[M]) -> M:
    """Return the scenario's section of batteries, or of consumption that can wait."""
    return kind.model_validate(results.scenario_fields["prosumers"].get(_SECTIONS[kind], {}))


def efficiencies(
    results: Results, device: type[Storage], names: Iterable[str]
) -> tuple[FloatArray, FloatArray]:
    """Return one-way efficiencies of a kind of storage by connection point. [-]

    Returns
    -------
    (n,) float, (n,) float
        Charging and discharging.
    """
    rest = (device.one_way_efficiency, device.one_way_efficiency)
    own: dict[str, tuple[float, float]] = {}
    if issubclass(device, Battery):
        section = _section(results, BatterySettings)
        rest = (section.charge_efficiency, section.discharge_efficiency)
        for fields_of in results.scenario_fields["prosumers"].get("named", ()):
            battery = fields_of.get("battery") or {}
            given = (battery.get("charge_efficiency"), battery.get("discharge_efficiency"))
            charge, discharge = (r if g is None else g for g, r in zip(given, rest, strict=True))
            own[fields_of["connection_point"]] = (charge, discharge)
    own |= {k: v for each in subjects(results) for k, v in each.efficiencies().items()}
    pairs = [own.get(name, rest) for name in names]
    both = np.array(pairs, dtype=np.float64).reshape(-1, 2)
    return both[:, 0], both[:, 1]
