"""One run from the inside: what it measures, re-solves, records and refuses."""

from __future__ import annotations

import json
import weakref
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import yaml

from cosim.errors import PowerFlowMismatchError, ResultFolderError, ScenarioError
from cosim.grid.newton_raphson import PandapowerEngine
from cosim.grid.reference import sample
from cosim.mechanisms.local_market.client import clear_gas
from cosim.plugins import POWER_FLOW
from cosim.report import report
from cosim.report.report import write_report
from cosim.results.reader import Results
from cosim.results.writer import TableWriter
from cosim.runs import clearing_limits, experiment, playing
from cosim.runs.experiment import run_scenario
from cosim.runs.preparation import prepare_grid
from cosim.scenario.ledger import TRANSACTION_GAS_LIMITS
from cosim.verify.verification import verify


@pytest.mark.parametrize(
    ("intervals", "size", "expected"),
    [
        (96, 8, (6, 18, 30, 42, 54, 66, 78, 90)),
        (4, 1, (2,)),
        (3, 8, (0, 1, 2)),
        (1, 1, (0,)),
        (5, 2, (1, 3)),
    ],
)
def test_the_sample_is_spread_over_the_run(intervals, size, expected):
    assert sample(intervals, size) == expected


def test_a_grid_with_another_digest_is_refused(short_scenario):
    name = "elements.csv"
    own = prepare_grid(short_scenario(3, grid={"network": "1-LV-rural1--1-sw"})).digests[name]

    def grid(digest):
        return {"network": "1-LV-rural1--1-sw", "sha256": {name: digest}}

    assert prepare_grid(short_scenario(3, grid=grid(own))).digests[name] == own
    with pytest.raises(ScenarioError, match=f"elements.csv has the SHA-256 {own}, not 0") as caught:
        prepare_grid(short_scenario(3, grid=grid("0" * 64)))
    assert caught.value.field == "grid.sha256.elements.csv"
    assert "cosim grids import" in caught.value.remedy
    with pytest.raises(ScenarioError, match="sha256"):
        short_scenario(3, grid=grid("not one"))


@pytest.fixture(scope="module")
def short_run(short_scenario, tmp_path_factory):
    told = []
    folder = tmp_path_factory.mktemp("run")
    scenario = short_scenario(3, grid={"network": "1-LV-rural1--1-sw", "reference_sample": 2})
    result = run_scenario(
        scenario,
        folder / "scenario.yaml",
        folder / "result",
        progress=lambda *interval: told.append(interval),
    )
    return scenario, result, told


def test_every_interval_is_told_with_whether_its_schedule_violated_a_limit(short_run):
    _, result, told = short_run
    assert told == [(0, True), (1, True), (2, True)]
    assert result.complete
    assert result.intervals_done == 3


def test_a_calm_night_violates_nothing(short_scenario, tmp_path):
    told = []
    run_scenario(
        short_scenario(2, "2016-05-24T01:00:00"),
        tmp_path / "scenario.yaml",
        tmp_path / "result",
        progress=lambda *interval: told.append(interval),
    )
    assert told == [(0, False), (1, False)]
    assert pd.read_parquet(tmp_path / "result" / "tables" / "violations.parquet").empty


def test_the_manifest_tells_what_was_run_and_what_came_out(short_run):
    scenario, result, _ = short_run
    manifest = json.loads((result.folder / "manifest.json").read_text())
    assert manifest["name"] == "quickstart"
    assert manifest["seed"] == scenario.seed
    assert (manifest["intervals"], manifest["intervals_done"]) == (3, 3)
    assert manifest["start"] == "2016-05-24T11:00:00"
    assert manifest["indicators"] == json.loads(json.dumps(result.indicators.as_dict()))
    reference = manifest["power_flow"]
    assert (reference["engine"], reference["reference_engine"]) == ("fixed-point", "pandapower")
    assert reference["reference_intervals"] == [0, 2]
    assert 0 < reference["largest_difference_vm_pu"] < 1e-6
    stages = {"set-up", "mosaik", "bidding", "ledger", "clearing check", "power flow", "recording"}
    assert stages <= manifest["timing"].keys()
    assert all(manifest["timing"][stage] > 0 for stage in stages)
    assert set(manifest["contracts"]) == {
        "EuroToken",
        "FlexibilityMarket",
        "LocalMarket",
        "MarketSettlement",
        "SmartMeters",
    }
    blocks = pd.read_parquet(result.folder / "tables" / "blocks.parquet")
    assert manifest["chain"]["last_block"] == blocks.block.max()
    assert manifest["chain"]["engine"] == "revm"  # what auto took
    assert "engine" not in manifest["chain"]["settings"]


