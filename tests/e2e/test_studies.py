"""A study through the command line: its folder, its report in a browser, and what goes wrong."""

from __future__ import annotations

import contextlib
import io
import json
import pickle
import shutil
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from browsing import opened
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from cosim.cli import EXIT_FAILED, EXIT_USER, main
from cosim.errors import ReconciliationError, ResultFolderError, RunError, UserError
from cosim.replay.findings import Check
from cosim.report.indicators import compute_indicators
from cosim.results.manifest import flatten
from cosim.results.reader import Results
from cosim.studies.failures import Failure
from cosim.studies.report import write_study_report
from cosim.studies.runner import run_study
from cosim.studies.study import load_study
from cosim.studies.verification import check_declaration
from cosim.verify.study import check_study

# the quickstart's transformer is overloaded at 11:00
STUDY: dict[str, Any] = {
    "name": "two_ways",
    "description": "With flexibility </script>, and without.",
    "seed": 20160524,
    "time": {"start": "2016-05-24T11:00:00", "intervals": 2},
    "grid": {"network": "1-LV-rural1--1-sw"},
    "study": {
        "expectation": "Flexibility relieves the transformer.",
        "expect": [
            "relieved.violations.delivered.any.minutes < bare.violations.delivered.any.minutes",
            "relieved.flexibility_awarded_kwh > 10",
        ],
        "variants": {"bare": {"dso.procure": False}, "relieved": {}},
    },
}


@dataclass(frozen=True)
class Ran:
    """What a command left and said."""

    code: int
    out: str
    folder: Path


def run(file: Path, folder: Path, *options: str) -> Ran:
    with contextlib.redirect_stdout(io.StringIO()) as out:
        code = main(["run", str(file), "--out", str(folder), *options])
    return Ran(code, out.getvalue(), folder)


