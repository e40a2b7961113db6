"""Races of an attacker's branch against the honest chain, run many times.

The Monte Carlo next to the formulae of :mod:`cosim.chain.finality`. Blocks of honest miners and of
the attacker arrive at random times, drawn as the chain model draws blocks under proof of work
(:func:`cosim.chain.consensus.block_waits_s`): miners with a share ``s`` of the hash power find one
every ``block_time_s / s`` on average. Only numbers of blocks decide.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.stats import beta

from cosim.chain.consensus import block_waits_s
from cosim.units import FloatArray, IntArray

GIVE_UP_PROBABILITY = 1e-7
"""A race counts as lost once the attacker's chance of still winning it is below this."""


@dataclass(frozen=True)
class Estimate:
    """Frequency of an outcome.

    Parameters
    ----------
    n_races, n_reverted : int
        Races run, and those that the attacker won.
    """

    n_races: int
    n_reverted: int

    @property
    def probability(self) -> float:
        """Share of the races that the attacker won. [-]"""
        return self.n_reverted / self.n_races

    @property
    def standard_error(self) -> float:
        """Of the probability, estimated from itself; 0 where all races ended alike. [-]"""
        p = self.probability
        return math.sqrt(p * (1.0 - p) / self.n_races)

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """Clopper and Pearson's exact binomial confidence interval. [-]"""
        tail = (1.0 - level) / 2.0
        n, k = self.n_races, self.n_reverted
        low = float(beta.ppf(tail, k, n - k + 1)) if k else 0.0
        high = float(beta.ppf(1.0 - tail, k + 1, n - k)) if k < n else 1.0
        return low, high


def race(
    share: float,
    confirmations: int,
    n_races: int,
    rng: np.random.Generator,
    block_time_s: float = 12.0,
    mean_time: bool = False,
) -> Estimate:
    """Let an attacker race the honest chain.

    At time 0 the transaction is included, and the attacker has a block of its own in its place.
    The transaction is trusted at its last confirmation. The attacker wins when its branch is then,
    or becomes later, as long as the honest one.

    Parameters
    ----------
    share : float
        The attacker's share of the hash power. [-]
    confirmations : int
        Blocks on top of the transaction's.
    n_races : int
    rng : numpy.random.Generator
        Of all arrivals.
    block_time_s : float
        Mean time between blocks of all miners. It does not matter for the result. [s]
    mean_time : bool
        Take the time until the last confirmation at its mean, as Nakamoto's formula does, instead
        of letting the honest blocks arrive at random.

    Raises
    ------
    ValueError
        If the share is not above 0 and below 0.5, where races end, or a number is out of range.
    """
    if not 0 < share < 0.5:
        raise ValueError(f"share of {share}: a race ends for sure only above 0 and below 0.5")
    if confirmations < 0 or n_races < 1:
        raise ValueError("a race needs 0 confirmations or more, and there must be a race")
    means_s = block_time_s / (1.0 - share), block_time_s / share
    if mean_time:
        until_s = np.full(n_races, confirmations * means_s[0])
    else:
        until_s = np.zeros(n_races)
        for _ in range(confirmations):
            until_s += block_waits_s(rng, means_s[0], n_races)
    behind = confirmations - _arrivals(until_s, means_s[1], rng)
    hopeless = math.ceil(math.log(GIVE_UP_PROBABILITY) / math.log(share / (1.0 - share)))
    return Estimate(n_races, _caught_up(behind, means_s, hopeless, rng))


def _arrivals(until_s: FloatArray, mean_s: float, rng: np.random.Generator) -> IntArray:
    """Draw the number of blocks found in each race up to a time."""
    found = np.zeros(len(until_s), dtype=np.int64)
    left_s = until_s.copy()
    going = np.arange(len(until_s))
    while len(going):
        left_s = left_s - block_waits_s(rng, mean_s, len(going))
        in_time = left_s >= 0
        going, left_s = going[in_time], left_s[in_time]
        found[going] += 1
    return found


def _caught_up(
    behind: IntArray, means_s: tuple[float, float], hopeless: int, rng: np.random.Generator
) -> int:
    """Return the number of races that an attacker so many blocks behind still wins.

    Arrivals have no memory, so both clocks start anew with every block; the earlier one decides
    whose it is.
    """
    won = int((behind <= 0).sum())
    behind = behind[(behind > 0) & (behind < hopeless)]
    while len(behind):
        honest_s = block_waits_s(rng, means_s[0], len(behind))
        attacker_s = block_waits_s(rng, means_s[1], len(behind))
        behind = np.where(attacker_s < honest_s, behind - 1, behind + 1)
        won += int((behind == 0).sum())
        behind = behind[(behind > 0) & (behind < hopeless)]
    return won
