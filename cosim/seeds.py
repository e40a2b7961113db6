"""Seeds of random draws: children by key, so that one draw never shifts another; and shares."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt


def child_seed(seed: np.random.SeedSequence, *key: int) -> np.random.SeedSequence:
    """Return the child of a seed by its key, as ``SeedSequence.spawn`` makes them, uncounted.

    A counter-free child lets the draws of interval ``k`` be repeated without those before it, so a
    run that resumes at ``k`` needs no generator state.
    """
    return np.random.SeedSequence(
        entropy=seed.entropy, spawn_key=(*seed.spawn_key, *key), pool_size=seed.pool_size
    )


def assign_shares(
    n: int, shares: Sequence[float], rng: np.random.Generator
) -> npt.NDArray[np.int64]:
    """Assign members to groups: exact shares by largest remainder, in random order.

    Parameters
    ----------
    n : int
        Number of members.
    shares : sequence of float
        Share of each group; they add up to 1. [-]
    rng : numpy.random.Generator
        Source of the order.

    Returns
    -------
    (n,) int64
        Index into ``shares`` of each member.
    """
    exact = np.asarray(shares, dtype=np.float64) * n
    counts = np.floor(exact + 1e-9).astype(np.int64)
    by_remainder = np.argsort(-(exact - counts), kind="stable")
    counts[by_remainder[: n - int(counts.sum())]] += 1
    return rng.permutation(np.repeat(np.arange(len(shares), dtype=np.int64), counts))
