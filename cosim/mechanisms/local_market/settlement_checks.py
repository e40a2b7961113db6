"""Schedules, settlement, debts and metering, recomputed from the replayed chain.

Other mechanisms change schedules, readings and what is received as well: each says by how much.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from cosim.chain.roles import ROLES
from cosim.evm.accounts import accounts
from cosim.mechanisms.local_market.model import charges_ueur
from cosim.mechanisms.local_market.terms import INTERVALS_AHEAD, MarketTerms
from cosim.mechanisms.rows import PRICES
from cosim.replay.checks import Amounts, total
from cosim.replay.findings import Check
from cosim.replay.history import Event, History
from cosim.replay.participants import deviation
from cosim.results.columns import AREA
from cosim.results.reader import Results
from cosim.units import amount_due_ueur, amount_earned_ueur

MARKET, SETTLEMENT = "LocalMarket", "MarketSettlement"
KEY = ["interval", "prosumer"]


def check_settlement(history: History, markets: Sequence[History]) -> Check:
    """Compare energy and money of every account with events, fees with gas and price.

    ``markets`` has the local markets of the run, as each sees it.
    """
    method = "from IntervalSettled, MeterReported, OfferSettled, and gas"
    check = history.compare("settlement", KEY, method, _settled(history))
    if (terms := MarketTerms.of(history.scenario)).has_parts:
        for market in markets:
            _check_prices(market, terms, check)
    return check


def _check_prices(history: History, terms: MarketTerms, check: Check) -> None:
    """Compare announced prices with the scenario's, and bills and charges with both.

    Charges that the supplier owed and passed on are compared with those that arose.
    """
    tariffs = terms.tariffs
    announced = {
        event.arguments["from_interval"]: event.arguments
        for event in history.of(SETTLEMENT, "PricesAnnounced")
    }
    due = {k: terms.at(k) for k in (tariffs.changes if tariffs is not None else ())}
    settled = history.of(SETTLEMENT, "IntervalSettled")
    last = max((event.arguments["interval"] for event in settled), default=0)
    for k in sorted({*announced, *(k for k in due if k <= last)}):
        said, prices = announced.get(k, {}), due.get(k)
        for field, name in _ANNOUNCED.items():
            own, row = getattr(prices, name, None), f"prices from interval {k}"
            check.equal("events", row, field, said.get(field), own)
    charged = {_of(event): event.arguments for event in history.of(SETTLEMENT, "ChargesSettled")}
    arisen = [0, 0]
    for event in settled:
        said, key = event.arguments, _of(event)
        row, prices = f"interval {key[0]}, account {key[1]}", terms.at(key[0])
        residual_wh = said["metered_wh"] - said["contracted_wh"]
        if residual_wh < 0:
            bill = -amount_due_ueur(-residual_wh, prices.retail_price_ueur_per_kwh)
        else:
            bill = amount_earned_ueur(residual_wh, prices.feed_in_price_ueur_per_kwh)
        check.equal("events", row, "supplier_ueur", said["supplier_ueur"], bill)
        local_wh = max(min(-said["contracted_wh"], -said["metered_wh"]), 0)
        charges = charges_ueur(prices, max(-residual_wh, 0), local_wh)
        for name, amount in zip(CHARGES, charges, strict=True):
            check.equal("events", row, name, charged.get(key, {}).get(name, 0), amount)
        arisen[0] += charges[1]
        arisen[1] += charges[2]
    passed = history.of(SETTLEMENT, "ChargesPassedOn")
    for name, amount in zip(CHARGES[1:], arisen, strict=True):
        paid = sum(event.arguments[name] for event in passed)
        beyond = max(paid - amount, 0)
        check.equal("events", "whole run", f"{name} passed on beyond what arose", beyond, 0)


def _settled(history: History) -> Iterator[dict[str, Any]]:
    """Rows of the table of settlement as the events tell them."""
    fees_wei = total(history, lambda mechanism: mechanism.fees_wei(history))
    received_ueur = total(history, lambda mechanism: mechanism.flexibility_ueur(history))
    estimated = {
        _of(event): event.arguments["estimated"]
        for event in history.of(SETTLEMENT, "MeterReported")
    }
    terms = MarketTerms.of(history.scenario)
    charged = {_of(event): event.arguments for event in history.of(SETTLEMENT, "ChargesSettled")}
    for event in history.of(SETTLEMENT, "IntervalSettled"):
        said, (interval, account) = event.arguments, _of(event)
        name = history.participants.prosumer_of.get(account, account)
        yield {
            "interval": interval,
            "prosumer": name,
            "contracted_wh": said["contracted_wh"],
            "metered_wh": said["metered_wh"],
            "residual_wh": said["metered_wh"] - said["contracted_wh"],
            "traded_ueur": said["trade_ueur"],
            "supplier_ueur": said["supplier_ueur"],
            "flexibility_ueur": received_ueur[interval, name],
            "fees_ueur": history.fee_ueur(fees_wei[interval, name]),
            "estimated": estimated.get((interval, account)),
            **_charges(terms, interval, charged.get((interval, account), {})),
            **({AREA.name: event.instance} if event.instance else {}),
        }


def _charges(terms: MarketTerms, interval: int, said: Mapping[str, Any]) -> dict[str, int]:
    """Return columns that only a retail price with parts has."""
    if not terms.has_parts:
        return {}
    prices = terms.at(interval)
    local, network, taxes = (said.get(name, 0) for name in CHARGES)
    return {name: getattr(prices, name) for name in PRICES} | {
        "local_charge_ueur": local,
        "network_ueur": network,
        "taxes_ueur": taxes,
    }


_ANNOUNCED = {
    "retail_ueur_per_kwh": "retail_price_ueur_per_kwh",
    "feed_in_ueur_per_kwh": "feed_in_price_ueur_per_kwh",
    "network_ueur_per_kwh": "network_ueur_per_kwh",
    "taxes_ueur_per_kwh": "taxes_ueur_per_kwh",
}
"""Fields of an announcement, and those of a tariff."""

CHARGES = ("local_ueur", "network_ueur", "taxes_ueur")
"""Fields of the event that tells charges."""


def _of(event: Event) -> tuple[int, str]:
    return event.arguments["interval"], event.arguments["account"]


def order_fees_wei(history: History) -> Amounts:
    """Return the fees of orders and reports by interval and prosumer. [wei]"""
    participants = history.participants
    fees: dict[tuple[int, str], int] = defaultdict(int)
    for contract, methods, names in (
        (MARKET, ("placeOrder", "commitOrder", "revealOrder"), participants.prosumer_of),
        (SETTLEMENT, ("report",), participants.metered_by),
    ):
        for _, sent in history.calls(contract, *methods):
            if sent.sender in names:
                fees[sent.argument("interval"), names[sent.sender]] += sent.included.fee_wei
    for position, interval in top_up_intervals(history).items():
        sent = history.sent[position]
        fees[interval, participants.prosumer_of[sent.sender]] += sent.included.fee_wei
    return fees


def top_up_intervals(history: History) -> dict[int, int]:
    """Return the interval that each top-up was made for, by its position on the chain.

    It is the interval whose gate closes next when a block takes the top-up.
    """
    clock, found = history.scenario.clock(), {}
    for position, sent in history.calls(MARKET, "deposit"):
        at_s = sent.included.included_at_s
        if at_s > clock.window_opens_s(0) and sent.sender in history.participants.prosumer_of:
            ahead_s = at_s - clock.gate_closes_s(0)
            found[position] = max(-(-ahead_s // clock.step_s), 0)
    return found


def announcement_intervals(history: History) -> dict[int, int]:
    """Return the interval in which each price was announced, by its position on the chain."""
    return {
        position: max(sent.argument("from_interval") - INTERVALS_AHEAD, -1)
        for position, sent in history.calls(SETTLEMENT, "announcePrices")
    }


def check_debts(history: History) -> Check:
    """Compare debts and claims after each interval's settlement with what the contract logged."""
    method = "from DuesChanged, up to the last IntervalSettled of each interval"
    return history.compare("debts", ("interval", "account"), method, _owed(history))


