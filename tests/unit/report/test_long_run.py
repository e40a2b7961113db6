"""A long run is read stretch by stretch: what is said of it is what its tables say read whole."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cosim.report import year, year_panel
from cosim.report.chart_style import LOADING, VOLTAGE
from cosim.report.checks import grid_record
from cosim.report.indicators import compute_indicators, read_indicators
from cosim.report.long_report import day_data, shown_days
from cosim.report.map_data import scales
from cosim.report.page import template
from cosim.report.report import render
from cosim.report.series import offenders
from cosim.report.year import worst_days, year_series
from cosim.report.year_panel import by_hour_and_day, duration
from cosim.results import stretches, windows
from cosim.results.reader import Results


@pytest.fixture
def in_stretches(quickstart_result: Path, monkeypatch: pytest.MonkeyPatch) -> Results:
    """A result that is read eight intervals at a time."""
    monkeypatch.setattr(stretches, "LONG_RUN_DAYS", 0)

    def eights(n_intervals: int, *_: object) -> list[tuple[int, int]]:
        return [(t, min(t + 8, n_intervals)) for t in range(0, n_intervals, 8)]

    monkeypatch.setattr(windows, "calendar_days", eights)
    monkeypatch.setattr(year, "calendar_days", eights)
    monkeypatch.setattr(year, "WORST_OF_EACH", 1)
    return Results(quickstart_result)


def test_its_indicators_are_the_same_to_the_last_bit(in_stretches: Results) -> None:
    assert in_stretches.is_long
    own = json.loads(json.dumps(compute_indicators(in_stretches).as_dict()))
    assert own == json.loads((in_stretches.folder / "manifest.json").read_text())["indicators"]


def test_it_has_the_same_offenders(
    in_stretches: Results, quickstart_result: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = offenders(in_stretches)
    record = grid_record(in_stretches)["delivered"]
    monkeypatch.undo()
    whole = Results(quickstart_result)
    assert found == offenders(whole)
    assert found
    assert record.highest_vm_pu.tolist() == grid_record(whole)["delivered"].highest_vm_pu.tolist()


def test_stretches_are_rows_of_the_run_with_intervals_from_0(in_stretches: Results) -> None:
    whole = in_stretches.frame("buses")
    parts = list(in_stretches.stretches())
    assert [part.first for part in parts] == list(range(0, in_stretches.n_intervals, 8))
    moved = [part.frame("buses").assign(interval=lambda r, p=part: r["interval"] + p.first)
             for part in parts]  # fmt: skip
    pd.testing.assert_frame_equal(pd.concat(moved, ignore_index=True), whole, check_dtype=False)
    second = parts[1]
    assert second.times[0] == in_stretches.times[8]
    assert second.frame("transactions")["interval"].min() == 0
    assert parts[0].frame("transactions")["interval"].min() == -1


def test_days_begin_at_midnight() -> None:
    start = pd.Timestamp("2016-06-17T22:30")
    assert list(windows.calendar_days(200, start, 900)) == [
        (0, 6),
        (6, 102),
        (102, 198),
        (198, 200),
    ]


def test_its_report_has_the_worst_days_and_stays_small(
    in_stretches: Results,
) -> None:
    indicators = read_indicators(in_stretches)
    text = render(in_stretches, indicators)
    days = worst_days(in_stretches)
    assert text.count('class="text day"') == len(days) > 0
    assert {why for day in days for why in day.why} >= {"lowest voltage", "highest voltage"}
    held = json.loads(text.split('id="day-0">')[1].split("</script>")[0])
    assert held["map"]["intervals"] == list(range(days[0].last - days[0].first))
    assert held["map"]["first"] == days[0].first
    assert {"voltage", "loading", "money", "market"} <= {chart["key"] for chart in held["charts"]}

    first_day = len(day_data(in_stretches, indicators, days[0]).encode())
    shown, left_out = shown_days(in_stretches, indicators, first_day + 4_000)
    assert [row["data"] for row in shown] == [day_data(in_stretches, indicators, days[0])]
    assert left_out == len(days) - 1


def test_the_worst_days_are_those_with_the_extreme_values(in_stretches: Results) -> None:
    series = year_series(in_stretches)
    lowest = next(day for day in worst_days(in_stretches) if "lowest voltage" in day.why)
    assert series.lowest_vm_pu[lowest.of_run].min() == series.lowest_vm_pu.min()
    assert year_series(in_stretches).traded_kwh.sum() == pytest.approx(
        in_stretches.manifest["indicators"]["traded_kwh"]
    )


def test_hours_and_days_of_a_heat_map(in_stretches: Results) -> None:
    values = np.arange(in_stretches.n_intervals, dtype=np.float64)
    days, cells = by_hour_and_day(in_stretches, values, "max")
    assert cells.shape == (len(days), 24)
    last = in_stretches.times[-1]
    assert cells[-1, last.hour] == values[-1]
    assert np.nanmin(cells) == (in_stretches.times.hour == in_stretches.times[0].hour).sum() - 1


def test_heat_maps_have_the_colours_of_the_map_and_show_the_limit(in_stretches: Results) -> None:
    for name, colours in (("VOLTAGE", VOLTAGE), ("LOADING", LOADING)):
        assert f"const {name} = {json.dumps(colours)};" in template("map.js")
    charts = {chart.key: chart for chart in year_panel.year_part(in_stretches).figures}
    limits = in_stretches.scenario_fields["grid"]["limits"]
    reach = scales(limits)
    for key, limit, bounds in (
        ("heat-vm-low", limits["vm_min_pu"], reach["vm_pu"]),
        ("heat-line", limits["line_loading_percent"], reach["loading_percent"]),
    ):
        drawn = charts[key].figure.data[0]
        assert [drawn.zmin, drawn.zmax] == bounds
        assert f"<b>limit {limit:g}</b>" in drawn.colorbar.ticktext
        assert limit in drawn.colorbar.tickvals


def test_a_duration_curve_falls_from_the_highest_to_the_lowest() -> None:
    values = np.random.default_rng(1).normal(size=10_000)
    values[::7] = np.nan
    share, ordered = duration(values)
    known = values[~np.isnan(values)]
    assert len(share) <= 400
    assert (ordered[0], ordered[-1]) == (known.max(), known.min())
    assert (np.diff(ordered) <= 0).all()
    assert share[-1] == 100.0
    place = len(share) // 2
    assert (known >= ordered[place]).mean() * 100 == pytest.approx(share[place])