def write(file: Path, data: dict[str, Any]) -> Path:
    file.write_text(yaml.safe_dump(data, sort_keys=False), encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    base = tmp_path_factory.mktemp("study")
    return run(write(base / "two_ways.yaml", STUDY), base / "two_ways", "--jobs", "1")


def manifest(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    return found


def test_every_run_is_a_result_of_its_own(ran: Ran) -> None:
    assert ran.code == 0
    found = manifest(ran.folder)
    assert (found["kind"], found["name"], found["complete"]) == ("study", "two_ways", True)
    assert [each["name"] for each in found["runs"]] == ["bare", "relieved"]
    table = pd.read_parquet(ran.folder / "study.parquet").set_index("run")
    for name, procures in (("bare", False), ("relieved", True)):
        folder = ran.folder / "runs" / name
        scenario = yaml.safe_load((folder / "scenario.yaml").read_text(encoding="utf-8"))
        assert scenario["name"] == f"two_ways.{name}"
        assert scenario["dso"]["procure"] is procures
        own = flatten(compute_indicators(Results(folder)).as_dict())
        row = table.loc[name]
        assert row["violations.scheduled.any.minutes"] == 30
        assert {key: row[key] for key, value in own.items() if value is not None} == {
            key: value for key, value in own.items() if value is not None
        }
    assert table["flexibility_awarded_kwh"].tolist()[0] == 0
    assert table["violations.delivered.any.minutes"].tolist() == [30, 0]
    assert not list(ran.folder.parent.glob("*.partial"))


def test_the_terminal_shows_the_runs_and_what_was_expected(ran: Ran) -> None:
    awarded = pd.read_parquet(ran.folder / "study.parquet")["flexibility_awarded_kwh"][1]
    lines = reversed(ran.out.splitlines())  # the table of runs is the first
    rows = {line.split()[0]: line.split() for line in lines if line.strip()}
    assert rows["bare"][1:3] == ["30→30→30", "0.0"]
    assert rows["relieved"][1:3] == ["30→0→0", f"{awarded:.1f}"]
    assert f"met: {STUDY['study']['expect'][0]}  (0 < 30)" in ran.out
    assert f"report: {ran.folder / 'report.html'}" in ran.out


def test_the_number_of_jobs_changes_nothing(ran: Ran, tmp_path: Path) -> None:
    section = STUDY["study"] | {"expect": ["bare.violations.delivered.any.minutes == 0"]}
    file = write(tmp_path / "two_ways.yaml", STUDY | {"study": section})
    parallel = run(file, tmp_path / "out", "--jobs", "2")
    assert parallel.code == EXIT_FAILED
    assert "NOT met: bare.violations.delivered.any.minutes == 0  (30, not == 0)" in parallel.out

    def contents(folder: Path) -> dict[str, bytes]:
        return {
            path.relative_to(folder).as_posix(): path.read_bytes()
            for path in sorted(folder.rglob("*"))
            if path.is_file() and path.name not in ("manifest.json", "study.yaml")
        }

    one, two = contents(ran.folder), contents(parallel.folder)
    differing = {name for name in one.keys() | two.keys() if one.get(name) != two.get(name)}
    assert differing == {"report.html"}, "only what was expected differs"
    for name in ("bare", "relieved"):
        first, second = (manifest(root.folder / "runs" / name) for root in (ran, parallel))
        assert {**first, "timing": None} == {**second, "timing": None}


def test_a_failing_run_is_named_and_leaves_the_earlier_result(
    ran: Ran, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    earlier = shutil.copytree(ran.folder, tmp_path / "out")
    before = (earlier / "study.parquet").read_bytes()
    # only the set-up can tell that there are not so many connection points
    section = {"variants": {"crowded": {"prosumers.participants": 99}, "fine": {}}}
    file = write(tmp_path / "crowd.yaml", STUDY | {"study": section})
    assert main(["run", str(file), "--out", str(earlier)]) == EXIT_USER
    assert "exists already" in capsys.readouterr().err
    code = main(["run", str(file), "--out", str(earlier), "--force", "--jobs", "2"])
    assert code == EXIT_USER
    error = capsys.readouterr().err
    assert "prosumers.participants: run 'crowded': 99 connection points" in error
    assert str(file) in error
    assert (earlier / "study.parquet").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == ["out"]


def test_a_run_that_its_setup_refuses_is_left_out_if_asked_for(tmp_path: Path) -> None:
    section = {
        "expect": ["participants-99.cost_eur < 0"],
        "axes": {"prosumers.participants": [99, 3]},
        "skip_impossible": True,
    }
    time = STUDY["time"] | {"intervals": 1}
    file = write(tmp_path / "crowd.yaml", STUDY | {"time": time, "study": section})
    left = run(file, tmp_path / "out", "--jobs", "1")
    assert left.code == EXIT_FAILED
    assert "impossible: participants-99: prosumers.participants: 99 connection" in left.out
    assert "NOT met: participants-99.cost_eur < 0  (run 'participants-99' could not" in left.out
    assert [path.name for path in (left.folder / "runs").iterdir()] == ["participants-3"]
    report = (left.folder / "report.html").read_text(encoding="utf-8")
    assert "participants-99: prosumers.participants: 99 connection points" in report


def test_ctrl_c_leaves_nothing(tmp_path: Path) -> None:
    study = load_study(write(tmp_path / "two_ways.yaml", STUDY))
    told: list[tuple[int, int]] = []

    def interrupt(intervals: int, runs: int) -> None:
        told.append((intervals, runs))
        signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        run_study(study, tmp_path / "out", jobs=1, progress=interrupt)
    assert told == [(1, 0)]
    assert [path.name for path in tmp_path.iterdir()] == ["two_ways.yaml"]


@pytest.mark.parametrize(
    ("raised", "kind", "says"),
    [
        (ReconciliationError(3, ["seller"], "does not balance"), RunError, "interval 3, seller"),
        (UserError("is wrong", file="f", field="a.b", remedy="mend"), UserError, "mend"),
        (ZeroDivisionError("bug"), RuntimeError, "ZeroDivisionError"),
    ],
)
def test_every_error_comes_home_with_the_name_of_its_run(
    raised: Exception, kind: type[Exception], says: str
) -> None:
    try:
        raise raised
    except Exception as error:
        failure = pickle.loads(pickle.dumps(Failure.of(error)))
    error = failure.error("attacked")
    assert type(error) is kind
    assert "run 'attacked': " in str(error)
    assert says in str(error)


def test_the_report_and_its_figures_are_written_anew(
    ran: Ran, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = (ran.folder / "report.html").read_bytes()
    assert main(["report", str(ran.folder), "--figures", str(tmp_path / "images")]) == 0
    assert (ran.folder / "report.html").read_bytes() == first
    images = sorted((tmp_path / "images").iterdir())
    assert f"figure: {tmp_path / 'images' / 'two_ways_money.svg'}" in capsys.readouterr().out
    assert {"two_ways_money.svg", "two_ways_voltage.svg", "two_ways_violations.svg"} <= {
        image.name for image in images
    }
    assert "relieved" in (tmp_path / "images" / "two_ways_violations.svg").read_text("utf-8")


def test_figures_are_those_of_a_study(
    ran: Ran, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = ran.folder / "runs" / "bare"
    assert main(["report", str(folder), "--figures", str(tmp_path)]) == EXIT_USER
    assert "result of one run" in capsys.readouterr().err
    shutil.copytree(ran.folder, tmp_path / "study")
    shutil.rmtree(tmp_path / "study" / "runs" / "bare")
    with pytest.raises(ResultFolderError, match="bare"):
        write_study_report(tmp_path / "study")


@pytest.fixture(scope="module")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    base = tmp_path_factory.mktemp("seeded")
    section = {
        "seeds": 2,
        "variants": {"bare": {"dso.procure": False}},
        "expect": ["bare.violations.scheduled.any.minutes == 30", "bare_seed-2.cost_eur > -1000"],
    }
    file = write(base / "two_ways.yaml", STUDY | {"study": section})
    return run(file, base / "out", "--jobs", "1")


def test_the_first_seed_is_the_scenarios_own(ran: Ran, seeded: Ran) -> None:
    assert seeded.code == 0
    names = [each["name"] for each in manifest(seeded.folder)["runs"]]
    assert names == ["bare_seed-1", "bare_seed-2"]
    first, second = (seeded.folder / "runs" / name / "tables" for name in names)
    alone = ran.folder / "runs" / "bare" / "tables"
    tables = sorted(table.name for table in alone.glob("*.parquet"))
    assert all((first / t).read_bytes() == (alone / t).read_bytes() for t in tables)
    assert (second / "orders.parquet").read_bytes() != (alone / "orders.parquet").read_bytes()


def test_means_are_shown_and_can_be_checked(seeded: Ran, tmp_path: Path) -> None:
    runs = pd.read_parquet(seeded.folder / "study.parquet").set_index("run")
    means = pd.read_parquet(seeded.folder / "means.parquet").set_index("indicator")
    costs = runs["mean_cost_eur"]
    half = 12.7062 * abs(costs.iloc[0] - costs.iloc[1]) / 2
    assert means["mean"]["mean_cost_eur"] == pytest.approx(costs.mean())
    assert means["high"]["mean_cost_eur"] == pytest.approx(costs.mean() + half, rel=1e-4)
    assert half > 0
    assert f"± {half:.2f}" in seeded.out.replace("\u00a0", " ")
    assert "Means of 2 seeds" in seeded.out
    assert "met: bare.violations.scheduled.any.minutes == 30  (30 == 30; left less" in seeded.out
    report = (seeded.folder / "report.html").read_text(encoding="utf-8")
    assert "runs/bare_seed-2/report.html" in report
    assert "not cover other days or feeders" in report
    assert not check_study(seeded.folder).differences
    forged = shutil.copytree(seeded.folder, tmp_path / "forged")
    table = pd.read_parquet(forged / "means.parquet")
    table.loc[table["indicator"] == "mean_cost_eur", "high"] += 0.01
    table.to_parquet(forged / "means.parquet", index=False)
    found = {each.column for each in check_study(forged).differences}
    assert found == {"sha256", "high"}


def swapped(folder: Path, manifest: dict[str, Any]) -> None:
    """Each of two runs under the name of the other."""
    one, other = (folder / "runs" / each["name"] for each in manifest["runs"][:2])
    one.rename(folder / "between")
    other.rename(one)
    (folder / "between").rename(other)


def copied(folder: Path, manifest: dict[str, Any]) -> None:
    """The first seed for every seed: no spread is left."""
    first, *others = (folder / "runs" / each["name"] for each in manifest["runs"])
    for other in others:
        shutil.rmtree(other)
        shutil.copytree(first, other)


def dropped(folder: Path, manifest: dict[str, Any]) -> None:
    """A run less."""
    shutil.rmtree(folder / "runs" / manifest["runs"].pop()["name"])


def renamed(folder: Path, manifest: dict[str, Any]) -> None:
    manifest["expectation"] = "Something else."


@pytest.mark.parametrize("forge", [swapped, copied, dropped, renamed])
def test_runs_are_those_that_the_study_declares(
    seeded: Ran, tmp_path: Path, forge: Callable[[Path, dict[str, Any]], None]
) -> None:
    assert check_declaration(seeded.folder).passed
    forged = shutil.copytree(seeded.folder, tmp_path / "forged")
    manifest = json.loads((forged / "manifest.json").read_text(encoding="utf-8"))
    forge(forged, manifest)
    (forged / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    assert not check_declaration(forged).passed


def test_names_of_an_author_do_not_steer_the_terminal() -> None:
    check = Check("inputs", "")
    check.note("plug-in x\n\x1b[8mis it right? yes")
    assert check.notes == ["plug-in x\\n\\x1b[8mis it right? yes"]
    check.differ("a\nb", "", "", 1, 2)
    assert "\n" not in str(check.differences[0])


@pytest.mark.parametrize("field", ["text", "met", "left"])
def test_outcomes_follow_from_what_was_expected(
    seeded: Ran, tmp_path: Path, capsys: pytest.CaptureFixture[str], field: str
) -> None:
    forged = shutil.copytree(seeded.folder, tmp_path / "forged")
    manifest = json.loads((forged / "manifest.json").read_text(encoding="utf-8"))
    outcome = manifest["outcomes"][0]
    other = {"text": "bare.orders.late == 0", "met": not outcome["met"], "left": 31.0}
    outcome[field] = other[field]
    (forged / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    assert main(["verify", str(forged), "--only", "files"]) == 1
    said = capsys.readouterr().out
    assert "NOT VERIFIED; differences in its own expectations" in said.splitlines()[-2]
    assert main(["verify", str(seeded.folder), "--only", "files"]) == 0
    said = capsys.readouterr().out
    agreed = "runs agree, nothing differs; NOT EVERYTHING was checked: files"
    assert said.splitlines()[-2].endswith(agreed)


@pytest.fixture(scope="module")
def browser(ran: Ran, tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    with opened(ran.folder / "report.html", tmp_path_factory.mktemp("chromium")) as driver:
        yield driver


@pytest.mark.browser
def test_the_report_shows_runs_figures_and_what_was_expected(
    browser: webdriver.Chrome, ran: Ran
) -> None:
    assert browser.find_element(By.CSS_SELECTOR, ".lead").text == STUDY["description"]
    outcomes = [item.text for item in browser.find_elements(By.CSS_SELECTOR, ".outcomes li")]
    assert len(outcomes) == 2
    assert all(text.startswith("Met") for text in outcomes)
    links = browser.find_elements(By.CSS_SELECTOR, ".runs tbody a")
    assert [link.text for link in links] == ["bare", "relieved"]
    assert [link.get_attribute("href") for link in links] == [
        (ran.folder / "runs" / name / "report.html").as_uri() for name in ("bare", "relieved")
    ]
    cells = browser.find_elements(By.CSS_SELECTOR, ".runs tbody tr:last-child td")
    assert [cell.text for cell in cells[:3]] == ["30", "0", "0"]
    plots = browser.find_elements(By.CSS_SELECTOR, ".plot")
    assert len(plots) > 8
    for plot in plots:
        assert plot.find_elements(By.CSS_SELECTOR, ".points path, .point path"), plot.text


@pytest.mark.browser
def test_the_report_fits_a_phone_and_needs_no_network(browser: webdriver.Chrome) -> None:
    phone = {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", phone)
    try:
        WebDriverWait(browser, 10).until(
            lambda d: d.execute_script(
                "return document.documentElement.scrollWidth <= 390 && "
                "[...document.querySelectorAll('.plot .main-svg')]"
                ".every(svg => svg.getBoundingClientRect().right <= 390)"
            )
        )
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    requests = [
        entry["message"]
        for entry in browser.get_log("performance")
        if '"Network.requestWillBeSent"' in entry["message"]
    ]
    assert requests
    assert [text for text in requests if '"url":"http' in text] == []
    assert [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"] == []
