"""The table of a supply contract, recomputed from the replayed chain."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

import pandas as pd

from cosim.mechanisms.supply_contract.settings import SupplyContractSettings
from cosim.replay.findings import Check
from cosim.replay.history import Event, History
from cosim.units import fee_ueur, ueur_from_eur

SUPPLIER = "Supplier"
_CHANGING = ("paymentPeriod", "withdraw", "topUp")


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


def check_supply(history: History) -> Check:
    """Bills, payments, deposits, debts and fees of every consumer and period."""
    check = Check("supply", "from the supply contract's events, gas, and metered energy")
    recorded = history.recorded
    frame, settings = recorded.frame("supply"), recorded.scenario.section(SupplyContractSettings)
    if settings is None:
        check.equal("supply", "", "number of rows", len(frame), 0)
        return check
    accounts = _accounts(history)
    finals = history.of(SUPPLIER, "PeriodFinalized")
    prices = [(0, ueur_from_eur(settings.prices_eur_per_kwh[0]))]
    prices += [
        (e.arguments["period"], e.arguments["price_ueur_per_kwh"])
        for e in history.of(SUPPLIER, "PriceSet")
        if e.arguments["period"] > 0
    ]
    metered = _drawn_wh(history, settings.billing_intervals)
    eur_per_eth = recorded.scenario.ledger.eur_per_eth
    rows = []
    for final in finals:
        period = final.arguments["period"]
        for name, account in accounts.items():
            bill = account.bills.get(period)
            if bill is None:
                continue
            deposit, debt = account.state[period]
            said = bill.arguments
            rows.append(
                {
                    "interval": history.settled_in(final.position),
                    "period": period,
                    "prosumer": name,
                    "metered_wh": metered.get((period, name), 0),
                    "declared_wh": account.declared_wh.get(period),
                    "estimated": period not in account.declared_wh,
                    "billed_wh": said["energy_wh"],
                    "price_ueur_per_kwh": next(p for k, p in reversed(prices) if period >= k),
                    "bill_ueur": said["bill_ueur"],
                    "paid_ueur": said["paid_ueur"],
                    "topped_up_ueur": account.topped_up_ueur[period],
                    "refund_ueur": account.refund_ueur[period],
                    "deposit_ueur": deposit,
                    "debt_ueur": debt,
                    "fees_ueur": fee_ueur(account.fees_wei[period], eur_per_eth),
                }
            )
    own = pd.DataFrame(rows, columns=list(frame.columns)).astype({"declared_wh": object})
    check.keyed("supply", ["period", "prosumer"], frame, own, list(frame.columns))
    return check


def _accounts(history: History) -> dict[str, _Account]:
    """Follow every consumer through the transactions of the contract."""
    recorded = history.recorded
    accounts: dict[str, _Account] = defaultdict(_Account)
    for position, sent in history.calls(SUPPLIER):
        name = recorded.prosumer_of.get(sent.sender) or recorded.metered_by.get(sent.sender)
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
    frame = history.recorded.frame("prosumers")
    drawn = (-frame["metered_wh"]).clip(lower=0)
    periods = frame["interval"] // billing_intervals
    found: dict[tuple[int, str], int] = defaultdict(int)
    for period, name, wh in zip(periods, frame["prosumer"], drawn, strict=True):
        found[int(period), str(name)] += int(wh)
    return found
