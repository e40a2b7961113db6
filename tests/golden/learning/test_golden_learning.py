"""Learners find the dominant strategies of a published case, over two hundred seeds.

The rewards of each seller depend on its own mark-up alone, so that this is a test of bandits.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from cosim.prosumers.learning.learners import Learner, QLearning, RothErev

CASE = json.loads((Path(__file__).parent / "payoffs.json").read_text())
SEEDS, ROUNDS = 200, 500

KINDS: dict[str, tuple[Callable[[int, int], Learner], float]] = {
    "roth_erev": (lambda n, k: RothErev(n, 1, k, 0.2, 0.1), 0.99),
    "roth_erev, original": (
        lambda n, k: RothErev(n, 1, k, 0.2, 0.02, is_modified=False),
        0.99,
    ),
    # with the thesis' own parameters its modified form settles too early in a few
    "roth_erev, of the thesis": (lambda n, k: RothErev(n, 1, k, 0.55, 0.3), 0.95),
    "q_learning": (lambda n, k: QLearning(n, 1, k, 0.1, 0.0, 0.3, 0.995), 1.0),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seller", ["seller_1", "seller_2"])
def test_the_dominant_strategy_is_found(kind: str, seller: str) -> None:
    make, share = KINDS[kind]
    rewards = np.array(CASE[seller]) / max(CASE[seller])
    learner, rng = make(SEEDS, len(rewards)), np.random.default_rng(2016)
    only, who = np.zeros(SEEDS, dtype=np.int64), np.arange(SEEDS)
    chosen_first = np.zeros(len(rewards))
    for turn in range(ROUNDS):
        action = learner.choose(only, rng)
        if turn == 0:
            chosen_first = np.bincount(action, minlength=len(rewards)) / SEEDS
        learner.learn(who, only, action, rewards[action], only)
    found = (learner.best(only) == CASE["equilibrium"]).mean()
    assert found >= share
    if isinstance(learner, RothErev):  # it did not begin there
        assert chosen_first[CASE["equilibrium"]] < 0.4
