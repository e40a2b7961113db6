"""An instrument of another package: one module and an entry point, with the market behind it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from installed_plugins import cosim_cli, install

from cosim.scenario import Scenario

MODULE = '''
"""A fixed limit of what each connection point may feed in, as agreed with everybody."""

import numpy as np
from pydantic import Field

from cosim.dso.instruments.base import Action, Instrument
from cosim.settings import Model, NonNegative


class ExportLimitOptions(Model):
    p_max_kw: NonNegative = Field(description="most that a connection point may feed in [kW]")


class ExportLimit(Instrument[ExportLimitOptions]):
    settings_type = ExportLimitOptions

    def act(self, round, assessment):
        most_wh = int(self.settings.p_max_kw * 1_000 * round.step_s / 3_600)
        excess_wh = np.maximum(round.net_wh - most_wh, 0)
        excess_wh = np.minimum(excess_wh, round.curtailable_wh()[0])
        return Action(curtailed_wh=excess_wh) if excess_wh.any() else None
'''
P_MAX_KW = 40.0


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of an installed package that is none of ours."""
    points = {"cosim.instruments": {"export_limit": "export_limit:ExportLimit"}}
    return install(tmp_path_factory.mktemp("package"), "export_limit", MODULE, points)


def written(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "scenario.yaml"
    file.write_text(text.replace("- flexibility_market", "- LIMIT\n  - flexibility_market", 1))
    return file


def test_a_limit_cuts_first_and_the_market_relieves_the_rest(
    tmp_path: Path, package: Path, short_scenario: Callable[..., Scenario]
) -> None:
    scenario = written(tmp_path, short_scenario(intervals=2).to_yaml())
    limit = f"{{kind: export_limit, p_max_kw: {P_MAX_KW:g}}}"
    scenario.write_text(scenario.read_text().replace("LIMIT", limit))
    result = tmp_path / "result"
    done = cosim_cli(["run", scenario, "--out", result], package)
    assert done.returncode == 0, done.stderr
    schedules = pd.read_parquet(result / "tables" / "schedules.parquet")
    most_wh = P_MAX_KW * 1_000 / 4
    over = schedules.nominated_wh > most_wh
    assert over.any()
    # cut to the limit and not below it
    assert (schedules.dispatched_wh[over] == most_wh).all()
    cut_wh = (schedules.nominated_wh - most_wh).where(over, 0)
    assert (schedules.curtailed_wh == -cut_wh).all()
    # and the transformer's overload that is left is bought from the others
    assert (schedules.activated_wh[over] == 0).all()
    assert (schedules.groupby("interval").activated_wh.sum() < 0).all()
    checks = pd.read_parquet(result / "tables" / "grid_checks.parquet")
    assert checks[checks.stage == "scheduled"].violated.any()
    last = checks[checks["round"] == checks["round"].max()]
    assert not last.violated.any()
    verified = cosim_cli(["verify", result], package)
    assert verified.returncode == 0, verified.stdout + verified.stderr


def test_its_fields_are_checked_when_the_scenario_is_read(
    tmp_path: Path, package: Path, short_scenario: Callable[..., Scenario]
) -> None:
    scenario = written(tmp_path, short_scenario(intervals=2).to_yaml())
    scenario.write_text(scenario.read_text().replace("LIMIT", "{kind: export_limit, p_max: 4}"))
    done = cosim_cli(["run", scenario, "--out", tmp_path / "result"], package)
    assert done.returncode == 2
    assert str(scenario) in done.stderr
    assert "export_limit.p_max_kw: Field required; its fields: p_max_kw" in done.stderr
    assert not (tmp_path / "result").exists()


ASKS = MODULE.replace("Action(curtailed_wh=excess_wh)", "Action(request_down_wh=1_000)")


def test_one_that_asks_for_flexibility_and_awards_none_is_refused(
    tmp_path: Path, short_scenario: Callable[..., Scenario]
) -> None:
    points = {"cosim.instruments": {"export_limit": "asking_limit:ExportLimit"}}
    asking = install(tmp_path / "package", "asking_limit", ASKS, points)
    scenario = written(tmp_path, short_scenario(intervals=1).to_yaml())
    scenario.write_text(scenario.read_text().replace("LIMIT", "{kind: export_limit, p_max_kw: 40}"))
    done = cosim_cli(["run", scenario, "--out", tmp_path / "result"], asking)
    assert done.returncode == 2, done.stderr
    assert "package asking_limit (cosim.instruments: export_limit = " in done.stderr
    assert "asks for flexibility and awards none" in done.stderr
    assert "give its class a method award" in done.stderr
    assert not (tmp_path / "result").exists()
