"""The supply contract in a run: consumers who buy from the supplier and not in the local market.

A billing period is a whole number of delivery intervals. When one is over the consumers' meters
declare what they drew from the grid, an interval later the consumers pay, one more later the period
is finalised and the supplier takes its money. What a run's end cuts off of these phases happens in
blocks after it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from cosim.clock import DeliveryClock
from cosim.errors import EngineError
from cosim.mechanisms.contract_play import BLOCKS_WAITED, columns_of
from cosim.mechanisms.debt_rows import DebtRows
from cosim.mechanisms.deployment import Deployment
from cosim.mechanisms.play import Readings, Statement, TokenTransfer
from cosim.mechanisms.reconciliation import check_equal
from cosim.mechanisms.supply_contract.client import Supplier, SupplierAccounts
from cosim.mechanisms.supply_contract.customers import CONTRACT, SupplyCustomers
from cosim.mechanisms.supply_contract.model import SupplyContractModel
from cosim.mechanisms.supply_contract.rows import PeriodAccount
from cosim.mechanisms.supply_contract.setup import SupplySetup, subscribed
from cosim.mechanisms.supply_contract.tables import TABLES
from cosim.messages import Columns


class SupplyContractPlay(SupplyCustomers):
    """The supply contract of a run, with its periods; parameters as of the customers."""

    def __init__(
        self,
        deployment: Deployment,
        clock: DeliveryClock,
        client: Supplier,
        model: SupplyContractModel,
        setup: SupplySetup,
    ) -> None:
        super().__init__(deployment, clock, client, model, setup)
        self._drawn_wh = dict.fromkeys(self._consumers, 0)
        self._open: dict[int, dict[int, PeriodAccount]] = {}
        self._n_prices = 1
        self._debts = DebtRows()

    @classmethod
    def deploy(cls, deployment: Deployment, clock: DeliveryClock, setup: SupplySetup) -> Self:
        """Deploy the contract with its subscriptions; errors as of :func:`subscribed`."""
        return cls(deployment, clock, *subscribed(deployment, clock, setup), setup)

    # --- an interval ---

    def settle(
        self, interval: int, readings: Readings, statement: Statement
    ) -> Mapping[str, Columns]:
        """Count what the consumers drew, and go on with the phases of the periods that are over.

        Returns
        -------
        dict of str to dict
            Rows of ``supply`` when a period is finalised, else none; of ``supply_subscriptions``
            when one changed; of ``supply_debts``.

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
        self._end_indebted(interval, self._last_block)
        if interval + 1 == self._clock.n_intervals:
            rows += self._finish(interval)
        self._check(interval)
        debts = {
            self._names[point]: self._subscription(point).debt_ueur for point in self._consumers
        }
        found = {"supply_debts": self._debts.rows(interval, debts)}
        changes, self._changes = self._changes, []
        for table, own in zip(TABLES, (rows, changes), strict=False):
            if own:
                found[table.name] = columns_of(table, own)
        return found

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

    def _end(self, interval: int, period: int) -> None:
        """Open the accounts of a period that is over, and let the meters declare.

        A meter whose declaration no block takes stays silent.
        """
        ended = self._open[period] = {}
        sent: dict[int, int] = {}
        for point, consumer in self._consumers.items():
            drawn_wh, self._drawn_wh[point] = self._drawn_wh[point], 0
            subscription = self._subscription(point)
            if not subscription.next_period <= period < subscription.end_period:
                continue
            ended[point] = PeriodAccount(drawn_wh)
            in_time = self._last_block < self.model.terms.payment_at(period)
            if in_time and period not in consumer.silent_periods:
                behind = period - subscription.next_period
                sent[point] = self.client.declare_period(
                    self._meter(point), period, drawn_wh, periods_behind=behind, interval=interval
                )
        for point, included in self._done(sent).items():
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
                self._pay(interval, period, self._open[period])
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
        client, model = self.client, self.model
        names = {point: self._names[point] for point in self._consumers}
        accounts = SupplierAccounts(model.proceeds_ueur, model.takings_ueur, model.open_period)
        check_equal(
            interval,
            {
                name: client.subscription_of(self._address(point), self._meter(point))
                for point, name in names.items()
            },
            {name: self._subscription(point) for point, name in names.items()},
            "subscription on the ledger",
            "subscription of the model",
        )
        check_equal(
            interval,
            {CONTRACT: client.accounts_of()},
            {CONTRACT: accounts},
            "accounts of the supply contract",
            "accounts of its model",
        )
        self._check_tokens(interval, model.held_ueur())
