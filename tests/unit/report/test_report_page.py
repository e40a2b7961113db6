"""The report: what it embeds, what it says when there is nothing, and that it stands alone."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cosim.errors import ResultFolderError
from cosim.report import report
from cosim.report.indicators import compute_indicators
from cosim.report.network_map import geometry, pack_stage, shown_intervals, worst_interval
from cosim.report.report import render, write_report
from cosim.report.series import ElementSeries, StageSeries, stage_series
from cosim.results.reader import Results


def embedded(html: str, key: str) -> Any:
    found = re.search(rf'<script type="application/json" id="{key}">(.*?)</script>', html, re.S)
    assert found is not None
    return json.loads(found.group(1))


def unpacked(text: str, kind: str) -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), dtype=kind)


@pytest.fixture(scope="module")
def html(results: Results) -> str:
    return render(results)


def stage(n_intervals: int, n_buses: int, violated: dict[int, int]) -> StageSeries:
    """Buses only, so many of them violated by interval."""
    flags = np.zeros((n_intervals, n_buses), dtype=bool)
    for interval, count in violated.items():
        flags[interval, :count] = True
    none = ElementSeries(np.arange(0), np.zeros((n_intervals, 0)), np.zeros((n_intervals, 0), bool))
    return StageSeries(
        ElementSeries(np.arange(n_buses), np.ones((n_intervals, n_buses)), flags), none, none
    )


def test_the_map_holds_the_values_of_the_tables(html: str) -> None:
    data = embedded(html, "map-data")
    before = unpacked(data["stages"]["before"]["bus"], "<u2").reshape(4, 3)
    assert before[:, 2].tolist() == [10_100, 11_200, 8_800, 10_000]
    after = unpacked(data["stages"]["after"]["trafo"], "<u2")
    assert after.tolist() == [500, 990, 1005, 200]
    violated = unpacked(data["stages"]["before"]["bus_violated"], "u1").reshape(4, 3)
    assert violated.tolist() == [[0, 0, 0], [0, 0, 1], [0, 0, 1], [0, 0, 0]]
    assert data["start"] == "2016-05-24T00:00:00"
    assert data["intervals"] == [0, 1, 2, 3]
    assert data["worst"] == 1
    assert data["scale"]["vm_pu"] == [0.88, 1.12]


def test_what_has_no_solution_has_no_value() -> None:
    unsolved = stage(2, 2, {})
    unsolved.bus.value[1] = np.nan
    packed = pack_stage(unsolved, np.arange(2))
    assert unpacked(packed["bus"], "<u2").tolist() == [10_000, 10_000, 65_535, 65_535]


def test_a_long_run_shows_its_most_violated_intervals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cosim.report.network_map.MAP_VALUES_MAX", 30)
    before, after = stage(9, 10, {2: 1, 5: 4}), stage(9, 10, {7: 2})
    assert shown_intervals(before, after).tolist() == [2, 5, 7]
    assert worst_interval(before) == 5


def test_the_feeding_bus_is_drawn_beside_the_transformer(results: Results) -> None:
    drawing = geometry(results, stage_series(results, "scheduled"))
    high, low, end = ((bus["x"], bus["y"]) for bus in drawing["bus"])
    # the line leaves southwards, so the feeding bus is drawn to the north
    assert end[1] > low[1]
    assert high[0] == pytest.approx(low[0], abs=0.2)
    assert low[1] - high[1] == pytest.approx(80, abs=0.2)
    assert drawing["trafo"][0]["points"] == [list(high), list(low)]
    left, top, width, height = drawing["view"]
    assert all(left < x < left + width and top < y < top + height for x, y in (high, low, end))


def test_missing_coordinates_are_named(result_folder: Path) -> None:
    results = Results(result_folder)
    results.network.bus.loc[2, "geo"] = None
    with pytest.raises(ResultFolderError, match="bus 2, geo"):
        geometry(results, stage_series(results, "scheduled"))


def test_charts_hold_the_series_with_units(html: str) -> None:
    charts = embedded(html, "chart-data")
    loading = {trace["name"]: trace for trace in charts["loading"]["data"]}
    values = unpacked(loading["worst transformer, before"]["y"]["bdata"], "f8")
    assert values.tolist() == [50.0, 140.0, 101.0, 20.0, 20.0]
    assert loading["worst line, delivered"]["x0"] == "2016-05-24T00:00:00"
    assert charts["loading"]["layout"]["yaxis"]["title"]["text"] == "loading [%]"
    for chart in charts.values():
        axes = [value for key, value in chart["layout"].items() if re.match(r"yaxis\d*$", key)]
        named = [axis["title"]["text"] for axis in axes if axis.get("title")]
        assert len(named) == len(axes)


def test_text_of_the_result_cannot_become_markup(html: str) -> None:
    assert "</script><b>2" not in html
    assert "solar house, house &lt;/script&gt;&lt;b&gt;2" in html


def test_nothing_is_fetched_from_elsewhere(html: str) -> None:
    page = html[: html.index("<script>")]
    assert re.findall(r"""(?:src|href)=["'](?!data:)""", page) == []
    assert "default-src 'none'" in page


def test_indicators_are_on_their_tiles(html: str) -> None:
    tile = html[html.index("Transformer overload [min]") :]
    assert re.findall(r"<b>(.*?)</b>", tile)[:3] == ["30", "15", "15"]
    assert "66.7\u00a0%" in html


def test_one_result_one_report(result_folder: Path) -> None:
    first = write_report(result_folder).read_text(encoding="utf-8")
    assert write_report(result_folder).read_text(encoding="utf-8") == first
    assert len(first) < 12_000_000


def test_indicators_that_are_known_are_not_computed_again(
    result_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = write_report(result_folder).read_text(encoding="utf-8")
    results = Results(result_folder)
    known = compute_indicators(results)

    def again(results: Results) -> None:
        raise AssertionError("computed again")

    monkeypatch.setattr(report, "compute_indicators", again)
    assert write_report(results, known).read_text(encoding="utf-8") == first


def test_where_nothing_happened_a_sentence_says_so(another_result: Callable[..., Path]) -> None:
    html = render(Results(another_result(market=False)))
    for sentence in (
        "No energy was traded between prosumers in this run.",
        "The DSO requested no flexibility in this run",
        "Nothing was curtailed in this run.",
        "No transaction was sent in this run.",
        "No block was produced during the run.",
    ):
        assert sentence in html
    drawn = set(embedded(html, "chart-data"))
    assert not drawn & {"market", "flexibility", "curtailment", "gas", "blocks", "costs"}


def test_an_interrupted_run_says_so(another_result: Callable[..., Path]) -> None:
    html = render(Results(another_result(complete=False, intervals_done=2)))
    assert "interrupted after 2 of 4 intervals" in html
    assert embedded(html, "map-data")["intervals"] == [0, 1]


def test_without_a_settled_interval_there_is_no_report(another_result: Callable[..., Path]) -> None:
    folder = another_result(complete=False, intervals_done=0)
    with pytest.raises(ResultFolderError, match="nothing to report"):
        write_report(folder)
    found = compute_indicators(Results(folder))
    assert found.intervals == 0
    assert found.self_sufficiency is None
    assert found.running_gas == 0
