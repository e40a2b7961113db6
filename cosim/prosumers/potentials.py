"""How far a prosumer can deviate from its plan, and what it asks for it.

Conservative throughout: a potential holds for every schedule between the firm and the planned one,
and is rounded down past the rounding of schedules, so that a prosumer whose forecast is right
delivers every awarded Wh. Its price covers the costs of any part of it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cosim.prosumers.settings import FlexibilityCosts, Tariff
from cosim.units import WH_PER_MWH, BoolArray, FloatArray, IntArray

#: Schedules are rounded twice, forecast to plan and plan to contract, by half a Wh each.
ROUNDING_WH = 1


@dataclass(frozen=True, slots=True)
class Reach:
    """What a plan rests on and what is left to move, all (n,) and as magnitudes unless noted.

    Parameters
    ----------
    pv_p_mw, load_p_mw, flexible_p_mw : (n,) float
        Forecasts. [MW]
    recovery_p_mw : (n,) float
        Consumption that the plan catches up. [MW]
    deferrable_p_mw : (n,) float
        What can be newly put off. [MW]
    charge_limit_mw, discharge_limit_mw : (n,) float
        What the battery can do in this interval. [MW]
    battery_low_mw, battery_high_mw : (n,) float
        Smaller and larger battery power of firm and planned side, positive when charging. [MW]
    net_low_wh : (n,) int64
        Smaller net injection of the two. [Wh]
    """

    pv_p_mw: FloatArray
    load_p_mw: FloatArray
    flexible_p_mw: FloatArray
    recovery_p_mw: FloatArray
    deferrable_p_mw: FloatArray
    charge_limit_mw: FloatArray
    discharge_limit_mw: FloatArray
    battery_low_mw: FloatArray
    battery_high_mw: FloatArray
    net_low_wh: IntArray


@dataclass(frozen=True, slots=True)
class Potentials:
    """Deviations from the plan on offer, with prices; arrays of shape (n,).

    Parameters
    ----------
    flex_down_wh : (n,) int64
        Net injection can be lowered: throttle PV, charge more. [Wh]
    flex_up_wh : (n,) int64
        Net injection can be raised: discharge more, catch up later, put off consumption. [Wh]
    flex_down_price_ueur_per_kwh : (n,) int64
        If the injection is not sold in the market: the feed-in price is lost, and what exceeds the
        injection is bought at retail; plus wear where there is a battery. [µEUR/kWh]
    flex_down_price_if_sold_ueur_per_kwh : (n,) int64
        If it is sold, and must be bought back from the supplier. [µEUR/kWh]
    flex_up_price_ueur_per_kwh : (n,) int64
        The dearest of its parts. Energy that is discharged must be bought again at retail and
        through losses, consumption that is put off has cost discomfort and, if bought in the
        market, is sold to the supplier now and bought from it later. [µEUR/kWh]
    curtailable_down_wh : (n,) int64
        What the DSO can cut in the red phase: all forecast injection of PV and battery. [Wh]
    curtailable_up_wh : (n,) int64
        What it can cut on the other side: all forecast consumption, with battery charging. [Wh]
    """

    flex_down_wh: IntArray
    flex_up_wh: IntArray
    flex_down_price_ueur_per_kwh: IntArray
    flex_down_price_if_sold_ueur_per_kwh: IntArray
    flex_up_price_ueur_per_kwh: IntArray
    curtailable_down_wh: IntArray
    curtailable_up_wh: IntArray


def find_potentials(
    reach: Reach,
    round_trip_efficiency: FloatArray,
    tariff: Tariff,
    costs: FlexibilityCosts,
    step_h: float,
) -> Potentials:
    """Potentials and prices of a plan.

    Parameters
    ----------
    reach : Reach
        The plan, and what is left to move.
    round_trip_efficiency : (n,) float
        Of the batteries. [-]
    tariff : Tariff
        The supplier's prices.
    costs : FlexibilityCosts
        Wear and discomfort.
    step_h : float
        Step length. [h]

    Returns
    -------
    Potentials
        Without energy, a price is 0.
    """
    retail, feed_in = tariff.retail_price_ueur_per_kwh, tariff.feed_in_price_ueur_per_kwh
    more_charging_mw = np.maximum(reach.charge_limit_mw - reach.battery_high_mw, 0.0)
    more_discharging_mw = np.maximum(reach.battery_low_mw + reach.discharge_limit_mw, 0.0)
    putting_off_mw = reach.deferrable_p_mw + reach.recovery_p_mw
    down_wh = _whole_wh(reach.pv_p_mw + more_charging_mw, step_h)
    up_wh = _whole_wh(more_discharging_mw + putting_off_mw, step_h)

    wear = np.where(more_charging_mw > 0, costs.wear_ueur_per_kwh, 0)
    injected_wh = np.clip(reach.net_low_wh, 0, down_wh)
    lost_ueur = feed_in * injected_wh + retail * (down_wh - injected_wh)
    unsold = -(-lost_ueur // np.maximum(down_wh, 1)) + wear

    discharge_cost = costs.wear_ueur_per_kwh + np.ceil(retail / round_trip_efficiency) - feed_in
    discharge_price = np.where(more_discharging_mw > 0, discharge_cost, 0).astype(np.int64)
    deferral_cost = costs.discomfort_ueur_per_kwh + retail - feed_in
    deferral_price = np.where(putting_off_mw > 0, deferral_cost, 0)

    discharging_mw = np.maximum(-reach.battery_high_mw, 0.0)
    charging_mw = np.maximum(reach.battery_low_mw, 0.0)
    consumed_mw = reach.load_p_mw + reach.flexible_p_mw + reach.recovery_p_mw
    return Potentials(
        flex_down_wh=down_wh,
        flex_up_wh=up_wh,
        flex_down_price_ueur_per_kwh=_priced(unsold, down_wh > 0),
        flex_down_price_if_sold_ueur_per_kwh=_priced(retail + wear, down_wh > 0),
        flex_up_price_ueur_per_kwh=_priced(np.maximum(discharge_price, deferral_price), up_wh > 0),
        curtailable_down_wh=_whole_wh(reach.pv_p_mw + discharging_mw, step_h),
        curtailable_up_wh=_whole_wh(consumed_mw + charging_mw, step_h),
    )


def _whole_wh(p_mw: FloatArray, step_h: float) -> IntArray:
    """Energy of a step, rounded down past the rounding of schedules."""
    whole = np.floor(p_mw * (step_h * WH_PER_MWH)).astype(np.int64)
    return np.maximum(whole - ROUNDING_WH, 0)


def _priced(price: IntArray, offered: BoolArray) -> IntArray:
    return np.where(offered, price, 0).astype(np.int64)
