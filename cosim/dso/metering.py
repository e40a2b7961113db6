"""Injections that a DSO assumes where it has no metering.

State estimators of distribution grids fill in pseudo-measurements where nothing is metered, mostly
standard profiles (Primadianto, Lu: A Review on Distribution System State Estimation, IEEE
Transactions on Power Systems 32 (2017) 3875-3883, doi:10.1109/TPWRS.2016.2632156). Here they are
the mean of the connection points that the DSO sees in the same interval: the profile of the feeder,
which knows neither who has PV nor who is at home. Points that mechanisms add (a shared battery) are
metered in any case, and no part of that mean.
"""

from __future__ import annotations

import numpy as np

from cosim.grid.unmetered import Metering
from cosim.units import FloatArray, IntArray


def as_seen_wh(net_wh: IntArray, metering: Metering | None) -> IntArray:
    """Return net injections as the DSO takes them for, in whole Wh, (n,). [Wh]"""
    if metering is None:
        return net_wh
    mean_wh = round(float(net_wh[metering.typical].mean()))
    return np.where(metering.unmetered, mean_wh, net_wh)


def as_seen_mvar(q_mvar: FloatArray, metering: Metering | None) -> FloatArray:
    """Return reactive injections as the DSO takes them for, (n,). [Mvar]"""
    if metering is None:
        return q_mvar
    return np.where(metering.unmetered, q_mvar[metering.typical].mean(), q_mvar)
