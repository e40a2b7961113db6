"""Sensitivities, figures and report of a campaign, from tables made by hand."""

from __future__ import annotations

import itertools
import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from cosim.campaigns.charts import campaign_figures
from cosim.campaigns.declaration import Campaign, CampaignRun, settings_of
from cosim.campaigns.designs import points_of
from cosim.campaigns.folder import CampaignFolder, write_campaign_manifest
from cosim.campaigns.report import render_campaign, write_campaign_figures, write_campaign_report
from cosim.campaigns.screen import print_sweep, summary
from cosim.campaigns.sensitivity import sensitivities
from cosim.campaigns.sweep import SweepResult
from cosim.campaigns.table import CSV, TABLE, write_table
from cosim.campaigns.text import table_of_points
from cosim.report.images import panels_svg
from cosim.report.panels import plotly_panel
from cosim.scenario import load_scenario
from cosim.studies.estimates import estimate

FILE = Path("campaign.yaml")
SCENARIO = load_scenario("quickstart")
VARY: dict[str, Any] = {
    "prosumers.scaling.pv": {"low": 0, "high": 1},
    "ledger.block_time_s": {"low": 0, "high": 1},
    "seed": {"low": 0, "high": 1},
}


def campaign(seeds: int = 1, **section: Any) -> Campaign:
    settings = settings_of(section, FILE)
    factors, points = points_of(settings, FILE)
    runs = [
        CampaignRun(f"{point.index}-{number}", point.index, point.values, number, SCENARIO)
        for point in points
        for number in range(1, seeds + 1)
    ]
    shown = ("welfare_eur", "curtailed_injection_kwh")
    return Campaign(
        "made", "by hand", FILE, "name: made\n", settings.design, factors, seeds, shown,
        tuple(runs), (),
    )  # fmt: skip


def table_of(made: Campaign, **indicators: list[float | None]) -> pd.DataFrame:
    n = len(made.runs)
    columns: dict[str, Any] = {
        "hash": [run.hash for run in made.runs],
        "folder": [f"runs/{run.hash}" for run in made.runs],
        "status": ["done"] * n,
        "error": [None] * n,
        "point": [run.point for run in made.runs],
        "number": [run.number for run in made.runs],
        "seed": [1] * n,
    }
    for name in made.parameters:
        if name not in columns:
            columns[name] = [run.values[name] for run in made.runs]
    return pd.DataFrame(columns | indicators)


def linear(made: Campaign) -> list[float]:
    """4 x + 2 y of the first two factors; the third has no effect."""
    pv, block_time, _ = made.parameters
    return [4 * run.values[pv] + 2 * run.values[block_time] for run in made.runs]


def test_sobols_indices_of_a_sum_are_its_shares_of_variance() -> None:
    vary = {name: own for name, own in VARY.items() if name != "seed"} | {
        "prosumers.scaling.ev": {"low": 0, "high": 1}
    }
    made = campaign(design="sobol", samples=256, vary=vary)
    found = sensitivities(made, table_of(made, welfare_eur=linear(made), cost_eur=[1.0] * 1280))
    assert set(found["indicator"]) == {"welfare_eur"}  # what does not vary has none
    values = found.set_index(["parameter", "index"])
    for (parameter, share), index in itertools.product(
        zip(vary, (0.8, 0.2, 0.0), strict=True), ("first_order", "total")
    ):
        row = values.loc[(parameter, index)]
        assert row["value"] == pytest.approx(share, abs=0.02)
        assert row["low"] - 1e-9 <= row["value"] <= row["high"] + 1e-9
        assert row["n"] == 256


