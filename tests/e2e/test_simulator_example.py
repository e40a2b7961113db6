"""The example of foreign simulators in the documentation runs as it is shown there."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pandas as pd
import pytest
import yaml
from installed_plugins import ROOT, cosim_cli

EXAMPLE = ROOT / "docs" / "examples" / "simulators"
FED_WH = [525, 850, 200, 375]
"""A quarter of an hour of each power in ``household.csv``. [Wh]"""


def test_the_page_shows_what_is_shipped() -> None:
    page = (ROOT / "docs" / "simulators.md").read_text(encoding="utf-8")
    shown = re.search(r"## Join\n.*?```yaml\n(.*?)```", page, re.DOTALL)
    assert shown is not None
    shipped = yaml.safe_load((EXAMPLE / "joined.yaml").read_text(encoding="utf-8"))
    assert yaml.safe_load(shown[1])["simulators"] == shipped["simulators"]


def test_it_runs(tmp_path: Path) -> None:
    pytest.importorskip("mosaik_csv")
    folder = shutil.copytree(EXAMPLE, tmp_path / "simulators")
    done = cosim_cli(["run", "joined.yaml", "--trust", "--out", "out"], cwd=folder)
    assert done.returncode == 0, done.stderr
    tables = folder / "out" / "tables"
    prosumers = pd.read_parquet(tables / "prosumers.parquet")
    fed = prosumers[prosumers.prosumer == "LV1.101 Bus 8"]
    assert fed.metered_wh.tolist() == [-wh for wh in FED_WH]
    buses = pd.read_parquet(tables / "buses.parquet")
    volts = buses[buses.bus == 4].vm_pu
    told = re.findall(r"interval (\d): (\d\.\d{4}) pu, [\d.]+ %, (\d+) µEUR/kWh", done.stdout)
    assert [(int(i), float(vm)) for i, vm, _ in told] == [*enumerate(volts.round(4))]
