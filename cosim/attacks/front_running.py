"""A prosumer who prices its order last, after reading those of all others."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from cosim.chain.blocks import FeeStrategy
from cosim.clock import DeliveryClock
from cosim.mechanisms.deployment import Deployment
from cosim.mechanisms.local_market.client import LocalMarket
from cosim.mechanisms.local_market.interference import LedgerAttack, SendOrder
from cosim.mechanisms.local_market.orders import Order
from cosim.mechanisms.local_market.settlement_client import MarketSettlement
from cosim.mechanisms.local_market.terms import MarketTerms
from cosim.units import amount_due_ueur, amount_earned_ueur


@dataclass(frozen=True)
class FrontRunning(LedgerAttack):
    """Reads the open orders of an interval, on chain and in the mempool, and answers them.

    The order leaves two blocks before gate closure, at a tip of its own, for the last block that
    can hold it. Side and energy stay as they are: only the price is chosen, among all prices at
    which the clearing can change, as the one that pays best by the market's own rule if nothing
    else comes in. Sealed orders show nothing, and the order keeps its honest price.

    Parameters
    ----------
    deployment : Deployment
    clock : DeliveryClock
    attacker : int
        Position among the prosumers.
    intervals : range
    terms : MarketTerms
        Of the market: its rule, and the supplier's prices by interval.
    tip_wei : int
        Of the attacker's transactions. [wei/gas]
    """

    deployment: Deployment
    clock: DeliveryClock
    attacker: int
    intervals: range
    terms: MarketTerms
    tip_wei: int

    def holds_back(self, interval: int) -> Collection[int]:
        """The attacker waits."""
        return (self.attacker,) if interval in self.intervals else ()

    def orders_sent(self, interval: int, held: Mapping[int, Order], send: SendOrder) -> None:
        """Wait, read, choose and send."""
        own = held.get(self.attacker)
        if own is None:
            return
        chain = self.deployment.chain
        sends_s = self.clock.gate_closes_s(interval) - 2 * self.clock.block_time_s
        chain.mine_until(sends_s)
        chain.set_fees(self.deployment.prosumers[self.attacker].address, FeeStrategy(self.tip_wei))
        price = self._best_price(interval, own, self._seen(interval))
        send(self.attacker, float(max(sends_s, chain.now_s)), price)

    def _seen(self, interval: int) -> list[Order]:
        """Orders of all others that can be read now, in the order of their arrival."""
        market = self.deployment.client(LocalMarket)
        settlement = self.deployment.client(MarketSettlement)
        accounts = [account.address for account in self.deployment.prosumers]
        seen: list[Order] = []
        for account in accounts:
            state = settlement.order_of(interval, account)
            if state.energy_wh:
                seen.append(
                    Order(account.hex(), state.is_sell, state.energy_wh, state.price_ueur_per_kwh)
                )
        for sent in self.deployment.chain.pending_transactions():
            if sent.to != market.address or sent.sender not in accounts:
                continue
            function, fields = market.decode_calldata(sent.data)
            if function == "placeOrder" and fields["interval"] == interval:
                seen.append(
                    Order(
                        sent.sender.hex(),
                        fields["is_sell"],
                        fields["energy_wh"],
                        fields["price_ueur_per_kwh"],
                    )
                )
        return seen

    def _best_price(self, interval: int, own: Order, others: Sequence[Order]) -> int:
        """Price of the own order that pays best; among equals the nearest to the honest one."""
        if not others or self.terms.rule.sets_price:
            return own.price_ueur_per_kwh
        prices = self.terms.at(interval)
        low, high = prices.feed_in_price_ueur_per_kwh, prices.local_limit_ueur_per_kwh
        around = {order.price_ueur_per_kwh + step for order in others for step in (-1, 0, 1)}
        candidates = sorted(
            {own.price_ueur_per_kwh, low, high, *(p for p in around if low <= p <= high)},
            key=lambda price: (abs(price - own.price_ueur_per_kwh), price),
        )
        return max(candidates, key=lambda price: self._gain_ueur(interval, own, price, others))

    def _gain_ueur(
        self, interval: int, own: Order, price_ueur_per_kwh: int, others: Sequence[Order]
    ) -> int:
        """Money that the order brings at a price, with the supplier's for the rest. [µEUR]

        What local trades are charged is left out on both sides.
        """
        order = own._replace(price_ueur_per_kwh=price_ueur_per_kwh)
        clearing, prices = self.terms.clear([*others, order], interval), self.terms.at(interval)
        filled_wh, price = clearing.fills_wh[-1], clearing.price_of(order)
        rest_wh = own.energy_wh - filled_wh
        if own.is_sell:
            feed_in = prices.feed_in_price_ueur_per_kwh
            return amount_earned_ueur(filled_wh, price) + amount_earned_ueur(rest_wh, feed_in)
        retail = prices.local_limit_ueur_per_kwh
        return -amount_due_ueur(filled_wh, price) - amount_due_ueur(rest_wh, retail)
