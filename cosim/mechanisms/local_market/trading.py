"""Orders of a delivery interval: sent, sealed and revealed, cleared in one of three forms.

On chain, the contract sorts and clears. Verified, the market operator submits what it cleared and
the contract checks it. Committed, only the Merkle root of the fills goes on chain; when nobody
challenged it, every fill is claimed with a proof before the meters report.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from cosim.chain.waiting import PATIENCE_BLOCKS, confirmed, wait_for
from cosim.clock import DeliveryClock
from cosim.evm.hashing import keccak
from cosim.mechanisms.deployment import Deployment
from cosim.mechanisms.local_market.claiming import claim_fills
from cosim.mechanisms.local_market.clearing import ranking
from cosim.mechanisms.local_market.client import LocalMarket
from cosim.mechanisms.local_market.fill_tree import FillTree
from cosim.mechanisms.local_market.orders import Order
from cosim.mechanisms.local_market.outcomes import OrderBook, Orders
from cosim.mechanisms.local_market.pricing import ClearingForm
from cosim.mechanisms.local_market.sent_orders import SentOrders
from cosim.mechanisms.local_market.settlement_client import MarketSettlement
from cosim.mechanisms.local_market.submission.batching import Batching
from cosim.mechanisms.local_market.terms import MarketTerms


class Trading:
    """Orders of a run on the ledger: sent and cleared one interval after the other.

    Parameters
    ----------
    deployment : Deployment
    clock : DeliveryClock
    terms : MarketTerms
    batching : Batching, optional
        Of orders that an aggregator sends.
    """

    def __init__(
        self,
        deployment: Deployment,
        clock: DeliveryClock,
        terms: MarketTerms,
        batching: Batching | None = None,
    ) -> None:
        self._batching = batching if batching is not None and batching.sends_orders else None
        self.attack = deployment.attack
        self.chain = deployment.chain
        self.market = deployment.client(LocalMarket)
        self.settlement = deployment.client(MarketSettlement)
        self.operator = deployment.operator.address
        self.names = tuple(account.name for account in deployment.prosumers)
        self.accounts = tuple(account.address for account in deployment.prosumers)
        self.n = len(self.accounts)
        self.clock = clock
        self.terms = terms
        self._keys = tuple(account.private_key for account in deployment.prosumers)
        self._index = {address: i for i, address in enumerate(self.accounts)}
        self._sent: dict[int, SentOrders] = {}

    def send(self, interval: int, orders: Orders) -> None:
        """Send the orders of an interval, each at its own time in the order window."""
        sent = self._sent[interval] = SentOrders(
            orders, np.full(self.n, np.nan), batching=self._batching
        )
        opens, closes = self.clock.window_opens_s(interval), self.clock.gate_closes_s(interval)
        window = closes - 2 * self.clock.block_time_s - opens
        waiting = self.attack.holds_back(interval)
        held: dict[int, Order] = {}
        to_aggregator: list[tuple[float, int]] = []
        for i in np.flatnonzero(orders.energy_wh).tolist():
            sent_at_s = float(opens + orders.sent_fraction[i] * window)
            if i in waiting:
                held[i] = Order(str(i), *sent.order(interval, i)[1:])
            elif self._batching is not None:
                to_aggregator.append((sent_at_s, i))
            else:
                self._send_order(interval, sent, i, sent_at_s)
        self._send_batches(interval, sent, to_aggregator, float(opens + window))

        def send(i: int, sent_at_s: float, price_ueur_per_kwh: int) -> None:
            orders.price_ueur_per_kwh[i] = price_ueur_per_kwh
            self._send_order(interval, sent, i, sent_at_s)

        self.attack.orders_sent(interval, held, send)

    def clear(self, interval: int) -> None:
        """Withdraw what missed the gate, and send the clearing."""
        sent = self._sent[interval]
        self._drop_missing(sent.orders)
        if self.terms.reveal_s:
            self._reveal(interval, sent)
        self._send_clearing(interval, sent)

    def close(self, interval: int) -> OrderBook:
        """Wait for the clearing that was sent, and return the orders as it leaves them.

        Raises
        ------
        EngineError
            If the clearing finds no space in a block.
        """
        sent = self._sent[interval]
        self._await_clearing(sent)
        sent.known_at_s = self.chain.now_s
        return self.read(interval)

    def order(self, interval: int, i: int) -> Order:
        """Order of a prosumer, by position, as it was sent."""
        return Order(self.names[i], *self._sent[interval].order(interval, i)[1:])

    def read(self, interval: int) -> OrderBook:
        """Read the orders of an interval that was cleared, as the chain holds them now."""
        sent = self._sent[interval]
        status, reason, block = sent.statuses(self.market)
        arrived, revealed = sent.arrivals(self.market, status)
        filled_wh = np.zeros(self.n, dtype=np.int64)
        buy_price = sell_price = volume_wh = 0
        included = self.chain.included(sent.clearing)
        entries = self.market.entries(() if included is None else (included,))
        if filled := entries.get("OrderFilled"):
            places = [self._index[account] for account in filled.addresses("account")]
            filled_wh[places] = filled.integers()["energy_wh"]
        if cleared := entries.get("IntervalCleared") or entries.get("ClearingCommitted"):
            said = cleared.integers()
            buy_price = int(said["buy_price_ueur_per_kwh"][-1])
            sell_price = int(said["sell_price_ueur_per_kwh"][-1])
            volume_wh = int(said["volume_wh"][-1])
        if "ClearingCommitted" in entries and sent.off_chain is not None:
            filled_wh[list(arrived)] = sent.off_chain.fills_wh
        status[(filled_wh > 0) & (filled_wh < sent.what.energy_wh)] = "partial"
        status[(filled_wh > 0) & (filled_wh == sent.what.energy_wh)] = "cleared"
        return OrderBook(
            status=status,
            reason=reason,
            sent_at_s=sent.sent_at_s,
            block=block,
            filled_wh=filled_wh,
            contracted_wh=np.where(sent.what.is_sell, filled_wh, -filled_wh),
            buy_price_ueur_per_kwh=buy_price,
            sell_price_ueur_per_kwh=sell_price,
            volume_wh=volume_wh,
            arrived=arrived,
            revealed=revealed,
            commitments=tuple(sent.commitments[i] for i in arrived) if self.terms.reveal_s else (),
            in_time=sent.known_at_s <= self.clock.delivery_start_s(interval),
        )

    def restore(self, interval: int) -> OrderBook:
        """Have an interval cleared again whose clearing a reorganisation took out, and read it."""
        sent, chain = self._sent[interval], self.chain
        included = chain.included(sent.clearing)
        if included is None:
            patience_s = PATIENCE_BLOCKS * chain.block_time_s
            included = wait_for(chain, sent.clearing, chain.now_s + patience_s)
            sent.known_at_s = chain.now_s
        if included is None or not included.receipt.status:
            self._send_clearing(interval, sent)
            self._await_clearing(sent)
            sent.known_at_s = chain.now_s
        return self.read(interval)

    def paid_by(self, interval: int) -> Iterator[tuple[int, int]]:
        """Prosumer and handle of every transaction that prosumers sent for an interval's trade."""
        sent = self._sent.get(interval)
        if sent is not None:
            if self._batching is None:  # else the aggregator pays
                yield from sent.orders.items()
            yield from sent.reveals.items()

    def forget(self, interval: int) -> None:
        """Forget what was sent for an interval."""
        self._sent.pop(interval, None)

    def claim(self, interval: int) -> tuple[int, ...]:
        """Claim every fill of a committed clearing, and give the bond back.

        Buyers come first: sellers are paid out of what buyers paid in. Nobody can challenge the
        clearing any more when the interval has ended.

        Returns
        -------
        tuple of int
            Prosumers in the order of their claims; none where nothing was committed.

        Raises
        ------
        ContractRevert
            If the contract refused a claim.
        """
        sent = self._sent.get(interval)
        if sent is None or self.terms.form is not ClearingForm.COMMITTED:
            return ()
        clients, stagger_s = (self.market, self.settlement), self.clock.block_time_s
        return claim_fills(*clients, sent, interval, self.operator, self.accounts, stagger_s)

    def _send_batches(
        self, interval: int, sent: SentOrders, arriving: list[tuple[float, int]], last_s: float
    ) -> None:
        """Let the aggregator send what it got, the rest at the last moment, or nothing."""
        if self._batching is None:
            return
        for handed_s, i in arriving:
            sent.sent_at_s[i] = handed_s
        if self.attack.fails(interval, "aggregator"):
            sent.unsent = tuple(i for _, i in arriving)
            return
        order_of = {i: self.order(interval, i) for _, i in arriving}
        for handle, who in self._batching.send_orders(
            interval, arriving, order_of.__getitem__, last_s
        ):
            for place, i in enumerate(who):
                sent.orders[i], sent.places[i] = handle, place

    def _send_order(self, interval: int, sent: SentOrders, i: int, sent_at_s: float) -> None:
        """Send a prosumer's order, or a commitment to it."""
        sent.sent_at_s[i] = sent_at_s
        account, order = self.accounts[i], sent.order(interval, i)
        if self.terms.reveal_s:
            sent.commitments[i] = self.market.sealed(account, *order, self._salt(interval, i))
            sent.orders[i] = self.market.commit_order(
                account, interval, sent.commitments[i], sent_at_s=sent_at_s
            )
        else:
            sent.orders[i] = self.market.place_order(account, *order, sent_at_s=sent_at_s)

    def _drop_missing(self, handles: Mapping[int, int]) -> None:
        """Withdraw what no block includes."""
        chain = self.chain
        chain.drop([handle for handle in handles.values() if chain.included(handle) is None])

    def _reveal(self, interval: int, sent: SentOrders) -> None:
        """Reveal the sealed orders; who is not included in time forfeits its deposit."""
        closes = self.clock.gate_closes_s(interval)
        arrived = sent.arrived(self.market)
        sent.reveals = {
            i: self.market.reveal_order(
                self.accounts[i],
                *sent.order(interval, i),
                self._salt(interval, i),
                sent_at_s=float(closes),
            )
            for i in arrived
        }
        self.chain.mine_until(closes + self.terms.reveal_s)
        self.chain.mine_blocks(self.chain.confirmations)
        self._drop_missing(sent.reveals)

    def _await_clearing(self, sent: SentOrders) -> None:
        """Wait until the clearing is in a block."""
        confirmed(self.market, sent.clearing)

    def _send_clearing(self, interval: int, sent: SentOrders) -> None:
        """Send the clearing of an interval, after the last order was revealed."""
        market, operator = self.market, self.operator
        if self.terms.form is ClearingForm.ON_CHAIN:
            sent.clearing = market.clear(operator, interval, len(sent.arrived(self.market)))
        else:
            arrived, revealed = sent.arrivals(self.market, sent.statuses(self.market)[0])
            book = [
                self.order(interval, i) if known else None
                for i, known in zip(arrived, revealed, strict=True)
            ]
            done = sent.off_chain = self.terms.clear(book, interval)
            if self.terms.form is ClearingForm.COMMITTED:
                root = FillTree(done.fills_wh).root
                sent.clearing = market.commit_clearing(operator, interval, root, *done.outcome)
            else:
                sent.clearing = market.clear_verified(
                    operator, interval, ranking(book), *done.outcome
                )

    def _salt(self, interval: int, i: int) -> bytes:
        """Secret of a sealed order, derived from its sender's key: nobody else can guess it."""
        return keccak(self._keys[i] + interval.to_bytes(32, "big"))
