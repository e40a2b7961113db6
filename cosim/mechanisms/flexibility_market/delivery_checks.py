"""Deliveries, payments and penalties recomputed from the published tables, under every baseline.

Readings are those of ``settlement``, awards those of ``flexibility``, nominations those of
``schedules``; of the chain only the registered ranges are taken. What the contract said of a
delivery is not asked.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from cosim.mechanisms.flexibility_market.baselines import Baselines, BaselineTerms, NetRange
from cosim.mechanisms.flexibility_market.calling_checks import terms_of
from cosim.mechanisms.flexibility_market.curves import Block, earned_ueur, total_wh
from cosim.mechanisms.flexibility_market.delivery import delivered_wh, wrong_way_wh
from cosim.mechanisms.flexibility_market.settings import DsoSettings
from cosim.mechanisms.local_market.orders import Reading
from cosim.replay.checks import total
from cosim.replay.findings import Check
from cosim.replay.history import History
from cosim.results.reader import Results, by_interval, rows_of
from cosim.units import amount_due_ueur, ueur_from_eur

FLEXIBILITY = "FlexibilityMarket"
_SETTLED = ("delivered_wh", "paid_ueur", "penalty_ueur")


@dataclass(frozen=True)
class _Offer:
    """An offer as the table has it, all blocks together."""

    interval: int
    request: int
    prosumer: str
    is_up: bool
    blocks: tuple[Block, ...]
    awarded_wh: int
    stated: Mapping[str, int]
    baseline_wh: int | None
    is_left_out: bool = False
    """True if there was a draw and it did not call the seller."""


def registered_ranges(history: History) -> dict[str, NetRange]:
    """Return the registered range of every prosumer that has one."""
    names = history.participants.prosumer_of
    found = {}
    for event in history.of(FLEXIBILITY, "RangeRegistered"):
        said = event.arguments
        name = names.get(said["account"], said["account"])
        found[name] = NetRange(said["low_wh"], said["high_wh"])
    return found


def check_deliveries(history: History, settings: DsoSettings) -> Check:
    """Compare deliveries, payments, penalties and baselines with those of readings and awards."""
    results, terms = history.results, BaselineTerms.of(settings.baseline)
    check = Check("deliveries", f"from readings, awards and baseline {terms.kind}")
    clock = history.scenario.clock()
    baselines = Baselines(terms, clock.step_s, clock.delivery_start_s(0))
    ranges = registered_ranges(history)
    nominated_wh = position_wh(history)
    drawn = {event.arguments["interval"] for event in history.of(FLEXIBILITY, "CallsDrawn")}
    offers = dict(_offers(results, drawn))
    for own in offers.values():
        for offer in own:
            if offer.awarded_wh:
                baselines.mark(offer.interval, offer.prosumer)
    penalty = ueur_from_eur(settings.penalty_eur_per_kwh)
    calling, cuts_wh = terms_of(settings), ordered_cuts_wh(history)
    is_uncapped = settings.settlement == "usef"
    for interval, readings in _readings(results):
        baselines.read(interval, readings)
        earlier: dict[str, int] = defaultdict(int)
        for offer in offers.pop(interval, ()):
            name = f"interval {interval}, request {offer.request}, prosumer {offer.prosumer}"
            baseline: int | None = nominated_wh.get((interval, offer.prosumer))
            reading = readings.get(offer.prosumer)
            is_metered = reading is not None and not reading.estimated and offer.awarded_wh > 0
            if terms.is_limit and offer.prosumer in ranges:
                own_range = ranges[offer.prosumer]
                baseline = own_range.low_wh if offer.is_up else own_range.high_wh
            elif terms.is_measured:
                baseline = (
                    baselines.measured(interval, offer.prosumer, offer.is_up)
                    if is_metered
                    else None
                )
            check.equal("flexibility", name, "baseline_wh", offer.baseline_wh, baseline)
            delivered = wrong_way = 0
            if is_metered and reading is not None and baseline is not None:
                change = (offer.is_up, reading.net_wh, baseline, earlier[offer.prosumer])
                delivered = delivered_wh(*change, offer.awarded_wh)
                wrong_way = wrong_way_wh(*change) if is_uncapped else 0
            missing, rate = offer.awarded_wh - delivered + wrong_way, penalty
            if offer.is_left_out:
                cut_wh = cuts_wh.get((interval, offer.prosumer), 0)
                missing = _left_nomination_wh(offer, reading, baseline, cut_wh)
                rate = calling.uncalled_penalty_ueur_per_kwh
            recomputed = (
                delivered,
                earned_ueur(offer.blocks, delivered),
                amount_due_ueur(missing, rate),
            )
            for column, value in zip(_SETTLED, recomputed, strict=True):
                check.equal("flexibility", name, column, offer.stated[column], value)
            earlier[offer.prosumer] += offer.awarded_wh
    for interval, own in offers.items():
        check.differ("flexibility", f"interval {interval}", "offers", len(own), "no readings")
    return check


def _left_nomination_wh(
    offer: _Offer, reading: Reading | None, baseline_wh: int | None, cut_wh: int
) -> int:
    """Return what who was not called owes for: all that it offered where its meter is silent."""
    offered_wh = total_wh(offer.blocks)
    if reading is None or reading.estimated or baseline_wh is None:
        return offered_wh
    # what the DSO ordered in the direction of the request is no deviation
    obeyed_wh = min(cut_wh, 0) if offer.is_up else max(cut_wh, 0)
    return delivered_wh(offer.is_up, reading.net_wh + obeyed_wh, baseline_wh, 0, offered_wh)


def ordered_cuts_wh(history: History) -> dict[tuple[int, str], int]:
    """Return the cuts that the DSO noted of prosumers, the last of each interval. [Wh]"""
    names = history.participants.prosumer_of
    return {
        (said["interval"], names.get(said["account"], said["account"])): said["cut_wh"]
        for said in (event.arguments for event in history.of(FLEXIBILITY, "CutOrdered"))
    }


def position_wh(history: History) -> dict[tuple[int, str], int]:
    """Return the schedules before flexibility as meters report them, which nominations are. [Wh]"""
    schedules = history.results.table("schedules")
    allocated = total(history, lambda mechanism: mechanism.allocated_wh(history))
    keys = zip(schedules["interval"].tolist(), schedules["prosumer"], strict=True)
    energies = schedules["nominated_wh"] + schedules.get("unserved_wh", 0)
    return {
        key: energy + allocated.get(key, 0)
        for key, energy in zip(keys, energies.tolist(), strict=True)
    }


def _offers(results: Results, drawn: Container[int]) -> Iterator[tuple[int, list[_Offer]]]:
    """Yield the offers of each interval, in the order of their requests.

    ``drawn`` are the intervals with a draw, as the chain holds them.
    """
    for interval, frame in by_interval(results.table("flexibility")):
        own = []
        for _, rows in frame.groupby(["request", "prosumer"], sort=True):
            rows = rows.sort_values("block")
            baseline = rows["baseline_wh"].iloc[0]
            own.append(
                _Offer(
                    interval,
                    int(rows["request"].iloc[0]),
                    str(rows["prosumer"].iloc[0]),
                    rows["direction"].iloc[0] == "up",
                    tuple(
                        Block(int(row.offered_wh), int(row.price_ueur_per_kwh))
                        for row in rows_of(rows)
                    ),
                    int(rows["awarded_wh"].sum()),
                    {name: int(rows[name].sum()) for name in _SETTLED},
                    None if pd.isna(baseline) else int(baseline),
                    interval in drawn and not rows["called"].iloc[0],
                )
            )
        yield interval, own


def _readings(results: Results) -> Iterator[tuple[int, dict[str, Reading]]]:
    """Yield what each interval was settled with, by prosumer."""
    for interval, rows in by_interval(results.table("settlement")):
        yield (
            interval,
            {
                row.prosumer: Reading(int(row.metered_wh), bool(row.estimated))
                for row in rows_of(rows)
            },
        )


def debt_rows(history: History) -> Iterator[dict[str, Any]]:
    """Yield the rows of ``flexibility_debts`` as the events tell them."""
    names = history.participants.prosumer_of
    interval_of = {
        event.arguments["request"]: event.arguments["interval"]
        for event in history.of(FLEXIBILITY, "RequestOpened")
    }
    ends: dict[int, int] = defaultdict(int)
    for event in history.of("MarketSettlement", "IntervalSettled"):
        interval = event.arguments["interval"]
        ends[interval] = max(ends[interval], event.position)
    for event in history.of(FLEXIBILITY, "OfferSettled", "RequestClosed"):
        interval = interval_of[event.arguments["request"]]
        ends[interval] = max(ends[interval], event.position)
    changes = history.of(FLEXIBILITY, "DebtChanged")
    for settled, address, debt in history.balances_after(changes, "debt_ueur", ends):
        yield {
            "interval": settled,
            "prosumer": names.get(address, address),
            "debt_ueur": debt,
        }
