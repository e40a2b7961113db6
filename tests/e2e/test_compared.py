"""Runs against their counterfactuals: command line, folder, report; welfare and transfers."""

from __future__ import annotations

import contextlib
import io
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

import cosim
from cosim.cli import EXIT_USER, main
from cosim.errors import UserError
from cosim.inputs.kept import sha256
from cosim.results.reader import Results
from cosim.studies.differences import write_comparison
from cosim.studies.report import compared_runs, write_study_report
from cosim.studies.results import read_runs
from cosim.studies.verification import verify_study

# at nine PV is already sold in the community, at eleven the transformer is overloaded
MORNING: dict[str, Any] = {
    "name": "morning",
    "seed": 20160524,
    "time": {"start": "2016-05-24T11:00:00", "intervals": 2},
    "grid": {"network": "1-LV-rural1--1-sw", "reference_sample": 1},
}
PRICES: dict[str, Any] = MORNING | {
    "name": "prices",
    "time": {"start": "2016-05-24T08:00:00", "intervals": 2},
    "dso": {"procure": False},
    "study": {
        "variants": {"dear": {}, "cheap": {"market": {"retail_eur_per_kwh": 0.2}}},
        "expect": ["dear.welfare_eur == cheap.welfare_eur"],
    },
}


def write(file: Path, fields: dict[str, Any]) -> Path:
    file.write_text(yaml.safe_dump(fields, sort_keys=False), encoding="utf-8")
    return file


def command(*arguments: str) -> tuple[int, str]:
    with contextlib.redirect_stdout(io.StringIO()) as out:
        code = main(["run", *arguments])
    return code, out.getvalue()


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    base = tmp_path_factory.mktemp("compared")
    file = write(base / "morning.yaml", MORNING)
    folder = base / "out"
    code, said = command(str(file), "--compare", "--out", str(folder), "--jobs", "1")
    assert code == 0
    return folder, said


def rows(folder: Path) -> pd.DataFrame:
    table = pd.read_csv(folder / "comparison.csv")
    pd.testing.assert_frame_equal(table, pd.read_parquet(folder / "comparison.parquet"))
    return table.set_index(["against", "quantity"])


def test_a_scenario_is_played_with_its_counterfactuals(compared: tuple[Path, str]) -> None:
    folder, _ = compared
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    names = [run["name"] for run in manifest["runs"]]
    assert names == ["as_given", "no_market", "no_flexibility", "no_relief"]
    assert [each["against"] for each in manifest["comparisons"]] == names[1:]
    assert "comparison.csv" in manifest["sha256"]
    assert verify_study(folder, "revm").failed == []
    orders = {name: len(Results(folder / "runs" / name).frame("orders")) for name in names}
    assert orders["no_market"] == 0
    assert orders["as_given"] > 0


def forged_report(folder: Path) -> None:
    file = folder / "report.html"
    text = file.read_text(encoding="utf-8")
    assert text.count("no_market") > 0
    file.write_text(text.replace("no_market", "free_beer", 1), encoding="utf-8")


def forged_comparison(folder: Path) -> None:
    file = folder / "comparison.csv"
    table = pd.read_csv(file)
    table.loc[3, "difference"] += 0.01
    table.to_csv(file, index=False)


def forged_table(folder: Path) -> None:
    file = folder / "study.parquet"
    table = pd.read_parquet(file)
    table.loc[0, "run"] = "better"
    table.to_parquet(file, index=False)


def forged_optimum(folder: Path) -> None:
    """Say that the run is nearer to the optimum than it is, in table and report as well."""
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    (optimum,) = manifest["optima"]
    below = optimum["welfare_eur"] - optimum["run_welfare_eur"]
    assert below > 0.1
    optimum["welfare_eur"] -= below / 2
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    write_comparison(folder, compared_runs(folder, *read_runs(folder)))
    write_study_report(folder)


def forged_measure(folder: Path) -> None:
    """Leave the yardstick out, where it is not flattering."""
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    manifest["optima"] = []
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    write_comparison(folder, compared_runs(folder, *read_runs(folder)))
    write_study_report(folder)


@pytest.mark.parametrize("forge", [forged_optimum, forged_measure])
def test_a_forged_optimum_is_found_and_by_nothing_else(
    compared: tuple[Path, str], tmp_path: Path, forge: Callable[[Path], None]
) -> None:
    folder = shutil.copytree(compared[0], tmp_path / "forged")
    forge(folder)
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    manifest["sha256"] = {name: sha256(folder / name) for name in manifest["sha256"]}
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    assert verify_study(folder, "revm").failed == ["central optimum"]
    files = verify_study(folder, "revm", parts=("files",))
    assert files.failed == []
    assert ("optimum is not solved again" in files.limits) is bool(manifest["optima"])


