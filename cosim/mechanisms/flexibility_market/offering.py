"""Offers that prosumers make to a request of the DSO, and the bonds that these lock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from cosim.mechanisms.flexibility_market.client import MAX_BLOCKS
from cosim.mechanisms.flexibility_market.curves import Block, Blocks, total_wh
from cosim.mechanisms.play import Schedules
from cosim.messages import BidsMessage
from cosim.units import IntArray, amount_due_ueur


def offered(
    direction: int,
    bids: BidsMessage,
    schedules: Schedules,
    price_cap_ueur_per_kwh: int,
) -> dict[int, Blocks]:
    """Return the offer of every prosumer that has one: what it has left, as a curve of blocks.

    Energy that the supplier would take, or deliver, when nothing is activated comes before energy
    that it has to stand in for: what was sold, or bought, in the market, and what turns the flow
    round. Each has its own price in the bids. What holds back unserved orders is gone from the
    first blocks, and so is what earlier requests bought. Of a curve with more blocks than an offer
    may have, the dearest are one.

    Parameters
    ----------
    direction : int
        +1 raises net injection, -1 lowers it.
    bids : BidsMessage
        With the flexibility of members.
    schedules : Schedules
        As they stand.
    price_cap_ueur_per_kwh : int
        Nobody offers above it.

    Returns
    -------
    dict of int to sequence of Block
        By position of the prosumer, ascending.
    """
    activated_wh = schedules.activated_wh
    unserved_wh = schedules.unserved_purchases_wh if direction > 0 else schedules.unserved_sales_wh
    # of the residual with the supplier, what a change in this direction would make smaller
    residual_wh = direction * (schedules.contracted_wh - schedules.reported_wh)
    refused = (direction * activated_wh < 0) | (schedules.curtailed_wh != 0)
    blocks, offers = bids.flexibility, {}
    for i, rows in _by_prosumer(blocks.prosumer, np.flatnonzero(blocks.direction == direction)):
        if refused[i]:
            continue
        curve = _curve(
            blocks.energy_wh[rows].tolist(),
            blocks.withheld_wh[rows].tolist(),
            blocks.price_ueur_per_kwh[rows].tolist(),
            blocks.price_if_traded_ueur_per_kwh[rows].tolist(),
            int(unserved_wh[i]),
            max(int(residual_wh[i]), 0),
        )
        left = _left(curve, direction * int(activated_wh[i]), price_cap_ueur_per_kwh)
        if left:
            offers[i] = few(left)
    return dict(sorted(offers.items()))


def bonds_ueur(offers: Mapping[int, Blocks], penalty_ueur_per_kwh: int) -> dict[int, int]:
    """Return what each offer locks, by position of the prosumer. [µEUR]"""
    return {
        i: amount_due_ueur(total_wh(blocks), penalty_ueur_per_kwh) for i, blocks in offers.items()
    }


def _by_prosumer(prosumer: IntArray, rows: IntArray) -> list[tuple[int, list[int]]]:
    """Return the rows of each prosumer, in their order."""
    found: dict[int, list[int]] = {}
    for row in rows.tolist():
        found.setdefault(int(prosumer[row]), []).append(row)
    return list(found.items())


def _curve(
    energies_wh: list[int],
    withheld_wh: list[int],
    prices: list[int],
    prices_if_traded: list[int],
    used_wh: int,
    residual_wh: int,
) -> list[Block]:
    """Return blocks in their order, split where the supplier begins to stand in; none cheaper."""
    curve: list[Block] = []
    least = 0
    rows = zip(energies_wh, withheld_wh, prices, prices_if_traded, strict=True)
    for energy_wh, kept_wh, price, if_traded in rows:
        left_wh = max(energy_wh - used_wh, 0)
        used_wh -= energy_wh - left_wh
        left_wh = min(left_wh, energy_wh - kept_wh)
        first_wh = min(left_wh, residual_wh)
        residual_wh -= first_wh
        for wh, asked in ((first_wh, price), (left_wh - first_wh, if_traded)):
            if not wh:
                continue
            least = max(least, asked)
            if curve and curve[-1].price_ueur_per_kwh == least:
                wh += curve.pop().energy_wh
            curve.append(Block(wh, least))
    return curve


def _left(curve: list[Block], used_wh: int, price_cap: int) -> list[Block]:
    """Return the part of a curve beyond what is used of it, up to a price."""
    left = []
    for energy_wh, price in curve:
        wh = max(energy_wh - used_wh, 0)
        used_wh -= energy_wh - wh
        if wh and price <= price_cap:
            left.append(Block(wh, price))
    return left


def few(curve: Sequence[Block]) -> Blocks:
    """Return at most as many blocks as an offer may have, the dearest of them as one."""
    first, rest = curve[: MAX_BLOCKS - 1], curve[MAX_BLOCKS - 1 :]
    if len(rest) > 1:
        rest = [Block(total_wh(rest), rest[-1].price_ueur_per_kwh)]
    return (*first, *rest)