def test_a_base_sample_that_lacks_a_run_is_left_out() -> None:
    made = campaign(design="sobol", samples=16, vary={"a": [0, 1], "b": {"low": 0, "high": 1}})
    values = [float(run.values["b"]) for run in made.runs]
    table = table_of(made, welfare_eur=values)
    whole = sensitivities(made, table)
    table.loc[5, ["status", "welfare_eur"]] = ["failed", None]
    less = sensitivities(made, table)
    assert (set(whole["n"]), set(less["n"])) == ({16}, {15})
    # as if the sample had never been drawn
    kept = table[~table["point"].isin(range(4, 8))]
    pd.testing.assert_frame_equal(less, sensitivities(made, kept))
    assert sensitivities(made, table.head(4 * 7)).empty  # seven samples say nothing


def test_rank_correlations_of_a_hypercube() -> None:
    made = campaign(
        design="latin_hypercube", samples=40,
        vary={"a": {"low": 0, "high": 1}, "b": {"low": 0, "high": 1}, "c": ["x", "y"]},
    )  # fmt: skip
    values: list[float | None] = [np.exp(5 * run.values["a"]) for run in made.runs]
    found = sensitivities(made, table_of(made, welfare_eur=values)).set_index("parameter")
    assert set(found.index) == {"a", "b"}  # words have no ranks
    assert found.loc["a", "value"] == pytest.approx(1.0)
    assert abs(found.loc["b", "value"]) < 0.4
    assert found.loc["b", "low"] < found.loc["b", "value"] < found.loc["b", "high"]


def test_a_grid_has_no_indices() -> None:
    made = campaign(vary={"a": [1, 2, 3, 4, 5, 6, 7, 8, 9]})
    assert sensitivities(made, table_of(made, welfare_eur=[*map(float, range(9))])).empty


def grid(seeds: int = 3) -> tuple[Campaign, pd.DataFrame]:
    made = campaign(
        seeds, vary={"market": {"choices": {"none": None, "auction": None}}, "pv": [1, 2, 3]}
    )
    values = [
        10.0 * run.values["pv"] + 5 * (run.values["market"] == "auction") + run.number
        for run in made.runs
    ]
    return made, table_of(made, welfare_eur=values, curtailed_injection_kwh=[0.0] * len(values))


def test_a_figure_has_a_line_for_each_choice_with_a_band_over_seeds() -> None:
    made, table = grid()
    figure = campaign_figures(table, made.parameters, made.indicators, "grid")[0]
    assert (figure.x_title, figure.legend_title, figure.banded) == ("pv", "market", True)
    (panel,) = figure.panels
    assert [series.name for series in panel.series] == ["none", "auction"]
    assert [y for _, y in panel.series[1].points] == [17.0, 27.0, 37.0]
    half = estimate([1.0, 2.0, 3.0]).half_width
    assert panel.series[0].half_widths == (half, half, half)
    drawn = plotly_panel(figure, panel)
    band, line = drawn.data[0], drawn.data[1]
    assert band.fill == "toself"
    assert band.opacity < 0.5
    np.testing.assert_allclose(band.y[:3], np.array(line.y) + half)
    np.testing.assert_allclose(band.y[3:], (np.array(line.y) - half)[::-1])
    root = ET.fromstring(panels_svg(figure))
    polygons = root.findall("{http://www.w3.org/2000/svg}polygon")
    assert len(polygons) == 2
    assert all(len((polygon.get("points") or "").split()) == 6 for polygon in polygons)


def test_samples_are_grouped_along_every_parameter() -> None:
    made = campaign(
        design="monte_carlo", samples=64,
        vary={"a": {"low": 0, "high": 1}, "b": {"low": 0, "high": 1}},
    )  # fmt: skip
    values: list[float | None] = [100 * run.values["a"] for run in made.runs]
    figures = campaign_figures(
        table_of(made, welfare_eur=values), made.parameters, ("welfare_eur",), "monte_carlo"
    )
    assert [figure.x_title for figure in figures] == ["a", "b"]
    series = figures[0].panels[0].series[0]
    assert len(series.points) == 8
    for x, y in series.points:
        assert y == pytest.approx(100 * x, rel=0.01)
        assert x == float(f"{x:.3g}")
    # over b only the mean is known, and its band holds it
    flat = figures[1].panels[0].series[0]
    held = [
        abs(y - 50) < half
        for (_, y), half in zip(flat.points, flat.half_widths, strict=True)
        if y is not None and half is not None
    ]
    assert sum(held) >= 6


