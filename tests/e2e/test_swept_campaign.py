"""A campaign that was swept: table, failed runs, what is verified of it and what forgeries show."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from result_folders import contents
from sweeping import PV, file_bytes, write

import cosim
from cosim.campaigns.campaign import load_campaign
from cosim.campaigns.folder import opened
from cosim.campaigns.report import write_campaign_report
from cosim.campaigns.sweep import State
from cosim.campaigns.table import write_table
from cosim.campaigns.verification import verify_campaign
from cosim.cli import main
from cosim.errors import BusyFolderError, CheckError
from cosim.inputs.kept import sha256
from cosim.report.report import write_report
from cosim.runs.experiment import run_scenario


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, cosim.SweepResult, list[State]]:
    """A campaign with a point that cannot be run: its day is not in the profiles."""
    folder = tmp_path_factory.mktemp("swept")
    file = write(
        folder / "tiny.yaml",
        {"prosumers": {"variation": {}}},
        vary={"time.start": ["2030-01-01T00:00:00", "2016-05-24T11:00:00"], PV: [1, 2]},
        seeds=2,
        indicators=["welfare_eur", "violations.delivered.any.minutes"],
    )
    told: list[State] = []
    return file, cosim.sweep(file, folder / "result", jobs=2, progress=told.append), told


def test_a_failed_run_is_recorded_and_stops_no_other(
    swept: tuple[Path, cosim.SweepResult, list[State]],
) -> None:
    _, result, told = swept
    assert (result.played, result.count("done"), result.count("failed")) == (4, 4, 4)
    assert not result.complete
    assert len(result.errors) == 4
    assert all("2030" in error for error in result.errors.values())
    for run in result.errors:
        record = json.loads((result.folder / "failed" / f"{run}.json").read_text())
        assert record["values"]["time.start"] == "2030-01-01T00:00:00"
        assert record["failure"]["kind"] == "user"
        assert record["failure"]["remedy"]
    assert (told[-1].runs, told[-1].runs_total, told[-1].failed) == (8, 8, 4)
    assert told[-1].intervals == told[-1].intervals_total == 8
    manifest = json.loads((result.folder / "manifest.json").read_text())
    assert manifest["kind"] == "campaign"
    assert manifest["complete"] is False


def test_the_table_is_tidy(swept: tuple[Path, cosim.SweepResult, list[State]]) -> None:
    _, result, _ = swept
    table = pd.read_parquet(result.parquet)
    pd.testing.assert_frame_equal(table, result.table)
    assert list(table.columns[:9]) == [
        "hash", "folder", "status", "error", "point", "number", "seed", "time.start", PV,
    ]  # fmt: skip
    assert list(table["point"]) == [0, 0, 1, 1, 2, 2, 3, 3]
    assert list(table["number"]) == [1, 2] * 4
    assert table["folder"].isna().tolist() == [True] * 4 + [False] * 4
    for row in table[table["status"] == "done"].to_dict("records"):
        own = cosim.open_result(result.folder / row["folder"])
        assert own.complete
        assert own.scenario.prosumers.scaling.pv == row[PV]
        assert own.scenario.seed == row["seed"]
        assert own.indicators["welfare_eur"] == row["welfare_eur"]
        nested = own.indicators["violations"]["delivered"]["any"]["minutes"]
        assert nested == row["violations.delivered.any.minutes"]
    # an indicator of a run that failed is missing, not 0
    assert table["welfare_eur"].isna().sum() == 4
    assert table["welfare_eur"].nunique() == 4


def test_a_run_is_what_cosim_run_makes_of_its_scenario(
    swept: tuple[Path, cosim.SweepResult, list[State]], tmp_path: Path
) -> None:
    _, result, _ = swept
    run = result.folder / str(result.table["folder"].dropna().iloc[0])
    scenario = cosim.load_scenario(run / "scenario.yaml")
    again = run_scenario(scenario, run / "scenario.yaml", tmp_path / "again", report=False)
    for file in sorted((run / "tables").iterdir()):
        assert file.read_bytes() == (again.folder / "tables" / file.name).read_bytes()
    assert write_report(run).is_file()


def test_a_second_sweep_does_only_what_is_missing(
    swept: tuple[Path, cosim.SweepResult, list[State]], capsys: pytest.CaptureFixture[str]
) -> None:
    file, result, _ = swept
    before = contents(result.folder / "runs")
    assert main(["sweep", str(file), "--out", str(result.folder)]) == 1
    printed = capsys.readouterr().out
    assert "4 of 8 runs done (0 now), 4 failed" in printed
    assert "--retry plays them again" in printed
    assert contents(result.folder / "runs") == before
    # a run that is gone is played again, and has the bytes that it had
    gone = str(result.table["folder"].dropna().iloc[-1])
    own = file_bytes(result.folder / gone)
    for path in sorted((result.folder / gone).rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    (result.folder / gone).rmdir()
    assert cosim.sweep(file, result.folder, jobs=1).played == 1
    assert len(own) > 20
    assert file_bytes(result.folder / gone) == own


def test_failed_runs_are_retried_if_asked(
    swept: tuple[Path, cosim.SweepResult, list[State]],
) -> None:
    file, result, _ = swept
    told: list[State] = []
    again = cosim.sweep(file, result.folder, jobs=1, retry=True, progress=told.append)
    assert (told[-1].runs, told[-1].failed, again.played) == (4, 4, 0)


def test_a_campaign_is_verified_whole(
    swept: tuple[Path, cosim.SweepResult, list[State]], capsys: pytest.CaptureFixture[str]
) -> None:
    _, result, _ = swept
    assert main(["verify", str(result.folder), "--only", "files,recompute"]) == 0
    output = capsys.readouterr().out
    assert "its own files and all 4 runs agree, nothing differs; NOT EVERYTHING was" in output
    assert "declaration: run" in output
    assert "is failed: the campaign's word" in output
    run = result.folder / str(result.table["folder"].dropna().iloc[0])
    assert main(["report", str(run)]) == 0
    assert main(["verify", str(run), "--only", "report"]) == 0
    assert main(["report", str(result.folder), "--figures", str(result.folder / "svg")]) == 0
    assert list((result.folder / "svg").glob("tiny_*.svg"))
    shutil.rmtree(result.folder / "svg")


def better(table: pd.DataFrame) -> None:
    table.loc[table["status"] == "done", "welfare_eur"] += 1.0


def labelled_otherwise(table: pd.DataFrame) -> None:
    table[PV] = 3 - table[PV]


@pytest.mark.parametrize(
    ("change", "where"),
    [(better, ["tables", "report"]), (labelled_otherwise, ["tables", "report"])],
)
def test_a_forged_table_of_a_campaign_is_found(
    swept: tuple[Path, cosim.SweepResult, list[State]],
    tmp_path: Path,
    change: Callable[[pd.DataFrame], None],
    where: list[str],
) -> None:
    forged = tmp_path / "forged"
    shutil.copytree(swept[1].folder, forged)
    table = pd.read_parquet(forged / "campaign.parquet")
    change(table)
    write_table(forged, table, "campaign.parquet", "campaign.csv")
    restate(forged)
    assert verify_campaign(forged, "revm").failed == where


def test_a_forged_run_of_a_campaign_is_found(
    swept: tuple[Path, cosim.SweepResult, list[State]], tmp_path: Path
) -> None:
    """A run that stands for another, one left out, another design, a file that is nobody's."""
    folder = tmp_path / "forged"
    shutil.copytree(swept[1].folder, folder)
    kept = (folder / "manifest.json").read_bytes()
    done = [run["name"] for run in json.loads(kept)["runs"] if run["status"] == "done"]
    one, other = (folder / "runs" / done[k] for k in (0, 2))
    one.rename(folder / "runs" / "x")
    other.rename(one)
    (folder / "runs" / "x").rename(other)
    write_campaign_report(folder)
    assert verify_campaign(folder, "revm").failed == ["declaration", "tables"]
    one.rename(folder / "runs" / "x")
    other.rename(one)
    (folder / "runs" / "x").rename(other)

    def stating(change: Callable[[dict[str, Any]], None]) -> list[str]:
        manifest = json.loads(kept)
        change(manifest)
        (folder / "manifest.json").write_text(json.dumps(manifest))
        write_campaign_report(folder)
        return verify_campaign(folder, "revm").failed

    def dropped(manifest: dict[str, Any]) -> None:
        manifest["runs"] = [run for run in manifest["runs"] if run["name"] != done[0]]

    def failing(manifest: dict[str, Any]) -> None:
        for run in manifest["runs"]:
            run["status"] = "missing" if run["name"] == done[0] else run["status"]

    def seeded(manifest: dict[str, Any]) -> None:
        manifest["seeds"] = 1

    def one_for_two(manifest: dict[str, Any]) -> None:
        for run in manifest["runs"]:
            run["name"] = done[0] if run["name"] == done[1] else run["name"]

    assert stating(lambda manifest: None) == []
    assert "declaration" in stating(dropped)
    assert "campaign" in stating(failing)
    assert "declaration" in stating(seeded)
    assert "declaration" in stating(one_for_two)
    (folder / "more.csv").write_text("")
    assert stating(lambda manifest: None) == ["campaign"]


