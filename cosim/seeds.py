"""Seeds of random draws: children by key, so that one draw never shifts another."""

from __future__ import annotations

import numpy as np


def child_seed(seed: np.random.SeedSequence, *key: int) -> np.random.SeedSequence:
    """Return the child of a seed by its key, as ``SeedSequence.spawn`` makes them, uncounted.

    A counter-free child lets the draws of interval ``k`` be repeated without those before it, so a
    run that resumes at ``k`` needs no generator state.
    """
    return np.random.SeedSequence(
        entropy=seed.entropy, spawn_key=(*seed.spawn_key, *key), pool_size=seed.pool_size
    )
