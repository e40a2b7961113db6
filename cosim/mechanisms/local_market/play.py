"""The local market in a run: orders, clearing, readings and their settlement.

Contract and model are told the same in the same order, and must agree to the integer on prices,
fills, settlements and balances.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import starmap

import numpy as np

from cosim.chain.blocks import Included
from cosim.chain.client import ContractClient
from cosim.clock import DeliveryClock
from cosim.mechanisms.deployment import Deployment
from cosim.mechanisms.escrow_play import EscrowPlay
from cosim.mechanisms.local_market.bilateral.client import BilateralTrades
from cosim.mechanisms.local_market.bilateral.rows import pairs_columns
from cosim.mechanisms.local_market.bilateral.trading import BilateralTrading
from cosim.mechanisms.local_market.client import LocalMarket
from cosim.mechanisms.local_market.credit import MemberAccounts
from cosim.mechanisms.local_market.debts import Debts
from cosim.mechanisms.local_market.model import LocalMarketModel
from cosim.mechanisms.local_market.orders import Reading, Settlement
from cosim.mechanisms.local_market.outcomes import OrderBook, Orders
from cosim.mechanisms.local_market.pricing import taker_price_ueur_per_kwh
from cosim.mechanisms.local_market.reconcile import claim_again, clear_again
from cosim.mechanisms.local_market.reporting import Reporting
from cosim.mechanisms.local_market.retailing import Retailing
from cosim.mechanisms.local_market.rows import orders_columns, trades_columns
from cosim.mechanisms.local_market.schedule import schedule_wh, supplier_orders
from cosim.mechanisms.local_market.settlement_client import MarketSettlement, read_settlements
from cosim.mechanisms.local_market.submission.batching import Batching
from cosim.mechanisms.local_market.submission.client import Submissions
from cosim.mechanisms.local_market.terms import MarketTerms
from cosim.mechanisms.local_market.top_ups import listed_transfers
from cosim.mechanisms.local_market.trades import Trade
from cosim.mechanisms.local_market.trading import Trading
from cosim.mechanisms.play import Charges, Deposit, Readings, Schedules, Statement, TokenTransfer
from cosim.mechanisms.reconciliation import check_equal, check_metering
from cosim.messages import BidsMessage, Columns, DecisionMessage, Extras
from cosim.messages.extras import UnservedOrders
from cosim.units import IntArray


@dataclass
class _Interval:
    """Orders of one interval, with their clearing and trades."""

    bids: BidsMessage
    sent: Orders
    orders: OrderBook | None = None
    trades: tuple[Trade, ...] = ()
    top_ups: list[tuple[str, int]] = field(default_factory=list)


class LocalMarketPlay(EscrowPlay[LocalMarket, LocalMarketModel]):
    """The community's double auction in a run.

    Parameters
    ----------
    deployment : Deployment
        With the contract.
    clock : DeliveryClock
    terms : MarketTerms
    """

    answers_for = (LocalMarket.contract,)
    free_of = "accounts._free_of"

    def __init__(self, deployment: Deployment, clock: DeliveryClock, terms: MarketTerms) -> None:
        supplier = deployment.supplier
        super().__init__(
            deployment,
            deployment.client(LocalMarket),
            LocalMarketModel(supplier.name, terms),
            (supplier, deployment.dso, deployment.operator, deployment.state),
        )
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

    def reading_of(self, interval: int, name: str) -> Reading | None:
        """Return the reading that a prosumer's interval was settled with, if it was."""
        return self.model.reading_of(interval, name)

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
        self._top_ups.close(interval)
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
        claimed = self._trading.claim(interval)
        reported_wh = self._meters.reported_wh(interval, readings.reported_wh)
        handles, settling = self._reporting.report(interval, reported_wh)
        self._read_settlements(interval, settling, statement)
        sent = (*self._top_ups.paid_by(interval), *self._trading.paid_by(interval))
        self._add_fees(statement, (*sent, *handles.items()))
        self._trading.forget(interval)
        self._top_ups.forget(interval)
        with self.timer.measure("models"):
            claim_again(self.model, interval, [str(self._names[i]) for i in claimed])
            delivered_wh = self._meters.reported_wh(interval, readings.delivered_wh)
            self._settle_model(interval, delivered_wh, statement)
        self._retailing.pass_on(interval, self.model)
        return {"debts": self._debts.rows(interval, self.model.dues)}

    def forget(self, interval: int) -> None:
        """Drop a settled interval."""
        self.model.forget(interval)
        self._intervals.pop(interval, None)

    def transfers(self) -> Sequence[TokenTransfer]:
        """Return the top-ups since the last call."""
        return listed_transfers(self._intervals.values(), self.client.contract)

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

    def _locked_ueur(self) -> int:
        return self.model.held_total_ueur() - self.model.free_total_ueur()

    def _read_settlements(
        self, interval: int, settling: Iterable[Included], statement: Statement
    ) -> None:
        if self.terms.has_parts:
            statement.charges = Charges.empty(len(self._names), self.terms.at(interval))
        read_settlements(self.settlement, settling, self._index, statement)

    def _settle_model(self, interval: int, delivered_wh: IntArray, statement: Statement) -> None:
        """Settle once more in the model, by readings that must be what was delivered."""
        names, members = self._names, self._members
        known = members & ~statement.estimated
        check_metering(
            interval, names[known].tolist(), statement.metered_wh[known], delivered_wh[known]
        )
        on_ledger, in_model = {}, {}
        places, metered_wh = np.flatnonzero(members).tolist(), statement.metered_wh.tolist()
        for i, stated in zip(places, _stated(statement, places), strict=True):
            name = names[i]
            on_ledger[name] = stated
            if known[i]:
                in_model[name] = self.model.report(interval, name, metered_wh[i])
            else:
                in_model[name] = self.model.settle_silent(interval, name)
        check_equal(
            interval,
            on_ledger,
            in_model,
            "settlement of the contract",
            "settlement of the model",
        )


def _stated(statement: Statement, places: Sequence[int]) -> Iterator[Settlement]:
    """Yield what the contract settled with members, by their positions."""
    columns = [
        statement.contracted_wh,
        statement.metered_wh,
        statement.traded_ueur,
        statement.supplier_ueur,
        statement.estimated,
    ]
    if (charges := statement.charges) is not None:
        columns += [charges.local_ueur, charges.network_ueur, charges.taxes_ueur]
    return starmap(Settlement, zip(*(column[places].tolist() for column in columns), strict=True))
