"""The table and the figures of a study, from runs made by hand."""

from __future__ import annotations

import itertools
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from cosim.report.images import panels_svg
from cosim.report.panels import Panel, PanelFigure, Series, marker_sizes, plotly_panel
from cosim.results.manifest import flatten
from cosim.studies.charts import study_figures
from cosim.studies.results import FinishedRun, study_table, write_study_table
from cosim.studies.text import expectation_rows

SVG = "{http://www.w3.org/2000/svg}"
TIME, PARTICIPANTS = "ledger.block_time_s", "prosumers.participants"


def texts(document: str) -> list[str]:
    return [element.text or "" for element in ET.fromstring(document).iter(f"{SVG}text")]


def grid_of_runs(*variants: str) -> list[FinishedRun]:
    return [
        FinishedRun(
            f"{variant}_{time}_{participants}",
            variant,
            {TIME: time, PARTICIPANTS: participants},
            {
                "trade_surplus_eur": 10.0 - time / 30 + participants / 100,
                "trade_surplus_possible_eur": 12.0,
                "orders_missed_share": time / 100,
                "violations.scheduled.any.minutes": 15.0,
                "highest_vm_pu": 1.11,
                "lowest_vm_pu": None,
            },
        )
        for variant, time, participants in itertools.product(variants or ("",), (60, 12), (40, 118))
    ]


def test_indicators_are_flattened() -> None:
    nested = {"a": 1, "b": {"c": {"d": 2.5}, "e": None}, "word": "x", "yes": True, "list": [1]}
    assert flatten(nested) == {"a": 1, "b.c.d": 2.5, "b.e": None, "yes": 1}


def test_the_table_has_a_row_per_run(tmp_path: Path) -> None:
    runs = [
        FinishedRun("a", "a", {"x": 1, "mode": "fast"}, {"n": 3, "eur": 1.5, "only_a": 2}),
        FinishedRun("b", "b", {"x": 2, "mode": [1, 2]}, {"n": 4, "eur": None}),
    ]
    write_study_table(tmp_path, runs)
    table = pd.read_parquet(tmp_path / "study.parquet")
    assert list(table.columns) == ["run", "variant", "x", "mode", "n", "eur", "only_a"]
    assert table["n"].dtype == "int64"
    assert table["mode"].tolist() == ["fast", "[1, 2]"]
    assert table["only_a"].isna().tolist() == [False, True]
    again = pd.read_csv(tmp_path / "study.csv")
    pd.testing.assert_frame_equal(again, table, check_dtype=False)
    assert study_table(runs)["eur"].iloc[0] == 1.5


def test_lines_over_the_first_axis_with_numbers() -> None:
    figures = {figure.key: figure for figure in study_figures(grid_of_runs())}
    assert set(figures) == {
        "violation_minutes_scheduled",
        "trade_surplus",
        "orders_missed",
        "voltage",
    }
    surplus = figures["trade_surplus"]
    assert (surplus.kind, surplus.x_title, surplus.legend_title) == ("lines", TIME, PARTICIPANTS)
    (panel,) = surplus.panels
    solid = {series.name: series.points for series in panel.series if not series.dashed}
    assert solid == {
        "40": ((12, pytest.approx(10.0)), (60, pytest.approx(8.4))),
        "118": ((12, pytest.approx(10.78)), (60, pytest.approx(9.18))),
    }
    dashed = [series for series in panel.series if series.dashed]
    assert [series.points for series in dashed] == [((12, 12.0), (60, 12.0))] * 2
    missed = figures["orders_missed"].panels[0].series[0]
    assert missed.points == ((12, 12.0), (60, 60.0))


def test_variants_are_lines_and_the_next_axis_makes_panels() -> None:
    figure = study_figures(grid_of_runs("honest", "attacked"))[0]
    assert [panel.title for panel in figure.panels] == [f"{PARTICIPANTS} 40", f"{PARTICIPANTS} 118"]
    assert [name for name, _ in figure.legend] == ["honest", "attacked"]
    assert len({colour for _, colour in figure.legend}) == 2


def test_without_numbers_on_an_axis_there_are_bars() -> None:
    runs = [
        FinishedRun(
            name, name, {}, {"cost_eur": cost, "victims_cost_eur": None, "highest_vm_pu": vm}
        )
        for name, cost, vm in (("honest", 3.0, 1.08), ("attacked", -1.0, 1.12))
    ]
    money, voltage = study_figures(runs)
    assert [panel.title for panel in money.panels] == ["All prosumers, cost"]
    assert money.y_range(money.panels[0])[0] < -1 < 3 < money.y_range(money.panels[0])[1]
    assert voltage.kind == "dots"
    assert voltage.y_range(voltage.panels[0])[0] > 1
    image = panels_svg(money)
    assert {"Money", "All prosumers, cost [EUR]", "honest", "attacked", "3.00", "−1.00"} <= set(
        texts(image)
    )
    bars = list(ET.fromstring(image).iter(f"{SVG}rect"))[1:]
    heights = [float(bar.attrib["height"]) for bar in bars]
    assert heights[0] == pytest.approx(3 * heights[1], rel=0.02)


