"""A clearing that someone computed elsewhere and committed to by the root of its fills."""

from __future__ import annotations

from dataclasses import dataclass, field

from cosim.mechanisms.local_market.clearing import price_of
from cosim.mechanisms.local_market.orders import Order
from cosim.mechanisms.local_market.pricing import PricingRule


@dataclass
class CommittedClearing:
    """Claims on one committed clearing, and the pot between its buyers and its sellers.

    Parameters
    ----------
    committer : str
        Whose bond stands for it.
    root : bytes
        Of the tree of fills, 32 bytes.
    buy_price_ueur_per_kwh, sell_price_ueur_per_kwh : int
        As claimed. [µEUR/kWh]
    volume_wh : int
        As claimed. [Wh]
    rule : PricingRule
        Of the market.
    bond_ueur : int or None
        Held until the challenge window is over, None from then on. [µEUR]
    n_orders : int
        Orders that have a fill to claim.
    filled_wh : dict of int to int
        Claimed fills by arrival index. [Wh]
    n_unclaimed : int
        Orders that were settled without a claim, as not filled.
    pot_ueur : int
        Paid in by buyers and not yet paid out. [µEUR]
    bought_wh, sold_wh : int
        Sums of the claimed fills. [Wh]
    """

    committer: str
    root: bytes
    buy_price_ueur_per_kwh: int
    sell_price_ueur_per_kwh: int
    volume_wh: int
    rule: PricingRule
    bond_ueur: int | None
    n_orders: int
    filled_wh: dict[int, int] = field(default_factory=dict)
    n_unclaimed: int = 0
    pot_ueur: int = 0
    bought_wh: int = 0
    sold_wh: int = 0

    def price_of(self, order: Order) -> int:
        """Price at which a filled order trades. [µEUR/kWh]"""
        return price_of(order, self.rule, self.buy_price_ueur_per_kwh, self.sell_price_ueur_per_kwh)

    def fits(self, order: Order) -> bool:
        """Tell if the order would trade at a price that it accepts."""
        price, limit = self.price_of(order), order.price_ueur_per_kwh
        return price >= limit if order.is_sell else price <= limit

    def amount_ueur(self, order: Order, filled_wh: int) -> int:
        """Proceeds of a fill, negative for a buyer. [µEUR]"""
        return order.proceeds_ueur(filled_wh, self.price_of(order))

    def claim(self, index: int, order: Order, filled_wh: int) -> int:
        """Book a claim that was found right.

        Returns
        -------
        int
            What is left for the supplier, as ``_rest_ueur`` says. [µEUR]
        """
        self.filled_wh[index] = filled_wh
        self.pot_ueur -= self.amount_ueur(order, filled_wh)
        if order.is_sell:
            self.sold_wh += filled_wh
        else:
            self.bought_wh += filled_wh
        return self._rest_ueur()

    def give_up(self) -> int:
        """Count an order as settled without a claim.

        Returns
        -------
        int
            What is left for the supplier, as ``_rest_ueur`` says. [µEUR]
        """
        self.n_unclaimed += 1
        return self._rest_ueur()

    def _rest_ueur(self) -> int:
        """Take what is left in the pot once all is claimed, or nobody is left to claim. [µEUR]"""
        is_complete = self.bought_wh == self.sold_wh == self.volume_wh
        if not is_complete and len(self.filled_wh) + self.n_unclaimed < self.n_orders:
            return 0
        rest_ueur, self.pot_ueur = self.pot_ueur, 0
        return rest_ueur
