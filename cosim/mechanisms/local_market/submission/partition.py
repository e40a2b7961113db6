"""Partition of entries into batches: how many one holds, which they are, and when it leaves."""

from __future__ import annotations

from collections.abc import Callable, Iterable


def most_entries(
    block_gas_limit: int, most_gas: int, size: int, gas_of: Callable[[int], int]
) -> int:
    """Return how many entries a batch has at most: as half a block, and a transaction, hold.

    Parameters
    ----------
    block_gas_limit, most_gas : int
        Gas of a block, and the most that a transaction can have in it.
    size : int
        Wanted.
    gas_of : callable
        Gas limit of a batch by its length; linear.
    """
    fits = (min(block_gas_limit // 2, most_gas) - gas_of(0)) // (gas_of(1) - gas_of(0))
    return max(min(size, fits), 1)


def batches(
    entries: Iterable[tuple[float, int]], size: int, last_s: float
) -> list[tuple[float, tuple[int, ...]]]:
    """Return batches of entries that come in one after the other.

    Parameters
    ----------
    entries : iterable of (float, int)
        When each comes in, and whose it is, by position. [s]
    size : int
        Of a batch, which leaves when it is full.
    last_s : float
        When the rest leaves, or with the last entry if that comes later. [s]

    Returns
    -------
    list of (float, tuple of int)
        When each batch leaves, and whose entries it has, in the order in which they came in.
    """
    ordered = sorted(entries)
    found = []
    for k in range(0, len(ordered), size):
        part = ordered[k : k + size]
        full_s = part[-1][0]
        leaves_s = full_s if len(part) == size else max(last_s, full_s)
        found.append((leaves_s, tuple(i for _, i in part)))
    return found
