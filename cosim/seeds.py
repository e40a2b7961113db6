"""Seeds of random draws: children by key, so that one draw never shifts another; and shares."""

from __future__ import annotations

import random
import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

_REPLICATIONS = 20
"""Key of the seeds of a study below a scenario's seed; no other draw has it."""
_BITS = 53
"""Of a seed that is drawn: a double holds it, so that every reader of JSON and CSV does."""


def child_seed(seed: np.random.SeedSequence, *key: int) -> np.random.SeedSequence:
    """Return the child of a seed by its key, as ``SeedSequence.spawn`` makes them, uncounted.

    A counter-free child lets the draws of interval ``k`` be repeated without those before it, so a
    run that resumes at ``k`` needs no generator state.
    """
    return np.random.SeedSequence(
        entropy=seed.entropy, spawn_key=(*seed.spawn_key, *key), pool_size=seed.pool_size
    )


def replication_seed(seed: int, number: int) -> int:
    """Return the seed of one of several runs of a scenario.

    Parameters
    ----------
    seed : int
        Of the scenario.
    number : int
        Counts from 1, which is the scenario's own seed. Others depend on ``seed`` and ``number``
        alone, so that a study with more seeds keeps those that it had.

    Returns
    -------
    int
        At least 0 and, from the second on, less than 2**53.

    Raises
    ------
    ValueError
        If ``number < 1``.
    """
    if number < 1:
        raise ValueError(f"seeds are counted from 1, not {number}")
    if number == 1:
        return seed
    child = child_seed(np.random.SeedSequence(seed), _REPLICATIONS, number)
    return int(child.generate_state(1, np.uint64)[0]) >> (64 - _BITS)


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


WATCHING = threading.RLock()
"""Held while the generators that all modules share are watched: one thread at a time."""


def shared_generators() -> dict[str, Any]:
    """Return the states of the generators that all modules share, by module.

    A run draws from neither; what changes them is not governed by its seed.
    """
    name, key, *rest = np.random.get_state()  # noqa: NPY002
    return {
        "random": random.getstate(),
        "numpy.random": (name, np.asarray(key).tobytes(), *rest),
    }
