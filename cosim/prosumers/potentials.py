"""Deviations from its plan that a prosumer can offer, and their prices.

Conservative throughout: a potential holds for every schedule between the firm and the planned one,
and is rounded down past the rounding of schedules, so that a prosumer whose forecast is right
delivers every awarded Wh. Its price covers the costs of any part of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cosim.devices.storage import Storage
from cosim.prosumers.planning import StoragePlan
from cosim.scenario.prosumers import Tariff
from cosim.units import WH_PER_MWH, BoolArray, FloatArray, IntArray

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
    wear_ueur_per_kwh : int
        Of each direction. [µEUR/kWh]
    round_trip_efficiency : (n,) float
        Share of charged energy that comes back. [-]
    """

    more_charging_mw: FloatArray
    more_discharging_mw: FloatArray
    charging_mw: FloatArray
    discharging_mw: FloatArray
    wear_ueur_per_kwh: int
    round_trip_efficiency: FloatArray

    @classmethod
    def of(cls, storage: Storage, plan: StoragePlan, soc_mwh: FloatArray, step_h: float) -> Reach:
        """Find it for a storage with a plan."""
        low_mw = np.minimum(plan.firm_p_mw, plan.planned_p_mw)
        high_mw = np.maximum(plan.firm_p_mw, plan.planned_p_mw)
        charge_limit_mw = storage.charge_limit_mw(soc_mwh, step_h)
        discharge_limit_mw = storage.discharge_limit_mw(soc_mwh, step_h)
        return cls(
            more_charging_mw=np.maximum(charge_limit_mw - high_mw, 0.0),
            more_discharging_mw=np.maximum(low_mw + discharge_limit_mw, 0.0),
            charging_mw=np.maximum(low_mw, 0.0),
            discharging_mw=np.maximum(-high_mw, 0.0),
            wear_ueur_per_kwh=storage.wear_ueur_per_kwh,
            round_trip_efficiency=storage.round_trip_efficiency,
        )


def lowering(
    throttleable_mw: FloatArray,
    throttling_ueur_per_kwh: IntArray,
    storages: Sequence[Reach],
    net_low_wh: IntArray,
    tariff: Tariff,
    step_h: float,
) -> tuple[IntArray, IntArray, IntArray]:
    """Find by how much net injection can be lowered: throttle generators, charge more.

    Parameters
    ----------
    throttleable_mw : (n,) float
        Expected generation that can be throttled. [MW]
    throttling_ueur_per_kwh : (n,) int64
        Cost of throttling on top of the lost feed-in. [µEUR/kWh]
    storages : sequence of Reach
    net_low_wh : (n,) int64
        Smaller net injection of firm and planned schedule. [Wh]
    tariff : Tariff
    step_h : float
        Step length. [h]

    Returns
    -------
    energy_wh : (n,) int64
        [Wh]
    price_ueur_per_kwh : (n,) int64
        If the injection is not sold in the market: the feed-in price is lost, and what exceeds the
        injection is bought at retail; plus wear and the cost of throttling. [µEUR/kWh]
    price_if_sold_ueur_per_kwh : (n,) int64
        If it is sold, and must be bought back from the supplier. [µEUR/kWh]
    """
    lower_mw, wear = throttleable_mw, throttling_ueur_per_kwh
    for storage in storages:
        lower_mw = lower_mw + storage.more_charging_mw
        own = np.where(storage.more_charging_mw > 0, storage.wear_ueur_per_kwh, 0)
        wear = np.maximum(wear, own)
    energy_wh = _whole_wh(lower_mw, step_h)
    retail, feed_in = tariff.retail_price_ueur_per_kwh, tariff.feed_in_price_ueur_per_kwh
    injected_wh = np.clip(net_low_wh, 0, energy_wh)
    lost_ueur = feed_in * injected_wh + retail * (energy_wh - injected_wh)
    unsold = -(-lost_ueur // np.maximum(energy_wh, 1)) + wear
    offered = energy_wh > 0
    return energy_wh, _priced(unsold, offered), _priced(retail + wear, offered)


def raising(
    put_off_mw: FloatArray,
    discomfort_ueur_per_kwh: int,
    storages: Sequence[Reach],
    tariff: Tariff,
    step_h: float,
) -> tuple[IntArray, IntArray]:
    """Find by how much net injection can be raised: discharge more, catch up later, put off.

    Parameters
    ----------
    put_off_mw : (n,) float
        Recovery that can wait, and consumption that can be put off. [MW]
    discomfort_ueur_per_kwh : int
        Compensation asked for it. [µEUR/kWh]
    storages, tariff, step_h
        As in :func:`lowering`.

    Returns
    -------
    energy_wh : (n,) int64
        [Wh]
    price_ueur_per_kwh : (n,) int64
        The dearest of its parts. Energy that is discharged must be bought again at retail and
        through losses, consumption that is put off has cost discomfort and, if bought in the
        market, is sold to the supplier now and bought from it later. [µEUR/kWh]
    """
    retail, feed_in = tariff.retail_price_ueur_per_kwh, tariff.feed_in_price_ueur_per_kwh
    raise_mw = put_off_mw
    price = np.where(put_off_mw > 0, discomfort_ueur_per_kwh + retail - feed_in, 0)
    for storage in storages:
        more_mw = storage.more_discharging_mw
        raise_mw = raise_mw + more_mw
        bought_again = np.ceil(retail / storage.round_trip_efficiency)
        cost = storage.wear_ueur_per_kwh + bought_again - feed_in
        price = np.maximum(price, np.where(more_mw > 0, cost, 0).astype(np.int64))
    energy_wh = _whole_wh(raise_mw, step_h)
    return energy_wh, _priced(price, energy_wh > 0)


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


def _priced(price: IntArray, offered: BoolArray) -> IntArray:
    return np.where(offered, price, 0).astype(np.int64)
