"""Customers of a run's supply contract: they pay, top up, leave, and take out what is left."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cosim.chain.blocks import Included
from cosim.clock import DeliveryClock
from cosim.mechanisms.contract_play import ContractPlay
from cosim.mechanisms.deployment import Deployment
from cosim.mechanisms.play import TokenTransfer
from cosim.mechanisms.supply_contract.client import Supplier
from cosim.mechanisms.supply_contract.model import Subscription, SupplyContractModel
from cosim.mechanisms.supply_contract.reconciliation import check_bill
from cosim.mechanisms.supply_contract.rows import PeriodAccount
from cosim.mechanisms.supply_contract.setup import SupplySetup
from cosim.mechanisms.supply_contract.tables import ENDED, LEFT, SUBSCRIBED
from cosim.mechanisms.supply_contract.terms import MAX_PERIODS

CONTRACT = Supplier.contract
"""Name of the contract among the holders of tokens."""
SETUP = -1
"""Interval of what happens before the first one."""


class SupplyCustomers(ContractPlay[Supplier]):
    """Customers of the supply contract, by connection point.

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
        self._consumers = {consumer.point: consumer for consumer in setup.consumers}
        self._fees_wei = dict.fromkeys(self._consumers, 0)
        self._changes: list[tuple[Any, ...]] = []
        for point in self._consumers:
            self._note(SETUP, point, SUBSCRIBED)

    def _note(self, interval: int, point: int, action: str) -> None:
        """Keep a row on a subscription that changed."""
        after = self._subscription(point)
        end = None if after.end_period == MAX_PERIODS else after.end_period
        self._changes.append(
            (interval, self._names[point], action, after.next_period, end, after.deposit_ueur)
        )

    def _leave(self, interval: int, period: int) -> None:
        """Let consumers end their subscriptions."""
        # an interval is settled in the next one, which must be of the same period
        if (interval + 1) % self._setup.billing_intervals == 0:
            return
        sent = {
            point: self.client.unsubscribe_user(
                self._address(point), self._address(point), self._meter(point)
            )
            for point, consumer in self._consumers.items()
            if consumer.leaves_in == period and self._subscription(point).end_period > period + 1
        }
        for point, included in self._done(sent).items():
            self.model.unsubscribe(included.block, *self._pair(point))
            self._note(interval, point, LEFT)

    def _end_indebted(self, interval: int, last_block: int) -> None:
        """Let the supplier end the subscriptions of who owes more than was agreed.

        Parameters
        ----------
        interval : int
        last_block : int
            The latest block that can take what is sent now.
        """
        terms, supplier = self.model.terms, self._deployment.supplier.address
        # the last period whose price is fixed by then; an end that is no earlier is refused
        end = terms.begun(terms.opens_at(0), last_block)
        sent = {
            point: self.client.unsubscribe_user(supplier, self._address(point), self._meter(point))
            for point in self._consumers
            if self._subscription(point).debt_ueur > terms.credit_limit_ueur
            and self._subscription(point).end_period > end
        }
        for point, included in self._included(sent).items():
            self.model.unsubscribe(included.block, *self._pair(point), supplier=True)
            self._note(interval, point, ENDED)

    def _pay(self, interval: int, period: int, accounts: Mapping[int, PeriodAccount]) -> None:
        """Let the consumers pay, withdraw what is left after the last bill, or top up.

        A payment that no block takes is made later.
        """
        sent = {}
        for point, account in accounts.items():
            if account.bill is None:
                customer = self._address(point)
                sent[point] = self.client.payment_period(
                    customer, period, customer, self._meter(point), interval=interval
                )
        for point, included in self._done(sent).items():
            name, meter = self._pair(point)
            bill = self.model.pay(included.block, name, period, name, meter)
            accounts[point].bill = bill
            drawn_wh, estimate_wh = accounts[point].drawn_wh, self.model.terms.silent_estimate_wh
            check_bill(interval, self.client.events(included), bill, drawn_wh, estimate_wh)
        gone: list[int] = []
        refunds: dict[int, int] = {}
        top_ups: dict[int, int] = {}
        added_ueur: dict[int, int] = {}
        for point, account in accounts.items():
            consumer, subscription = self._consumers[point], self._subscription(point)
            if account.bill is None:
                continue
            customer, meter_address = self._address(point), self._meter(point)
            if subscription.next_period == subscription.end_period:
                if consumer.leaves_in is not None:
                    gone.append(point)
                if subscription.deposit_ueur:
                    refunds[point] = self.client.withdraw(customer, meter_address)
            elif consumer.tops_up and point in sent:
                lacking = consumer.deposit_ueur - subscription.deposit_ueur
                wallet = self._deployment.token.balance_of(customer)
                amount = min(lacking + subscription.debt_ueur, wallet)
                if amount > 0:
                    added_ueur[point] = amount
                    top_ups[point] = self.client.top_up(customer, meter_address, amount)
        for point in self._done(refunds):
            amount = self.model.withdraw(*self._pair(point))
            accounts[point].refund_ueur += amount
            self._transfers.append(TokenTransfer(CONTRACT, self._names[point], amount))
        self._take_meters(gone)
        for point in self._done(top_ups):
            amount = added_ueur[point]
            self.model.top_up(*self._pair(point), amount)
            accounts[point].topped_up_ueur += amount
            self._transfers.append(TokenTransfer(self._names[point], CONTRACT, amount))
        for point in {*sent, *refunds, *top_ups}:
            self._keep_state(point, accounts[point])

    def _take_meters(self, points: list[int]) -> None:
        """Let the metering operator unregister the meters of those who left."""
        registry, operator = self._deployment.meter_registry, self._deployment.metering_operator
        sent = {
            point: registry.unregister_meter(operator.address, self._meter(point))
            for point in points
            if registry.is_valid(self._meter(point))
        }
        for point in self._included(sent):
            self.model.bind(self._deployment.meters[point].name, None)

    def _done(self, sent: Mapping[int, int]) -> dict[int, Included]:
        """Wait for transactions of customers or their meters, and note the fees."""
        done = self._included(sent)
        for point, included in done.items():
            self._fees_wei[point] += included.fee_wei
        return done

    def _keep_state(self, point: int, account: PeriodAccount) -> None:
        subscription = self._subscription(point)
        account.deposit_ueur, account.debt_ueur = subscription.deposit_ueur, subscription.debt_ueur
        account.fee_wei += self._fees_wei[point]
        self._fees_wei[point] = 0

    def _subscription(self, point: int) -> Subscription:
        return self.model.subscription_of(*self._pair(point))

    def _pair(self, point: int) -> tuple[str, str]:
        return self._names[point], self._deployment.meters[point].name

    def _meter(self, point: int) -> bytes:
        return self._deployment.meters[point].address