def test_the_scenario_is_kept_with_every_default(short_run):
    scenario, result, _ = short_run
    kept = yaml.safe_load((result.folder / "scenario.yaml").read_text())
    assert kept == json.loads(scenario.model_dump_json())


def test_the_reference_engine_gives_the_same_run(short_run, short_scenario, tmp_path):
    _, result, _ = short_run
    scenario = short_scenario(
        3, grid={"network": "1-LV-rural1--1-sw", "power_flow": "pandapower", "reference_sample": 1}
    )
    other = run_scenario(scenario, tmp_path / "scenario.yaml", tmp_path / "result")
    for table in ("orders", "trades", "settlement", "flexibility", "schedules"):
        mine = pd.read_parquet(other.folder / "tables" / f"{table}.parquet")
        theirs = pd.read_parquet(result.folder / "tables" / f"{table}.parquet")
        assert len(mine) == len(theirs) > 0
        if table in ("orders", "trades"):  # awards are sized by the power flow, to about a Wh
            pd.testing.assert_frame_equal(mine, theirs)
    for table, column in (("buses", "vm_pu"), ("branches", "loading_percent")):
        mine = pd.read_parquet(other.folder / "tables" / f"{table}.parquet")[column]
        theirs = pd.read_parquet(result.folder / "tables" / f"{table}.parquet")[column]
        np.testing.assert_allclose(mine, theirs, rtol=1e-4)
    manifest = json.loads((other.folder / "manifest.json").read_text())
    assert manifest["power_flow"]["reference_engine"] == "fixed-point"


def test_tables_are_read_and_indicators_computed_once(short_scenario, tmp_path, monkeypatch):
    read, computed, played, left = [], [], [], []
    real_build = playing.build_simulation

    def build(*prepared):
        simulation = real_build(*prepared)
        played[:] = [weakref.ref(each) for each in (simulation, simulation.domain.session)]
        return simulation

    real_arrow, real_indicators = Results.arrow, experiment.compute_indicators

    def arrow(self, table, *args, **options):
        read.append(table)
        return real_arrow(self, table, *args, **options)

    def indicators(results):
        computed.append(results)
        left.extend(each() for each in played)
        return real_indicators(results)

    monkeypatch.setattr(playing, "build_simulation", build)
    monkeypatch.setattr(Results, "arrow", arrow)
    monkeypatch.setattr(experiment, "compute_indicators", indicators)
    monkeypatch.setattr(report, "compute_indicators", indicators)
    scenario = short_scenario(2, grid={"network": "1-LV-rural1--1-sw"})
    done = run_scenario(scenario, tmp_path / "scenario.yaml", tmp_path / "result")
    assert len(computed) == 1
    assert left == [None, None]  # a long run's state and tables would not fit together
    assert read.count("grid_balance") == 1
    assert "manifest.json" in done.report.read_text()
    text = write_report(done.folder).read_text()  # as `cosim report` does, from the folder alone
    assert len(computed) == 2
    run_scenario(scenario, tmp_path / "scenario.yaml", tmp_path / "result", force=True)
    assert done.report.read_text() == text


def folder_is_empty(folder):
    return [path for path in folder.iterdir() if path.name != "scenario.yaml"] == []


class OtherPhysics(PandapowerEngine):
    """A reference that is off by 2e-6 pu."""

    def solve(self, p_mw, q_mvar):
        state = super().solve(p_mw, q_mvar)
        return replace(state, vm_pu=state.vm_pu + 2e-6)


class NoSolution(PandapowerEngine):
    """A reference that never converges."""

    def solve(self, p_mw, q_mvar):
        return super().solve(np.asarray(p_mw) + 10.0, q_mvar)


@pytest.mark.parametrize(
    ("engine", "says"),
    [
        (OtherPhysics, r"interval 1: voltages differ by 2e-06 pu from pandapower"),
        (NoSolution, r"interval 1: only one power-flow engine converges"),
    ],
)
def test_engines_that_disagree_stop_the_run(short_scenario, tmp_path, monkeypatch, engine, says):
    monkeypatch.setitem(POWER_FLOW._loaded, "pandapower", engine)
    with pytest.raises(PowerFlowMismatchError, match=says):
        run_scenario(short_scenario(2), tmp_path / "scenario.yaml", tmp_path / "result")
    assert folder_is_empty(tmp_path)


