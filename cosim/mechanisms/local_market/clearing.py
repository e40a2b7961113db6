"""Clearing of the double auction under every pricing rule: model of ``contracts/order_book.vy``.

The contract walks down a sorted book; here the same result comes from the cumulated curves, so that
one checks the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from cosim.mechanisms.local_market.orders import Order
from cosim.mechanisms.local_market.pricing import (
    PricingRule,
    midpoint_ueur_per_kwh,
    set_price_ueur_per_kwh,
    taker_price_ueur_per_kwh,
)

Book = Sequence[Order | None]


@dataclass(frozen=True, slots=True)
class Clearing:
    """Result of clearing one interval.

    Parameters
    ----------
    buy_price_ueur_per_kwh, sell_price_ueur_per_kwh : int
        What buyers pay and sellers receive; 0 without a trade. Under pay-as-bid, where each order
        has its own price, the lowest bid and the highest ask that were filled. [µEUR/kWh]
    volume_wh : int
        Traded energy. [Wh]
    fills_wh : tuple of int
        Filled energy of each order, in the order of arrival. [Wh]
    surplus_ueur : int
        What buyers pay beyond what sellers receive, by rounding and by the difference of their
        prices; the supplier's. [µEUR]
    rule : PricingRule
        By which it was priced.
    """

    buy_price_ueur_per_kwh: int
    sell_price_ueur_per_kwh: int
    volume_wh: int
    fills_wh: tuple[int, ...]
    surplus_ueur: int
    rule: PricingRule = PricingRule.MIDPOINT

    @property
    def outcome(self) -> tuple[int, int, int]:
        """Both prices and the volume, as the contract is told them. [µEUR/kWh, Wh]"""
        return self.buy_price_ueur_per_kwh, self.sell_price_ueur_per_kwh, self.volume_wh

    @property
    def price_ueur_per_kwh(self) -> int:
        """Price that buyers pay, the one price of the rules with one price. [µEUR/kWh]"""
        return self.buy_price_ueur_per_kwh

    def price_of(self, order: Order) -> int:
        """Price at which a filled order of this clearing trades. [µEUR/kWh]"""
        return price_of(order, self.rule, self.buy_price_ueur_per_kwh, self.sell_price_ueur_per_kwh)


def price_of(
    order: Order, rule: PricingRule, buy_price_ueur_per_kwh: int, sell_price_ueur_per_kwh: int
) -> int:
    """Price at which an order trades when the market cleared at two prices. [µEUR/kWh]"""
    if rule is PricingRule.PAY_AS_BID:
        return order.price_ueur_per_kwh
    return sell_price_ueur_per_kwh if order.is_sell else buy_price_ueur_per_kwh


def merit_order(book: Book, is_sell: bool) -> list[int]:
    """Arrival indexes of one side's orders, best price first, then first come first served."""
    sign = 1 if is_sell else -1
    side = [
        (sign * order.price_ueur_per_kwh, k)
        for k, order in enumerate(book)
        if order is not None and order.is_sell == is_sell
    ]
    return [k for _, k in sorted(side)]


def ranking(book: Book) -> list[int]:
    """Arrival indexes of all orders in merit order, bids first, as *verified* clearing asks."""
    return merit_order(book, is_sell=False) + merit_order(book, is_sell=True)


def crosses(book: Book) -> bool:
    """Tell if the best bid reaches the best ask."""
    bids = [o.price_ueur_per_kwh for o in book if o is not None and not o.is_sell]
    asks = [o.price_ueur_per_kwh for o in book if o is not None and o.is_sell]
    return bool(bids) and bool(asks) and max(bids) >= min(asks)