def test_what_was_found_counts_although_a_run_cannot_be_checked_here(
    swept: tuple[Path, cosim.SweepResult, list[State]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def troubled(*arguments: object, **options: object) -> None:
        raise CheckError("the disk is full")

    monkeypatch.setattr("cosim.campaigns.verification.verify", troubled)
    assert main(["verify", str(swept[1].folder)]) == 3
    stray = swept[1].folder / "stray.txt"
    stray.write_text("")
    try:
        assert main(["verify", str(swept[1].folder)]) == 1
    finally:
        stray.unlink()
    output = capsys.readouterr().out
    assert "no further run was checked: the disk is full" in output
    assert "campaign tiny: NOT VERIFIED; differences in its own campaign" in output


def test_ctrl_c_while_tables_are_written_says_that_runs_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*arguments: object, **options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("cosim.campaigns.sweep._swept", interrupted)
    file = write(tmp_path / "tiny.yaml", vary={PV: [1, 2]})
    assert main(["sweep", str(file), "--out", str(tmp_path / "out")]) == 130
    assert "interrupted; what is finished is kept; the same command" in capsys.readouterr().err


def restate(folder: Path) -> None:
    """State the hashes of a campaign's files anew."""
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["sha256"] = {name: sha256(folder / name) for name in manifest["sha256"]}
    (folder / "manifest.json").write_text(json.dumps(manifest))


def test_two_sweeps_in_one_folder_do_not_meet(
    swept: tuple[Path, cosim.SweepResult, list[State]], capsys: pytest.CaptureFixture[str]
) -> None:
    file, result, _ = swept
    campaign = load_campaign(file)
    with opened(result.folder, campaign):
        assert main(["sweep", str(file), "--out", str(result.folder)]) == 2
        assert "another sweep is at work in this folder" in capsys.readouterr().err
        with pytest.raises(BusyFolderError):
            cosim.sweep(campaign, result.folder, part=(1, 2))
    # parts share the folder, and a whole sweep waits for them
    with opened(result.folder, campaign, shared=True):
        with opened(result.folder, campaign, shared=True):
            pass
        with pytest.raises(BusyFolderError):
            cosim.sweep(campaign, result.folder)
