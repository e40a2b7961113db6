"""Value of stored energy: what its next expected use saves or earns.

Energy in a storage keeps its marginal value until the storage is full or empty: more of it then
changes what is charged, or what is discharged, at that time and nothing in between (the Lagrange
multiplier of the stored energy changes only where a capacity constraint binds: Cruise, Flatley,
Gibbens, Zachary: Control of Energy Storage with Market Impact, Operations Research 67 (2019) 1-9,
doi:10.1287/opre.2018.1761). So the storage is followed over the coming day, as it would store
its owner's expected surplus and cover the expected deficit, up to the first of the two:

* it becomes *full* first: what is charged now need not be charged later, and that surplus is fed in
  instead; what is discharged now is charged again from surplus that would have been fed in;
* it becomes *empty* first: what is charged now is discharged then, in place of a purchase at the
  retail price, through losses and with wear; what is discharged now has to be bought then.

Each at the supplier's prices of that time. What comes to neither within a day counts as in the
first case, at those of the next interval. Simplified: the supplier's prices value later energy,
also of a storage that trades; the value is marginal, that of the first kWh; a storage that could
be charged from the supplier before, in a cheaper interval, counts what it would buy when empty.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cosim.devices.storage import Storage
from cosim.scenario.tariff import Tariffs
from cosim.units import BoolArray, FloatArray

TINY_MWH = 1e-9
"""Energy from a bound at which a storage counts as full, or empty."""


@dataclass(frozen=True, slots=True)
class StoredValue:
    """Cost of using a storage now, apart from what the energy costs or earns now, (n,) each.

    Parameters
    ----------
    charging_ueur_per_kwh : (n,) float
        Of a kWh charged: wear less what it is worth later; negative where it is worth more.
        [µEUR/kWh]
    discharging_ueur_per_kwh : (n,) float
        Of a kWh discharged: wear, and what it would have been worth. [µEUR/kWh]
    """

    charging_ueur_per_kwh: FloatArray
    discharging_ueur_per_kwh: FloatArray


def stored_value(
    storage: Storage, soc_mwh: FloatArray, coming_mw: FloatArray, step_h: float, coming: Tariffs
) -> StoredValue:
    """Return what charging and discharging a storage costs by the next expected use.

    Parameters
    ----------
    storage : Storage
    soc_mwh : (n,) float
        Stored energy after the plan of the interval. [MWh]
    coming_mw : (T, n) float
        Expected net injection of the coming day, without storages. [MW]
    step_h : float
        Step length. [h]
    coming : Tariffs
        Prices of the coming day; fewer rows are followed by the last.
    """
    full, empty = first_bounds(storage, soc_mwh, coming_mw, step_h)
    empties = empty < full
    when = np.minimum(full, empty)
    row = np.where(np.isfinite(when), when, 0).astype(np.int64)
    row = np.minimum(row, len(coming.retail) - 1)
    wear, round_trip = storage.wear_ueur_per_kwh, storage.round_trip_efficiency
    retail, feed_in = coming.retail[row].astype(float), coming.feed_in[row].astype(float)
    return StoredValue(
        charging_ueur_per_kwh=np.where(
            empties, wear * (1.0 + round_trip) - retail * round_trip, -feed_in
        ),
        discharging_ueur_per_kwh=np.where(
            empties, retail, feed_in / round_trip + wear * (1.0 + 1.0 / round_trip)
        ),
    )


def first_bounds(
    storage: Storage, soc_mwh: FloatArray, coming_mw: FloatArray, step_h: float
) -> tuple[FloatArray, FloatArray]:
    """Return in which row a storage first is full, and empty; (n,) each, infinite if in none."""
    charge = storage.charge_efficiency * step_h
    discharge = step_h / storage.discharge_efficiency
    power = np.clip(coming_mw, -storage.p_max_mw, storage.p_max_mw)
    soc = soc_mwh + np.cumsum(np.where(power > 0, power * charge, power * discharge), axis=0)
    full = (power > 0) & (soc >= storage.capacity_mwh - TINY_MWH)
    empty = (power < 0) & (soc <= storage.soc_min_mwh + TINY_MWH)
    return _first(full), _first(empty)


def _first(when: BoolArray) -> FloatArray:
    """Return the first row that is true in each column; infinite if none is."""
    return np.where(when.any(axis=0), when.argmax(axis=0), np.inf)
