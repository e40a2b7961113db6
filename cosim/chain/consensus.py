"""Consensus: times and proposers of blocks, and the competing branches that replace them.

A schedule answers one question: which block follows one at this time? Timestamps are whole seconds
and rise strictly. The set-up of a run is mined regularly; the consensus of the scenario begins with
the first order window.

=====================  ===========================================================================
proof of authority     Validators take turns of one block time (as in Aura). Who failed leaves its
                       turn empty. More than half must work, or no block would be final.
pbft                   The proposer's turn comes one block time after the last block; every failed
                       one costs a round timeout, which doubles with each round of the same block
                       (as in QBFT). At most a third of the validators less one may fail.
proof of stake         Slots of one block time; the proposer of a slot is drawn at random, and
                       misses it with a probability, or because its validator failed.
proof of work          Blocks are found at random: exponential times between them [1]_. Two may be
                       found within the propagation delay ``d`` of each other, with probability
                       ``f = 1 - exp(-d / block_time)`` [2]_; then the next block decides, with even
                       chances, which branch is left behind. That ``k`` blocks in a row are so
                       contested has probability ``f ** k``.
=====================  ===========================================================================

Authority and pbft are final at once. Natural reorganisations happen under proof of work only.

References
----------
.. [1] S. Nakamoto, "Bitcoin: A peer-to-peer electronic cash system", 2008, section 11.
.. [2] C. Decker, R. Wattenhofer, "Information propagation in the Bitcoin network", IEEE P2P 2013,
   doi:10.1109/P2P.2013.6688704, eq. 4 for one uniform delay.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np

from cosim.units import FloatArray

KINDS = ("proof_of_authority", "pbft", "proof_of_stake", "proof_of_work")
"""Presets of a scenario's ``ledger.consensus``."""
MOST_CONTESTED = 16
"""Longest natural reorganisation that is drawn; a longer one has a probability below 1e-9."""


def block_waits_s(
    rng: np.random.Generator, mean_s: float | FloatArray, size: int | None = None
) -> Any:
    """Draw the times until miners find their next block: a Poisson process, without memory.

    Parameters
    ----------
    rng : numpy.random.Generator
    mean_s : float or (size,) float
        Mean time between their blocks. [s]
    size : int, optional
        Their number; by default one.

    Returns
    -------
    float or (size,) float
        [s]
    """
    return rng.exponential(mean_s, size)


class BlockPlan(NamedTuple):
    """One block to be mined.

    Parameters
    ----------
    timestamp_s : int
        Unix time. [s]
    proposer : int
        Validator that proposes it, from 0; 0 where nobody is known by number.
    orphans : int
        Number of blocks before it that a competing branch replaces first.
    """

    timestamp_s: int
    proposer: int = 0
    orphans: int = 0


class BlockSchedule(Protocol):
    """Tells which block follows."""

    def following(self, timestamp_s: int) -> BlockPlan:
        """The block after one with this timestamp. [s]"""
        ...


@dataclass(frozen=True)
class Consensus:
    """Settings by which a chain agrees on blocks.

    Parameters
    ----------
    kind : str
        One of :data:`KINDS`.
    block_time_s : int
        Time between blocks, length of a slot or turn, mean under proof of work. [s]
    confirmations : int
        Blocks that must lie on top before users act on a transaction.
    validators, failed_validators : int
        Their number, and the number of those that never propose.
    missed_slot_probability : float
        Of each turn or slot of a working validator. [-]
    round_timeout_s : int
        Wait of pbft for a proposer before the next one's round. [s]
    propagation_delay_s : float
        Until everybody knows a block or a transaction (proof of work). [s]
    """

    kind: str = "proof_of_authority"
    block_time_s: int = 12
    confirmations: int = 0
    validators: int = 4
    failed_validators: int = 0
    missed_slot_probability: float = 0.0
    round_timeout_s: int = 10
    propagation_delay_s: float = 0.0

    @property
    def is_regular(self) -> bool:
        """True if every block comes one block time after the one before it."""
        return self.kind != "proof_of_work" and not (
            self.failed_validators or self.missed_slot_probability
        )

    @property
    def forks(self) -> bool:
        """True if honest miners reorganise the chain."""
        return self.kind == "proof_of_work" and self.propagation_delay_s > 0

    def schedule(self, start_s: int, rng: np.random.Generator) -> BlockSchedule:
        """Return the schedule of the blocks from a time on.

        Parameters
        ----------
        start_s : int
            Timestamp of the block before the first. [s]
        rng : numpy.random.Generator
            Of failures, proposers, arrivals and forks.
        """
        if self.kind == "proof_of_work":
            return _Arrivals(self, start_s, rng)
        if self.kind == "proof_of_stake":
            return _Slots(self, start_s, rng)
        if self.kind == "pbft":
            return _Rounds(self, rng)
        return _Turns(self, start_s, rng)


