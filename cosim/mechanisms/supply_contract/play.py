"""The supply contract in a run: consumers who buy from the supplier and not in the local market.

A billing period is a whole number of delivery intervals. When one is over the consumers' meters
declare what they drew from the grid, an interval later the consumers pay, one more later the period
is finalised and the supplier takes its money. What a run's end cuts off of these phases happens in
blocks after it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

from cosim.chain.blocks import Included
from cosim.clock import DeliveryClock
from cosim.errors import EngineError
from cosim.mechanisms.contract_play import BLOCKS_WAITED, ContractPlay, columns_of
from cosim.mechanisms.deployment import Deployment
from cosim.mechanisms.play import Readings, Statement, TokenTransfer
from cosim.mechanisms.supply_contract.client import Supplier
from cosim.mechanisms.supply_contract.model import Subscription, SupplyContractModel
from cosim.mechanisms.supply_contract.reconciliation import check_bill, check_subscriptions
from cosim.mechanisms.supply_contract.rows import PeriodAccount
from cosim.mechanisms.supply_contract.setup import Consumer, SupplySetup, subscribed
from cosim.mechanisms.supply_contract.tables import TABLES
from cosim.messages import Columns

CONTRACT = Supplier.contract
"""Name of the contract among the holders of tokens."""


class SupplyContractPlay(ContractPlay[Supplier]):
    """The supply contract of a run.

    Parameters
    ----------
    deployment, clock, client
        As of :class:`ContractPlay`; the contract has subscriptions.
    model : SupplyContractModel
        In the same state.
    setup : SupplySetup
    """

    def __init__(
        self,
        deployment: Deployment,
        clock: DeliveryClock,
        client: Supplier,
        model: SupplyContractModel,
        setup: SupplySetup,
    ) -> None:
        super().__init__(deployment, clock, client)
        self.model = model
        self._setup = setup
        self._drawn_wh = {consumer.point: 0 for consumer in setup.consumers}
        self._open: dict[int, dict[int, PeriodAccount]] = {}
        self._fees_wei = dict.fromkeys(self._drawn_wh, 0)
        self._n_prices = 1

    @classmethod
    def deploy(cls, deployment: Deployment, clock: DeliveryClock, setup: SupplySetup) -> Self:
        """Deploy the contract and let the consumers subscribe, before the first order window.

        Raises
        ------
        UserError
            If a phase of the contract would not be a whole number of blocks.
        ContractRevert
            If the contract refuses a step of the set-up.
        EngineError
            If the set-up does not finish in time.
        """
        client, model = subscribed(deployment, clock, setup)
        return cls(deployment, clock, client, model, setup)

    # --- an interval ---

    def settle(
        self, interval: int, readings: Readings, statement: Statement
    ) -> Mapping[str, Columns]:
        """Count what the consumers drew, and go on with the phases of the periods that are over.

        Returns
        -------
        dict of str to dict
            Rows of ``supply`` when a period is finalised, else none.

        Raises
        ------
        ReconciliationError
            If contract, model and meters differ by an integer.
        """
        for point in self._drawn_wh:
            self._drawn_wh[point] += max(-int(readings.delivery.metered_wh[point]), 0)
        period, position = divmod(interval, self._setup.billing_intervals)
        self._announce(interval, period)
        self._leave(interval, period)
        if position + 1 == self._setup.billing_intervals:
            self._end(interval, period)
        rows = self._advance(interval)
        if interval + 1 == self._clock.n_intervals:
            rows += self._finish(interval)
        self._check(interval)
        return {"supply": columns_of(TABLES[0], rows)} if rows else {}

    # --- the supplier and its customers ---

    def _announce(self, interval: int, period: int) -> None:
        """Let the supplier set the price of the next period, if it changes and still can."""
        prices = self._setup.prices_ueur_per_kwh
        upcoming = period + 1
        if upcoming != self._n_prices or upcoming >= len(prices):
            return
        price = prices[upcoming]
        in_time = self._last_block < self.model.terms.opens_at(upcoming)
        if in_time and price != self.model.price_of(upcoming):
            handle = self.client.set_price(self._deployment.supplier.address, upcoming, price)
            done = self._included({None: handle})
            if not done:
                return  # the next interval tries again
            self.model.set_price(done[None].block, True, upcoming, price)
        self._n_prices += 1

    def _leave(self, interval: int, period: int) -> None:
        """Let consumers end their subscriptions."""
        # an interval is settled in the next one, which must be of the same period
        if (interval + 1) % self._setup.billing_intervals == 0:
            return
        leaving = [
            consumer
            for consumer in self._setup.consumers
            if consumer.leaves_in == period and self._subscription(consumer).end_period > period + 1
        ]
        sent = {
            c: self.client.unsubscribe_user(self._address(c.point), self._meter(c.point))
            for c in leaving
        }
        for consumer, included in self._included(sent).items():
            self._pay_fee(consumer.point, included)
            self.model.unsubscribe(included.block, *self._pair(consumer.point))

    def _end(self, interval: int, period: int) -> None:
        """Open the accounts of a period that is over, and let the meters declare.

        A meter whose declaration finds no room stays silent; a payment that finds none comes later.
        """
        ended = self._open[period] = {}
        sent: dict[int, int] = {}
        for consumer in self._setup.consumers:
            point = consumer.point
            drawn_wh, self._drawn_wh[point] = self._drawn_wh[point], 0
            subscription = self._subscription(consumer)
            if not subscription.next_period <= period < subscription.end_period:
                continue
            ended[point] = PeriodAccount(drawn_wh)
            in_time = self._last_block < self.model.terms.payment_at(period)
            if in_time and period not in consumer.silent_periods:
                behind = period - subscription.next_period
                sent[point] = self.client.declare_period(
                    self._meter(point), period, drawn_wh, periods_behind=behind, interval=interval
                )
        for point, included in self._included(sent).items():
            self._pay_fee(point, included)
            meter = self._deployment.meters[point].name
            bills = self.model.declare(included.block, meter, period, ended[point].drawn_wh)
            for bill in bills:
                account = self._open[bill.period][point]
                account.bill = bill
                self._keep_state(point, account)

    def _advance(self, interval: int) -> list[tuple[Any, ...]]:
        """Pay, refund, top up and finalise what the next block allows; rows of final periods."""
        terms, block = self.model.terms, self._chain.block + 1
        rows: list[tuple[Any, ...]] = []
        for period in sorted(self._open):
            if block >= terms.payment_at(period):
                self._pay(interval, period)
            if self._chain.block + 1 >= terms.over_at(period):
                rows += self._finalise(interval, period)
        return rows

    def _finish(self, interval: int) -> list[tuple[Any, ...]]:
        """Mine on after the last interval until the phases of all periods are over."""
        chain, terms = self._chain, self.model.terms
        rows: list[tuple[Any, ...]] = []
        for period in sorted(self._open):
            for moment in (terms.payment_at(period), terms.over_at(period)):
                blocks = max(moment - 1 - chain.block, 0)
                chain.mine_blocks(blocks)
                rows += self._advance(interval)
        if self._open:
            raise EngineError(
                "the supply contract's last bills did not fit into a block; raise "
                "ledger.block_gas_limit in the scenario"
            )
        return rows

    def _pay(self, interval: int, period: int) -> None:
        """Let the consumers pay, withdraw what is left after the last bill, or top up."""
        accounts = self._open[period]
        sent = {
            point: self.client.payment_period(
                self._address(point),
                period,
                self._address(point),
                self._meter(point),
                interval=interval,
            )
            for point, account in accounts.items()
            if account.bill is None
        }
        for point, included in self._included(sent).items():
            self._pay_fee(point, included)
            customer, meter = self._pair(point)
            bill = self.model.pay(included.block, customer, period, customer, meter)
            accounts[point].bill = bill
            check_bill(
                interval,
                self.client.events(included),
                bill,
                accounts[point].drawn_wh,
                self.model.terms.silent_estimate_wh,
            )
        consumers = {c.point: c for c in self._setup.consumers}
        gone: list[int] = []
        refunds: dict[int, int] = {}
        top_ups: dict[tuple[int, int], int] = {}
        for point, account in accounts.items():
            subscription = self.model.subscription_of(*self._pair(point))
            if account.bill is None:
                continue
            if subscription.next_period == subscription.end_period:
                if consumers[point].leaves_in is not None:
                    gone.append(point)
                if subscription.deposit_ueur:
                    refunds[point] = self.client.withdraw(self._address(point), self._meter(point))
            elif consumers[point].tops_up and point in sent:
                lacking = consumers[point].deposit_ueur - subscription.deposit_ueur
                amount = min(lacking + subscription.debt_ueur, self._tokens(point))
                if amount > 0:
                    key = (point, amount)
                    top_ups[key] = self.client.top_up(
                        self._address(point), self._meter(point), amount
                    )
        for point, included in self._included(refunds).items():
            self._pay_fee(point, included)
            amount = self.model.withdraw(*self._pair(point))
            accounts[point].refund_ueur += amount
            self._transfers.append(TokenTransfer(CONTRACT, self._names[point], amount))
        self._take_meters(gone)
        for (point, amount), included in self._included(top_ups).items():
            self._pay_fee(point, included)
            self.model.top_up(*self._pair(point), amount)
            accounts[point].topped_up_ueur += amount
            self._transfers.append(TokenTransfer(self._names[point], CONTRACT, amount))
        for point in {*sent, *refunds, *(point for point, _ in top_ups)}:
            self._keep_state(point, accounts[point])

    def _take_meters(self, points: Sequence[int]) -> None:
        """Let the metering operator unregister the meters of who left."""
        registry, operator = self._deployment.meter_registry, self._deployment.metering_operator
        sent = {
            point: registry.unregister_meter(operator.address, self._meter(point))
            for point in points
            if registry.is_valid(self._meter(point))
        }
        for point in self._included(sent):
            self.model.bind(self._deployment.meters[point].name, None)

    def _finalise(self, interval: int, period: int) -> list[tuple[Any, ...]]:
        """Finalise a period, let the supplier take its money, and report the period's rows."""
        accounts = self._open[period]
        if any(account.bill is None for account in accounts.values()):
            return []
        sender = self._deployment.supplier.address
        if self.model.open_period <= period:
            done = self._included({None: self.client.finalize(sender, period, interval=interval)})
            if not done:
                return []
            self.model.finalize(done[None].block, period)
        if self.model.proceeds_ueur:
            done = self._included({None: self.client.withdraw_proceeds(sender, interval=interval)})
            if done:
                amount = self.model.withdraw_proceeds()
                supplier = self._deployment.supplier.name
                self._transfers.append(TokenTransfer(CONTRACT, supplier, amount))
        del self._open[period]
        price = self.model.price_of(period)
        return [
            account.row(interval, self._names[point], price, self._setup.eur_per_eth)
            for point, account in accounts.items()
        ]

    @property
    def _last_block(self) -> int:
        """The latest block that can take what is sent now."""
        return self._chain.block + BLOCKS_WAITED

    def _check(self, interval: int) -> None:
        """Require that contract and model agree on everything, and that all money is there."""
        subscriptions = [
            (
                self._names[c.point],
                self.client.subscription_of(self._address(c.point), self._meter(c.point)),
                self._subscription(c),
            )
            for c in self._setup.consumers
        ]
        check_subscriptions(interval, subscriptions, self.client.accounts_of(), self.model)
        self._check_tokens(interval, self.model.held_ueur())

    def _keep_state(self, point: int, account: PeriodAccount) -> None:
        subscription = self.model.subscription_of(*self._pair(point))
        account.deposit_ueur, account.debt_ueur = subscription.deposit_ueur, subscription.debt_ueur
        account.fee_wei += self._fees_wei[point]
        self._fees_wei[point] = 0

    def _pay_fee(self, point: int, included: Included) -> None:
        self._fees_wei[point] += included.fee_wei

    def _subscription(self, consumer: Consumer) -> Subscription:
        return self.model.subscription_of(*self._pair(consumer.point))

    def _pair(self, point: int) -> tuple[str, str]:
        return self._names[point], self._deployment.meters[point].name

    def _meter(self, point: int) -> bytes:
        return self._deployment.meters[point].address

    def _tokens(self, point: int) -> int:
        return self._deployment.token.balance_of(self._address(point))