def clear(
    book: Book,
    rule: PricingRule = PricingRule.MIDPOINT,
    *,
    retail_price_ueur_per_kwh: int = 0,
    feed_in_price_ueur_per_kwh: int = 0,
    taken_price_ueur_per_kwh: int | None = None,
) -> Clearing:
    """Clear a book under a pricing rule.

    All rules but McAfee's trade the largest volume at which bids cross asks. Orders better than
    their side's marginal price are filled whole. At the marginal price an order gets its share of
    what is left, rounded down; the Wh left over go one each to the orders that arrived first.
    McAfee's rule is described at ``_clear_mcafee``.

    Parameters
    ----------
    book : sequence of Order or None
        In the order of arrival; None is a sealed order that was never revealed, and is not filled.
    rule : PricingRule
    retail_price_ueur_per_kwh, feed_in_price_ueur_per_kwh : int
        The supplier's prices, which only rules that set the price look at; the first without what
        local trades are charged. [µEUR/kWh]
    taken_price_ueur_per_kwh : int, optional
        What a buyer names who takes any price; default: the retail price. [µEUR/kWh]

    Returns
    -------
    Clearing
        With prices and volume 0 if nothing trades.

    Raises
    ------
    ValueError
        If the rule sets the price and an order names another than a price taker's.
    """
    bids, asks = _Side.of(book, is_sell=False), _Side.of(book, is_sell=True)
    if rule.sets_price:
        taken = taken_price_ueur_per_kwh
        _require_takers(book, retail_price_ueur_per_kwh if taken is None else taken)
    volume_wh = _crossing_volume(bids, asks)
    buy_price = sell_price = 0
    fills: dict[int, int] = {}
    if rule is PricingRule.MCAFEE:
        volume_wh, buy_price, sell_price, fills = _clear_mcafee(bids, asks, volume_wh)
    elif volume_wh > 0:
        fills = bids.filled_in_merit_order(volume_wh) | asks.filled_in_merit_order(volume_wh)
        buy_price, sell_price = bids.price_at(volume_wh), asks.price_at(volume_wh)
        if rule is PricingRule.MIDPOINT:
            buy_price = sell_price = midpoint_ueur_per_kwh(sell_price, buy_price)
        elif rule.sets_price:
            buy_price = sell_price = set_price_ueur_per_kwh(
                rule,
                asks.total_wh,
                bids.total_wh,
                retail_price_ueur_per_kwh,
                feed_in_price_ueur_per_kwh,
            )
    surplus_ueur = -sum(
        order.proceeds_ueur(fills.get(k, 0), price_of(order, rule, buy_price, sell_price))
        for k, order in enumerate(book)
        if order is not None
    )
    fills_wh = tuple(fills.get(k, 0) for k in range(len(book)))
    return Clearing(buy_price, sell_price, volume_wh, fills_wh, surplus_ueur, rule)


