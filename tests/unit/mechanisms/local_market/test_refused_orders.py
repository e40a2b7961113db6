"""Refused orders by reason: counted, drawn over time, and on a tile."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from cosim.mechanisms.local_market.refused_orders import refusals, refused_chart
from cosim.results.reader import Results
from cosim.results.writer import TableWriter

LOW, FULL, LATE = "balance too low", "book full", "gate closed"


def orders(*rows: tuple[int, str, str | None]) -> pd.DataFrame:
    """Orders by interval, status and reason."""
    return pd.DataFrame(rows, columns=["interval", "status", "reason"])


def test_reasons_come_by_number_then_name_without_the_contracts_name() -> None:
    found = refusals(
        orders(
            (0, "rejected", f"local market: {FULL}"),
            (0, "rejected", f"local market: {LOW}"),
            (1, "rejected", f"local market: {LOW}"),
            (1, "unrevealed", "not revealed in time"),
            (1, "late", f"local market: {LATE}"),
            (2, "rejected", None),
            (2, "cleared", None),
        )
    )
    assert list(found.items()) == [
        (LOW, 2), (FULL, 1), ("not revealed in time", 1), ("without a reason", 1),
    ]  # fmt: skip
    assert refusals(orders((0, "cleared", None))) == {}


@pytest.fixture
def results(tmp_path: Path) -> Results:
    """Three intervals: nothing refused, two for want of money, one of a full book."""
    writer = TableWriter(tmp_path / "run")
    row: dict[str, Any] = {
        "side": "buy", "energy_wh": 1_000, "price_ueur_per_kwh": 1, "sent_at_s": 0.0, "block": [1],
        "filled_wh": 0, "clearing_price_ueur_per_kwh": None,
    }  # fmt: skip
    for k, prosumer, status, reason in (
        (0, "a", "unmatched", None),
        (1, "a", "rejected", f"local market: {LOW}"),
        (1, "b", "rejected", f"local market: {LOW}"),
        (2, "a", "rejected", f"local market: {FULL}"),
    ):
        own = {"interval": [k], "prosumer": prosumer, "status": status, "reason": reason}
        writer.append("orders", row | own)
    writer.close()
    time = {"start": "2016-05-24T00:00:00", "intervals": 3, "step_s": 900}
    (writer.folder / "scenario.yaml").write_text(yaml.safe_dump({"time": time}))
    return Results(writer.folder, intervals=3)


def test_refused_orders_over_time(results: Results) -> None:
    figure = refused_chart(results).figure
    drawn = {trace.name: list(trace.y)[:3] for trace in figure.data}
    assert drawn == {LOW: [0, 2, 0], FULL: [0, 0, 1]}
