"""A mechanism of another package: its table is written where it is used, and verified or not."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from installed_plugins import cosim_cli, install, python

from cosim.scenario import Scenario

MODULE = """
from cosim.mechanisms.play import Play
from cosim.plugins.mechanism import Mechanism
from cosim.replay.checks import MechanismChecks
from cosim.results.columns import Column, Table, interval, wh
from cosim.settings import Model

SUN = Table("sun", "sunshine of an interval", (interval(), wh("sun_wh", "how much")))


class Settings(Model):
    sun_wh: int = 5


class Sunny(Play):
    def settle(self, interval, readings, statement):
        return {{"sun": {{"interval": interval, "sun_wh": 5}}}}


class SunChecks(MechanismChecks):
    def checks(self, history):
        rows = [{{"interval": k, "sun_wh": self.settings.sun_wh}} for k in range(2)]
        return {{"sun": lambda: history.compare("sun", ("interval",), "the settings", rows)}}


class Sun(Mechanism):
    section = "sun"
    title = "Sun"
    summary = "sunshine"
    settings_type = Settings
    tables = {tables}

    def deploy(self, deployment, scenario):
        return Sunny()

    def checks(self):
        return {checks}
"""

RUN = """
import json, sys
from pathlib import Path
from cosim.runs.experiment import run_scenario
from cosim.scenario import scenario_of
from cosim.verify.verification import verify

found = []
for name, fields in json.loads(sys.stdin.read()).items():
    out = Path(sys.argv[1]) / name
    run_scenario(scenario_of(fields, "scenario.yaml"), Path("scenario.yaml"), out, report=False)
    done = verify(out, parts=("files", "ledger"))
    checks = {check.name: [check.verdict, check.notes] for check in done.checks}
    found.append({"checks": checks, "tables": [p.stem for p in (out / "tables").iterdir()]})
print(json.dumps(found))
"""


@pytest.fixture
def installed(tmp_path: Path) -> Callable[..., Path]:
    """Folder that has the package ``sunny``."""

    def build(tables: str = "(SUN,)", checks: str = "None") -> Path:
        points = {"cosim.mechanisms": {"sun": "sunny:Sun"}}
        source = MODULE.format(tables=tables, checks=checks)
        return install(tmp_path / "site", "sunny", source, points)

    return build


def run(site: Path, out: Path, **scenarios: dict[str, Any]) -> Any:
    """Run and verify scenarios in one process; the checks and the tables of each."""
    done = python(["-c", RUN, out], site, given=json.dumps(scenarios))
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_table_without_a_check_is_called_not_recomputed(
    installed: Callable[..., Path],
    short_scenario: Callable[..., Scenario],
    tmp_path: Path,
) -> None:
    fields = short_scenario(2).model_dump(mode="json")
    found, other = run(installed(), tmp_path / "out", used=fields | {"sun": {}}, without=fields)
    assert "sun" in found["tables"]
    note = "not recomputed: sun of the package sunny has no check of this table"
    assert found["checks"]["sun"] == ["not recomputed", [note]]
    verdicts = {name: verdict for name, (verdict, _) in found["checks"].items()}
    # nobody owes anything, nobody is pivotal, and nobody signed
    assert {name for name, v in verdicts.items() if v == "nothing to compare"} <= {
        "bilateral_trades", "debts", "flexibility_debts", "pivotal", "rebounds", "storage_debts",
        "supply_debts", "signature",
    }  # fmt: skip
    assert set(verdicts.values()) - {"nothing to compare"} == {"ok", "not recomputed"}
    # a run without the mechanism has no table of it
    assert "sun" not in other["tables"]
    assert "sun" not in other["checks"]
    assert other["checks"]["files"][0] == "ok"


def test_a_table_with_a_check_is_recomputed(
    installed: Callable[..., Path],
    short_scenario: Callable[..., Scenario],
    tmp_path: Path,
) -> None:
    site = installed(checks="SunChecks(self.settings)")
    fields = short_scenario(2).model_dump(mode="json")
    honest, forged = (fields | {"sun": {"sun_wh": sun_wh}} for sun_wh in (5, 6))
    found = run(site, tmp_path / "out", honest=honest, forged=forged)
    assert [each["checks"]["sun"] for each in found] == [["ok", []], ["DIFFERS", []]]


@pytest.mark.parametrize(
    ("tables", "problem", "remedy"),
    [
        ('(Table("orders", "", (interval(),)),)', "a table that exists, 'orders'", "rename"),
        ("(SUN, SUN)", "a table that exists, 'sun'", "rename"),
        (
            '(Table("sun", "", (Column("sun_wh", "int64", "", "how much"),)),)',
            "columns without a unit in its table 'sun': sun_wh",
            "its unit",
        ),
    ],
)
def test_a_table_that_does_not_fit_is_refused_before_a_run(
    installed: Callable[..., Path],
    short_scenario: Callable[..., Scenario],
    tmp_path: Path,
    tables: str,
    problem: str,
    remedy: str,
) -> None:
    file = tmp_path / "scenario.yaml"
    file.write_text(short_scenario(1).to_yaml())
    done = cosim_cli(["run", file, "--out", tmp_path / "out"], installed(tables=tables))
    assert done.returncode == 2
    said = " ".join(done.stderr.split())
    assert "plug-in of package sunny (cosim.mechanisms: sun = sunny:Sun)" in said
    assert problem in said
    assert remedy in said
    assert not list(tmp_path.glob("out*"))
