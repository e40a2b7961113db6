"""A plug-in of any kind that fails, ends the program or draws for itself in a run is named."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest
from installed_plugins import install, python

from cosim.grid.catalogue import open_grid
from cosim.scenario import Scenario

CONDUCT = """
import random
import sys
import time

who = how = ""


def act(kind):
    if kind != who:
        return
    if how == "leave":
        sys.exit(0)
    if how == "draw":
        random.random()
        return
    if how == "wait":
        time.sleep(600)
    while how.startswith("spin"):
        try:
            sum(range(10_000))
        except Exception:
            pass
    raise RuntimeError
"""
SOURCES = {
    "mechanisms": """
from cosim.plugins.mechanism import Mechanism
from cosim.settings import Model

class Settings(Model):
    pass

class Own(Mechanism):
    section, title, summary, settings_type = "own", "Lottery", "a lottery", Settings

    def deploy(self, deployment, scenario):
        from cosim.mechanisms.play import Play

        class OwnPlay(Play):
            def settle(self, interval, readings, statement):
                act("mechanisms")
                return {}

        return OwnPlay()
""",
    "devices": """
from cosim.devices.device import DeviceColumn
from cosim.devices.profiled import Generator

class Own(Generator):
    kind, title = "own", "turbines"
    columns = (
        DeviceColumn("own_p_mw", "MW", "generation", "generation"),
        DeviceColumn("own_lost_p_mw", "MW", "given up"),
    )

    def reactive_mvar(self, interval, p_mw):
        act("devices")
        return super().reactive_mvar(interval, p_mw)
""",
    "instruments": """
from cosim.dso.instruments.base import Instrument
from cosim.settings import Model

class Settings(Model):
    pass

class Own(Instrument):
    settings_type = Settings

    def announce(self, interval, network):
        act("instruments")
        return super().announce(interval, network)

    def act(self, round, assessment):
        return None
""",
    "strategies": """
from cosim.prosumers.strategies import Truthful

class Own(Truthful):
    def bid(self, context):
        act("strategies")
        return super().bid(context)
""",
    "forecasts": """
from cosim.prosumers.forecasting.naive import Persistence

class Own(Persistence):
    def predict(self, issue):
        act("forecasts")
        return super().predict(issue)
""",
    "power_flow": """
from cosim.grid.fixed_point import FixedPointEngine

class Own(FixedPointEngine):
    def solve(self, p_mw, q_mvar):
        act("power_flow")
        return super().solve(p_mw, q_mvar)
""",
    "evm_engines": """
from cosim.evm.engine import create_engine
from cosim.plugins.evm_engine import EvmEngine

class Own(EvmEngine):
    @classmethod
    def create(cls, options):
        act("evm_engines")
        return create_engine("auto", options)
""",
}
FAULTS = [*((kind, "leave") for kind in SOURCES), ("devices", "raise"), ("strategies", "raise")]
LATE = [
    ("strategies", "wait"),
    ("strategies", "spin"),
    ("mechanisms", "wait"),
    ("power_flow", "spin"),
    ("devices", "spin in a thread"),
]
RUN = """
import json, os, sys, warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
import cosim

fields, out, cases = json.loads(sys.stdin.read())
scenario, found = cosim.Scenario(**fields), {}
import conduct
thread = ThreadPoolExecutor(1)
for conduct.who, conduct.how in cases:
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        late = conduct.how.startswith(("wait", "spin"))
        os.environ["COSIM_PLUGIN_TIMEOUT_S"] = "1" if late else "300"
        try:
            if "thread" in conduct.how:
                thread.submit(cosim.run, scenario, out, force=True).result()
            else:
                cosim.run(scenario, out, force=True)
            ended = "played"
        except cosim.errors.CosimError as error:
            ended = f"{type(error).__name__}: {error}"
    left = sorted(path.name for path in Path(out).parent.iterdir())
    found[f"{conduct.who} {conduct.how}"] = ended, [str(one.message) for one in said], left
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def outcomes(
    tmp_path_factory: pytest.TempPathFactory, short_scenario: Callable[..., Scenario]
) -> dict[str, Any]:
    """How runs ended, what was warned of and what was left, by kind and conduct."""
    folder = tmp_path_factory.mktemp("own")
    site = folder / "site"
    for kind, source in SOURCES.items():
        points = {f"cosim.{kind}": {"own": f"own_{kind}:Own"}}
        install(site, f"own_{kind}", f"from conduct import act\n{source}", points)
    (site / "conduct.py").write_text(CONDUCT)
    grid = folder / "grid"
    shutil.copytree(open_grid("1-LV-rural1--1-sw").folder, grid)
    elements = pd.read_csv(grid / "elements.csv")
    elements.loc[elements.index[elements.kind == "pv"][0], "kind"] = "own"
    elements.to_csv(grid / "elements.csv", index=False)
    data = short_scenario(1, grid={"network": str(grid)}).model_dump(mode="json")
    data["grid"]["power_flow"] = "own"
    data["ledger"]["engine"] = "own"
    data["dso"]["instruments"] = [{"kind": "own"}, {"kind": "curtailment"}]
    data["prosumers"]["strategies"] = [{"name": "own", "share": 1.0}]
    data["prosumers"]["forecast"]["model"] = {"name": "own"}
    data["own"] = {}
    cases = [*FAULTS, *LATE, ("mechanisms", "draw"), ("instruments", "draw"), ("nobody", "")]
    (folder / "out").mkdir()
    given = json.dumps([data, str(folder / "out" / "run"), cases])
    done = python(["-c", RUN], site, given=given)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.parametrize(("kind", "how"), FAULTS)
def test_a_failing_plug_in_ends_the_run_by_its_name(
    outcomes: dict[str, Any], kind: str, how: str
) -> None:
    ended, _, left = outcomes[f"{kind} {how}"]
    words = "it ended the program, sys.exit(0)" if how == "leave" else "RuntimeError"
    if kind == "strategies":
        assert f"strategy 'own' in interval 0: failed: {words} (File " in ended
    else:
        named = f"plug-in of package own_{kind} (cosim.{kind}: own = own_{kind}:Own)"
        assert ended.startswith(f"PluginFailure: {named}: {words}")
    assert left == []


@pytest.mark.parametrize(("kind", "how"), LATE)
def test_one_that_never_returns_ends_the_run_by_its_name(
    outcomes: dict[str, Any], kind: str, how: str
) -> None:
    ended, _, left = outcomes[f"{kind} {how}"]
    words = "it did not return within 1 s; the environment variable COSIM_PLUGIN_TIMEOUT_S"
    if kind == "strategies":
        assert f"strategy 'own' in interval 0: failed: {words} gives it longer (File " in ended
    else:
        named = f"plug-in of package own_{kind} (cosim.{kind}: own = own_{kind}:Own)"
        assert ended.startswith(f"PluginFailure: {named}: {words} gives it longer (File ")
    assert "conduct.py" in ended, "says where"
    assert left == []


@pytest.mark.parametrize("kind", ["mechanisms", "instruments"])
def test_draws_that_no_seed_governs_are_named(outcomes: dict[str, Any], kind: str) -> None:
    ended, said, left = outcomes[f"{kind} draw"]
    assert (ended, left) == ("played", ["run"])
    (warning,) = [one for one in said if "drew" in one]
    assert f"package own_{kind} (cosim.{kind}: own = own_{kind}:Own)" in warning
    assert "from the global generator of random, which the scenario's seed does not" in warning


def test_without_faults_nothing_is_said(outcomes: dict[str, Any]) -> None:
    assert outcomes["nobody "] == ["played", [], ["run"]]
