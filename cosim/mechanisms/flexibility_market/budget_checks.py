"""The table of requests against the replayed chain, and against the DSO's balance on it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from cosim.mechanisms.flexibility_market.budget import affordable_wh
from cosim.mechanisms.flexibility_market.settings import DsoSettings
from cosim.replay.findings import Check
from cosim.replay.history import Event, History
from cosim.replay.replay import Replayed
from cosim.results.reader import by_interval, rows_of
from cosim.units import amount_due_ueur, ueur_from_eur

FLEXIBILITY = "FlexibilityMarket"


class BudgetChecks:
    """Checks of what the DSO asked for.

    Parameters
    ----------
    settings : DsoSettings
    """

    def __init__(self, settings: DsoSettings) -> None:
        self._cap_ueur_per_kwh = ueur_from_eur(settings.price_cap_eur_per_kwh)
        self._balances: list[tuple[int, int]] = []

    def after_block(self, number: int, done: Replayed) -> None:
        """Read the DSO's free balance after a block that called the contract. [µEUR]"""
        market = done.addresses.get(FLEXIBILITY)
        called = False
        for one in reversed(done.included):
            if one.block != number:
                break
            called = called or one.transaction.to == market
        if market is None or not called:
            return
        ask = done.artifacts[market].selectors
        dso = done.engine.call(bytes(20), market, ask["DSO"])
        free = done.engine.call(bytes(20), market, ask["balanceOf"] + dso)
        self._balances.append((number, int.from_bytes(free, "big")))

    def check_requests(self, history: History) -> Check:
        """Compare requests with the events that opened them, and with what the DSO could pay.

        Its wishes are of its network model, and on no chain: of them it asked for as much as its
        balance covered at the price cap.
        """
        table = history.results.table("requests")
        check = Check("requests", "from RequestOpened, and the DSO's balance at that time")
        opened = {
            event.arguments["request"]: event for event in history.of(FLEXIBILITY, "RequestOpened")
        }
        forks = len(history.results.table("reorganisations")) > 0
        self._check_rows(history, check, table, opened, forks)
        if forks:
            check.note("money not compared: reorganisations changed it after the DSO's decision")
        for interval, rows in by_interval(table):
            rounds = sorted(rows["round"].unique().tolist())
            check.equal(
                "requests", f"interval {interval}", "round", rounds, list(range(len(rounds)))
            )
            for number in () if forks else rounds:
                own = list(rows_of(rows[rows["round"] == number]))
                name = f"interval {interval}, round {number}"
                self._check_money(history, check, name, own, opened)
        return check

    def _check_rows(
        self,
        history: History,
        check: Check,
        table: pd.DataFrame,
        opened: Mapping[Any, Event],
        forks: bool,
    ) -> None:
        """Compare each row with the request that it names; each request has a row.

        In the order in which they were opened, which forks may change.
        """
        listed = []
        for row in rows_of(table.sort_values(["interval", "round"], kind="stable")):
            if pd.isna(row.request):
                continue
            name, number = f"interval {row.interval}, round {row.round}", int(row.request)
            listed.append(number)
            event = opened.get(number)
            if event is None:
                check.differ("requests", name, "request", number, "no such request")
                continue
            said = event.arguments
            for column, own in (
                ("interval", said["interval"]),
                ("direction", "up" if said["is_up"] else "down"),
                ("asked_wh", said["quantity_wh"]),
            ):
                check.equal("requests", name, column, getattr(row, column), own)
        done = history.results.n_intervals
        expected = sorted(
            number
            for number, event in opened.items()
            if number in listed or event.arguments["interval"] < done
        )
        check.equal("requests", "", "request", sorted(listed) if forks else listed, expected)

    def _check_money(
        self,
        history: History,
        check: Check,
        name: str,
        rows: list[Any],
        opened: Mapping[Any, Event],
    ) -> None:
        """Compare what a round asked for with what the balance before it covered."""
        wanted = {row.direction: int(row.wanted_wh) for row in rows}
        asked = {row.direction: int(row.asked_wh) for row in rows}
        numbers = [int(row.request) for row in rows if not pd.isna(row.request)]
        events = [opened[number] for number in numbers if number in opened]
        free_ueur = sum(
            amount_due_ueur(event.arguments["quantity_wh"], self._cap_ueur_per_kwh)
            for event in events
        )
        if events:
            last = max(history.sent[event.position].included.block for event in events)
        else:
            starts_s = history.scenario.clock().delivery_start_s(rows[0].interval)
            blocks = history.results.table("blocks")
            last = int(blocks.loc[blocks["timestamp_s"] < starts_s, "block"].max())
        free_ueur += next((free for block, free in reversed(self._balances) if block <= last), 0)
        down_wh, up_wh = affordable_wh(
            wanted.get("down", 0), wanted.get("up", 0), self._cap_ueur_per_kwh, free_ueur
        )
        for direction, own_wh in (("down", down_wh), ("up", up_wh)):
            if direction in asked:
                check.equal(
                    "requests", f"{name}, {direction}", "asked_wh", asked[direction], own_wh
                )
