"""The tables of a supply contract, recomputed from the replayed chain."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from cosim.mechanisms.supply_contract.settings import SupplyContractSettings
from cosim.mechanisms.supply_contract.tables import ENDED, LEFT, SUBSCRIBED
from cosim.mechanisms.supply_contract.terms import MAX_PERIODS
from cosim.replay.checks import MechanismChecks, Recompute
from cosim.replay.history import Event, History
from cosim.units import ueur_from_eur

SUPPLIER = "Supplier"
_CHANGING = ("paymentPeriod", "withdraw", "topUp")
_ANY_TIME = ("unsubscribeUser", "topUp", "withdraw", "setPrice")


@dataclass
class _Account:
    """One consumer between the first and the last event of the contract."""

    deposit_ueur: int = 0
    debt_ueur: int = 0
    pending_wei: int = 0
    last_paid: int | None = None
    declared_wh: dict[int, int] = field(default_factory=dict)
    bills: dict[int, Event] = field(default_factory=dict)
    topped_up_ueur: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    refund_ueur: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    fees_wei: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    state: dict[int, tuple[int, int]] = field(default_factory=dict)


class SupplyChecks(MechanismChecks[SupplyContractSettings]):
    """Checks of a supply contract."""

    varying_gas: ClassVar[tuple[str, ...]] = ("declarePeriod",)

    def checks(self, history: History) -> Mapping[str, Recompute]:
        """Return the checks of bills, payments, deposits and fees of every consumer, and debts."""
        key = ("period", "prosumer")
        method = "from the supply contract's events, gas, and metered energy"
        owed = "from PeriodPaid and SubscriptionChanged"
        return {
            "supply": lambda: history.compare("supply", key, method, self._rows(history)),
            "supply_subscriptions": lambda: history.compare(
                "supply_subscriptions",
                ("interval", "prosumer", "action"),
                "from the calls that were taken, and their SubscriptionChanged",
                _changes(history),
            ),
            "supply_debts": lambda: history.compare(
                "supply_debts", ("interval", "prosumer"), owed, _owed(history)
            ),
        }

    def intervals(self, history: History) -> Mapping[int, int]:
        """Return -1 for what customers and the supplier may send at any time."""
        sent = [
            *history.calls(SUPPLIER, *_ANY_TIME),
            *history.calls("SmartMeters", "unregisterMeter"),
        ]
        return {position: -1 for position, _ in sent}

    def _rows(self, history: History) -> Iterator[dict[str, Any]]:
        accounts = _accounts(history)
        prices = {0: ueur_from_eur(self.settings.prices_eur_per_kwh[0])}
        for event in history.of(SUPPLIER, "PriceSet"):
            if event.arguments["period"] > 0:
                prices[event.arguments["period"]] = event.arguments["price_ueur_per_kwh"]
        metered = _drawn_wh(history, self.settings.billing_intervals)
        for final in history.of(SUPPLIER, "PeriodFinalized"):
            period = final.arguments["period"]
            for name, account in accounts.items():
                if period not in account.bills:
                    continue
                deposit, debt = account.state[period]
                said = account.bills[period].arguments
                yield {
                    "interval": history.settled_in(final.position),
                    "period": period,
                    "prosumer": name,
                    "metered_wh": metered[period, name],
                    "declared_wh": account.declared_wh.get(period),
                    "estimated": period not in account.declared_wh,
                    "billed_wh": said["energy_wh"],
                    "price_ueur_per_kwh": prices[max(k for k in prices if k <= period)],
                    "bill_ueur": said["bill_ueur"],
                    "paid_ueur": said["paid_ueur"],
                    "topped_up_ueur": account.topped_up_ueur[period],
                    "refund_ueur": account.refund_ueur[period],
                    "deposit_ueur": deposit,
                    "debt_ueur": debt,
                    "fees_ueur": history.fee_ueur(account.fees_wei[period]),
                }


def _changes(history: History) -> Iterator[dict[str, Any]]:
    """Yield the rows of ``supply_subscriptions`` as the calls and events tell them."""
    names = history.participants.prosumer_of
    for position, sent in history.calls(SUPPLIER, "subscribeUser", "unsubscribeUser"):
        for event in history.logged(position):
            said = event.arguments
            # a subscription with a meter ends that of another customer before
            if event.name != "SubscriptionChanged" or sent.refused_with is not None:
                continue
            action = SUBSCRIBED
            if sent.call.method == "unsubscribeUser":
                action = LEFT if said["customer"] == sent.sender else ENDED
            end = said["end_period"]
            yield {
                "interval": history.settled_in(position),
                "prosumer": names.get(said["customer"], said["customer"]),
                "action": action,
                "next_period": said["next_period"],
                "end_period": None if end == MAX_PERIODS else end,
                "deposit_ueur": said["deposit_ueur"],
            }


def _owed(history: History) -> Iterator[dict[str, Any]]:
    """Yield the rows of ``supply_debts`` as the events tell them."""
    names = history.participants.prosumer_of
    debts: dict[str, int] = defaultdict(int)
    ends: dict[int, int] = {}
    changes = []
    for event in history.of(SUPPLIER, "PeriodPaid", "SubscriptionChanged"):
        said = event.arguments
        name = names.get(said["customer"], said["customer"])
        if event.name == "PeriodPaid":
            debts[name] += said["bill_ueur"] - said["paid_ueur"]
        else:
            debts[name] = said["debt_ueur"]
        changes.append(replace(event, arguments={"account": name, "debt_ueur": debts[name]}))
        ends[history.settled_in(event.position)] = event.position
    for settled, name, debt in history.balances_after(changes, "debt_ueur", ends):
        yield {"interval": settled, "prosumer": name, "debt_ueur": debt}


def _accounts(history: History) -> dict[str, _Account]:
    """Follow every consumer through the transactions of the contract."""
    names = history.participants.prosumer_of | history.participants.metered_by
    accounts: dict[str, _Account] = defaultdict(_Account)
    for position, sent in history.calls(SUPPLIER):
        name = names.get(sent.sender)
        if name is None or sent.refused_with is not None:
            continue
        account, paid = accounts[name], False
        if sent.call.method != "subscribeUser":
            account.pending_wei += sent.included.fee_wei
        for event in history.logged(position):
            said = event.arguments
            if event.name == "PeriodDeclared":
                account.declared_wh[said["period"]] = said["energy_wh"]
            elif event.name == "PeriodPaid":
                account.bills[said["period"]] = event
                account.last_paid, paid = said["period"], True
                account.deposit_ueur -= said["paid_ueur"]
                account.debt_ueur += said["bill_ueur"] - said["paid_ueur"]
            elif event.name == "SubscriptionChanged":
                account.deposit_ueur = said["deposit_ueur"]
                account.debt_ueur = said["debt_ueur"]
            elif event.name == "Transfer" and sent.call.method == "withdraw":
                account.refund_ueur[account.last_paid or 0] += said["value"]
            elif event.name == "Transfer" and sent.call.method == "topUp":
                account.topped_up_ueur[account.last_paid or 0] += said["value"]
        if account.last_paid is not None and (paid or sent.call.method in _CHANGING):
            account.fees_wei[account.last_paid] += account.pending_wei
            account.pending_wei = 0
            account.state[account.last_paid] = (account.deposit_ueur, account.debt_ueur)
    return accounts


def _drawn_wh(history: History, billing_intervals: int) -> dict[tuple[int, str], int]:
    """Consumption by period and consumer, as the meters counted it. [Wh]"""
    frame = history.results.table("prosumers")
    drawn = (-frame["metered_wh"]).clip(lower=0)
    periods = frame["interval"] // billing_intervals
    found: dict[tuple[int, str], int] = defaultdict(int)
    for period, name, wh in zip(periods, frame["prosumer"], drawn, strict=True):
        found[int(period), str(name)] += int(wh)
    return found
