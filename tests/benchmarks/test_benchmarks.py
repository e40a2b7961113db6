"""The benchmark's arithmetic: own times, shares and ratios. Speed itself is asserted nowhere."""

from __future__ import annotations

import importlib
import shutil
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from benchmarks.__main__ import CASES
from benchmarks.anvil import INSTALLED
from benchmarks.growth import exponent, growth_table
from benchmarks.memory import PER_BLOCK, SUBJECTS, measure_memory
from benchmarks.run_growth import run_growth_table
from benchmarks.runs import LEDGER_PARTS, measure_run, shortened
from benchmarks.signing import counted_signatures, measure_signing
from benchmarks.tables import (
    STAGES,
    Table,
    flow_table,
    ledger_table,
    memory_table,
    ratios,
    signing_table,
    speed_table,
    stage_ms,
    stage_table,
)
from benchmarks.transactions import REPLAYS, Machine, Sent, replay_transactions, take_turns
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
    seconds = {"ledger": ledger_s, "models": 0.5, "mosaik": 0.5, "set-up": 3.0, "publishing": 2.0}
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
            with timer.measure("models"):
                clock.now = 10
            clock.now = 14
        with timer.measure("ledger"):
            clock.now = 15
        clock.now = 20
    clock.now = 100  # in no stage
    with timer.measure("indicators"):
        clock.now = 101
    assert timer.seconds == {"run": 6, "ledger": 7, "models": 7, "indicators": 1}
    assert timer.cpu_seconds == {"run": 3, "ledger": 3.5, "models": 3.5, "indicators": 0.5}


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
    per_interval = stage_ms({"ledger": 2.0, "models": 0.5, "mosaik": 0.5, "set-up": 9.0}, 10)
    assert per_interval["ledger"] == 200
    assert per_interval["bidding"] == 0
    assert per_interval["interval"] == 300


def test_checkpoints_are_a_stage_of_their_own() -> None:
    per_interval = stage_ms({"ledger": 2.0, "checkpoints": 0.5}, 10)
    assert per_interval["checkpoints"] == pytest.approx(50.0)
    assert per_interval["interval"] == pytest.approx(250.0)


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
    none = {"solves": 4, "difference_vm_pu": 0.0, "difference_loading_percent": 0.0}
    table = flow_table(
        "town",
        [
            none | {"solver": "pandapower run_timeseries", "ms": 9.0},
            none | {"solver": "fixed-point, one by one", "ms": 0.3},
            none | {"solver": "fixed-point, batch", "ms": 0.03},
        ],
    )
    assert [row[3] for row in table.rows] == ["30.0", "1.0", "0.100"]


def test_growth_is_the_slope_of_logarithms() -> None:
    assert exponent([10, 100, 1000], [3.0, 30.0, 300.0]) == pytest.approx(1.0)
    same = {"engine_ms": 5.0, "batch_ms": 0.1, "difference_vm_pu": 1e-12}
    rows = [
        same | {"form": form, "points": n, "state_ms": n**power, "derivatives_ms": n**2 * power}
        for form, power in (("dense", 2.0), ("sparse", 1.0))
        for n in (10, 40, 90)
    ]
    table = growth_table(rows)
    assert [row[0] for row in table.rows][::3] == ["dense, 10", "sparse, 10"]
    assert table.notes[1].endswith("dense: a state 2.00, derivatives 2.00.")
    assert table.notes[2].endswith("sparse: a state 1.00, derivatives 2.00.")


def test_runs_grow_with_prosumers_and_intervals() -> None:
    def run(prosumers: int, intervals: int, ledger_s: float) -> dict[str, Any]:
        cpu_s = {"ledger": ledger_s, "set-up": 3.0, "publishing": 1.5}
        if intervals > 100:  # as long runs have
            cpu_s |= {"ledger": ledger_s / 2, "checkpoints": ledger_s / 2}
        return {
            "prosumers": prosumers,
            "intervals": intervals,
            "transactions": 2.0 * prosumers,
            "cpu_s": cpu_s,
        }

    table = run_growth_table(
        {
            "prosumers": [run(n, 10, 0.001 * n**2) for n in (10, 100)],
            "intervals": [run(13, n, 0.02 * n) for n in (96, 960)],
        }
    )
    assert table.rows[0] == ("10 prosumers, 10 intervals", "10.00", "20.0", "0.10", "4.50")
    assert table.notes[1:] == (
        "Growth with prosumers, of an interval: to the power of 2.00.",
        "Growth with intervals, of all intervals: to the power of 1.00.",
    )


