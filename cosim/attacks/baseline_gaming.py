"""Prosumers who earn by the baseline: of energy that is not there, and of what they do anyway."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np

from cosim.attacks.deviations import Deviation
from cosim.messages import BidsMessage, BlocksMessage
from cosim.units import BoolArray, IntArray


@dataclass(frozen=True)
class PhantomBaseline(Deviation):
    """Prosumers who nominate injection that they do not have, and offer to lower it.

    They order in the local market as honestly as before, and their devices do what they would do
    anyway: nothing is ever delivered, and nothing has to be where the nomination is believed.

    Parameters
    ----------
    who : (n,) bool
    intervals : range
    energy_wh : int
        Injection that is made up, and offered. [Wh]
    price_ueur_per_kwh : int
        [µEUR/kWh]
    most_wh : (n,) int64 or None
        Greatest net injection that a nomination may name; who would pass it claims less. [Wh]
    """

    who: BoolArray
    intervals: range
    energy_wh: int
    price_ueur_per_kwh: int
    most_wh: IntArray | None = None

    def bids(self, interval: int, bids: BidsMessage) -> BidsMessage:
        """Return bids with nominations and offers of what is not there."""
        if interval not in self.intervals:
            return bids
        claimed_wh = np.where(self.who, np.int64(self.energy_wh), 0)
        if self.most_wh is not None:
            left_wh = self.most_wh - np.maximum(bids.firm_wh, bids.planned_wh)
            claimed_wh = np.clip(left_wh, 0, claimed_wh)
        return _moved(bids, self.who, claimed_wh, self.price_ueur_per_kwh)


@dataclass(frozen=True)
class IncDec(Deviation):
    """Prosumers who plan to inject more than they mean to, and are paid for not doing so.

    What they could raise their injection by (discharging instead of charging, consumption that is
    put off) they nominate as if they meant it, perhaps sell it, and offer to undo it. Awarded, they
    do what they would have done without any award; not awarded, they have to do what they said.
    Nothing is made up, so that no meter and no rating contradicts them; nor is a large share of
    the market needed (Hirth, Schlecht: Market-based redispatch in zonal electricity markets, 2020).

    Parameters
    ----------
    who : (n,) bool
    intervals : range
    share : float
        Of what they could raise their injection by; rounded down to whole Wh. [-]
    price_ueur_per_kwh : int
        Of undoing it. [µEUR/kWh]
    sells : bool
        Whether it is ordered in the local market as well.
    """

    who: BoolArray
    intervals: range
    share: float
    price_ueur_per_kwh: int
    sells: bool = False

    def bids(self, interval: int, bids: BidsMessage) -> BidsMessage:
        """Return bids with a larger injection, and offers to undo it."""
        if interval not in self.intervals:
            return bids
        raised_wh = np.floor(np.where(self.who, bids.flex_up_wh, 0) * self.share).astype(np.int64)
        moved = _moved(bids, self.who, raised_wh, self.price_ueur_per_kwh)
        # what is raised already cannot be offered as raising
        blocks, left_wh = moved.flexibility, raised_wh.copy()
        energy_wh = blocks.energy_wh.copy()
        for b in np.flatnonzero(blocks.direction > 0).tolist():
            used = min(int(energy_wh[b]), int(left_wh[blocks.prosumer[b]]))
            energy_wh[b] -= used
            left_wh[blocks.prosumer[b]] -= used
        moved = replace(
            moved,
            flexibility=replace(blocks, energy_wh=energy_wh),
            curtailable_down_wh=bids.curtailable_down_wh + raised_wh,
            curtailable_up_wh=np.maximum(bids.curtailable_up_wh - raised_wh, 0),
        )
        if not self.sells:
            return moved
        ordered_wh = np.where(bids.is_sell, bids.order_wh, -bids.order_wh) + raised_wh
        own = self.who & (raised_wh > 0)
        return replace(
            moved,
            order_wh=np.where(own, np.abs(ordered_wh), bids.order_wh),
            is_sell=np.where(own, ordered_wh > 0, bids.is_sell),
        )


def _moved(
    bids: BidsMessage, who: BoolArray, raised_wh: IntArray, price_ueur_per_kwh: int
) -> BidsMessage:
    """Return bids with schedules raised by an energy, which is offered as a block to lower it."""
    (points,) = np.nonzero(who & (raised_wh > 0))
    price = np.full(points.size, price_ueur_per_kwh, dtype=np.int64)
    kept_wh = np.zeros_like(price)
    added = BlocksMessage(
        points, np.full(points.size, -1), raised_wh[points], kept_wh, price, price
    )
    joined = {
        each.name: np.concatenate([getattr(added, each.name), getattr(bids.flexibility, each.name)])
        for each in fields(BlocksMessage)
    }
    return replace(
        bids,
        firm_wh=bids.firm_wh + raised_wh,
        planned_wh=bids.planned_wh + raised_wh,
        flexibility=BlocksMessage(**joined),
    )