@pytest.mark.parametrize(
    ("forge", "found"),
    [(forged_report, "report"), (forged_comparison, "comparison"), (forged_table, "comparison")],
)
def test_what_a_study_says_of_its_runs_is_made_again(
    compared: tuple[Path, str], tmp_path: Path, forge: Callable[[Path], None], found: str
) -> None:
    folder = shutil.copytree(compared[0], tmp_path / "forged")
    forge(folder)
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    manifest["sha256"] = {name: sha256(folder / name) for name in manifest["sha256"]}
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    assert found in verify_study(folder, "revm").failed


def test_every_difference_follows_from_the_runs(compared: tuple[Path, str]) -> None:
    folder, _ = compared
    table = rows(folder)
    runs = {name: folder / "runs" / name for name in ("as_given", "no_market", "no_relief")}
    dispatched = {
        name: Results(run).frame("schedules")["dispatched_wh"] for name, run in runs.items()
    }
    for against in ("no_market", "no_relief"):
        kwh = (dispatched["as_given"] - dispatched[against]).abs().sum() / 1000
        assert table.loc[(against, "schedule_differs_kwh"), "difference"] == pytest.approx(kwh)
        welfare = [
            json.loads((runs[name] / "manifest.json").read_text())["indicators"]["welfare_eur"]
            for name in ("as_given", against)
        ]
        row = table.loc[(against, "welfare_eur")]
        assert [row["of_run"], row["of_against"]] == pytest.approx(welfare)
        assert row["difference"] == pytest.approx(welfare[0] - welfare[1])
    assert table.loc[("no_relief", "violations.delivered.any.minutes"), "of_against"] == 30
    assert table.loc[("no_market", "violations.delivered.any.minutes"), "of_against"] == 0
    # money is zero-sum: so are the differences, upstream among them
    money = table["difference"].filter(like="money_by_role_eur")
    assert money.groupby(level="against").sum().abs().max() < 1e-9


def test_no_run_within_the_limits_beats_the_central_optimum(compared: tuple[Path, str]) -> None:
    folder, said = compared
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    (optimum,) = manifest["optima"]
    assert optimum["run"] == "as_given"
    assert optimum["within_limits"]
    assert 0 <= optimum["gap_eur"] < 0.01
    table = rows(folder)
    for against in ("no_market", "no_flexibility"):
        row = table.loc[(against, "welfare_eur")]
        best = max(row["of_run"], row["of_against"])
        assert best <= optimum["welfare_eur"] + optimum["gap_eur"]
    # without relief the transformer carries more than it may, and more is sold
    row = table.loc[("no_relief", "welfare_eur")]
    assert row["of_against"] > optimum["welfare_eur"]
    assert table.loc[("central_optimum", "welfare_eur"), "difference"] == pytest.approx(
        row["of_run"] - optimum["welfare_eur"]
    )
    assert "as_given against the central_optimum" in said


def test_report_and_terminal_name_what_a_gain_is_against(compared: tuple[Path, str]) -> None:
    folder, said = compared
    page = (folder / "report.html").read_text(encoding="utf-8")
    for text in (said.replace("\n", " "), page):
        assert "as_given against no_market" in text
        assert "as delivered there, and in" in text
        assert "was not played" not in text
    assert "in parentheses: as_given less the run of the column" in page
    assert not re.search(r"[\d,(−]…", said)  # what goes into a file is cut nowhere
    tables = [line for line in said.splitlines() if line.startswith(" ")]
    assert max(map(len, tables)) <= 100


def test_two_runs_with_the_same_physics_have_the_same_welfare(tmp_path: Path) -> None:
    file = write(tmp_path / "prices.yaml", PRICES)
    code, said = command(str(file), "--out", str(tmp_path / "out"), "--jobs", "1")
    assert code == 0, "welfare of both is the same"
    assert "The run without the market was not played" in said
    runs = [Results(tmp_path / "out" / "runs" / name) for name in ("dear", "cheap")]
    physics = [run.frame("prosumers")["p_inject_mw"].tolist() for run in runs]
    assert physics[0] == physics[1]
    found = [run.manifest["indicators"] for run in runs]
    assert found[0]["welfare_eur"] == found[1]["welfare_eur"]
    traded = [run.frame("settlement")["traded_ueur"].tolist() for run in runs]
    assert traded[0] != traded[1]
    assert found[0]["trade_surplus_eur"] != found[1]["trade_surplus_eur"]
    assert not (tmp_path / "out" / "comparison.csv").exists()


def test_what_cannot_be_compared_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = write(tmp_path / "morning.yaml", MORNING)
    code = main(["run", str(file), "--compare", "--engine", "rpc", "--url", "http://127.0.0.1:1"])
    assert code == EXIT_USER
    assert (
        "plays several runs, and --engine rpc and --url can be of one only"
        in capsys.readouterr().err
    )
    for given, says in ((["no_marked"], "no_marked"), ([], "names no counterfactual")):
        with pytest.raises(UserError, match=says) as caught:
            cosim.compare(cosim.Scenario(**MORNING), against=given, out=tmp_path / "out")
        assert "no_market" in str(caught.value)
    assert not (tmp_path / "out").exists()