def test_the_image_places_points_on_its_axes() -> None:
    figures = {figure.key: figure for figure in study_figures(grid_of_runs())}
    image = panels_svg(figures["trade_surplus"])
    shown = texts(image)
    assert {
        "Surplus of the trades",
        "[EUR]",
        TIME,
        f"{PARTICIPANTS}:",
        "40",
        "118",
        "possible",
    } <= set(shown)
    assert {"12", "60"} <= set(shown)
    lines = [
        [tuple(map(float, pair.split(","))) for pair in line.attrib["points"].split()]
        for line in ET.fromstring(image).iter(f"{SVG}polyline")
    ]
    drawn = [line for line in lines if len({y for _, y in line}) > 1]
    assert len(drawn) == 2
    for (x0, y0), (x1, y1) in drawn:
        assert x0 < x1
        assert y0 < y1, "less surplus is further down"
    # 118 prosumers trade more than 40 everywhere
    assert drawn[1][0][1] < drawn[0][0][1]


def test_a_missing_value_is_no_point() -> None:
    series = Series("a", ((1.0, None), (2.0, 5.0)), "#000000")
    panel = Panel("", (series,))
    figure = PanelFigure("k", "t", "c", (panel,), "lines", "x", "kWh", 1)
    assert list(plotly_panel(figure, panel).data[0].x) == [2.0]
    circles = list(ET.fromstring(panels_svg(figure)).iter(f"{SVG}circle"))
    assert len(circles) == 1


def test_equal_lines_do_not_hide_each_other() -> None:
    lines = tuple(Series(str(k), ((1.0, 1.0),), "#000000") for k in range(3))
    sizes = marker_sizes(Panel("", lines))
    assert sizes == sorted(sizes, reverse=True)
    assert len(set(sizes)) == 3


def test_many_values_over_decades_get_a_logarithmic_axis() -> None:
    series = Series("", ((1.0, 1.0), (10.0, 2.0), (100.0, 3.0)), "#000000")
    figure = PanelFigure("k", "t", "c", (Panel("", (series,)),), "lines", "x", "EUR", 1)
    assert figure.log_x
    assert figure.legend == []
    (line,) = ET.fromstring(panels_svg(figure)).iter(f"{SVG}polyline")
    xs = [float(pair.split(",")[0]) for pair in line.attrib["points"].split()]
    assert xs[1] - xs[0] == pytest.approx(xs[2] - xs[1], abs=0.2)


@pytest.mark.parametrize(("met", "figures"), [(True, "23.4155 > 20"), (False, "23.4155, not < 20")])
def test_figures_of_an_expectation_state_no_false_inequality(met: bool, figures: str) -> None:
    outcome = {
        "text": "a.x < 20", "met": met, "left": 23.4155, "comparison": ">" if met else "<",
        "right": 20.0, "problem": "",
    }  # fmt: skip
    (row,) = expectation_rows([outcome])
    assert row.figures == figures


@pytest.mark.parametrize("kind", ["bars", "dots"])
def test_no_limit_goes_through_a_number(kind: Any) -> None:
    """A label that it would cross stands above it; all lie over its line, later in the image."""
    values = (89.7, 60.0, 99.9, 130.0, -3.0)
    bars = tuple(Series(f"s{k}", ((float(k), v),), "#000000") for k, v in enumerate(values))
    panel = Panel("Lines", bars, limit=100.0)
    assert panel.heading == "Lines, dashed: limit 100"
    figure = PanelFigure("k", "t", "c", (panel,), kind, "", "%", 1)
    drawn = plotly_panel(figure, panel)
    labels = {one.text: one for one in drawn.layout.annotations}
    assert set(labels) == {"89.7", "60.0", "99.9", "130.0", "−3.0"}
    low, high = drawn.layout.yaxis.range
    margin = drawn.layout.margin
    per_px = (high - low) / (drawn.layout.height - margin.t - margin.b)
    for one in labels.values():
        if one.yanchor == "bottom":
            bottom = one.y + one.yshift * per_px
            assert not bottom - 1 * per_px < 100.0 < bottom + 14 * per_px
            assert bottom - one.y <= 25 * per_px
    assert labels["−3.0"].yanchor == ("top" if kind == "bars" else "bottom")
    assert not any(trace.text for trace in drawn.data)
    root = ET.fromstring(panels_svg(figure))
    (dashed,) = [each for each in root.iter(f"{SVG}line") if each.get("stroke-dasharray")]
    places = {each.text: float(each.get("y") or 0) for each in root.iter(f"{SVG}text")}
    for text in ("89.7", "99.9", "60.0", "130.0"):
        assert not places[text] - 10 < float(dashed.get("y1") or 0) < places[text] + 1
    document = panels_svg(figure)
    assert document.index("stroke-dasharray") < document.index(">89.7<")
