"""Plug-ins that cannot be used end a command with package, entry point and remedy, exit code 2."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from installed_plugins import cosim_cli, install

STRATEGY = """
from cosim.prosumers.strategies import Strategy

class Plugin(Strategy):
    pass
"""
MECHANISM = """
from cosim.plugins.mechanism import Mechanism
from cosim.settings import Model

class Settings(Model):
    pass

class Plugin(Mechanism[Settings]):
    section = "market"
    title = summary = "a lottery"
    settings_type = Settings

    def deploy(self, deployment, scenario):
        raise NotImplementedError
"""
WITHOUT_ATTRIBUTES = MECHANISM.replace("    settings_type = Settings\n", "")
WITHOUT_SECTION = WITHOUT_ATTRIBUTES.replace('    section = "market"\n', "")
DEVICE = """
from cosim.devices.device import DeviceColumn
from cosim.devices.profiled import Generator

class Plugin(Generator):
    kind = "KIND"
    title = "turbines"
    columns = (
        DeviceColumn("tide_p_mw", "MW", "generation", "generation"),
        DeviceColumn("tide_lost_p_mw", UNIT, "given up"),
    )
"""
NO_UNIT = DEVICE.replace("KIND", "tide").replace("UNIT", '" "')
OTHER_KIND = DEVICE.replace("KIND", "pv").replace("UNIT", '"MW"')
TWICE = DEVICE.replace("KIND", "tide").replace("UNIT", '"MW"').replace("tide_lost_p", "tide_p")


@pytest.mark.parametrize(
    ("group", "name", "source", "problem"),
    [
        ("strategies", "odd", "this is no Python", "cannot be imported: SyntaxError"),
        ("strategies", "odd", "import sys; sys.exit(7)", "cannot be imported: SystemExit"),
        ("strategies", "odd", "import time; time.sleep(600)", "cannot be imported: OutOfTime"),
        ("strategies", "odd", "class Plugin: pass", "is no subclass of cosim.prosumers.strategies"),
        ("strategies", "odd", STRATEGY, "lacks bid"),
        ("strategies", "truthful", STRATEGY, "claims a name that cosim"),
        ("mechanisms", "lottery", WITHOUT_SECTION, "lacks section, settings_type"),
        ("mechanisms", "lottery", MECHANISM, "has the section 'market', which is not the name"),
        ("mechanisms", "lottery", "import sys; sys.exit(7)", "cannot be imported: SystemExit"),
        ("devices", "tide", NO_UNIT, "has the column 'tide_lost_p_mw' without a unit"),
        ("devices", "tide", OTHER_KIND, "has the kind 'pv'"),
        ("devices", "tide", TWICE, "has two columns of one name"),
        ("evm_engines", "revm", "class Plugin: pass", "claims a name that cosim"),
    ],
)
def test_it_is_named_and_nothing_is_written(
    group: str, name: str, source: str, problem: str, short_scenario: object, tmp_path: Path
) -> None:
    points = {f"cosim.{group}": {name: "cosim_bad_plugin:Plugin"}}
    site = install(tmp_path / "site", "cosim_bad_plugin", source, points)
    data = short_scenario(intervals=2).model_dump(mode="json")  # type: ignore[operator]
    if group == "strategies":
        data["prosumers"]["strategies"] = [{"name": name, "share": 1.0}]
    file = tmp_path / "x.yaml"
    file.write_text(yaml.safe_dump(data), encoding="utf-8")
    limit = {"COSIM_PLUGIN_TIMEOUT_S": "1"} if "sleep" in source else {}
    done = cosim_cli(["run", file, "--out", tmp_path / "out"], site, **limit)
    assert done.returncode == 2, done.stderr
    assert f"plug-in of package cosim_bad_plugin (cosim.{group}: {name}" in done.stderr
    assert problem in done.stderr
    assert "remedy: " in done.stderr
    assert not (tmp_path / "out").exists()
