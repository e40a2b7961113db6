"""EV and heat-pump consumption that can be put off and is caught up later.

A prosumer *owes* the consumption that it has put off. While nobody pays for less consumption, it
catches up as fast as the devices' rating allows; the recovery is part of its plan and therefore
nominated. One signed power describes both: ``deferred_p_mw`` is positive while consumption is put
off and negative while it is caught up, and the owed energy grows by it times the step length. No
energy is lost: what is consumed plus what is newly owed is what the devices wanted.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cosim.units import FloatArray


@dataclass(frozen=True, slots=True)
class Deferral:
    """What a population may put off.

    Parameters
    ----------
    share_of_power : (n,) float
        Deferrable share of the momentary power. [-]
    energy_max_mwh : (n,) float
        Most energy owed. [MWh]
    p_rated_mw : (n,) float
        Rating of EV charger and heat pump together. [MW]
    """

    share_of_power: FloatArray
    energy_max_mwh: FloatArray
    p_rated_mw: FloatArray


def recovery_mw(
    deferral: Deferral, owed_mwh: FloatArray, p_flexible_mw: FloatArray, step_h: float
) -> FloatArray:
    """Power with which owed consumption is caught up when nothing is activated.

    Parameters
    ----------
    owed_mwh : (n,) float
        Energy owed at the start of the step. [MWh]
    p_flexible_mw : (n,) float
        What the devices want in this step by themselves. [MW]
    step_h : float
        Step length. [h]

    Returns
    -------
    (n,) float
        Additional consumption: all that is owed, up to the devices' rating. [MW]
    """
    headroom = np.maximum(deferral.p_rated_mw - p_flexible_mw, 0.0)
    return np.minimum(owed_mwh / step_h, headroom)


def deferrable_mw(
    deferral: Deferral, owed_mwh: FloatArray, p_flexible_mw: FloatArray, step_h: float
) -> FloatArray:
    """Power that can be newly put off in this step, besides postponing the recovery.

    Parameters
    ----------
    owed_mwh : (n,) float
        Energy owed at the start of the step. [MWh]
    p_flexible_mw : (n,) float
        What the devices want in this step by themselves. [MW]
    step_h : float
        Step length. [h]

    Returns
    -------
    (n,) float
        Share of the momentary power, as long as the owed energy stays allowed. [MW]
    """
    room = np.maximum(deferral.energy_max_mwh - owed_mwh, 0.0)
    return np.minimum(deferral.share_of_power * p_flexible_mw, room / step_h)


def next_owed_mwh(
    deferral: Deferral, owed_mwh: FloatArray, deferred_p_mw: FloatArray, step_h: float
) -> FloatArray:
    """Energy owed at the end of a step.

    Parameters
    ----------
    owed_mwh : (n,) float
        Energy owed at the start of the step. [MWh]
    deferred_p_mw : (n,) float
        Put off (positive, at most :func:`deferrable_mw`) or caught up (negative, at least minus
        :func:`recovery_mw`). [MW]
    step_h : float
        Step length. [h]

    Returns
    -------
    (n,) float
        Energy owed, between 0 and the larger of ``energy_max_mwh`` and what was owed. [MWh]
    """
    owed = np.maximum(owed_mwh + deferred_p_mw * step_h, 0.0)
    return np.minimum(owed, np.maximum(deferral.energy_max_mwh, owed_mwh))
