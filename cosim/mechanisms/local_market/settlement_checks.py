"""Schedules, settlement and metering, recomputed from the replayed chain.

Other mechanisms change schedules, readings and what is received as well: each says by how much.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from cosim.replay.checks import Amounts, total
from cosim.replay.findings import Check
from cosim.replay.history import Event, History
from cosim.replay.participants import deviation
from cosim.results.reader import Results

MARKET, SETTLEMENT = "LocalMarket", "MarketSettlement"
KEY = ["interval", "prosumer"]


def check_settlement(history: History) -> Check:
    """Compare energy and money of every account with events, fees with gas and price."""
    method = "from IntervalSettled, MeterReported, OfferSettled, and gas"
    return history.compare("settlement", KEY, method, _settled(history))


def _settled(history: History) -> Iterator[dict[str, Any]]:
    """Rows of the table of settlement as the events tell them."""
    fees_wei = total(history, lambda mechanism: mechanism.fees_wei(history))
    received_ueur = total(history, lambda mechanism: mechanism.flexibility_ueur(history))
    estimated = {
        _of(event): event.arguments["estimated"]
        for event in history.of(SETTLEMENT, "MeterReported")
    }
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
        }


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
        check.note(f"{silent} readings were estimated: their meters were silent")
    return check
