"""Offers as curves of blocks whose prices do not fall: amounts, and what each block has."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import accumulate, pairwise
from typing import NamedTuple

from cosim.units import WH_PER_KWH, amount_due_ueur


class Block(NamedTuple):
    """A block of an offer: most energy, and its price. [Wh, µEUR/kWh]"""

    energy_wh: int
    price_ueur_per_kwh: int


Blocks = Sequence[Block]
"""Of one offer, the cheapest first."""


class BlockSettlement(NamedTuple):
    """Part of a block in its offer's settlement. [Wh, µEUR]"""

    awarded_wh: int
    delivered_wh: int
    paid_ueur: int
    penalty_ueur: int


def total_wh(blocks: Blocks) -> int:
    """Return the energy of all blocks. [Wh]"""
    return sum(block.energy_wh for block in blocks)


def by_block(blocks: Blocks, energy_wh: int) -> list[int]:
    """Return what of an offer's energy each block has, the cheapest filled first. [Wh]"""
    return _steps(min(ends, energy_wh) for ends in accumulate(b.energy_wh for b in blocks))


def beyond_idle(blocks: Blocks, idle_wh: int) -> list[Block]:
    """Return a curve without the energy at its beginning. [Wh]"""
    left = []
    for energy_wh, price in blocks:
        wh = max(energy_wh - idle_wh, 0)
        idle_wh -= energy_wh - wh
        if wh:
            left.append(Block(wh, price))
    return left


def price_times_wh(blocks: Blocks, energy_wh: int) -> int:
    """Return what energy of an offer costs, from the cheapest block up. [µEUR/kWh times Wh]"""
    parts = zip(by_block(blocks, energy_wh), blocks, strict=True)
    return sum(wh * block.price_ueur_per_kwh for wh, block in parts)


def earned_ueur(blocks: Blocks, energy_wh: int) -> int:
    """Return what energy of an offer earns, from the cheapest block up, rounded down once. [µEUR]

    Parameters
    ----------
    blocks : sequence of Block
    energy_wh : int
        At most that of all blocks. [Wh]
    """
    return price_times_wh(blocks, energy_wh) // WH_PER_KWH


def settled_by_block(
    blocks: Blocks,
    awarded_wh: int,
    delivered_wh: int,
    penalty_ueur_per_kwh: int,
    penalty_ueur: int,
) -> list[BlockSettlement]:
    """Return an offer's settlement by block: delivery counts for the cheapest first.

    Amounts are the differences of rounded sums, so that those of the blocks add up to the offer's.
    What is fined beyond the award belongs to the first block.

    Parameters
    ----------
    blocks : sequence of Block
    awarded_wh, delivered_wh : int
        Of the offer; none delivered before it is settled. [Wh]
    penalty_ueur_per_kwh, penalty_ueur : int
        Rate, and the whole of the offer; 0 before it is settled. [µEUR/kWh, µEUR]
    """
    awarded, delivered = by_block(blocks, awarded_wh), by_block(blocks, delivered_wh)
    paid = _steps(earned_ueur(blocks, wh) for wh in accumulate(delivered))
    missing = accumulate(a - d for a, d in zip(awarded, delivered, strict=True))
    rate = penalty_ueur_per_kwh if penalty_ueur else 0
    penalty = _steps(amount_due_ueur(wh, rate) for wh in missing)
    penalty[0] += penalty_ueur - sum(penalty)
    return [BlockSettlement(*row) for row in zip(awarded, delivered, paid, penalty, strict=True)]


def _steps(sums: Iterable[int]) -> list[int]:
    return [after - before for before, after in pairwise([0, *sums])]
