"""Connection points at which a DSO has no metering, drawn with a scenario's seed."""

from __future__ import annotations

import numpy as np

from cosim.seeds import child_seed
from cosim.units import BoolArray

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
