"""Plan of the storages for the coming interval.

A plan has two sides. The *firm* side happens whether or not the order is matched; the *planned*
side is what the prosumer nominates if its order clears in full. With an order that clears in part,
the market contracts a point between the two.

Self-consumption is firm: surplus PV is stored, a deficit is covered from the battery. A storage
that keeps headroom stores the same surplus later, when it is expected to be worth less. Arbitrage
adds what only a trade can pay for, charging beyond the surplus when the market is expected to be
cheap and discharging beyond the deficit when it is expected to be dear, and that part is planned
but not firm.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from cosim.devices.deferral import Deferral
from cosim.devices.profiled import total
from cosim.devices.storage import Storage
from cosim.prosumers.retail_planning import RetailView, firm_power_mw
from cosim.units import FloatArray

#: Intervals in the cheapest quarter of the day may charge, in the dearest quarter discharge.
CHEAP_QUANTILE = 0.25
DEAR_QUANTILE = 0.75
#: Share of the surplus expected later that a storage which keeps headroom counts on.
SURE = 0.8


@dataclass(frozen=True, slots=True)
class StoragePlan:
    """Power of a storage in an interval, positive when charging.

    Parameters
    ----------
    firm_p_mw, planned_p_mw : (n,) float
        If the order does not clear at all, and if it clears in full. [MW]
    buy_below_ueur_per_kwh, sell_above_ueur_per_kwh : (n,) float
        Prices at which traded energy of the storage breaks even. [µEUR/kWh]
    """

    firm_p_mw: FloatArray
    planned_p_mw: FloatArray
    buy_below_ueur_per_kwh: FloatArray
    sell_above_ueur_per_kwh: FloatArray


def plan_storages(
    storages: Sequence[Storage],
    stored_mwh: Sequence[FloatArray],
    p_inflexible_mw: FloatArray,
    step_h: float,
    expected_ueur_per_kwh: Callable[[], FloatArray],
    retail: RetailView,
    coming_mw: Callable[[], FloatArray] | None = None,
) -> list[StoragePlan]:
    """Plan each storage with what those before it leave.

    Parameters
    ----------
    storages : sequence of Storage
    stored_mwh : sequence of (n,) float
        Stored energy of each. [MWh]
    p_inflexible_mw : (n,) float
        Expected net injection without storages. [MW]
    step_h : float
        Step length. [h]
    expected_ueur_per_kwh : callable
        Gives the prices expected of the coming intervals, this one first. [µEUR/kWh]
    retail : RetailView
        Prices of the supplier, which stored energy saves.
    coming_mw : callable, optional
        Gives the net injection expected of the coming day without storages, the next interval
        first; default: nothing is expected, and no headroom kept. [MW]
    """
    plans = []
    for storage, soc_mwh in zip(storages, stored_mwh, strict=True):
        if storage.trades:
            plan = plan_arbitrage(
                storage, soc_mwh, p_inflexible_mw, step_h, expected_ueur_per_kwh(), retail
            )
        else:
            value = retail.local_limit_ueur_per_kwh
            plan = plan_self_consumption(storage, soc_mwh, p_inflexible_mw, step_h, value)
            if storage.keeps_headroom and coming_mw is not None:
                power = plan.firm_p_mw - put_off_charging_mw(
                    storage, soc_mwh, plan.firm_p_mw, step_h, expected_ueur_per_kwh(), coming_mw()
                )
                plan = replace(plan, firm_p_mw=power, planned_p_mw=power)
        plan = keep_within(storage, soc_mwh, plan, step_h)
        p_inflexible_mw = p_inflexible_mw - plan.firm_p_mw
        plans.append(plan)
    return plans


def keep_within(
    storage: Storage, soc_mwh: FloatArray, plan: StoragePlan, step_h: float
) -> StoragePlan:
    """Return a plan that brings stored energy back between its bounds, at the rating's pace.

    Only towards an end of the run with a wanted state of charge do bounds leave it outside
    (:func:`cosim.prosumers.end_of_run.toward_end`); what it takes is done without a trade.

    Parameters
    ----------
    storage : Storage
    soc_mwh : (n,) float
        Stored energy. [MWh]
    plan : StoragePlan
    step_h : float
        Step length. [h]
    """
    if storage.soc_end_mwh is None:
        return plan
    missing_mwh = np.maximum(storage.soc_min_mwh - soc_mwh, 0.0)
    beyond_mwh = np.maximum(soc_mwh - storage.capacity_mwh, 0.0)
    charge_mw = np.minimum(missing_mwh / (storage.charge_efficiency * step_h), storage.p_max_mw)
    discharge_mw = np.minimum(
        beyond_mwh * (storage.discharge_efficiency / step_h), storage.p_max_mw
    )

    def kept(power_mw: FloatArray) -> FloatArray:
        raised = np.where(missing_mwh > 0, np.maximum(power_mw, charge_mw), power_mw)
        return np.where(beyond_mwh > 0, np.minimum(raised, -discharge_mw), raised)

    return replace(plan, firm_p_mw=kept(plan.firm_p_mw), planned_p_mw=kept(plan.planned_p_mw))


def joint_plan(plans: Sequence[StoragePlan]) -> StoragePlan:
    """Add plans up; break-even prices are the strictest among the storages that trade."""
    if len(plans) == 1:
        return plans[0]
    idle = [plan.planned_p_mw == plan.firm_p_mw for plan in plans]
    buy = [np.where(i, np.inf, p.buy_below_ueur_per_kwh) for i, p in zip(idle, plans, strict=True)]
    sell = [np.where(i, 0, p.sell_above_ueur_per_kwh) for i, p in zip(idle, plans, strict=True)]
    first, nobody = plans[0], np.logical_and.reduce(idle)
    return StoragePlan(
        firm_p_mw=total([plan.firm_p_mw for plan in plans]),
        planned_p_mw=total([plan.planned_p_mw for plan in plans]),
        buy_below_ueur_per_kwh=np.where(
            nobody, first.buy_below_ueur_per_kwh, np.minimum.reduce(buy)
        ),
        sell_above_ueur_per_kwh=np.where(
            nobody, first.sell_above_ueur_per_kwh, np.maximum.reduce(sell)
        ),
    )


def plan_self_consumption(
    storage: Storage,
    soc_mwh: FloatArray,
    p_inflexible_mw: FloatArray,
    step_h: float,
    retail_price_ueur_per_kwh: float,
) -> StoragePlan:
    """Plan a storage that never trades: it charges a surplus and covers a deficit, within limits.

    Parameters
    ----------
    soc_mwh : (n,) float
        Stored energy. [MWh]
    p_inflexible_mw, step_h, retail_price_ueur_per_kwh
        As in :func:`plan_storages`.
    """
    power = storage.limit_power_mw(soc_mwh, p_inflexible_mw, step_h)
    value = np.full(len(power), float(retail_price_ueur_per_kwh))
    return StoragePlan(power, power, value, value)


def put_off_charging_mw(
    storage: Storage,
    soc_mwh: FloatArray,
    p_mw: FloatArray,
    step_h: float,
    expected_ueur_per_kwh: FloatArray,
    coming_mw: FloatArray,
) -> FloatArray:
    """Return how much less a storage can charge now because it fills later for no more.

    Surplus that is stored is not sold, so it is best stored when it is worth least. Charging is put
    off as far as the surplus of later intervals, at an expected price that is not higher than now,
    fills the headroom: of it the share :data:`SURE` counts, and only what comes before the stored
    energy is used up. Until then the headroom is there for relief, which is paid for. Putting off
    charging of a storage until the feed-in peak, in place of charging at once, is the feed-in
    damping of J. Moshövel and others: Analysis of the maximal possible grid relief from
    PV-peak-power impacts by using storage systems for increased self-consumption. Applied Energy
    137 (2015) 567-575, doi:10.1016/j.apenergy.2014.07.021; here prices say when it pays.

    Parameters
    ----------
    storage : Storage
    soc_mwh : (n,) float
        Stored energy. [MWh]
    p_mw : (n,) float
        Power of self-consumption, charging positive. [MW]
    step_h : float
        Step length. [h]
    expected_ueur_per_kwh : (at least 1,) or (at least 1, n) float
        Prices expected of the coming intervals, this one first; of one market, or of each one's.
        [µEUR/kWh]
    coming_mw : (T, n) float
        Expected net injection, the next interval first. [MW]

    Returns
    -------
    (n,) float
        From 0 to the charging power. [MW]
    """
    ahead = coming_mw[: len(expected_ueur_per_kwh) - 1]
    is_cheap = expected_ueur_per_kwh[1 : 1 + len(ahead)] <= expected_ueur_per_kwh[0]
    if is_cheap.ndim == 1:
        is_cheap = is_cheap[:, None]
    deficit_mw = np.minimum(np.maximum(-ahead, 0.0), storage.p_max_mw)
    used_mwh = np.cumsum(deficit_mw, axis=0) * (step_h / storage.discharge_efficiency)
    in_time = used_mwh <= np.maximum(soc_mwh - storage.soc_min_mwh, 0.0)
    surplus_mw = np.minimum(np.maximum(ahead, 0.0), storage.p_max_mw)
    counts = np.where(is_cheap & in_time, surplus_mw, 0.0)
    later_mw = SURE * counts.sum(axis=0)
    headroom_mw = np.maximum(storage.capacity_mwh - soc_mwh, 0.0) / (
        storage.charge_efficiency * step_h
    )
    charging_mw = np.maximum(p_mw, 0.0)
    return np.asarray(np.clip(later_mw - headroom_mw + charging_mw, 0.0, charging_mw))


def plan_arbitrage(
    storage: Storage,
    soc_mwh: FloatArray,
    p_inflexible_mw: FloatArray,
    step_h: float,
    expected_ueur_per_kwh: FloatArray,
    retail: RetailView | None = None,
) -> StoragePlan:
    """Plan a storage that buys in the cheap part of the coming day and sells in the dear part.

    With the day's cheap and dear quantiles ``c`` and ``d`` of the expected prices, the round-trip
    efficiency ``r`` and the wear ``w`` of each direction, charging breaks even below ``r * (d - w)
    - w`` and discharging above ``(c + w) / r + w``. The storage charges when the price expected now
    is at most ``c`` and below the first, discharges when it is at least ``d`` and above the second,
    and follows self-consumption otherwise, as on days whose spread does not pay for losses and
    wear. Where the supplier's prices change, what it does without a trade follows them as well
    (:func:`cosim.prosumers.retail_planning.firm_power_mw`), and charging breaks even the lower, the
    more a local purchase is charged.

    Parameters
    ----------
    soc_mwh : (n,) float
        Stored energy. [MWh]
    p_inflexible_mw, step_h
        As in :func:`plan_storages`.
    expected_ueur_per_kwh : (at least 1,) or (at least 1, n) float
        Prices expected of the coming intervals, this one first; of one market, or of each one's.
        [µEUR/kWh]
    retail : RetailView, optional
        Prices of the supplier; default: fixed ones, without charges on local trades.
    """
    if retail is None or retail.ahead_ueur_per_kwh is None:
        firm = storage.limit_power_mw(soc_mwh, p_inflexible_mw, step_h)
    else:
        ahead = retail.ahead_ueur_per_kwh
        firm = firm_power_mw(storage, soc_mwh, p_inflexible_mw, step_h, ahead)
    wear_ueur_per_kwh = storage.wear_ueur_per_kwh
    now = expected_ueur_per_kwh[0]
    ordered = np.sort(expected_ueur_per_kwh, axis=0)
    cheap, dear = _quantile(ordered, CHEAP_QUANTILE), _quantile(ordered, DEAR_QUANTILE)
    efficiency = storage.round_trip_efficiency
    buy_below = efficiency * (dear - wear_ueur_per_kwh) - wear_ueur_per_kwh
    if retail is not None and retail.local_charge_ueur_per_kwh:
        buy_below = buy_below - retail.local_charge_ueur_per_kwh
    sell_above = (cheap + wear_ueur_per_kwh) / efficiency + wear_ueur_per_kwh
    planned, is_cheap = firm, now <= cheap
    charges = is_cheap & (now < buy_below)
    discharges = ~is_cheap & (now >= dear) & (now > sell_above)
    if charges.any():
        charge = np.maximum(firm, storage.charge_limit_mw(soc_mwh, step_h))
        planned = np.where(charges, charge, planned)
    if discharges.any():
        discharge = np.minimum(firm, -storage.discharge_limit_mw(soc_mwh, step_h))
        planned = np.where(discharges, discharge, planned)
    return StoragePlan(firm, planned, buy_below, sell_above)


def plan_consumption(
    plans: Sequence[StoragePlan],
    deferral: Deferral,
    put_off_mw: FloatArray,
    inflexible_mw: FloatArray,
    step_h: float,
    expected_ueur_per_kwh: Callable[[], FloatArray],
    retail: RetailView,
) -> tuple[StoragePlan, FloatArray | float]:
    """Add up the plans of storages and of consumption that may wait.

    Parameters
    ----------
    plans : sequence of StoragePlan
    deferral : Deferral
    put_off_mw : (n,) float
        Consumption that can wait, recovery of what is owed included. [MW]
    inflexible_mw : (n,) float
        Expected net injection without storages. [MW]
    step_h, expected_ueur_per_kwh, retail
        As in :func:`plan_storages`.

    Returns
    -------
    StoragePlan
    (n,) float or 0
        What waits unless it is bought in the market. [MW]
    """
    if not deferral.responds:
        return joint_plan(plans), 0.0
    waiting = plan_deferral(
        put_off_mw,
        inflexible_mw - total([own.planned_p_mw for own in plans]),
        retail.cost_ahead(expected_ueur_per_kwh()),
        round(deferral.wait_h / step_h),
        deferral.discomfort_ueur_per_kwh,
        retail.now_ueur_per_kwh,
        retail.local_charge_ueur_per_kwh,
    )
    return joint_plan([*plans, waiting]), -waiting.firm_p_mw


def plan_deferral(
    put_off_mw: FloatArray,
    net_mw: FloatArray,
    expected_ueur_per_kwh: FloatArray,
    wait_intervals: int,
    discomfort_ueur_per_kwh: float,
    retail_price_ueur_per_kwh: float,
    local_charge_ueur_per_kwh: float = 0.0,
) -> StoragePlan:
    """Plan consumption that responds to prices: it is bought locally, or waits for cheaper energy.

    Energy is worth the least price expected within the wait, plus the discomfort of waiting. At the
    supplier's price it is drawn only if that is not higher: otherwise what is not bought in the
    market is put off. Price-responsive demand in this sense, energy that is shifted by the spread
    of prices net of a cost of shifting, is the load-shifting model of D. S. Kirschen et al.:
    Factoring the Elasticity of Demand in Electricity Prices. IEEE Transactions on Power Systems 15
    (2000) 612-617, doi:10.1109/59.867149, with one cross-elasticity, to the cheapest interval
    ahead; own elasticity (energy that is not consumed at all) is left out.

    Parameters
    ----------
    put_off_mw : (n,) float
        Consumption that can wait, recovery of what is owed included. [MW]
    net_mw : (n,) float
        Expected net injection with it; who feeds in does not wait. [MW]
    expected_ueur_per_kwh : (at least 1,) or (at least 1, n) float
        Costs expected of energy in the coming intervals, this one first, with what local purchases
        are charged. [µEUR/kWh]
    wait_intervals : int
        How far it looks ahead.
    discomfort_ueur_per_kwh, retail_price_ueur_per_kwh : float
        [µEUR/kWh]
    local_charge_ueur_per_kwh : float
        What a local purchase is charged now, on top of its price. [µEUR/kWh]

    Returns
    -------
    StoragePlan
        Put-off consumption as if it were discharged, on the firm side only.
    """
    ahead = expected_ueur_per_kwh[1 : 1 + wait_intervals]
    worth = ahead.min(axis=0, initial=np.inf) + discomfort_ueur_per_kwh
    waits = worth < retail_price_ueur_per_kwh
    held_mw = np.where(waits, np.minimum(put_off_mw, np.maximum(-net_mw, 0.0)), 0.0)
    worth_now = np.where(waits, worth, retail_price_ueur_per_kwh)
    price = np.full(len(net_mw), worth_now - local_charge_ueur_per_kwh)
    return StoragePlan(-held_mw, np.zeros_like(net_mw), price, price)


def _quantile(ordered: FloatArray, share: float) -> Any:
    """Return the linear quantile of sorted rows, in a tenth of ``numpy.quantile``'s time."""
    position = share * (len(ordered) - 1)
    low = int(position)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (position - low) * (ordered[high] - ordered[low])
