"""A bidding strategy: bid around the price of the last interval."""

from __future__ import annotations

import numpy as np

from cosim.prosumers.strategies import BidContext, LimitOrders, Strategy, StrategySetup


class PriceFollower(Strategy):
    """Sell a little below and buy a little above what the market last cleared at.

    Until the market has cleared, it goes by the expected price. It never bids worse than the
    supplier's prices.

    Parameters
    ----------
    setup : StrategySetup
        Who follows it, and the supplier's prices.
    margin : float
        How far below or above, relative to the price. [-]
    share : float
        Share of the energy that is offered; the rest goes to or comes from the supplier. [-]
    """

    def __init__(self, setup: StrategySetup, margin: float = 0.02, share: float = 1.0) -> None:
        super().__init__(setup)
        self.margin = margin
        self.share = share

    def bid(self, context: BidContext) -> LimitOrders:
        """Price the orders of one interval."""
        price: float | None = context.last_price_ueur_per_kwh
        if price is None:
            price = context.expected_price_ueur_per_kwh
        limit = np.where(context.is_sell, price * (1 - self.margin), price * (1 + self.margin))
        tariff = self.setup.tariff
        return LimitOrders(
            energy_wh=np.floor(context.energy_wh * self.share).astype(np.int64),
            price_ueur_per_kwh=np.clip(
                np.rint(limit).astype(np.int64),
                tariff.feed_in_price_ueur_per_kwh,
                tariff.retail_price_ueur_per_kwh,
            ),
        )
