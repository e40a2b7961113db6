"""Pricing rules of the local market and forms of its clearing, with the arithmetic of their prices.

``docs/pricing.md`` explains the rules with their sources. The numbers are those of the contract's
constructor.
"""

from __future__ import annotations

from enum import Enum


class PricingRule(Enum):
    """Pricing rule of the local market; the values are the names in a scenario.

    ``MIDPOINT``, ``PAY_AS_BID`` and ``MCAFEE`` clear a double auction in which every order names
    its own price. ``MID_MARKET_RATE``, ``SUPPLY_DEMAND_RATIO`` and ``BILL_SHARING`` set the price
    themselves, out of the supplier's prices, for orders that take whatever comes.
    """

    MIDPOINT = "midpoint"
    PAY_AS_BID = "pay_as_bid"
    MCAFEE = "mcafee"
    MID_MARKET_RATE = "mid_market_rate"
    SUPPLY_DEMAND_RATIO = "supply_demand_ratio"
    BILL_SHARING = "bill_sharing"

    def __init__(self, name: str) -> None:
        self.number = len(type(self).__members__)
        """Number of the rule on chain."""
        self.sets_price = name in ("mid_market_rate", "supply_demand_ratio", "bill_sharing")
        """Orders are price takers: a bid must be at the retail price, an ask at 0."""


class ClearingForm(Enum):
    """Form of clearing, by the place of its computation; the values are the names in a scenario.

    ``ON_CHAIN``: the contract sorts and clears. ``VERIFIED``: anyone submits the merit order and
    the contract checks it in one pass. ``COMMITTED``: a Merkle root of the fills goes on chain, can
    be challenged, and every account's fill is claimed with a proof. ``BILATERAL``: pairs of a graph
    trade at prices of their own; anyone proposes them, and the one that gains most stands.
    """

    ON_CHAIN = "on_chain"
    VERIFIED = "verified"
    COMMITTED = "committed"
    BILATERAL = "bilateral"

    def __init__(self, name: str) -> None:
        self.number = len(type(self).__members__)
        """Number of the form on chain."""


AUCTION_FORMS = (ClearingForm.ON_CHAIN, ClearingForm.VERIFIED, ClearingForm.COMMITTED)
"""Forms of the double auction, which have one result."""


def taker_price_ueur_per_kwh(is_sell: bool, retail_price_ueur_per_kwh: int) -> int:
    """Price that an order must name where the rule sets the price. [µEUR/kWh]"""
    return 0 if is_sell else retail_price_ueur_per_kwh


def midpoint_ueur_per_kwh(low_ueur_per_kwh: int, high_ueur_per_kwh: int) -> int:
    """Mean of two prices, rounded down. [µEUR/kWh]

    Of the marginal bid and ask it is the midpoint rule, of the supplier's two prices the mid-market
    rate (Long et al. 2017, doi:10.1109/PESGM.2017.8274546).
    """
    return (low_ueur_per_kwh + high_ueur_per_kwh) // 2


def supply_demand_price_ueur_per_kwh(
    supply_wh: int,
    demand_wh: int,
    retail_price_ueur_per_kwh: int,
    feed_in_price_ueur_per_kwh: int,
) -> int:
    """Price inside the community by the ratio of its supply to its demand, rounded down.

    The selling price of Liu et al. 2017 (doi:10.1109/TPWRS.2017.2649558): the feed-in price when
    supply covers demand, the retail price when there is none, hyperbolic between.

    Parameters
    ----------
    supply_wh, demand_wh : int
        Energy of all asks and of all bids. [Wh]
    retail_price_ueur_per_kwh, feed_in_price_ueur_per_kwh : int
        The supplier's prices. [µEUR/kWh]

    Returns
    -------
    int
        Price, 0 if the supplier's prices are. [µEUR/kWh]
    """
    if supply_wh >= demand_wh:
        return feed_in_price_ueur_per_kwh
    spread = retail_price_ueur_per_kwh - feed_in_price_ueur_per_kwh
    denominator = spread * supply_wh + feed_in_price_ueur_per_kwh * demand_wh
    if denominator == 0:
        return 0
    product = feed_in_price_ueur_per_kwh * retail_price_ueur_per_kwh * demand_wh
    return product // denominator


def set_price_ueur_per_kwh(
    rule: PricingRule,
    supply_wh: int,
    demand_wh: int,
    retail_price_ueur_per_kwh: int,
    feed_in_price_ueur_per_kwh: int,
) -> int:
    """Price that a rule for price takers sets for trades inside the community.

    Parameters
    ----------
    rule : PricingRule
        One that sets prices.
    supply_wh, demand_wh : int
        Energy of all asks and of all bids. [Wh]
    retail_price_ueur_per_kwh, feed_in_price_ueur_per_kwh : int
        The supplier's prices. [µEUR/kWh]

    Returns
    -------
    int
        Bill sharing lets energy change hands for nothing: all that the community pays or receives
        is then the supplier's bill, shared by energy. [µEUR/kWh]

    Raises
    ------
    ValueError
        If the rule leaves prices to the orders.
    """
    if rule is PricingRule.MID_MARKET_RATE:
        return midpoint_ueur_per_kwh(feed_in_price_ueur_per_kwh, retail_price_ueur_per_kwh)
    if rule is PricingRule.SUPPLY_DEMAND_RATIO:
        return supply_demand_price_ueur_per_kwh(
            supply_wh, demand_wh, retail_price_ueur_per_kwh, feed_in_price_ueur_per_kwh
        )
    if rule is PricingRule.BILL_SHARING:
        return 0
    raise ValueError(f"{rule.value} leaves prices to the orders")
