"""A battery that members share: its place in the population, and its nominations.

The battery has a connection point of its own, whose energy manager follows what the members
nominate. Policy of a member, before it orders anything in the local market:

* of the surplus that is left of its plan, whether or not its order clears, it stores what its
  shares take;
* of the deficit that is left in the same way it takes out what its account holds;
* the rest is what it orders. So is what is below 10 Wh: a nomination costs a fee, and rounding
  takes up to 1 Wh of it.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from cosim.devices.battery import Battery
from cosim.devices.load import Load
from cosim.devices.population import Population
from cosim.messages.agreements import SharedBattery
from cosim.units import WH_PER_MWH, FloatArray, IntArray, p_mw_from_wh

_PERMILLE = 1_000
_LEAST_WH = 10


def with_shared_battery(population: Population, shared: SharedBattery) -> Population:
    """Return the population with the battery, empty, behind its connection point.

    Parameters
    ----------
    population : Population
        With a connection point for it at which nothing stands.
    shared : SharedBattery

    Returns
    -------
    Population
        Read-only arrays.
    """
    i, own, load = shared.point, population.of(Battery), population.of(Load)
    p_mw = load.p_mw.copy()
    p_mw[:, i] = p_mw_from_wh(shared.standby_wh, population.step_s)
    p_mw.setflags(write=False)
    battery = replace(
        own,
        capacity_mwh=_set(own.capacity_mwh, i, shared.capacity_wh / WH_PER_MWH),
        soc_min_mwh=_set(own.soc_min_mwh, i, 0.0),
        soc_initial_mwh=_set(own.soc_initial_mwh, i, 0.0),
        p_max_mw=_set(own.p_max_mw, i, float(p_mw_from_wh(shared.power_wh, population.step_s))),
        charge_efficiency=_set(own.charge_efficiency, i, shared.charge_permille / _PERMILLE),
        discharge_efficiency=_set(
            own.discharge_efficiency, i, shared.discharge_permille / _PERMILLE
        ),
        soc_end_mwh=None if own.soc_end_mwh is None else _set(own.soc_end_mwh, i, np.nan),
    )
    return population.replaced(replace(load, p_mw=p_mw), battery)


def nominate_wh(
    shared: SharedBattery, firm_wh: IntArray, planned_wh: IntArray, account_wh: IntArray
) -> IntArray:
    """Return what members nominate for one interval.

    Parameters
    ----------
    shared : SharedBattery
    firm_wh, planned_wh : (n,) int64
        Net injection if nothing of the order clears, and if all of it does. [Wh]
    account_wh : (n,) int64
        Stored energy of each before the interval. [Wh]

    Returns
    -------
    (n,) int64
        Energy to charge (positive) or to discharge, within shares and accounts. [Wh]
    """
    if not shared.is_used:
        return np.zeros_like(firm_wh)
    surplus_wh = np.maximum(np.minimum(firm_wh, planned_wh), 0)
    deficit_wh = np.maximum(np.minimum(-firm_wh, -planned_wh), 0)
    # the most whose credit, rounded down, fits; the most whose debit, rounded up, is there
    room_wh = np.maximum(shared.capacity_of_wh - account_wh, 0)
    fits_wh = room_wh * _PERMILLE // shared.charge_permille
    there_wh = account_wh * shared.discharge_permille // _PERMILLE
    charge_wh = np.minimum(np.minimum(surplus_wh, shared.power_of_wh), fits_wh)
    discharge_wh = np.minimum(np.minimum(deficit_wh, shared.power_of_wh), there_wh)
    nominated_wh = charge_wh - discharge_wh
    worth_it = np.abs(nominated_wh) >= _LEAST_WH
    return np.where(worth_it, nominated_wh, 0).astype(np.int64)


def _set(array: FloatArray, i: int, value: float) -> FloatArray:
    changed = array.copy()
    changed[i] = value
    changed.setflags(write=False)
    return changed