def test_a_crash_of_our_own_leaves_nothing_behind(short_scenario, tmp_path, monkeypatch):
    append = TableWriter.append

    def broken(self, table, columns):
        if table == "buses":
            raise RuntimeError("no table for buses")
        append(self, table, columns)

    monkeypatch.setattr(TableWriter, "append", broken)
    with pytest.raises(RuntimeError, match="no table for buses"):
        run_scenario(short_scenario(2), tmp_path / "scenario.yaml", tmp_path / "result")
    assert folder_is_empty(tmp_path)


def test_a_book_that_no_block_could_clear_is_refused(short_scenario, tmp_path, monkeypatch):
    monkeypatch.setattr(clearing_limits, "clear_gas", lambda n: clear_gas(n) + 40_000_000)
    file = tmp_path / "scenario.yaml"
    with pytest.raises(ScenarioError, match="clearing 13 orders may take") as caught:
        run_scenario(short_scenario(2), file, tmp_path / "result")
    assert caught.value.field == "ledger.block_gas_limit"
    assert caught.value.file == str(file)
    assert str(clear_gas(13) + 40_000_000) in str(caught.value.remedy)
    assert folder_is_empty(tmp_path)


def test_rules_of_the_chain_that_a_clearing_cannot_keep_are_refused(
    short_scenario, tmp_path, monkeypatch
):
    monkeypatch.setattr(clearing_limits, "clear_gas", lambda n: clear_gas(n) + 16_600_000)
    file = tmp_path / "scenario.yaml"
    scenario = short_scenario(2, ledger={"rules": "osaka"})
    with pytest.raises(ScenarioError, match="clearing 13 orders may take 16889000 gas") as caught:
        run_scenario(scenario, file, tmp_path / "result")
    assert (caught.value.field, caught.value.file) == ("ledger.rules", str(file))
    assert "prosumers.participants" in str(caught.value.remedy)
    assert folder_is_empty(tmp_path)


def test_a_run_by_the_rules_of_osaka(short_run, short_scenario, tmp_path, monkeypatch):
    _, prague, _ = short_run
    scenario = short_scenario(
        3,
        grid={"network": "1-LV-rural1--1-sw", "reference_sample": 2},
        ledger={"rules": "osaka"},
    )
    done = run_scenario(scenario, tmp_path / "scenario.yaml", tmp_path / "result", report=False)
    for name in ("transactions", "events", "settlement"):
        ours, theirs = (one.folder / "tables" / f"{name}.parquet" for one in (done, prague))
        assert ours.read_bytes() == theirs.read_bytes()
    assert verify(done.folder, parts=("files", "ledger")).passed
    monkeypatch.setitem(TRANSACTION_GAS_LIMITS, "osaka", 190_000)  # less than was sent
    assert verify(done.folder, parts=("files", "ledger")).failed == ["blocks"]


def test_more_members_than_a_book_holds_orders_are_refused(short_scenario, tmp_path, monkeypatch):
    """On a smaller book: 13 members take part."""
    file = tmp_path / "scenario.yaml"
    monkeypatch.setattr(clearing_limits, "MAX_ORDERS", 12)
    with pytest.raises(
        ScenarioError, match=r"13 prosumers take part, .* holds 12 orders"
    ) as caught:
        run_scenario(short_scenario(2), file, tmp_path / "result")
    assert caught.value.field == "prosumers.participants"
    assert caught.value.file == str(file)
    assert "12 at most" in str(caught.value.remedy)
    assert folder_is_empty(tmp_path)
    monkeypatch.setattr(clearing_limits, "MAX_ORDERS", 13)
    run_scenario(short_scenario(1), file, tmp_path / "result")


def test_two_runs_do_not_write_to_one_place(short_scenario, tmp_path):
    out = tmp_path / "result"
    with (
        TableWriter(out),
        pytest.raises(ResultFolderError, match="another run is writing this result"),
    ):
        run_scenario(short_scenario(2), tmp_path / "scenario.yaml", out)


def test_force_replaces_an_earlier_result_at_the_end(short_scenario, tmp_path):
    out = tmp_path / "result"
    file = tmp_path / "scenario.yaml"
    run_scenario(short_scenario(1), file, out)
    (out / "my notes.txt").write_text("about the earlier run")

    def look(interval, violated):
        assert (out / "my notes.txt").exists()

    result = run_scenario(short_scenario(2), file, out, force=True, progress=look)
    assert result.folder == out
    assert json.loads((out / "manifest.json").read_text())["intervals"] == 2
    assert not (out / "my notes.txt").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["result"]