def _owed(history: History) -> Iterator[dict[str, Any]]:
    """Yield the rows of ``debts`` as the events tell them."""
    named = history.participants.prosumer_of | {
        one.hex: name for name, one in accounts(history.scenario.seed, ROLES).items()
    }
    ends: dict[int, int] = {}
    for event in history.of(SETTLEMENT, "IntervalSettled"):
        settled = event.arguments["interval"]
        ends[settled] = max(ends.get(settled, 0), event.position)
    changes = history.of(MARKET, "DuesChanged")
    for settled, address, dues in history.balances_after(changes, "dues_ueur", ends):
        yield {
            "interval": settled,
            "account": named.get(address, address),
            "debt_ueur": max(dues, 0),
            "claim_ueur": max(-dues, 0),
        }


def check_schedules(history: History) -> Check:
    """Compare schedules with orders, activations and their sum; each prosumer once an interval."""
    check = Check("schedules", "from fills and awards; dispatched as their sum")
    frame = history.results.table("schedules")
    index = pd.MultiIndex.from_frame(frame[KEY])
    rows = pd.Index([f"interval {i}, prosumer {name}" for i, name in index], dtype=object)
    activated = total(history, lambda mechanism: mechanism.activated_wh(history))
    changes = ["nominated_wh", "activated_wh", "curtailed_wh"]
    if binds := "unserved_wh" in frame:
        changes.append("unserved_wh")
    own = pd.DataFrame(
        {
            "contracted_wh": contracted_wh(history.results).reindex(index, fill_value=0).to_numpy(),
            "activated_wh": [activated[key] for key in index],
            "dispatched_wh": frame[changes].sum(axis=1),
        }
    )
    check.columns("schedules", rows, frame, own, list(own.columns))
    if binds:
        # what is not served is of the residual, and never more than it: trades are carried
        residual_wh = frame["nominated_wh"] - own["contracted_wh"].to_numpy()
        low, high = -residual_wh.clip(lower=0), -residual_wh.clip(upper=0)
        within = frame[["unserved_wh"]].clip(low, high, axis=0)
        check.columns("schedules", rows, frame, within, ["unserved_wh"])
    delivered = history.results.table("prosumers")[KEY]
    check.keyed("schedules", KEY, frame[KEY], delivered, [])
    return check


