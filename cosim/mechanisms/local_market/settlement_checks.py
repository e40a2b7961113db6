"""Settlement, flexibility and schedules, recomputed from the replayed chain."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np
import pandas as pd

from cosim.mechanisms.local_market.checks import MARKET, contracted_wh
from cosim.replay.findings import Check
from cosim.replay.history import Event, History
from cosim.replay.recorded import Recorded, rows_of
from cosim.units import fee_ueur

FLEXIBILITY = "FlexibilityMarket"
KEY = ["interval", "prosumer"]


def check_settlement(history: History) -> Check:
    """Energy and money of every account and interval, from events; fees from gas and price."""
    check = Check("settlement", "from IntervalSettled, MeterReported, OfferSettled, and gas")
    recorded = history.recorded
    fees = _fees_wei(history)
    received = _flexibility_ueur(history)
    estimated = {
        _of(event): event.arguments["estimated"] for event in history.of(MARKET, "MeterReported")
    }
    eur_per_eth = recorded.scenario.ledger.eur_per_eth
    rows = []
    for event in history.of(MARKET, "IntervalSettled"):
        said, (interval, account) = event.arguments, _of(event)
        name = recorded.prosumer_of.get(account, account)
        rows.append(
            {
                "interval": interval,
                "prosumer": name,
                "contracted_wh": said["contracted_wh"],
                "metered_wh": said["metered_wh"],
                "imbalance_wh": said["metered_wh"] - said["contracted_wh"],
                "traded_ueur": said["trade_ueur"],
                "supplier_ueur": said["supplier_ueur"],
                "flexibility_ueur": received.get((interval, name), 0),
                "fees_ueur": fee_ueur(fees.get((interval, name), 0), eur_per_eth),
                "estimated": estimated.get((interval, account)),
            }
        )
    frame = recorded.frame("settlement")
    own = pd.DataFrame(rows, columns=list(frame.columns))
    check.keyed("settlement", KEY, frame, own, [n for n in frame.columns if n not in KEY])
    return check


def _of(event: Event) -> tuple[int, str]:
    return event.arguments["interval"], event.arguments["account"]


def _fees_wei(history: History) -> dict[tuple[int, str], int]:
    """Fees of orders, offers and reports by interval and prosumer. [wei]"""
    recorded = history.recorded
    interval_of = {e.arguments["request"]: e.arguments["interval"] for e in _opened(history)}
    fees: dict[tuple[int, str], int] = defaultdict(int)
    methods = ("placeOrder", "commitOrder", "revealOrder", "report")
    for _, sent in history.calls(MARKET, *methods):
        people = recorded.metered_by if sent.call.method == "report" else recorded.prosumer_of
        interval = sent.call.arguments["interval"]
        if sent.sender in people and isinstance(interval, int):
            fees[interval, people[sent.sender]] += sent.included.fee_wei
    for _, sent in history.calls(FLEXIBILITY, "offer"):
        interval = interval_of[_first(sent.call.arguments)]
        if sent.sender in recorded.prosumer_of:
            fees[interval, recorded.prosumer_of[sent.sender]] += sent.included.fee_wei
    return fees


def _first(arguments: dict[str, object]) -> object:
    """The first argument: number of a request."""
    return next(iter(arguments.values()))


def _opened(history: History) -> list[Event]:
    return history.of(FLEXIBILITY, "RequestOpened")


def _flexibility_ueur(history: History) -> dict[tuple[int, str], int]:
    """What the DSO paid less penalties, by interval and prosumer. [µEUR]"""
    interval_of = {e.arguments["request"]: e.arguments["interval"] for e in _opened(history)}
    names = history.recorded.prosumer_of
    received: dict[tuple[int, str], int] = defaultdict(int)
    for event in history.of(FLEXIBILITY, "OfferSettled"):
        said = event.arguments
        key = interval_of[said["request"]], names.get(said["account"], said["account"])
        received[key] += said["paid_ueur"] - said["penalty_ueur"]
    return received


def flexibility_rows(history: History) -> pd.DataFrame:
    """The table of flexibility as the events tell it."""
    names = history.recorded.prosumer_of
    opened = {event.arguments["request"]: event.arguments for event in _opened(history)}
    rows: dict[tuple[int, str], dict[str, Any]] = {}
    for event in history.of(FLEXIBILITY, "OfferPlaced"):
        said, request = event.arguments, opened[event.arguments["request"]]
        rows[said["request"], said["account"]] = {
            "interval": request["interval"],
            "request": said["request"],
            "prosumer": names.get(said["account"], said["account"]),
            "direction": "up" if request["is_up"] else "down",
            "offered_wh": said["energy_wh"],
            "awarded_wh": 0,
            "delivered_wh": 0,
            "price_ueur_per_kwh": said["price_ueur_per_kwh"],
            "paid_ueur": 0,
            "penalty_ueur": 0,
            "baseline_wh": said["baseline_wh"],
        }
    for event in history.of(FLEXIBILITY, "OfferAwarded"):
        row = rows[event.arguments["request"], event.arguments["account"]]
        row["awarded_wh"] += event.arguments["energy_wh"]
    for event in history.of(FLEXIBILITY, "OfferSettled"):
        row = rows[event.arguments["request"], event.arguments["account"]]
        row |= {key: event.arguments[key] for key in ("delivered_wh", "paid_ueur", "penalty_ueur")}
    return pd.DataFrame(list(rows.values()), columns=list(history.recorded.frame("flexibility")))


def check_flexibility(history: History) -> Check:
    """Every offer with its award, delivery, payment and penalty."""
    check = Check("flexibility", "from RequestOpened, OfferPlaced, OfferAwarded, OfferSettled")
    frame = history.recorded.frame("flexibility")
    key = ["interval", "request", "prosumer"]
    settled = frame["interval"].max() if len(frame) else -1
    own = flexibility_rows(history)
    # requests of an interval that an interruption left unsettled are in no table yet
    done = history.recorded.intervals_done
    own = own[own["interval"] < done] if settled < done else own
    check.keyed("flexibility", key, frame, own, [n for n in frame.columns if n not in key])
    return check


def check_schedules(history: History) -> Check:
    """Schedules against orders, awards, baselines, and their own sum."""
    check = Check("schedules", "from fills, awards and baselines; dispatched as their sum")
    recorded = history.recorded
    frame = recorded.frame("schedules")
    awards = flexibility_rows(history)
    awards["signed"] = awards["awarded_wh"].where(
        awards["direction"] == "up", -awards["awarded_wh"]
    )
    index = pd.MultiIndex.from_frame(frame[KEY])
    rows = pd.Index([f"interval {i}, prosumer {name}" for i, name in index], dtype=object)
    activated = awards.groupby(KEY)["signed"].sum() if len(awards) else pd.Series(dtype=np.int64)
    own = pd.DataFrame(
        {
            "contracted_wh": contracted_wh(recorded).reindex(index, fill_value=0).to_numpy(),
            "activated_wh": activated.reindex(index, fill_value=0).to_numpy().astype(np.int64),
            "dispatched_wh": frame["nominated_wh"] + frame["activated_wh"] + frame["curtailed_wh"],
        }
    )
    check.columns("schedules", rows, frame, own, list(own.columns))
    nominated = dict(zip(index, frame["nominated_wh"].tolist(), strict=True))
    for row in rows_of(awards):
        key = (row.interval, row.prosumer)
        stated = nominated.get(key)
        name = f"interval {row.interval}, prosumer {row.prosumer}"
        check.equal("schedules", name, "nominated_wh", stated, row.baseline_wh)
    _check_every_interval(check, recorded, frame)
    return check


def _check_every_interval(check: Check, recorded: Recorded, frame: pd.DataFrame) -> None:
    """Every prosumer once in every interval that was delivered."""
    delivered = recorded.frame("prosumers")[KEY]
    check.keyed("schedules", KEY, frame[KEY], delivered, [])


def check_metering(history: History) -> Check:
    """What was settled against what the meters counted."""
    check = Check("metering", "settled energy against metered energy and allocations")
    recorded = history.recorded
    reason = recorded.deviation()
    if reason is not None and getattr(recorded.scenario, "attack", None) is not None:
        check.note(f"meters need not report what they count: {reason}")
        return check
    settled = recorded.frame("settlement").set_index(KEY)
    counted = recorded.frame("prosumers").set_index(KEY)["metered_wh"]
    storage = recorded.frame("storage").set_index(KEY)["allocated_wh"]
    allocated = storage.groupby(level=KEY).sum().reindex(settled.index, fill_value=0)
    reported = counted.reindex(settled.index) + allocated
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
