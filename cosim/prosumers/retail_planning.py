"""Plans by the supplier's prices: charging from it when it is cheap, and keeping for dear hours.

Prices of the coming day count as known, as those of a time-of-use tariff are, and those of a
day-ahead market from the early afternoon of the day before (before that it is a simplification).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cosim.devices.storage import Storage
from cosim.scenario.tariff import Tariffs
from cosim.units import FloatArray

_LEAST_MW = 1e-12


@dataclass(frozen=True, slots=True)
class RetailView:
    """Prices of the supplier as a plan sees them.

    Parameters
    ----------
    now_ueur_per_kwh : float
        Retail price of the interval. [µEUR/kWh]
    local_charge_ueur_per_kwh : float
        What a local purchase is charged in it. [µEUR/kWh]
    ahead_ueur_per_kwh : (at least 1,) float or None
        Retail prices of the coming day, this interval first; None if they never change. [µEUR/kWh]
    charge_ahead_ueur_per_kwh : (at least 1,) float or None
        What local purchases are charged then; None if nothing ever is. [µEUR/kWh]
    """

    now_ueur_per_kwh: float
    local_charge_ueur_per_kwh: float = 0.0
    ahead_ueur_per_kwh: FloatArray | None = None
    charge_ahead_ueur_per_kwh: FloatArray | None = None

    @property
    def local_limit_ueur_per_kwh(self) -> float:
        """Price above which buying locally costs more than retail. [µEUR/kWh]"""
        return self.now_ueur_per_kwh - self.local_charge_ueur_per_kwh

    def cost_ahead(self, expected_ueur_per_kwh: FloatArray) -> FloatArray:
        """Return what local purchases are expected to cost with their charges. [µEUR/kWh]"""
        charge = self.charge_ahead_ueur_per_kwh
        if charge is None:
            return expected_ueur_per_kwh
        if expected_ueur_per_kwh.ndim > 1:
            charge = charge[:, None]
        return expected_ueur_per_kwh + charge


def retail_view(tariffs: Tariffs, interval: int, intervals: int) -> RetailView:
    """Return the supplier's prices as the plan of an interval sees them.

    Parameters
    ----------
    tariffs : Tariffs
    interval : int
    intervals : int
        Of a day.
    """
    now = tariffs.at(interval)
    coming = tariffs.ahead(interval, intervals)
    charge = None
    if tariffs.has_local_charges:
        charge = (coming.local_network + coming.local_taxes).astype(np.float64)
        if not tariffs.varies:
            charge = np.full(1, float(now.local_charge_ueur_per_kwh))
    return RetailView(
        now.retail_price_ueur_per_kwh,
        now.local_charge_ueur_per_kwh,
        coming.retail.astype(np.float64) if tariffs.varies else None,
        charge,
    )


def firm_power_mw(
    storage: Storage,
    soc_mwh: FloatArray,
    p_inflexible_mw: FloatArray,
    step_h: float,
    ahead_ueur_per_kwh: FloatArray,
) -> FloatArray:
    """Return what a storage does without a trade where the supplier's prices change, (n,). [MW]

    With the highest price ahead ``h``, the lowest ``l``, round-trip efficiency ``r`` and wear ``w``
    of each direction:

    * it charges from the supplier in the cheapest intervals of the coming day, as many as it takes
      to be full, if the price is below ``r * (h - w) - w``;
    * it covers a deficit only in the dearest intervals, as many as what is stored lasts at the
      deficit of now, and only if the price is above ``(l + w) / r + w``;
    * a surplus is stored as ever.

    This is the threshold form of storage arbitrage with known prices: with one lowest and one
    highest price it buys at the first and uses at the second (R. Sioshansi et al.: Estimating the
    value of electricity storage in PJM. Energy Economics 31 (2009) 269-277,
    doi:10.1016/j.eneco.2008.10.005, solves the whole day as a programme, which this is not: what
    later surplus will fill by itself is not foreseen).

    Parameters
    ----------
    storage : Storage
    soc_mwh, p_inflexible_mw : (n,) float
        Stored energy; expected net injection without storages. [MWh, MW]
    step_h : float
        Step length. [h]
    ahead_ueur_per_kwh : (at least 1,) float
        Retail prices of the coming day, this interval first. [µEUR/kWh]
    """
    own = storage.limit_power_mw(soc_mwh, p_inflexible_mw, step_h)
    now, ordered = float(ahead_ueur_per_kwh[0]), np.sort(ahead_ueur_per_kwh)
    lowest, highest, n = float(ordered[0]), float(ordered[-1]), len(ordered)
    if lowest == highest:
        return own
    wear, efficiency = storage.wear_ueur_per_kwh, storage.round_trip_efficiency
    charge_mw = storage.charge_limit_mw(soc_mwh, step_h)
    room_mwh = np.maximum(storage.capacity_mwh - soc_mwh, 0.0)
    per_step_mwh = np.maximum(storage.p_max_mw * step_h, _LEAST_MW)
    steps_to_fill = np.clip(np.ceil(room_mwh / per_step_mwh), 1, n).astype(np.int64)
    charges = (now <= ordered[steps_to_fill - 1]) & (now < efficiency * (highest - wear) - wear)
    deficit_mw = np.maximum(-own, _LEAST_MW)
    most_mw = storage.discharge_limit_mw(soc_mwh, step_h)
    stock_mwh = np.maximum(soc_mwh - storage.soc_min_mwh, 0.0)
    lasting = np.clip(np.ceil(stock_mwh / (deficit_mw * step_h)), 1, n)
    dear = ordered[n - lasting.astype(np.int64)]
    uses = (now >= dear) & (now > (lowest + wear) / efficiency + wear) & (most_mw > 0)
    kept = np.where((own < 0) & ~uses, 0.0, own)
    return np.where(charges, np.maximum(kept, charge_mw), kept)
