"""Matching by the hour and over the run, by hand."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest
import yaml

from cosim.mechanisms.green_certificates.indicators import by_hour, certificate_indicators
from cosim.mechanisms.green_certificates.panel import certificates_chart
from cosim.results.reader import Results
from cosim.results.writer import TableWriter

NOON = 406_700


def recorded(folder: Path, hours: Iterable[tuple[list[int], list[int], list[int]]]) -> Results:
    """Two members: what each issued, consumed and bought of the other in every hour."""
    writer = TableWriter(folder)
    for k, (issued, consumed, bought) in enumerate(hours):
        sold = bought[::-1]
        retired = [min(issued[i], consumed[i]) + bought[i] for i in (0, 1)]
        writer.append(
            "certificates",
            {
                "interval": 4 * k + 3, "hour": NOON + k, "prosumer": ["roof", "flat"],
                "issued_wh": issued, "consumed_wh": consumed, "offered_wh": sold, "sold_wh": sold,
                "bought_wh": bought, "retired_wh": retired,
                "held_wh": [issued[i] + bought[i] - sold[i] - retired[i] for i in (0, 1)],
                "earned_ueur": [7 * wh for wh in sold], "paid_ueur": [7 * wh for wh in bought],
                "fees_ueur": 0,
            },
        )  # fmt: skip
    writer.close()
    time = {"start": "2016-05-24T20:00:00", "step_s": 900}
    (writer.folder / "scenario.yaml").write_text(yaml.safe_dump({"time": time}))
    return Results(writer.folder, intervals=8)


@pytest.fixture
def two_hours(tmp_path: Path) -> Results:
    """Noon with 1 000 Wh too much and 200 Wh not bought, night with nothing but consumption."""
    noon = ([2_000, 0], [300, 700], [0, 500])
    night = ([0, 0], [400, 600], [0, 0])
    return recorded(tmp_path / "run", [noon, night])


def test_sums_by_hour(two_hours: Results) -> None:
    hours = by_hour(two_hours)
    assert hours.index.tolist() == [NOON, NOON + 1]
    assert hours.issued_wh.tolist() == [2_000, 0]
    assert hours.consumed_wh.tolist() == [1_000, 1_000]
    assert hours.retired_wh.tolist() == [800, 0]
    assert hours.held_wh.tolist() == [1_200, 0]


def test_hours_prove_less_than_the_run_claims(two_hours: Results) -> None:
    assert certificate_indicators(two_hours).as_dict() == {
        "certificates_issued_kwh": 2.0,
        "certificates_sold_kwh": 0.5,
        "certificates_retired_kwh": 0.8,
        "certificates_paid_eur": 0.0035,
        "hourly_matching": 0.4,
        "hourly_matching_limit": 0.5,
        "run_matching": 1.0,
    }


def test_hours_that_are_not_settled_do_not_count(two_hours: Results) -> None:
    first = Results(two_hours.folder, intervals=7)
    assert certificate_indicators(first).hourly_matching == 0.8


def test_without_consumption_there_is_nothing_to_match(tmp_path: Path) -> None:
    results = recorded(tmp_path / "run", [([500, 0], [0, 0], [0, 0])])
    indicators = certificate_indicators(results)
    assert indicators.certificates_issued_kwh == 0.5
    assert indicators.hourly_matching is indicators.run_matching is None


def test_before_the_first_hour_nothing_is_certified(tmp_path: Path) -> None:
    indicators = certificate_indicators(recorded(tmp_path / "run", []))
    assert indicators.certificates_issued_kwh == 0
    assert indicators.hourly_matching_limit is None


def test_chart_stacks_an_hours_certificates(two_hours: Results) -> None:
    figure = certificates_chart(two_hours).figure
    own, sold, left, consumption = figure.data
    assert [list(trace.y) for trace in (own, sold, left)] == [[0.3, 0], [0.5, 0], [1.2, 0]]
    assert list(consumption.y) == [1.0, 1.0, 1.0]
    assert own.x[0].startswith("2016-05-24T20:00")
    assert consumption.x[-1].startswith("2016-05-24T22:00")
    assert figure.layout.yaxis.title.text == "energy [kWh]"
