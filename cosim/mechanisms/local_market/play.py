"""The local market in a run: orders, clearing, readings and their settlement.

Contract and model are told the same in the same order, and must agree to the integer on prices,
fills, settlements and balances.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from cosim.chain.client import ContractClient
from cosim.clock import DeliveryClock
from cosim.mechanisms.deployment import Deployment
from cosim.mechanisms.local_market.bilateral.client import BilateralTrades
from cosim.mechanisms.local_market.bilateral.rows import pairs_columns
from cosim.mechanisms.local_market.bilateral.trading import BilateralTrading
from cosim.mechanisms.local_market.client import LocalMarket
from cosim.mechanisms.local_market.credit import MemberAccounts
from cosim.mechanisms.local_market.debts import Debts
from cosim.mechanisms.local_market.mirroring import MirroredMarket
from cosim.mechanisms.local_market.model import LocalMarketModel
from cosim.mechanisms.local_market.outcomes import OrderBook, Orders
from cosim.mechanisms.local_market.pricing import taker_price_ueur_per_kwh
from cosim.mechanisms.local_market.reconcile import claim_again, clear_again
from cosim.mechanisms.local_market.reporting import Reporting
from cosim.mechanisms.local_market.retailing import Retailing
from cosim.mechanisms.local_market.rows import orders_columns, trades_columns
from cosim.mechanisms.local_market.schedule import schedule_wh, supplier_orders
from cosim.mechanisms.local_market.settlement_client import MarketSettlement
from cosim.mechanisms.local_market.submission.batching import Batching
from cosim.mechanisms.local_market.submission.client import Submissions
from cosim.mechanisms.local_market.terms import MarketTerms
from cosim.mechanisms.local_market.top_ups import listed_transfers
from cosim.mechanisms.local_market.trades import Trade
from cosim.mechanisms.local_market.trading import Trading
from cosim.mechanisms.play import Deposit, Readings, Schedules, Statement, TokenTransfer
from cosim.messages import BidsMessage, Columns, DecisionMessage, Extras
from cosim.messages.extras import UnservedOrders


@dataclass
class _Interval:
    """Orders of one interval, with their clearing and trades."""

    bids: BidsMessage
    sent: Orders
    orders: OrderBook | None = None
    trades: tuple[Trade, ...] = ()
    top_ups: list[tuple[str, int]] = field(default_factory=list)
    claimed: tuple[int, ...] = ()
    reports: dict[int, int] = field(default_factory=dict)
    charges: int | None = None


class LocalMarketPlay(MirroredMarket):
    """The community's double auction in a run.

    Parameters
    ----------
    deployment : Deployment
        With the contract.
    clock : DeliveryClock
    terms : MarketTerms
    """

    def __init__(self, deployment: Deployment, clock: DeliveryClock, terms: MarketTerms) -> None:
        supplier = deployment.supplier
        super().__init__(
            deployment,
            deployment.client(LocalMarket),
            LocalMarketModel(supplier.name, terms),
            (supplier, deployment.dso, deployment.operator, deployment.state),
        )
        self.answers_for = (self.client.name,)
        self.address = self.client.address
        self.terms = terms
        self.settlement = deployment.client(MarketSettlement)
        self._meters = deployment.readings
        self._batching = Batching.of(deployment, terms.sends_orders, terms.sends_readings)
        trading = Trading if terms.graph is None else BilateralTrading
        self._trading = trading(deployment, clock, terms, self._batching)
        self._reporting = Reporting(deployment, clock, self._batching)
        self._retailing = Retailing(deployment, clock, terms)
        self._accounts = MemberAccounts(deployment, self.client, terms)
        self._top_ups = self._accounts.top_ups
        self._debts = Debts()
        self._index = {account.address: i for i, account in enumerate(deployment.prosumers)}
        self._intervals: dict[int, _Interval] = {}

    @property
    def clients(self) -> Sequence[ContractClient]:
        """Its two contracts, or up to four."""
        own = (LocalMarket, MarketSettlement, BilateralTrades, Submissions)
        return [client for client in self._deployment.clients if isinstance(client, own)]

    # --- before the first interval ---

    def deposits(self) -> Sequence[Deposit]:
        """Return the deposits of the members, of the supplier, and for the operator's bonds."""
        terms, deployment = self.terms, self._deployment
        return [
            *(
                Deposit(one.address, terms.local_deposit_ueur, terms.bank_ueur)
                for one in deployment.joined
            ),
            Deposit(deployment.supplier.address, terms.supplier_deposit_ueur),
            # several bonds: an interval's is locked until it is settled, after later ones cleared
            Deposit(deployment.operator.address, terms.bonds_ueur),
        ]

    def enrol(self) -> Collection[int]:
        """Let members join with their meters and appoint; let the supplier announce and lend."""
        pairs = zip(self._deployment.prosumers, self._deployment.meters, strict=True)
        joining = [
            self.client.join(account.address, meter.address)
            for (account, meter), joins in zip(pairs, self._deployment.members, strict=True)
            if joins
        ]
        if self._batching is not None:
            joined = (one.address for one in self._deployment.joined)
            joining += self._batching.appoint(joined, self.terms)
        return [*joining, *self._retailing.announce(-1), *self._accounts.grant()]

    def open(self) -> None:
        """Take over the deposits, and the credit lines."""
        super().open()
        for name, limit_ueur in self._accounts.granted(self._payers).items():
            self.model.grant_credit(name, limit_ueur)

    # --- before delivery ---

    def announce(self, interval: int, announced: Extras) -> None:
        """Let the supplier announce prices that change."""
        self._retailing.announce(interval)

    def submit(self, interval: int, bids: BidsMessage) -> None:
        """Send the members' orders."""
        prices = bids.order_price_ueur_per_kwh
        if self.terms.rule.sets_price:
            buy, sell = (
                taker_price_ueur_per_kwh(side, self.terms.retail_price_ueur_per_kwh)
                for side in (False, True)
            )
            prices = np.where(bids.is_sell, sell, buy)
        sent = Orders(
            is_sell=bids.is_sell,
            energy_wh=np.where(self._members, bids.order_wh, 0),
            price_ueur_per_kwh=np.array(prices),  # an attacker names its price later
            sent_fraction=bids.sent_fraction,
        )
        self._intervals[interval] = _Interval(bids, sent)
        if self._accounts.pays_in(interval):
            debts = {name: self.model.debt_of(name) for name in self._payers}
            self._accounts.pay_in(interval, sent, self._free_ueur(), debts)
        self._trading.send(interval, sent)

    def gate_closed(self, interval: int) -> None:
        """Have the interval cleared, and clear it once more in the model."""
        self.clear(interval)
        self.cleared(interval)

    def clear(self, interval: int) -> None:
        """Send the clearing of an interval whose gate is closed."""
        self._top_ups.close(interval)
        self._trading.clear(interval)

    def cleared(self, interval: int) -> None:
        """Wait for the clearing, and clear once more in the model."""
        self._book(interval, self._trading.close(interval))

    def schedule(self, interval: int, schedules: Schedules) -> Schedules:
        """Move schedules from their firm towards their planned side, by what is filled."""
        state, orders = self._intervals[interval], self._orders(interval)
        bids = state.bids
        nominated = schedule_wh(
            bids.firm_wh, bids.planned_wh, orders.scheduled_wh, state.sent.energy_wh
        )
        unserved_wh = schedules.unserved_wh
        if self.terms.binds and unserved_wh is None:
            unserved_wh = np.zeros_like(nominated)
        return replace(
            schedules,
            contracted_wh=orders.contracted_wh,
            nominated_wh=nominated,
            unserved_wh=unserved_wh,
        )

    def asked(self, interval: int, schedules: Schedules) -> Extras:
        """Return the orders to the supplier, where positions bind."""
        if not self.terms.binds:
            return Extras()
        return Extras(supplier_orders(self._intervals[interval].bids, schedules))

    def relieve(self, interval: int, decision: DecisionMessage, schedules: Schedules) -> Schedules:
        """Take back orders to the supplier that the grid does not carry."""
        unserved = decision.extras.of(UnservedOrders)
        if unserved is None or schedules.unserved_wh is None:
            return schedules
        return replace(schedules, unserved_wh=schedules.unserved_wh + unserved.energy_wh)

    def reread(self, interval: int, schedules: Schedules) -> Schedules:
        """Clear again in the model what the chain holds after a reorganisation."""
        orders = self._trading.restore(interval)
        self._top_ups.close(interval)
        self._back_to_mark()
        self._book(interval, orders)
        return self.schedule(interval, schedules)

    def price(self, interval: int) -> tuple[int, int]:
        """Return price signal and volume. [µEUR/kWh, Wh]"""
        orders = self._orders(interval)
        return orders.price_ueur_per_kwh, orders.volume_wh

    def rows(self, interval: int) -> Mapping[str, Columns]:
        """Return the rows of orders and trades."""
        state, orders = self._intervals[interval], self._orders(interval)
        return {
            "orders": orders_columns(interval, self._names, state.sent, orders, self.terms.rule),
            "trades": trades_columns(interval, state.trades),
        } | pairs_columns(interval, self.model.clearing(interval))

    # --- after delivery ---

    def settle(
        self, interval: int, readings: Readings, statement: Statement
    ) -> Mapping[str, Columns]:
        """Claim committed fills, let the meters report, and settle what follows."""
        self.wait(interval, self.report(interval, readings))
        self.reported(interval, readings, statement)
        return self.passed_on(interval)

    def report(self, interval: int, readings: Readings) -> Collection[int]:
        """Claim committed fills, and let the meters report; return the handles."""
        state = self._intervals[interval]
        state.claimed = self._trading.claim(interval)
        reported_wh = self._meters.reported_wh(interval, readings.reported_wh)
        state.reports = self._reporting.send(interval, reported_wh)
        return state.reports.values()

    def wait(self, interval: int, handles: Collection[int]) -> None:
        """Wait for readings up to their deadline."""
        self._reporting.wait(interval, handles)

    def reported(self, interval: int, readings: Readings, statement: Statement) -> None:
        """Settle what follows from readings that were waited for; send charges that are due."""
        state = self._intervals[interval]
        settling = self._reporting.settled(interval, state.reports)
        self._read_settlements(interval, settling, statement)
        sent = (*self._top_ups.paid_by(interval), *self._trading.paid_by(interval))
        self._add_fees(statement, (*sent, *self._reporting.paid_by(state.reports).items()))
        self._trading.forget(interval)
        self._top_ups.forget(interval)
        with self.timer.measure("models"):
            claim_again(self.model, interval, [str(self._names[i]) for i in state.claimed])
            delivered_wh = self._meters.reported_wh(interval, readings.delivered_wh)
            self._settle_model(interval, delivered_wh, statement)
        state.charges = self._retailing.send_charges(interval, self.model)

    def passed_on(self, interval: int) -> Mapping[str, Columns]:
        """Wait for the charges that were sent; return the rows of debts that are left."""
        self._retailing.pass_on(interval, self.model, self._intervals[interval].charges)
        return {"debts": self._debts.rows(interval, self.model.dues)}

    def forget(self, interval: int) -> None:
        """Drop a settled interval."""
        self.model.forget(interval)
        self._intervals.pop(interval, None)

    def transfers(self) -> Sequence[TokenTransfer]:
        """Return the top-ups since the last call."""
        return listed_transfers(self._intervals.values(), self.client.name)

    # --- parts ---

    def _orders(self, interval: int) -> OrderBook:
        orders = self._intervals[interval].orders
        if orders is None:
            raise LookupError(f"interval {interval} is not cleared")
        return orders

    def _book(self, interval: int, orders: OrderBook) -> None:
        state = self._intervals[interval]
        state.orders = orders
        state.top_ups = self._top_ups.taken(interval)
        with self.timer.measure("models"):
            for name, amount_ueur in state.top_ups:
                self.model.deposit(name, amount_ueur)
            arrived = [self._trading.order(interval, i) for i in orders.arrived]
            operator = self._deployment.operator.name
            state.trades = clear_again(self.model, operator, interval, arrived, orders)
