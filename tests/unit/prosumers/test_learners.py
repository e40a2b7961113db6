"""Learners follow their published rules, one step worked out by hand each."""

from __future__ import annotations

import numpy as np
import pytest

from cosim.prosumers.learning.learners import QLearning, RothErev

ONE = np.array([0])


def learn(learner: RothErev | QLearning, action: int, reward: float, after: int = 0) -> None:
    learner.learn(ONE, ONE, np.array([action]), np.array([reward]), np.array([after]))


@pytest.mark.parametrize(
    ("is_modified", "expected"),
    [
        # (1 - 0.1) q + r (1 - 0.2) of the chosen; of others 0.9 q + q 0.2 / 2 or + r 0.2 / 2
        (True, [1.0, 1.3, 1.0]),
        (False, [0.95, 1.3, 0.95]),
    ],
)
def test_propensities_are_reinforced_and_forgotten(is_modified: bool, expected: list[float]):
    learner = RothErev(1, 1, 3, 0.2, 0.1, 1.0, is_modified=is_modified)
    assert learner.probabilities(ONE) == pytest.approx(np.full((1, 3), 1 / 3))
    learn(learner, 1, 0.5)
    assert learner.worth[0, 0] == pytest.approx(expected)
    assert learner.probabilities(ONE)[0] == pytest.approx(np.array(expected) / sum(expected))


def test_losses_count_as_nothing_and_propensities_stay_positive():
    learner = RothErev(1, 1, 2, 0.2, 0.5, 1.0)
    learn(learner, 0, -3.0)
    assert learner.worth[0, 0] == pytest.approx([0.5, 0.7])


def test_where_everything_is_forgotten_all_are_alike():
    learner = RothErev(1, 1, 2, 0.0, 1.0, 1.0)
    learn(learner, 0, 0.0)
    assert learner.worth[0, 0].tolist() == [0.0, 0.0]
    assert learner.probabilities(ONE)[0].tolist() == [0.5, 0.5]


def test_values_move_towards_reward_and_what_comes_after():
    learner = QLearning(1, 2, 2, learning_rate=0.5, discount=0.9, exploration=0.2, initial=0.0)
    learner.worth[0, 1] = [2.0, 3.0]
    learn(learner, 1, 1.0, after=1)
    assert learner.worth[0, 0] == pytest.approx([0.0, 0.5 * (1.0 + 0.9 * 3.0)])
    assert learner.probabilities(ONE)[0] == pytest.approx([0.1, 0.9])


def test_exploration_shrinks_with_what_a_learner_was_told():
    learner = QLearning(2, 1, 2, 0.5, exploration=0.4, exploration_decay=0.5)
    learn(learner, 0, 1.0)
    assert learner.exploration.tolist() == [0.2, 0.4]


def test_situations_and_learners_are_apart():
    learner = RothErev(2, 2, 2, 0.2, 0.1)
    learner.learn(np.array([1]), np.array([1]), ONE, np.array([1.0]), np.array([0]))
    assert (learner.worth[0] == 1.0).all()
    assert (learner.worth[1, 0] == 1.0).all()
    assert learner.worth[1, 1] == pytest.approx([0.9 + 0.8, 0.9 + 0.2])


def test_choices_are_drawn_as_likely_as_stated():
    learner = RothErev(20_000, 1, 3, 0.2, 0.1)
    learner.worth[:] = [1.0, 0.0, 3.0]
    chosen = learner.choose(np.zeros(20_000, dtype=np.int64), np.random.default_rng(7))
    assert np.bincount(chosen, minlength=3) / 20_000 == pytest.approx([0.25, 0.0, 0.75], abs=0.01)
