"""The benchmark's arithmetic: own times, shares and ratios. Speed itself is asserted nowhere."""

from __future__ import annotations

import importlib
from datetime import datetime
from typing import Any

import pytest

from benchmarks.__main__ import CASES
from benchmarks.runs import LEDGER_PARTS, shortened
from benchmarks.tables import STAGES, Table, flow_table, ledger_table, ratios, stage_ms, stage_table
from cosim import timing
from cosim.resources import folder
from cosim.scenario import load_scenario
from cosim.timing import StageTimer


class Clock:
    """A clock that only moves when told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(timing, "perf_counter", clock)
    monkeypatch.setattr(timing, "process_time", lambda: clock.now / 2)
    return clock


def run_figures(engine: str, ledger_s: float, **changes: Any) -> dict[str, Any]:
    seconds = {"ledger": ledger_s, "books": 0.5, "mosaik": 0.5, "set-up": 3.0, "publishing": 2.0}
    return {
        "engine": engine,
        "intervals": 10,
        "short": True,
        "start": "2016-05-24T11:00:00",
        "prosumers": 13,
        "reference_intervals": 1,
        "transactions": 30.0,
        "mgas": 2.0,
        "wall_s": seconds,
        "cpu_s": seconds,
    } | changes


def test_a_stage_inside_another_pauses_it(clock: Clock) -> None:
    timer = StageTimer()
    with timer.measure("run"):
        clock.now = 1
        with timer.measure("ledger"):
            clock.now = 3
            with timer.measure("books"):
                clock.now = 10
            clock.now = 14
        with timer.measure("ledger"):
            clock.now = 15
        clock.now = 20
    clock.now = 100  # in no stage
    with timer.measure("indicators"):
        clock.now = 101
    assert timer.seconds == {"run": 6, "ledger": 7, "books": 7, "indicators": 1}
    assert timer.cpu_seconds == {"run": 3, "ledger": 3.5, "books": 3.5, "indicators": 0.5}


def test_a_stage_that_fails_is_counted_and_closed(clock: Clock) -> None:
    timer = StageTimer()

    def fail() -> None:
        with timer.measure("ledger"):
            clock.now = 2
            raise ValueError("broken")

    with timer.measure("run"):
        with pytest.raises(ValueError, match="broken"):
            fail()
        clock.now = 5
    assert timer.seconds == {"ledger": 2, "run": 3}
    assert timer.running == []


def test_stages_add_up_to_the_interval() -> None:
    per_interval = stage_ms({"ledger": 2.0, "books": 0.5, "mosaik": 0.5, "set-up": 9.0}, 10)
    assert per_interval["ledger"] == 200
    assert per_interval["bidding"] == 0
    assert per_interval["interval"] == 300


def test_a_stage_the_table_would_leave_out_is_an_error() -> None:
    with pytest.raises(ValueError, match="weather"):
        stage_ms({"ledger": 1.0, "weather": 1.0}, 1)


def test_stage_table_shows_every_stage_and_the_ratio() -> None:
    table = stage_table("town", [run_figures("revm", 2.0), run_figures("py-evm", 79.0)])
    rows = {row[0]: row[1:] for row in table.rows}
    assert rows["ledger"] == ("200.00 (200.00)", "7 900.00 (7 900.00)")
    assert rows["**one interval**"] == ("300.00 (300.00)", "8 000.00 (8 000.00)")
    assert rows["set-up, whole run [s]"] == ("3.00 (3.00)", "3.00 (3.00)")
    assert {name for _, name in STAGES} <= rows.keys()
    # 79 s to 2 s; (79 + 1) s to (2 + 1) s
    assert any("ledger 40, whole interval 27" in note for note in table.notes)


def test_only_the_same_intervals_are_compared() -> None:
    other = run_figures("py-evm", 79.0, start="2016-05-24T00:00:00")
    assert ratios([run_figures("revm", 2.0), other]) == []
    assert ratios([run_figures("revm", 2.0)]) == []


def test_ledger_table_adds_up_an_interval() -> None:
    methods = [
        {"method": "a", "per_interval": 10.0, "gas": 50.0, "engine_us": 200.0, "bare_us": 40.0},
        {"method": "b", "per_interval": 0.5, "gas": 80.0, "engine_us": 2000.0, "bare_us": 400.0},
    ]
    total = ledger_table("town", {"intervals": 4, "methods": methods}).rows[-1]
    assert total == ("**one interval**", "10.50", "540", "", "", "3.00", "0.60")


def test_power_flows_are_compared_to_the_single_solve() -> None:
    none = {"numba": False, "solves": 4, "difference_vm_pu": 0.0, "difference_loading_percent": 0.0}
    table = flow_table(
        "town",
        [
            none | {"solver": "pandapower run_timeseries", "ms": 9.0},
            none | {"solver": "fixed-point, one by one", "ms": 0.3},
            none | {"solver": "fixed-point, batch", "ms": 0.03},
        ],
    )
    assert [row[3] for row in table.rows] == ["30.0", "1.0", "0.100"]


def test_markdown_has_one_line_a_row() -> None:
    table = Table("t", ("stage", "cost [ms]"), [("ledger", "1.00"), ("books", "2.00")], ("n",))
    assert table.markdown() == (
        "### t\n\n| stage | cost [ms] |\n|---|--:|\n| ledger | 1.00 |\n| books | 2.00 |\n\nn\n"
    )
    assert len(table.rich().columns) == 2


def test_a_shortened_scenario_starts_later_and_keeps_the_rest() -> None:
    scenario = load_scenario(folder("scenarios") / "congested_feeder.yaml")
    short = shortened(scenario, 6, from_interval=46)
    assert short.time.start == datetime.fromisoformat("2016-06-17T11:30:00")
    assert short.time.intervals == 6
    assert short.grid.reference_sample == 1
    assert short.market == scenario.market
    assert short.prosumers == scenario.prosumers


def test_compared_intervals_lie_within_the_scenarios() -> None:
    for case in CASES:
        scenario = load_scenario(folder("scenarios") / f"{case.scenario}.yaml")
        assert case.from_interval + case.intervals <= scenario.time.intervals
        assert case.quick_intervals <= case.intervals


@pytest.mark.parametrize("place", [place for places in LEDGER_PARTS.values() for place in places])
def test_measured_parts_of_the_ledger_exist(place: str) -> None:
    module, _, name = place.partition(":")
    found: Any = importlib.import_module(module)
    for step in name.split("."):
        found = getattr(found, step)
    assert callable(found)
