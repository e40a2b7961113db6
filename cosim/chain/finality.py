"""Probability that an attacker with a share of the hash power reverts a transaction.

The attacker secretly builds a branch in which the transaction is missing, and publishes it once
the receiver trusts the transaction. Under proof of work honest miners find the next block with
probability ``p = 1 - q``, the attacker with ``q``. When the transaction is included the attacker
has a block of its own in its place; while ``z`` honest blocks are found on top of it (``z``
confirmations), the attacker finds ``k``; then it must make up ``z - k`` blocks, which succeeds with
probability ``(q / p) ** (z - k)``. Drawing level counts as success, as in Nakamoto's paper, so that
nobody is safe who waits for no confirmation. The attacker never gives up, whatever its blocks cost.

Two answers differ in how ``k`` is distributed. Nakamoto [1]_ takes the time of ``z`` honest
blocks at its mean, so that ``k`` is Poisson distributed with mean ``z q / p``; in the race itself
that time is random, and ``k`` is negative binomial [2]_; the sum then has a closed form [3]_.
Where risks are small, the Poisson approximation is too optimistic.

References
----------
.. [1] S. Nakamoto, "Bitcoin: A peer-to-peer electronic cash system", 2008, section 11.
.. [2] M. Rosenfeld, "Analysis of hashrate-based double-spending", 2014, arXiv:1402.2009.
.. [3] C. Grunspan, R. Pérez-Marco, "Double spend races", 2018, arXiv:1702.02867.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from scipy.special import betainc, gammainc

CONFIRMATIONS_MAX = 1_000_000
"""End of the search for enough confirmations; a share so close to one half needs more."""


def reversal_probability(share: float, confirmations: int) -> float:
    """Return the probability that a transaction is reverted: the race as it is.

    ``I(4 p q; z, 1/2)`` with the regularised incomplete beta function (Grunspan and Pérez-Marco).

    Parameters
    ----------
    share : float
        The attacker's share of the hash power, ``q``. [-]
    confirmations : int
        Blocks on top of the transaction's block when its receiver trusts it, ``z``.

    Raises
    ------
    ValueError
        If the share is outside [0, 1] or the confirmations are negative.
    """
    _check(share, confirmations)
    if confirmations == 0 or share >= 0.5:
        return float(share > 0)
    return float(betainc(confirmations, 0.5, 4.0 * share * (1.0 - share)))


def nakamoto_probability(share: float, confirmations: int) -> float:
    """Return the probability of a reversal by Nakamoto's Poisson approximation.

    Parameters and errors as of :func:`reversal_probability`. The sum has positive terms only, so
    that small probabilities keep their digits.
    """
    _check(share, confirmations)
    if confirmations == 0 or share >= 0.5 or share == 0:
        return float(share > 0)
    ratio = share / (1.0 - share)
    mean = confirmations * ratio
    behind = math.fsum(
        math.exp(k * math.log(mean) - mean - math.lgamma(k + 1))
        * math.exp((confirmations - k) * math.log(ratio))
        for k in range(confirmations + 1)
    )
    return min(1.0, behind + float(gammainc(confirmations + 1, mean)))


def confirmations_needed(
    share: float,
    risk: float,
    probability: Callable[[float, int], float] = reversal_probability,
) -> int | None:
    """Return the least number of confirmations that keeps a reversal below a risk.

    Parameters
    ----------
    share : float
        The attacker's share of the hash power. [-]
    risk : float
        Above 0. [-]
    probability : callable
        Either formula of this module.

    Returns
    -------
    int or None
        None where no number below :data:`CONFIRMATIONS_MAX` suffices, as from half of the hash
        power on.

    Raises
    ------
    ValueError
        If the share is outside [0, 1] or the risk is not above 0.
    """
    _check(share, 0)
    if not risk > 0:
        raise ValueError(f"risk of {risk}: it must be above 0")
    if share >= 0.5:
        return 0 if risk > 1 else None
    low, high = -1, 0
    while probability(share, high) >= risk:
        low, high = high, max(1, 2 * high)
        if high > CONFIRMATIONS_MAX:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        if probability(share, middle) >= risk:
            low = middle
        else:
            high = middle
    return high


def _check(share: float, confirmations: int) -> None:
    if not 0 <= share <= 1:
        raise ValueError(f"share of {share}: it must lie between 0 and 1")
    if confirmations < 0:
        raise ValueError(f"{confirmations} confirmations: there cannot be fewer than 0")