def test_markdown_has_one_line_a_row() -> None:
    table = Table("t", ("stage", "cost [ms]"), [("ledger", "1.00"), ("models", "2.00")], ("n",))
    assert table.markdown() == (
        "### t\n\n| stage | cost [ms] |\n|---|--:|\n| ledger | 1.00 |\n| models | 2.00 |\n\nn\n"
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


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Two congested intervals of the quickstart, measured, with the folder of their result."""
    out = tmp_path_factory.mktemp("benchmarks") / "quickstart"
    file = folder("scenarios") / "quickstart.yaml"
    return measure_run(str(file), "revm", str(out), intervals=2, from_interval=50) | {"out": out}


def test_a_run_signs_nothing(run: dict[str, Any]) -> None:
    assert run["transactions"] > 20
    assert run["signatures"] == 0


def test_every_stage_of_a_run_is_in_the_table(run: dict[str, Any]) -> None:
    rows = {row[0]: row[1] for row in stage_table("quickstart", [run]).rows}
    for key, name in STAGES:
        assert rows[name].startswith("0.00 ") == (1000 * run["wall_s"].get(key, 0) / 2 < 0.005)
    assert run["wall_s"]["ledger"] > 0


def test_signatures_would_be_counted() -> None:
    with counted_signatures() as calls:
        figures = measure_signing(3)
    assert sum(calls.values()) == 6
    assert min(figures["transaction_us"], figures["coincurve_us"]) > 0
    table = signing_table({"coincurve_us": 41.0, "transaction_us": 900.0}, [{"signatures": 2}] * 3)
    assert [row[1] for row in table.rows] == ["41", "900"]
    assert "in the 3 runs of these tables: 6." in table.notes[0]


@pytest.mark.parametrize("engine", REPLAYS)
def test_a_whole_run_is_replayed(run: dict[str, Any], engine: str) -> None:
    figures = replay_transactions(str(run["out"]), engine)
    table = pq.read_table(run["out"] / "tables" / "transactions.parquet")
    assert figures["transactions"] == table.num_rows
    assert figures["mgas"] == pytest.approx(pc.sum(table["gas_used"]).as_py() / 1e6)
    assert figures["intervals"] == 2
    assert len(figures["machines"]) == 1 + len(REPLAYS[engine].bare)
    assert min(figures["machines"].values()) > 0
    count = sum(method["per_interval"] for method in figures["methods"])
    assert count == pytest.approx(run["transactions"])


def test_a_replay_with_other_gas_is_an_error(run: dict[str, Any], tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(run["out"], copy)
    file = copy / "tables" / "transactions.parquet"
    table = pq.read_table(file)
    gas = table["gas_used"].to_pylist()
    gas[-1] += 1
    column = table.schema.get_field_index("gas_used")
    pq.write_table(table.set_column(column, table.schema.field(column), pa.array([*gas])), file)
    with pytest.raises(ValueError, match=f"took {gas[-1] - 1} gas, {gas[-1]} in the tables"):
        replay_transactions(str(copy))


def test_machines_take_turns_block_by_block() -> None:
    def sent(block: int, gas: int) -> Sent:
        return Sent(block, 0, 0, b"", b"", b"", 0, 0, gas, 0, "a", "", "")

    done: list[tuple[str, str, int]] = []

    def machine(name: str) -> Machine:
        return Machine(
            lambda number, timestamp_s, gas_limit: done.append((name, "block", number)),
            lambda transaction: done.append((name, "gas", transaction.gas_used)),
        )

    transactions = [sent(4, 1), sent(4, 2), sent(7, 3)]
    seconds = take_turns(transactions, [machine("a"), machine("b")])
    first = [("block", 4), ("gas", 1), ("gas", 2)]
    second = [("block", 7), ("gas", 3)]
    expected = [("a", *x) for x in first] + [("b", *x) for x in first]
    expected += [("b", *x) for x in second] + [("a", *x) for x in second]
    assert done == expected
    assert [len(own) for own in seconds] == [3, 3]


def test_speed_table_shows_cost_by_transaction_and_gas_and_the_ratio() -> None:
    replay = {"transactions": 1000, "mgas": 50.0, "machines": {"ours": 0.25, "bare": 0.1}}
    rows = speed_table("town", [replay]).rows
    assert rows == [
        ("ours", "1 000", "50.0", "250.0", "5.00", "1.00"),
        ("bare", "1 000", "50.0", "100.0", "2.00", "2.50"),
    ]


@pytest.mark.parametrize("subject", SUBJECTS)
def test_memory_is_measured_after_so_many_transactions(subject: str) -> None:
    counts = [3, PER_BLOCK + 1] if "py-evm" not in subject else [3]
    figures = measure_memory(subject, counts)
    assert figures["counts"] == counts
    assert len(figures["resident_mb"]) == len(counts)
    assert min(figures["resident_mb"]) > 10


def test_memory_table_has_a_dash_where_nothing_was_measured() -> None:
    long = {"subject": "a", "counts": [10, 20], "start_mb": 9.0, "resident_mb": [9.5, 10.0]}
    short = {"subject": "b", "counts": [10], "start_mb": 8.0, "resident_mb": [30.0]}
    table = memory_table([short, long])
    assert table.columns[1:] == ("before", "10 transactions", "20 transactions")
    assert table.rows == [("b", "8.0", "30.0", "–"), ("a", "9.0", "9.5", "10.0")]


def test_a_node_is_looked_for_where_the_makefile_puts_it() -> None:
    root = Path(__file__).parents[2]
    assert "--prefix .node " in (root / "Makefile").read_text(encoding="utf-8")
    assert INSTALLED.parents[3] == root
