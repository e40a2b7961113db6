"""The chart of clearing gas, and line charts in general."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from cosim.mechanisms.local_market.clearing_chart import clearing_chart
from cosim.report.images import log_chart
from cosim.report.panels import Series

ROOT = Path(__file__).parents[3]
SVG = "{http://www.w3.org/2000/svg}"


def texts(document: str) -> list[str]:
    return [element.text or "" for element in ET.fromstring(document).iter(f"{SVG}text")]


def points(document: str) -> list[list[tuple[float, float]]]:
    lines = ET.fromstring(document).iter(f"{SVG}polyline")
    return [
        [
            (float(x), float(y))
            for x, y in (pair.split(",") for pair in line.attrib["points"].split())
        ]
        for line in lines
    ]


def test_image_of_the_documentation_shows_the_reference() -> None:
    table = (ROOT / "results" / "reference" / "clearing_gas.csv").read_text(encoding="utf-8")
    image = (ROOT / "docs" / "images" / "clearing_gas.svg").read_text(encoding="utf-8")
    assert image == clearing_chart(table)
    for label in ("on chain", "verified", "committed, with claims", "committed, without claims"):
        assert label in texts(image)
    assert len(points(image)) == 4


def test_rows_without_a_fill_are_left_out() -> None:
    table = (
        "form,orders,filled,clearing_gas,claims,claims_gas,gas_per_participant\n"
        "verified,10,4,100000,0,0,10000\n"
        "verified,10,0,40000,0,0,4000\n"
        "verified,100,50,1000000,0,0,10000\n"
    )
    (line,) = points(clearing_chart(table))
    assert len(line) == 2
    assert line[0][1] == line[1][1]


def test_equal_factors_are_equal_distances() -> None:
    image = log_chart("t", "x", "y", [Series("a & b", ((1, 10), (10, 100), (100, 1_000)), "red")])
    (line,) = points(image)
    (x0, y0), (x1, y1), (x2, y2) = line
    assert x1 - x0 == pytest.approx(x2 - x1, abs=0.11)
    assert y0 - y1 == pytest.approx(y1 - y2, abs=0.11)
    assert y0 > y1
    assert "a & b" in texts(image)
    assert {"1", "10", "100", "1 000"} <= set(texts(image))


def test_names_of_lines_that_end_together_do_not_lie_upon_each_other() -> None:
    lines = [Series(name, ((1, 5), (2, 5)), "red") for name in ("one", "two")]
    root = ET.fromstring(log_chart("t", "x", "y", lines))
    places = [float(e.attrib["y"]) for e in root.iter(f"{SVG}text") if e.text in ("one", "two")]
    assert abs(places[0] - places[1]) >= 13


@pytest.mark.parametrize("line", [[], [(0.0, 1.0)], [(1.0, 0.0)]])
def test_values_without_a_logarithm_are_refused(line: list[tuple[float, float]]) -> None:
    with pytest.raises(ValueError, match="above 0"):
        log_chart("t", "x", "y", [Series("a", tuple(line), "red")])


def test_equal_steps_are_equal_distances_on_a_linear_axis() -> None:
    line = Series("fall", ((0, 1), (5, 0.1), (10, 0.01)), "red", dotted=False)
    dots = Series("", ((0, 1), (10, 0.02)), "red", joined=False)
    image = log_chart("t", "x", "y", [line, dots], linear_x=True)
    ((x0, y0), (x1, y1), (x2, y2)), *others = points(image)
    assert others == []
    assert x1 - x0 == pytest.approx(x2 - x1, abs=0.11)
    assert y1 - y0 == pytest.approx(y2 - y1, abs=0.11)
    assert len(list(ET.fromstring(image).iter(f"{SVG}circle"))) == 2
    assert {"0", "5", "10", "1", "0.1", "0.01", "fall"} <= set(texts(image))
    assert "" not in texts(image)
    with pytest.raises(ValueError, match="above 0"):
        log_chart("t", "x", "y", [line])