def contracted_wh(results: Results) -> pd.Series:
    """Cleared energy by interval and prosumer, sales positive. [Wh]"""
    orders = results.table("orders")
    signed = np.where(orders["side"] == "sell", orders["filled_wh"], -orders["filled_wh"])
    return pd.Series(signed, index=orders.index).groupby([orders[name] for name in KEY]).sum()


def check_metering(history: History) -> Check:
    """Compare what was settled with what the meters counted, and what mechanisms added to it."""
    check = Check("metering", "settled energy against metered energy and allocations")
    reason, results = deviation(history.scenario), history.results
    if reason is not None and history.scenario.attack is not None:
        check.note(f"meters need not report what they count: {reason}")
        return check
    settled = results.table("settlement").set_index(KEY)
    counted = results.table("prosumers").set_index(KEY)["metered_wh"].reindex(settled.index)
    allocated = total(history, lambda mechanism: mechanism.allocated_wh(history))
    reported = counted + [allocated[key] for key in settled.index]
    honest = ~settled["estimated"].to_numpy()
    rows = [f"interval {i}, prosumer {name}" for i, name in settled.index[honest]]
    check.columns(
        "settlement",
        pd.Index(rows, dtype=object),
        settled[honest],
        pd.DataFrame({"metered_wh": reported[honest].astype(np.int64)}),
        ["metered_wh"],
    )
    silent = int((~honest).sum())
    if silent:
        check.note(f"{silent} readings were estimated: their meters were silent", detail=True)
    return check