class Regular:
    """One block every ``block_time_s``, proposed by nobody in particular."""

    def __init__(self, block_time_s: int) -> None:
        self._block_time_s = block_time_s

    def following(self, timestamp_s: int) -> BlockPlan:
        """See :class:`BlockSchedule`."""
        return BlockPlan(timestamp_s + self._block_time_s)


class _Validators:
    """Validators that work, and the turns that they take."""

    def __init__(self, consensus: Consensus, rng: np.random.Generator) -> None:
        self.n = consensus.validators
        self._rng = rng
        self._missed = consensus.missed_slot_probability
        order = rng.permutation(self.n)
        self._failed = frozenset(order[: consensus.failed_validators].tolist())

    def proposes(self, validator: int) -> bool:
        """Return True if a validator takes its turn now."""
        is_missed = self._missed > 0 and self._rng.random() < self._missed
        return validator not in self._failed and not is_missed

    def draw(self) -> int:
        """A validator at random."""
        return int(self._rng.integers(self.n))


class _Turns:
    """Proof of authority."""

    def __init__(self, consensus: Consensus, start_s: int, rng: np.random.Generator) -> None:
        self._step_s = consensus.block_time_s
        self._start_s = start_s
        self._validators = _Validators(consensus, rng)

    def following(self, timestamp_s: int) -> BlockPlan:
        turn = (timestamp_s - self._start_s) // self._step_s + 1
        while not self._validators.proposes(turn % self._validators.n):
            turn += 1
        return BlockPlan(self._start_s + turn * self._step_s, turn % self._validators.n)


class _Rounds:
    """PBFT."""

    def __init__(self, consensus: Consensus, rng: np.random.Generator) -> None:
        self._block_time_s = consensus.block_time_s
        self._timeout_s = consensus.round_timeout_s
        self._validators = _Validators(consensus, rng)
        self._proposer = -1

    def following(self, timestamp_s: int) -> BlockPlan:
        when_s, timeout_s = timestamp_s + self._block_time_s, self._timeout_s
        self._proposer = (self._proposer + 1) % self._validators.n
        while not self._validators.proposes(self._proposer):
            when_s, timeout_s = when_s + timeout_s, 2 * timeout_s
            self._proposer = (self._proposer + 1) % self._validators.n
        return BlockPlan(when_s, self._proposer)


class _Slots:
    """Proof of stake."""

    def __init__(self, consensus: Consensus, start_s: int, rng: np.random.Generator) -> None:
        self._step_s = consensus.block_time_s
        self._start_s = start_s
        self._validators = _Validators(consensus, rng)

    def following(self, timestamp_s: int) -> BlockPlan:
        slot = (timestamp_s - self._start_s) // self._step_s + 1
        while not self._validators.proposes(proposer := self._validators.draw()):
            slot += 1
        return BlockPlan(self._start_s + slot * self._step_s, proposer)


class _Arrivals:
    """Proof of work."""

    def __init__(self, consensus: Consensus, start_s: int, rng: np.random.Generator) -> None:
        self._mean_s = consensus.block_time_s
        self._rng = rng
        self._time_s = float(start_s)
        self._contested = 1.0 - math.exp(-consensus.propagation_delay_s / self._mean_s)

    def following(self, timestamp_s: int) -> BlockPlan:
        self._time_s += float(block_waits_s(self._rng, self._mean_s))
        when_s = max(timestamp_s + 1, round(self._time_s))
        return BlockPlan(when_s, 0, self._orphans())

    def _orphans(self) -> int:
        """Blocks that this one leaves behind."""
        if not self._contested:
            return 0
        length = 0
        while length < MOST_CONTESTED and self._rng.random() < self._contested:
            length += 1
        return length if length and self._rng.random() < 0.5 else 0
