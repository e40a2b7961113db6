"""Energy of the community: generation, consumption, and what of it was used at once.

Self-consumption and self-sufficiency follow Luthander et al., Applied Energy 142 (2015) 80-94,
doi:10.1016/j.apenergy.2014.12.028, eqs. 1-4, for the community as a whole: with the sums over all
prosumers of PV generation P(t), of consumption L(t) (fixed load, EV, heat pump) and of battery
power B(t) (charging positive), the energy used by the community itself is
``M(t) = min(L(t), max(P(t) - B(t), 0))``, self-consumption ``sum M / sum P`` and self-sufficiency
``sum M / sum L``. Batteries count as behind the meter: what they charge is not available, what they
discharge is, whatever it was charged from; a battery that ends emptier than it began therefore adds
to both.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from cosim.report.indicator import ratio
from cosim.results.reader import Results
from cosim.units import WH_PER_KWH, WH_PER_MWH, FloatArray

KWH_PER_MWH = WH_PER_MWH / WH_PER_KWH

GENERATION = ("pv_p_mw",)
CONSUMPTION = ("load_p_mw", "ev_p_mw", "heat_pump_p_mw")
STORAGE = ("battery_p_mw",)
"""Columns of ``prosumers`` by what they are. [MW]"""


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
    columns = [*GENERATION, *CONSUMPTION, *STORAGE]
    rows = results.frame("prosumers")
    if without:
        rows = rows[~rows["prosumer"].isin(list(without))]
    sums = rows.groupby("interval")[columns].sum()

    def total(names: tuple[str, ...]) -> FloatArray:
        first, *others = (sums[name] for name in names)
        return np.asarray(sum(others, first).to_numpy(), dtype=np.float64)

    return CommunityPower(total(GENERATION), total(CONSUMPTION), total(STORAGE))
