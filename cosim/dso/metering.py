"""Injections that a DSO assumes where it has no metering.

State estimators of distribution grids fill in pseudo-measurements where nothing is metered, mostly
standard profiles (Primadianto, Lu: A Review on Distribution System State Estimation, IEEE
Transactions on Power Systems 32 (2017) 3875-3883, doi:10.1109/TPWRS.2016.2632156). Here they are
the mean of the connection points that the DSO sees in the same interval: the profile of the feeder,
which knows neither who has PV nor who is at home.
"""

from __future__ import annotations

import numpy as np

from cosim.seeds import child_seed
from cosim.units import BoolArray, FloatArray, IntArray

METERING_SEED = 21


def unmetered_points(n: int, share: float, seed: int) -> BoolArray:
    """Draw the connection points without metering.

    Parameters
    ----------
    n : int
        Connection points.
    share : float
        Of them without metering, 0 to 1; one at least is metered.
    seed : int
        Of the scenario. A larger share keeps those of a smaller one.

    Returns
    -------
    (n,) bool
    """
    rng = np.random.default_rng(child_seed(np.random.SeedSequence(seed), METERING_SEED))
    unmetered = np.zeros(n, dtype=np.bool_)
    unmetered[rng.permutation(n)[: min(round(share * n), n - 1)]] = True
    return unmetered


def as_seen_wh(net_wh: IntArray, unmetered: BoolArray | None) -> IntArray:
    """Return net injections as the DSO takes them for, in whole Wh, (n,). [Wh]"""
    if unmetered is None or not unmetered.any():
        return net_wh
    mean_wh = round(float(net_wh[~unmetered].mean()))
    return np.where(unmetered, mean_wh, net_wh)


def as_seen_mvar(q_mvar: FloatArray, unmetered: BoolArray | None) -> FloatArray:
    """Return reactive injections as the DSO takes them for, (n,). [Mvar]"""
    if unmetered is None or not unmetered.any():
        return q_mvar
    return np.where(unmetered, q_mvar[~unmetered].mean(), q_mvar)
