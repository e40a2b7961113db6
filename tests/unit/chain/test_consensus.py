"""Times of blocks, by each preset, against what is known of it."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from cosim.chain.consensus import BlockPlan, Consensus

START_S = 1_700_000_000


def plans(consensus: Consensus, n: int, seed: int = 1) -> list[BlockPlan]:
    schedule = consensus.schedule(START_S, np.random.default_rng(seed))
    made = [schedule.following(START_S)]
    while len(made) < n:
        made.append(schedule.following(made[-1].timestamp_s))
    return made


def gaps_s(made: list[BlockPlan]) -> np.ndarray:
    return np.diff([START_S, *(plan.timestamp_s for plan in made)])


@pytest.mark.parametrize("kind", ["proof_of_authority", "pbft", "proof_of_stake"])
def test_blocks_are_regular_while_nobody_fails(kind: str) -> None:
    consensus = Consensus(kind, block_time_s=12, validators=5)
    made = plans(consensus, 200)
    assert consensus.is_regular
    assert set(gaps_s(made)) == {12}
    assert {plan.proposer for plan in made} == set(range(5))
    assert {plan.orphans for plan in made} == {0}


def test_authorities_take_turns_and_a_failed_one_leaves_its_own_empty() -> None:
    made = plans(Consensus("proof_of_authority", 10, validators=5, failed_validators=2), 300)
    turns = [(plan.timestamp_s - START_S) // 10 for plan in made]
    assert all(plan.proposer == turn % 5 for plan, turn in zip(made, turns, strict=True))
    working = {plan.proposer for plan in made}
    assert len(working) == 3
    # in every round of five turns exactly the three that work
    assert turns == [turn for turn in range(1, turns[-1] + 1) if turn % 5 in working]


def test_pbft_waits_longer_with_every_failed_proposer() -> None:
    consensus = Consensus("pbft", 5, validators=7, failed_validators=2, round_timeout_s=4)
    made = plans(consensus, 500)
    # one failed proposer costs 4 s, two in a row 4 + 8
    assert set(gaps_s(made)) <= {5, 9, 17}
    assert 9 in gaps_s(made) or 17 in gaps_s(made)
    order = [plan.proposer for plan in made]
    working = sorted(set(order))
    assert len(working) == 5
    for before, after in itertools.pairwise(order):  # round robin over those that work
        assert working.index(after) == (working.index(before) + 1) % 5


def test_slots_are_missed_as_often_as_said() -> None:
    made = plans(
        Consensus("proof_of_stake", 12, validators=100, missed_slot_probability=0.2), 8_000
    )
    gaps = gaps_s(made)
    assert set(gaps % 12) == {0}
    slots = gaps.sum() / 12
    missed = 1 - len(made) / slots
    assert missed == pytest.approx(0.2, abs=4 * np.sqrt(0.2 * 0.8 / slots))


def test_proof_of_work_is_a_poisson_process() -> None:
    gaps = gaps_s(plans(Consensus("proof_of_work", 600), 10_000))
    # exponential: mean and standard deviation are the block time
    assert gaps.mean() == pytest.approx(600, abs=4 * 600 / np.sqrt(10_000))
    assert gaps.std() == pytest.approx(600, rel=0.06)
    assert np.mean(gaps > 1_200) == pytest.approx(np.exp(-2), abs=4 * 0.0035)


def test_timestamps_rise_in_whole_seconds() -> None:
    made = plans(Consensus("proof_of_work", 2, propagation_delay_s=1), 3_000)
    assert gaps_s(made).min() == 1
    assert all(isinstance(plan.timestamp_s, int) for plan in made)


def test_forks_are_as_frequent_as_the_propagation_delay_makes_them() -> None:
    consensus = Consensus("proof_of_work", 12, propagation_delay_s=6)
    assert consensus.forks
    orphans = np.array([plan.orphans for plan in plans(consensus, 40_000)])
    contested = 1 - np.exp(-0.5)
    for depth in (1, 2, 3):
        expected = contested**depth / 2
        seen = np.mean(orphans >= depth)
        assert seen == pytest.approx(expected, abs=4 * np.sqrt(expected / 40_000))


def test_miners_who_hear_at_once_never_fork() -> None:
    made = plans(Consensus("proof_of_work", 12), 1_000)
    assert {plan.orphans for plan in made} == {0}


def test_the_seed_decides() -> None:
    consensus = Consensus("proof_of_work", 12, propagation_delay_s=3)
    assert plans(consensus, 100, seed=1) == plans(consensus, 100, seed=1)
    assert plans(consensus, 100, seed=1) != plans(consensus, 100, seed=2)
