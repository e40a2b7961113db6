"""Energy of the community: generation, consumption, and what of it was used at once.

Self-consumption and self-sufficiency follow Luthander et al., Applied Energy 142 (2015) 80-94,
doi:10.1016/j.apenergy.2014.12.028, eqs. 1-4, for the community as a whole: with the sums over all
prosumers of generation P(t), of consumption L(t) and of storages' power B(t) (charging positive),
each over every device of that role, the energy used by the community itself is
``M(t) = min(L(t), max(P(t) - B(t), 0))``, self-consumption ``sum M / sum P`` and self-sufficiency
``sum M / sum L``. Storages count as behind the meter: what they charge is not available, what they
discharge is, whatever it was charged from; one that ends emptier than it began therefore adds to
both.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from cosim.devices import catalogue
from cosim.devices.catalogue import columns_of
from cosim.devices.device import Role
from cosim.devices.storage import Storage
from cosim.report.indicator import ratio
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
    def own_mw(self) -> FloatArray:
        """(n,) power that the community used itself. [MW]"""
        available = np.maximum(self.generation_mw - self.storage_mw, 0.0)
        return np.asarray(np.minimum(self.consumption_mw, available), dtype=np.float64)

    @property
    def self_consumption(self) -> float | None:
        """Own use of generation; None without generation. [-]"""
        return ratio(float(self.own_mw.sum()), float(self.generation_mw.sum()))

    @property
    def self_sufficiency(self) -> float | None:
        """Own use of consumption; None without consumption. [-]"""
        return ratio(float(self.own_mw.sum()), float(self.consumption_mw.sum()))


def community_power(results: Results, without: Collection[str] = ()) -> CommunityPower:
    """Return the power of the community in each recorded interval.

    Parameters
    ----------
    results : Results
    without : collection of str
        Connection points to leave out.
    """
    rows = results.frame("prosumers")
    if without:
        rows = rows[~rows["prosumer"].isin(list(without))]
    by_interval = rows.groupby("interval")

    def total(role: Role) -> FloatArray:
        columns = columns_of(role, rows.columns)
        return sum((by_interval[c].sum().to_numpy() for c in columns), np.zeros(len(by_interval)))

    return CommunityPower(total("generation"), total("consumption"), total("storage"))


def energy_by_device(results: Results) -> dict[str, dict[str, float]]:
    """Return what each kind of device generated, consumed, or charged and discharged.

    Kinds without energy in the run are left out.

    Returns
    -------
    dict of str to dict
        By kind, in the order of the devices: ``generated`` (after curtailment) and ``consumed``, or
        ``charged`` and ``discharged``. All are positive. [kWh]
    """
    rows = results.frame("prosumers")
    found = {}
    for device in catalogue.registered():
        if (name := device.power_column()) not in rows or not rows[name].any():
            continue
        kwh = rows[name].to_numpy() * results.step_h * KWH_PER_MWH
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
    rows = results.frame("prosumers")
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
    owed = results.frame("prosumers", ["interval", "prosumer", "deferred_mwh"])
    wide = owed.pivot(index="interval", columns="prosumer", values="deferred_mwh").sort_index()
    less = (wide.shift(fill_value=0.0) - wide).clip(lower=0.0)
    return float(less.to_numpy().sum()) * KWH_PER_MWH
