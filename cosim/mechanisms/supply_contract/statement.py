"""Statement of every customer of a supply contract over a run: bills, payments, subscription."""

from __future__ import annotations

from cosim.mechanisms.supply_contract.billing import Subscribed, subscriptions
from cosim.mechanisms.supply_contract.tables import ENDED, LEFT
from cosim.report.panel import TableFigure, TextTable
from cosim.report.text import number
from cosim.results.reader import Results
from cosim.units import SECONDS_PER_HOUR, WH_PER_KWH, eur_from_ueur

HEADINGS = (
    "Customer",
    "Periods",
    "Ended by",
    "Bills",
    "Energy [kWh]",
    "Billed [EUR]",
    "Paid [EUR]",
    "Owed [EUR]",
    "Deposit [EUR]",
)


def statement_figure(results: Results, billing_intervals: int) -> TableFigure:
    """Return a row per subscription, and their sums."""
    sums = [0] * 6
    rows = []
    for each in subscriptions(results):
        amounts = _amounts(results, each)
        sums = [total + own for total, own in zip(sums, amounts, strict=True)]
        ended_by = _ended_by(each, results.n_intervals // billing_intervals)
        rows.append((each.prosumer, _periods(each), ended_by, *_texts(amounts)))
    rows.append(("Together", "", "", *_texts(sums)))
    period_h = billing_intervals * results.step_s / SECONDS_PER_HOUR
    return TableFigure(
        "supply-statement",
        "Customers of the supply contract",
        (
            f"A period has {number(period_h, 'h')}; periods count from 0. Billed is the contract's "
            "energy, estimates for silent meters among it. What was paid came out of deposits; "
            "owed and deposit are those after the last bill. What is drawn after a subscription "
            "has ended is default supply at the scenario's retail price, off the ledger.",
        ),
        (TextTable("Customers of the supply contract", HEADINGS, rows),),
        wide=True,
    )


def _amounts(results: Results, each: Subscribed) -> tuple[int, ...]:
    """Return bills, and Wh and µEUR billed, paid, owed and left as deposit."""
    rows = results.frame("supply")
    own = rows[
        (rows["prosumer"].astype(str) == each.prosumer) & (rows["period"] >= each.first_period)
    ]
    if each.end_period is not None:
        own = own[own["period"] < each.end_period]
    billed_ueur, owed_ueur, deposit_ueur = int(own["bill_ueur"].sum()), 0, each.deposit_ueur
    if len(own):
        last = own.sort_values("period").iloc[-1]
        owed_ueur, deposit_ueur = int(last["debt_ueur"]), int(last["deposit_ueur"])
    billed_wh = int(own["billed_wh"].sum())
    return len(own), billed_wh, billed_ueur, billed_ueur - owed_ueur, owed_ueur, deposit_ueur


def _texts(amounts: tuple[int, ...] | list[int]) -> tuple[str, ...]:
    bills, energy_wh, *money_ueur = amounts
    money = (number(float(eur_from_ueur(ueur)), "", 2) for ueur in money_ueur)
    return (str(bills), number(energy_wh / WH_PER_KWH, "", 1), *money)


def _periods(each: Subscribed) -> str:
    """Return the first and the last period; only the first of what is rolling."""
    if each.end_period is None:
        return f"{each.first_period} –"
    if each.end_period <= each.first_period:
        return "none"
    return f"{each.first_period} – {each.end_period - 1}"


def _ended_by(each: Subscribed, n_periods: int) -> str:
    """Return who ended a subscription, or that its term is over; a dash while it goes on."""
    if each.ended_by is not None:
        return {LEFT: "customer", ENDED: "supplier"}[each.ended_by]
    is_over = each.end_period is not None and each.end_period <= n_periods
    return "agreed term" if is_over else "—"