def share_wh(wanted_wh: dict[int, int], volume_wh: int) -> dict[int, int]:
    """Share a volume among orders in proportion to their energy.

    Parameters
    ----------
    wanted_wh : dict of int to int
        Energy of each order by its arrival index; together at least the volume. [Wh]
    volume_wh : int
        What there is to share. [Wh]

    Returns
    -------
    dict of int to int
        Shares rounded down; the Wh left over go one each to the orders that arrived first. [Wh]
    """
    total_wh = sum(wanted_wh.values())
    shares = {k: energy_wh * volume_wh // total_wh for k, energy_wh in wanted_wh.items()}
    for k in sorted(shares)[: volume_wh - sum(shares.values())]:
        shares[k] += 1
    return shares


@dataclass(frozen=True, slots=True)
class _Side:
    """One side of a book in merit order: arrival indexes, prices, energies, cumulated energies."""

    indexes: list[int]
    prices: list[int]
    energies_wh: list[int]
    cumulated_wh: list[int]

    @classmethod
    def of(cls, book: Book, is_sell: bool) -> _Side:
        indexes = merit_order(book, is_sell)
        orders = [order for order in (book[k] for k in indexes) if order is not None]
        energies = [order.energy_wh for order in orders]
        prices = [order.price_ueur_per_kwh for order in orders]
        return cls(indexes, prices, energies, list(accumulate(energies)))

    @property
    def total_wh(self) -> int:
        return sum(self.energies_wh)

    def last_at(self, volume_wh: int) -> int:
        """Place of the order with which the side reaches a volume."""
        return next(i for i, energy in enumerate(self.cumulated_wh) if energy >= volume_wh)

    def price_at(self, volume_wh: int) -> int:
        return self.prices[self.last_at(volume_wh)]

    def first(self, n: int) -> dict[int, int]:
        """Energies of the n best orders by arrival index."""
        return dict(zip(self.indexes[:n], self.energies_wh[:n], strict=True))

    def filled_in_merit_order(self, volume_wh: int) -> dict[int, int]:
        price = self.price_at(volume_wh)
        better, marginal = self.prices.index(price), self.prices.count(price)
        fills = self.first(better)
        at_margin = {k: e for k, e in self.first(better + marginal).items() if k not in fills}
        return fills | share_wh(at_margin, volume_wh - sum(fills.values()))


def _crossing_volume(bids: _Side, asks: _Side) -> int:
    """Largest min(demand, supply) over all prices: demand falls and supply rises with price."""
    best, supply, next_ask = 0, 0, 0
    for bid, demand in zip(reversed(bids.prices), reversed(bids.cumulated_wh), strict=True):
        # ``demand`` is wanted at this bid's price or above
        while next_ask < len(asks.prices) and asks.prices[next_ask] <= bid:
            supply += asks.energies_wh[next_ask]
            next_ask += 1
        best = max(best, min(demand, supply))
    return best


def _clear_mcafee(
    bids: _Side, asks: _Side, crossing_wh: int
) -> tuple[int, int, int, dict[int, int]]:
    """Volume, buy price, sell price and fills by McAfee's rule, carried over to quantities.

    Let L and K be the orders with which bids and asks reach the crossing volume. If both do so with
    their last Wh, and the midpoint of the next bid and the next ask lies between the prices of K
    and L, all orders up to L and K trade at that midpoint (McAfee 1992,
    doi:10.1016/0022-0531(92)90091-U). Otherwise L and K are left out and set the prices: the better
    bids pay L's, the better asks receive K's, and the side with more energy is rationed over all
    its orders in proportion to their energy, whatever their prices (Huang, Scheller-Wolf and Sycara
    2002, doi:10.1111/1467-8640.t01-1-00206, who share the excess in another way). While it trades,
    no order moves its own price or fill by the price it names: bidding one's value is best.
    """
    if crossing_wh == 0:
        return 0, 0, 0, {}
    n_bids, n_asks = bids.last_at(crossing_wh), asks.last_at(crossing_wh)
    bid, ask = bids.prices[n_bids], asks.prices[n_asks]
    is_even = bids.cumulated_wh[n_bids] == asks.cumulated_wh[n_asks]
    if is_even and n_bids + 1 < len(bids.prices) and n_asks + 1 < len(asks.prices):
        price = midpoint_ueur_per_kwh(bids.prices[n_bids + 1], asks.prices[n_asks + 1])
        if ask <= price <= bid:
            fills = bids.first(n_bids + 1) | asks.first(n_asks + 1)
            return crossing_wh, price, price, fills
    buyers, sellers = bids.first(n_bids), asks.first(n_asks)
    volume_wh = min(sum(buyers.values()), sum(sellers.values()))
    if volume_wh == 0:
        return 0, 0, 0, {}
    return volume_wh, bid, ask, share_wh(buyers, volume_wh) | share_wh(sellers, volume_wh)


def _require_takers(book: Book, retail_price_ueur_per_kwh: int) -> None:
    for order in book:
        if order is None:
            continue
        price = taker_price_ueur_per_kwh(order.is_sell, retail_price_ueur_per_kwh)
        if order.price_ueur_per_kwh != price:
            raise ValueError(
                f"order of {order.account}: the rule sets the price, so that the order must name "
                f"{price} µEUR/kWh, not {order.price_ueur_per_kwh}"
            )
