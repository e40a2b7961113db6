"""Connection points at which a DSO has no metering, drawn with a scenario's seed."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from cosim.seeds import child_seed
from cosim.units import BoolArray

METERING_SEED = 21


@dataclass(frozen=True)
class Metering:
    """Connection points as a DSO's metering sees them.

    Parameters
    ----------
    unmetered : (n,) bool
        Those that it does not see.
    typical : (n,) bool
        Metered ones whose mean it takes the unmetered ones for.
    """

    unmetered: BoolArray
    typical: BoolArray


def drawn_metering(
    names: Sequence[str], share: float, seed: int, always: Collection[str] = ()
) -> Metering | None:
    """Draw the connection points without metering.

    Parameters
    ----------
    names : sequence of str
        Connection points, (n,).
    share : float
        Of those that are not ``always`` metered, how many are not, 0 to 1; one at least is metered.
    seed : int
        Of the scenario. A larger share keeps those of a smaller one.
    always : collection of str
        Points that a DSO meters in any case, as that of a battery which members share by contract
        and whose energy is billed from its meter. Nothing like a household, they are no part of the
        mean that stands for one.

    Returns
    -------
    Metering or None
        None if the DSO sees all.
    """
    eligible = np.flatnonzero([name not in always for name in names])
    n = eligible.size
    unseen = min(round(share * n), n - 1)
    if unseen <= 0:
        return None
    rng = np.random.default_rng(child_seed(np.random.SeedSequence(seed), METERING_SEED))
    unmetered, typical = (np.zeros(len(names), dtype=np.bool_) for _ in range(2))
    drawn = rng.permutation(n)
    unmetered[eligible[drawn[:unseen]]] = True
    typical[eligible[drawn[unseen:]]] = True
    return Metering(unmetered, typical)