@pytest.fixture
def written(tmp_path: Path) -> tuple[Path, Campaign, pd.DataFrame]:
    made, table = grid()
    table.loc[0, ["status", "error", "welfare_eur"]] = ["failed", "field a.b: is <wrong>", None]
    write_table(tmp_path, table, TABLE, CSV)
    status = dict(zip(table["hash"], table["status"], strict=True))
    write_campaign_manifest(CampaignFolder(tmp_path), made, status, (TABLE, CSV), {"seconds": 1})
    return tmp_path, made, table


def test_the_report_is_one_page_that_works_offline(
    written: tuple[Path, Campaign, pd.DataFrame],
) -> None:
    folder, _, _ = written
    page = write_campaign_report(folder).read_text(encoding="utf-8")
    assert page == render_campaign(folder)
    assert "Campaign of 18 runs" in page
    assert '<th scope="row">market auction, pv 3</th>' in page
    assert "37.00\u00a0± 2.48" in page
    assert "field a.b: is &lt;wrong&gt;" in page
    head = re.sub(r"<script.*?</script>", "", page, flags=re.S)
    assert not re.search(r"""(src|href)=["']https?:""", head)
    images = write_campaign_figures(folder, folder / "images")
    assert [path.name for path in images] == [
        "made_welfare_eur.svg", "made_curtailed_injection_kwh.svg",
    ]  # fmt: skip


@pytest.mark.parametrize("width", [80, 120])
def test_the_terminal_shows_points_and_failures_within_its_width(
    written: tuple[Path, Campaign, pd.DataFrame], width: int
) -> None:
    folder, made, table = written
    status = dict(zip(table["hash"], table["status"], strict=True))
    result = SweepResult(folder, made, 3, status, table, sensitivities(made, table))
    out = StringIO()
    print_sweep(result, Console(file=out, width=width, force_terminal=True, color_system=None))
    text = out.getvalue()
    tables = text.split("failed:")[0]
    assert max(map(len, tables.splitlines())) <= width
    assert "market auction, pv 3" in text
    assert "failed: 0-1 (market none, pv 1): field a.b: is <wrong>" in text
    assert summary(result) == "17 of 18 runs done (3 now), 1 failed"
    assert not result.complete
    assert replace(result, status=dict.fromkeys(status, "done")).complete


def test_points_without_all_their_runs_say_so_and_keep_their_labels() -> None:
    made = campaign(design="grid", vary={"prosumers.scaling.pv": [1, 2, 3]}, seeds=2)
    table = table_of(made, welfare_eur=[1.0, 2.0, 3.0, None, None, None])
    table["status"] = ["done", "done", "done", "failed", "failed", "missing"]
    found = table_of_points(table, made.parameters, ["welfare_eur"], 2)
    assert found is not None
    assert [row[0] for row in found.rows] == [
        "pv 1",
        "pv 2 (1 failed)",
        "pv 3 (1 failed, 1 missing)",
    ]
    table["status"] = ["done", *["failed"] * 5]
    alone = table_of_points(table, made.parameters, ["welfare_eur"], 2)
    assert alone is not None
    assert [row[0] for row in alone.rows] == [
        "pv 1 (1 failed)",
        "pv 2 (2 failed)",
        "pv 3 (2 failed)",
    ]


def test_of_many_points_the_first_are_shown() -> None:
    made = campaign(design="grid", vary={"seed": [*range(50)]})
    table = table_of(made, welfare_eur=[float(k) for k in range(50)])
    found = table_of_points(table, made.parameters, ["welfare_eur"], 1)
    assert found is not None
    assert found.title == "One run each; the first 40 of 50 points"
    assert len(found.rows) == 40
