"""Prosumers who do not act as they should: in what they bid, and in what they deliver.

Each deviation holds for some prosumers in some delivery intervals; everything else stays as it is.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from cosim.messages import BidsMessage
from cosim.units import BoolArray, IntArray


class Deviation:
    """Changes of bids and of delivery; by default none."""

    def bids(self, interval: int, bids: BidsMessage) -> BidsMessage:
        """Return what is bid in place of honest bids."""
        return bids

    def followed_wh(self, interval: int, activated_wh: IntArray) -> IntArray:
        """Return how much devices follow of the flexibility that was awarded.

        Parameters
        ----------
        interval : int
        activated_wh : (n,) int64
            Flexibility sold to the DSO; positive raises the injection. [Wh]

        Returns
        -------
        (n,) int64
        """
        return activated_wh


@dataclass(frozen=True)
class SmallerPurchases(Deviation):
    """Buyers who order only the share of their consumption that their meters will report.

    What they consume beyond is nominated as honestly as before: the DSO sees the load.

    Parameters
    ----------
    who : (n,) bool
    intervals : range
    factor : float
        Share of a purchase that is ordered, rounded down to whole Wh. [-]
    """

    who: BoolArray
    intervals: range
    factor: float

    def bids(self, interval: int, bids: BidsMessage) -> BidsMessage:
        """Return bids with smaller purchases."""
        if interval not in self.intervals:
            return bids
        smaller = np.floor(bids.order_wh * self.factor).astype(np.int64)
        return replace(bids, order_wh=np.where(self.who & ~bids.is_sell, smaller, bids.order_wh))


@dataclass(frozen=True)
class UndeliveredFlexibility(Deviation):
    """Prosumers who offer flexibility, perhaps at lower prices, and do not deliver it.

    Orders of the DSO without a market, which curtail, are followed.

    Parameters
    ----------
    who : (n,) bool
    intervals : range
    share : float
        Of the award that is not delivered; what is delivered is rounded towards 0. [-]
    price_factor : float
        Prices of their offers, of honest ones, rounded down. [-]
    """

    who: BoolArray
    intervals: range
    share: float = 1.0
    price_factor: float = 1.0

    def bids(self, interval: int, bids: BidsMessage) -> BidsMessage:
        """Return bids with cheaper offers."""
        if interval not in self.intervals:
            return bids
        blocks = bids.flexibility
        own = self.who[blocks.prosumer]
        prices: dict[str, Any] = {
            name: np.where(
                own,
                np.floor(getattr(blocks, name) * self.price_factor).astype(np.int64),
                getattr(blocks, name),
            )
            for name in ("price_ueur_per_kwh", "price_if_traded_ueur_per_kwh")
        }
        return replace(bids, flexibility=replace(blocks, **prices))

    def followed_wh(self, interval: int, activated_wh: IntArray) -> IntArray:
        """Return less than was awarded."""
        if interval not in self.intervals:
            return activated_wh
        followed = np.trunc(activated_wh * (1.0 - self.share)).astype(np.int64)
        return np.where(self.who, followed, activated_wh)


@dataclass(frozen=True)
class AgreedSales(Deviation):
    """Sellers who ask a common price, or keep energy from the local market.

    Energy that is withheld goes to the supplier at its feed-in price.

    Parameters
    ----------
    who : (n,) bool
    intervals : range
    price_ueur_per_kwh : int or None
        Least price that they ask; None: each its own. [µEUR/kWh]
    withheld_share : float
        Of what they would sell; what is left is rounded down to whole Wh. [-]
    """

    who: BoolArray
    intervals: range
    price_ueur_per_kwh: int | None = None
    withheld_share: float = 0.0

    def bids(self, interval: int, bids: BidsMessage) -> BidsMessage:
        """Return bids with dearer, or smaller, sales."""
        if interval not in self.intervals:
            return bids
        sales = self.who & bids.is_sell & (bids.order_wh > 0)
        kept = np.floor(bids.order_wh * (1.0 - self.withheld_share)).astype(np.int64)
        price = bids.order_price_ueur_per_kwh
        if self.price_ueur_per_kwh is not None:
            price = np.where(sales, np.maximum(price, self.price_ueur_per_kwh), price)
        return replace(
            bids, order_wh=np.where(sales, kept, bids.order_wh), order_price_ueur_per_kwh=price
        )
