"""Positions that bind: who trades decides who feeds in, and the result can be verified."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import cosim
from cosim.scenario import Scenario

BINDING = {"position": "binding"}


def tables(result: cosim.Result) -> tuple[pd.DataFrame, pd.DataFrame]:
    return result.frame("schedules"), result.frame("prosumers")


@pytest.fixture(scope="module")
def runs(
    tmp_path_factory: pytest.TempPathFactory, short_scenario: Callable[..., Scenario]
) -> dict[tuple[str, int | None], cosim.Result]:
    """Everybody trades, or two do; positions financial and binding."""
    place, found = tmp_path_factory.mktemp("positions"), {}
    for position in ("financial", "binding"):
        for participants in (None, 2):
            scenario = short_scenario(
                intervals=2,
                market={"position": position},
                prosumers={"participants": participants},
                dso={"procure": position == "binding"},
            )
            out = place / f"{position}-{participants}"
            found[position, participants] = cosim.run(scenario, out=out)
    return found


def moved_kwh(one: cosim.Result, other: cosim.Result) -> float:
    """Energy of injections that differ. [kWh]"""
    power = [tables(result)[1]["p_inject_mw"] for result in (one, other)]
    return float((power[0] - power[1]).abs().sum() * one.scenario.time.step_s / 3.6)


def test_financial_trades_move_no_power(runs) -> None:
    assert runs["financial", None].indicators["traded_kwh"] > 0
    assert moved_kwh(runs["financial", None], runs["financial", 2]) == 0
    assert "unserved_wh" not in tables(runs["financial", None])[0]
    assert runs["financial", None].indicators["unserved_injection_kwh"] is None


def test_binding_trades_decide_who_feeds_in(runs) -> None:
    everybody, two = runs["binding", None], runs["binding", 2]
    assert everybody.indicators["traded_kwh"] > two.indicators["traded_kwh"]
    assert moved_kwh(everybody, two) > 0.5
    for result in (everybody, two):
        assert result.indicators["unserved_injection_kwh"] > 0
        assert not result.frame("grid_checks").query("stage == 'delivered'")["violated"].any()


def test_what_is_traded_is_never_left_unserved(runs) -> None:
    schedules, prosumers = tables(runs["binding", None])
    beyond_wh = prosumers.metered_wh - schedules.dispatched_wh
    assert (prosumers.imbalance_wh == beyond_wh).all()
    residual_wh = schedules.nominated_wh - schedules.contracted_wh
    assert (np.sign(schedules.unserved_wh) * np.sign(residual_wh) <= 0).all()
    assert (schedules.unserved_wh.abs() <= residual_wh.abs()).all()
    changes = schedules.unserved_wh + schedules.activated_wh + schedules.curtailed_wh
    assert (schedules.dispatched_wh == schedules.nominated_wh + changes).all()


def test_the_result_is_verified(runs) -> None:
    assert runs["binding", None].verify().passed


def test_a_position_beyond_the_residual_is_noticed(runs, tmp_path: Path) -> None:
    folder = tmp_path / "forged"
    shutil.copytree(runs["binding", None].folder, folder)
    file = folder / "tables" / "schedules.parquet"
    table = pq.read_table(file)
    row = int(np.argmin(table["unserved_wh"].to_numpy()))
    for name in ("unserved_wh", "dispatched_wh"):
        values = table[name].to_numpy().copy()
        values[row] -= 20_000
        place = table.column_names.index(name)
        table = table.set_column(place, table.schema.field(name), pa.array(values))
    pq.write_table(table, file)
    assert "schedules" in cosim.open_result(folder).verify(parts=("ledger",)).failed
