"""Deviations from its plan that a prosumer can offer, and their prices.

Conservative throughout: a potential holds for every schedule between the firm and the planned one,
and is rounded down past the rounding of schedules, so that a prosumer whose forecast is right
delivers every awarded Wh. Its price covers the costs of any part of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from cosim.devices.storage import Storage
from cosim.messages import BlocksMessage
from cosim.prosumers.planning import StoragePlan
from cosim.prosumers.stored_value import StoredValue, stored_value
from cosim.scenario.tariff import Tariff, Tariffs
from cosim.units import WH_PER_MWH, FloatArray, IntArray

#: Schedules are rounded twice, forecast to plan and plan to contract, by half a Wh each.
ROUNDING_WH = 1


@dataclass(frozen=True, slots=True)
class Reach:
    """Powers that are left to a storage beyond firm and planned side of its plan.

    Parameters
    ----------
    more_charging_mw, more_discharging_mw : (n,) float
        Beyond both sides, as magnitudes. [MW]
    charging_mw, discharging_mw : (n,) float
        On both sides. [MW]
    value : StoredValue
        Costs of charging and discharging more.
    """

    more_charging_mw: FloatArray
    more_discharging_mw: FloatArray
    charging_mw: FloatArray
    discharging_mw: FloatArray
    value: StoredValue

    @classmethod
    def of(
        cls,
        storage: Storage,
        plan: StoragePlan,
        soc_mwh: FloatArray,
        step_h: float,
        coming_mw: FloatArray,
        coming: Tariffs,
    ) -> Reach:
        """Find it for a storage with a plan.

        Parameters
        ----------
        storage : Storage
        plan : StoragePlan
        soc_mwh : (n,) float
            Stored energy. [MWh]
        step_h : float
            Step length. [h]
        coming_mw : (T, n) float
            Expected net injection of the coming day, without storages. [MW]
        coming : Tariffs
            Prices of that day.
        """
        low_mw = np.minimum(plan.firm_p_mw, plan.planned_p_mw)
        high_mw = np.maximum(plan.firm_p_mw, plan.planned_p_mw)
        charge_limit_mw = storage.charge_limit_mw(soc_mwh, step_h)
        discharge_limit_mw = storage.discharge_limit_mw(soc_mwh, step_h)
        return cls(
            more_charging_mw=np.maximum(charge_limit_mw - high_mw, 0.0),
            more_discharging_mw=np.maximum(low_mw + discharge_limit_mw, 0.0),
            charging_mw=np.maximum(low_mw, 0.0),
            discharging_mw=np.maximum(-high_mw, 0.0),
            value=stored_value(
                storage,
                storage.next_soc_mwh(soc_mwh, plan.firm_p_mw, step_h),
                coming_mw,
                step_h,
                coming,
            ),
        )


@dataclass(frozen=True, slots=True)
class Potential:
    """A change of net injection that prosumers have, and what it costs them, (n,) each.

    Parameters
    ----------
    energy_wh : (n,) int64
        [Wh]
    price_ueur_per_kwh : (n,) int64
        Of energy that the supplier would take or deliver: it is sold or bought less. [µEUR/kWh]
    price_if_traded_ueur_per_kwh : (n,) int64
        Of energy that was sold, or bought, in the market, for which the supplier stands in, and of
        what turns the flow round. [µEUR/kWh]
    """

    energy_wh: IntArray
    price_ueur_per_kwh: IntArray
    price_if_traded_ueur_per_kwh: IntArray


def lowering(
    throttleable_mw: FloatArray,
    throttling_ueur_per_kwh: IntArray,
    storages: Sequence[Reach],
    tariff: Tariff,
    step_h: float,
) -> list[Potential]:
    """Find by how much net injection can be lowered: charge more, throttle generators.

    The feed-in price is lost for what the supplier would take, and the retail price paid for what
    it has to stand in for; on top come wear less the value of what is stored, or the cost of
    throttling.

    Parameters
    ----------
    throttleable_mw : (n,) float
        Expected generation that can be throttled. [MW]
    throttling_ueur_per_kwh : (n,) int64
        Cost of throttling on top of the lost feed-in. [µEUR/kWh]
    storages : sequence of Reach
    tariff : Tariff
    step_h : float
        Step length. [h]

    Returns
    -------
    list of Potential
        In the order in which devices are used.
    """
    costs: list[FloatArray] = [one.value.charging_ueur_per_kwh for one in storages]
    return _stacked(
        [*(one.more_charging_mw for one in storages), throttleable_mw],
        [*costs, throttling_ueur_per_kwh.astype(np.float64)],
        (tariff.feed_in_price_ueur_per_kwh, tariff.retail_price_ueur_per_kwh),
        step_h,
    )


def raising(
    put_off_mw: FloatArray,
    discomfort_ueur_per_kwh: int,
    storages: Sequence[Reach],
    tariff: Tariff,
    later_retail_ueur_per_kwh: int,
    step_h: float,
) -> list[Potential]:
    """Find by how much net injection can be raised: discharge more, catch up later, put off.

    Energy that is discharged is missing at its next use, or is charged again; energy that is put
    off is bought in the next interval, or when it is cheaper, and has cost discomfort. The retail
    price is saved now for what the supplier would deliver, and the feed-in price earned for the
    rest.

    Parameters
    ----------
    put_off_mw : (n,) float
        Recovery that can wait, and consumption that can be put off. [MW]
    discomfort_ueur_per_kwh : int
        Cost of it. [µEUR/kWh]
    later_retail_ueur_per_kwh : int
        The supplier's price of the next interval. [µEUR/kWh]
    storages, tariff, step_h
        As in :func:`lowering`.

    Returns
    -------
    list of Potential
        In the order in which devices are used.
    """
    retail, feed_in = tariff.retail_price_ueur_per_kwh, tariff.feed_in_price_ueur_per_kwh
    later = np.full(len(put_off_mw), float(discomfort_ueur_per_kwh + later_retail_ueur_per_kwh))
    return _stacked(
        [*(one.more_discharging_mw for one in storages), put_off_mw],
        [*(one.value.discharging_ueur_per_kwh for one in storages), later],
        (-retail, -feed_in),
        step_h,
    )


def _stacked(
    powers_mw: Sequence[FloatArray],
    costs_ueur_per_kwh: Sequence[FloatArray],
    on_top_ueur_per_kwh: tuple[int, int],
    step_h: float,
) -> list[Potential]:
    """Return a potential for each device, the sum rounded down once; no price is negative."""
    found, before_mw = [], np.zeros_like(powers_mw[0])
    before_wh = np.zeros(len(before_mw), dtype=np.int64)
    for power_mw, cost in zip(powers_mw, costs_ueur_per_kwh, strict=True):
        before_mw = before_mw + power_mw
        sum_wh = _whole_wh(before_mw, step_h)
        prices = (
            np.maximum(np.ceil(np.round(cost + more, 6)), 0.0).astype(np.int64)
            for more in on_top_ueur_per_kwh
        )
        found.append(Potential(sum_wh - before_wh, *prices))
        before_wh = sum_wh
    return found


def blocks_of(potentials: Mapping[int, Sequence[Potential]]) -> BlocksMessage:
    """Return what there is of potentials as blocks, by direction, +1 raises net injection."""
    rows = []
    for direction, own in potentials.items():
        for potential in own:
            who = np.flatnonzero(potential.energy_wh)
            rows.append(
                (
                    who,
                    np.full(who.size, direction),
                    potential.energy_wh[who],
                    np.zeros(who.size),
                    potential.price_ueur_per_kwh[who],
                    potential.price_if_traded_ueur_per_kwh[who],
                )
            )
    columns = (np.concatenate(column).astype(np.int64) for column in zip(*rows, strict=True))
    return BlocksMessage(*columns)


def curtailable(
    generated_mw: FloatArray, consumed_mw: FloatArray, storages: Sequence[Reach], step_h: float
) -> tuple[IntArray, IntArray]:
    """Find what the DSO can cut in the red phase: forecast injection, and consumption. [Wh]

    Parameters
    ----------
    generated_mw, consumed_mw : (n,) float
        Expected of the devices that may be cut, without storages. [MW]
    storages, step_h
        As in :func:`lowering`.
    """
    for storage in storages:
        generated_mw = generated_mw + storage.discharging_mw
        consumed_mw = consumed_mw + storage.charging_mw
    return _whole_wh(generated_mw, step_h), _whole_wh(consumed_mw, step_h)


def _whole_wh(p_mw: FloatArray, step_h: float) -> IntArray:
    """Return the energy of a step, rounded down past the rounding of schedules."""
    whole = np.floor(p_mw * (step_h * WH_PER_MWH)).astype(np.int64)
    return np.maximum(whole - ROUNDING_WH, 0)
