"""Energy of the community: generation, consumption, and what of it was used at once.

Self-consumption is the share of generation that is not exported (IEA PVPS T1-28:2016, Review and
analysis of PV self-consumption policies), self-sufficiency the share of consumption that generation
covers (Luthander et al., Applied Energy 142 (2015) 80-94, doi:10.1016/j.apenergy.2014.12.028), of
the community as a whole: with the sums over all prosumers of generation P(t), of consumption L(t)
and of storages' power B(t) (charging positive), each over every device of that role. Storages count
as behind the meter. Generation that charges them is consumed when it charges, and only then:
self-consumption is ``sum min(P, L + max(B, 0)) / sum P``. What they discharge covers consumption as
far as they were charged from surplus generation since the run began, which is taken out first: what
they held at its start, or drew from the grid, is nobody's generation of this run. So neither
exceeds 1.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import pandas as pd

from cosim.devices import catalogue
from cosim.devices.catalogue import columns_of
from cosim.devices.device import Role
from cosim.devices.storage import Storage
from cosim.report.indicator import ratio
from cosim.report.stretches import along, codes_of, column_of, first_of
from cosim.results.reader import Results
from cosim.units import WH_PER_KWH, WH_PER_MWH, FloatArray

KWH_PER_MWH = WH_PER_MWH / WH_PER_KWH


@dataclass(frozen=True)
class CommunityPower:
    """Sums over prosumers by interval.

    Parameters
    ----------
    generation_mw, consumption_mw, storage_mw : (n,) float
        Positive: generated, consumed, charged. [MW]
    """

    generation_mw: FloatArray
    consumption_mw: FloatArray
    storage_mw: FloatArray

    @property
    def kept_mw(self) -> FloatArray:
        """(n,) generation that was consumed or stored when it was generated. [MW]"""
        taken = self.consumption_mw + np.maximum(self.storage_mw, 0.0)
        return np.asarray(np.minimum(self.generation_mw, taken), dtype=np.float64)

    @property
    def covered_mw(self) -> FloatArray:
        """(n,) consumption that generation of the run covered, at once or out of storages. [MW]"""
        at_once = np.minimum(self.generation_mw, self.consumption_mw)
        surplus, lack = self.generation_mw - at_once, self.consumption_mw - at_once
        stored = np.minimum(np.maximum(self.storage_mw, 0.0), surplus).tolist()
        covered, held = np.zeros_like(at_once), 0.0
        for t, given in enumerate(np.maximum(-self.storage_mw, 0.0).tolist()):
            held += stored[t]
            covered[t] = min(given, held)
            held -= covered[t]
        return np.asarray(at_once + np.minimum(covered, lack), dtype=np.float64)

    @property
    def self_consumption(self) -> float | None:
        """Generation that was not exported, of all; None without generation. [-]"""
        return ratio(float(self.kept_mw.sum()), float(self.generation_mw.sum()))

    @property
    def self_sufficiency(self) -> float | None:
        """Consumption that generation covered, of all; None without consumption. [-]"""
        return ratio(float(self.covered_mw.sum()), float(self.consumption_mw.sum()))


def community_power(results: Results, without: Collection[str] = ()) -> CommunityPower:
    """Return the power of the community in each recorded interval.

    Parameters
    ----------
    results : Results
    without : collection of str
        Connection points to leave out.
    """

    def rest_of(part: Results) -> FloatArray:
        rows = part.frame("prosumers")
        return _sums_of(rows[~rows["prosumer"].isin(list(without))])

    def of_run() -> CommunityPower:
        make = rest_of if without else power_of
        return CommunityPower(*np.ascontiguousarray(along(results, make).T))

    return results.kept(("community power", tuple(without)), of_run)


def power_of(part: Results) -> FloatArray:
    """Return generation, consumption and storage of all prosumers of a stretch, (T, 3). [MW]"""
    return _sums_of(part.frame("prosumers"))


def _sums_of(rows: pd.DataFrame) -> FloatArray:
    by_interval = rows.groupby("interval")

    def total(role: Role) -> FloatArray:
        columns = columns_of(role, rows.columns)
        none = np.zeros(len(by_interval))
        return sum((by_interval[c].sum().to_numpy() for c in columns), none)

    return np.stack([total("generation"), total("consumption"), total("storage")], axis=1)


def energy_by_device(results: Results) -> dict[str, dict[str, float]]:
    """Return what each kind of device generated, consumed, or charged and discharged.

    Kinds without energy in the run are left out.

    Returns
    -------
    dict of str to dict
        By kind, in the order of the devices: ``generated`` (after curtailment) and ``consumed``, or
        ``charged`` and ``discharged``. All are positive. [kWh]
    """
    known = first_of(results).frame("prosumers").columns
    found = {}
    for device in catalogue.registered():
        if (name := device.power_column()) not in known:
            continue
        power_mw = column_of(results, "prosumers", name)
        if not power_mw.any():
            continue
        kwh = power_mw * results.step_h * KWH_PER_MWH
        taken, given = float(kwh.clip(min=0).sum()), abs(float(kwh.clip(max=0).sum()))
        match device.columns[0].role:
            case "generation":
                found[device.kind] = {"generated": taken}
            case "storage":
                found[device.kind] = {"charged": taken, "discharged": given}
            case _:
                found[device.kind] = {"consumed": taken}
    return found


def stored_kwh(results: Results) -> dict[str, float | None]:
    """Return stored energy of all storages at the start and the end of a run. [kWh]

    Returns
    -------
    dict of str to float
        ``start`` and ``end``; ``missed``: by how much those with a wanted end differ from it, each
        positive; None where none is wanted.
    """
    frame = results.frame("storages")
    n = results.n_intervals
    rows = (results.window(n - 1, n) if results.is_long else results).frame("prosumers")
    last = rows[rows["interval"] == rows["interval"].max()].set_index("prosumer")
    end, missed, is_wanted = 0.0, 0.0, False
    for device in catalogue.registered():
        own = frame[frame["device"] == device.kind]
        if own.empty or not issubclass(device, Storage):
            continue
        reached = last.loc[own["prosumer"], device.soc_column()].to_numpy()
        off = np.abs(reached - own["wanted_mwh"].to_numpy())
        is_wanted = is_wanted or bool(np.isfinite(off).any())
        end, missed = end + float(reached.sum()), missed + float(np.nansum(off))
    return {
        "start": float(frame["start_mwh"].sum()) * KWH_PER_MWH,
        "end": end * KWH_PER_MWH,
        "missed": missed * KWH_PER_MWH if is_wanted else None,
    }


def caught_up_kwh(results: Results) -> float:
    """Return consumption that was put off before and caught up, over all prosumers. [kWh]"""
    wide = by_prosumer(results, "deferred_mwh")
    less = (wide.shift(fill_value=0.0) - wide).clip(lower=0.0)
    return float(less.to_numpy().sum()) * KWH_PER_MWH


def by_prosumer(results: Results, column: str) -> pd.DataFrame:
    """Return one column of table ``prosumers`` by interval, a column per connection point."""
    codes, names = codes_of(results, "prosumers", "prosumer")
    n = len(names)
    if results.is_long and len(codes) == results.n_intervals * n:
        order = codes[:n]
        if (codes.reshape(-1, n) == order).all():  # as runs write them
            values = column_of(results, "prosumers", column).reshape(-1, n)
            wide = pd.DataFrame(values, columns=[names[code] for code in order])
            return wide.sort_index(axis="columns")
    long = pd.DataFrame(
        {
            "interval": column_of(results, "prosumers", "interval"),
            "prosumer": codes,
            "value": column_of(results, "prosumers", column),
        }
    )
    wide = long.pivot(index="interval", columns="prosumer", values="value").sort_index()
    return wide.rename(columns=dict(enumerate(names))).sort_index(axis="columns")
