"""Battery physics: what one step can charge and discharge, and what it leaves behind.

Power is measured at the grid side and is positive when charging (pandapower ``storage``). One step
changes the stored energy by ``charge_efficiency * p`` when charging and by
``p / discharge_efficiency`` when discharging, times the step length.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cosim.units import FloatArray


@dataclass(frozen=True, slots=True)
class Batteries:
    """Batteries of a population; a capacity of 0 means none.

    Parameters
    ----------
    capacity_mwh, soc_min_mwh, soc_initial_mwh : (n,) float
        Most, least and first stored energy. [MWh]
    p_max_mw : (n,) float
        Rating in both directions. [MW]
    charge_efficiency, discharge_efficiency : (n,) float
        One-way efficiencies in (0, 1]. [-]
    """

    capacity_mwh: FloatArray
    soc_min_mwh: FloatArray
    soc_initial_mwh: FloatArray
    p_max_mw: FloatArray
    charge_efficiency: FloatArray
    discharge_efficiency: FloatArray

    @property
    def round_trip_efficiency(self) -> FloatArray:
        """Share of charged energy that comes back. [-]"""
        return self.charge_efficiency * self.discharge_efficiency


def power_to_reach_mw(
    batteries: Batteries, soc_mwh: FloatArray, soc_target_mwh: FloatArray, step_h: float
) -> FloatArray:
    """Power that moves the stored energy to a target in one step, whatever the rating.

    Inverse of :func:`next_soc_mwh`.

    Parameters
    ----------
    soc_mwh, soc_target_mwh : (n,) float
        Stored energy at the start and the end of the step. [MWh]
    step_h : float
        Step length. [h]

    Returns
    -------
    (n,) float
        Power, positive when charging. [MW]
    """
    stored_mw = (soc_target_mwh - soc_mwh) / step_h
    return np.where(
        stored_mw > 0,
        stored_mw / batteries.charge_efficiency,
        stored_mw * batteries.discharge_efficiency,
    )


def charge_limit_mw(batteries: Batteries, soc_mwh: FloatArray, step_h: float) -> FloatArray:
    """Most power that a step can charge: the rating, or what fills the battery.

    Parameters
    ----------
    soc_mwh : (n,) float
        Stored energy at the start of the step. [MWh]
    step_h : float
        Step length. [h]

    Returns
    -------
    (n,) float
        Power, not negative. [MW]
    """
    room_mwh = np.maximum(batteries.capacity_mwh - soc_mwh, 0.0)
    return np.minimum(batteries.p_max_mw, room_mwh / (batteries.charge_efficiency * step_h))


def discharge_limit_mw(batteries: Batteries, soc_mwh: FloatArray, step_h: float) -> FloatArray:
    """Most power that a step can discharge: the rating, or what empties the battery.

    Parameters
    ----------
    soc_mwh : (n,) float
        Stored energy at the start of the step. [MWh]
    step_h : float
        Step length. [h]

    Returns
    -------
    (n,) float
        Power as a magnitude, not negative. [MW]
    """
    stock_mwh = np.maximum(soc_mwh - batteries.soc_min_mwh, 0.0)
    return np.minimum(batteries.p_max_mw, stock_mwh * (batteries.discharge_efficiency / step_h))


def limit_power_mw(
    batteries: Batteries, soc_mwh: FloatArray, p_request_mw: FloatArray, step_h: float
) -> FloatArray:
    """Nearest power to a request that one step can deliver.

    Parameters
    ----------
    soc_mwh : (n,) float
        Stored energy at the start of the step. [MWh]
    p_request_mw : (n,) float
        Wanted power, positive when charging. [MW]
    step_h : float
        Step length. [h]

    Returns
    -------
    (n,) float
        Feasible power, positive when charging. [MW]
    """
    limited = np.maximum(p_request_mw, -discharge_limit_mw(batteries, soc_mwh, step_h))
    return np.minimum(limited, charge_limit_mw(batteries, soc_mwh, step_h))


def next_soc_mwh(
    batteries: Batteries, soc_mwh: FloatArray, p_mw: FloatArray, step_h: float
) -> FloatArray:
    """Stored energy at the end of a step of constant, feasible power.

    The result is clipped to the bounds, which removes rounding errors of the last bit only when
    ``p_mw`` comes from :func:`limit_power_mw`.

    Parameters
    ----------
    soc_mwh : (n,) float
        Stored energy at the start of the step. [MWh]
    p_mw : (n,) float
        Feasible power, positive when charging. [MW]
    step_h : float
        Step length. [h]

    Returns
    -------
    (n,) float
        Stored energy. [MWh]
    """
    stored_mw = np.where(
        p_mw > 0, p_mw * batteries.charge_efficiency, p_mw / batteries.discharge_efficiency
    )
    reached = np.maximum(soc_mwh + stored_mw * step_h, batteries.soc_min_mwh)
    return np.minimum(reached, batteries.capacity_mwh)
