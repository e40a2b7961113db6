"""Engines by name: what ``auto`` takes, what is told of it, what is refused."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from cosim.errors import EngineError, ScenarioError, UserError
from cosim.evm.engine import BlockEngine, choose_engine, create_engine, slow_engine_note
from cosim.evm.engines import PyEvm, Revm, Rpc
from cosim.evm.options import EngineOptions, NodeSettings
from cosim.plugins import EVM_ENGINES
from cosim.plugins.evm_engine import builds_blocks, engine_names
from cosim.scenario import load_scenario

SCENARIO = Path(__file__).parents[3] / "scenarios" / "quickstart.yaml"


@pytest.fixture
def no_pyrevm(monkeypatch: pytest.MonkeyPatch) -> None:
    """An installation without pyrevm, as on Python 3.13."""
    monkeypatch.setitem(sys.modules, "pyrevm", None)


def test_ours_are_registered_like_anybodys() -> None:
    engines = EVM_ENGINES.every()
    assert (engines["revm"], engines["py-evm"], engines["rpc"]) == (Revm, PyEvm, Rpc)
    assert engine_names()[0] == "auto"
    assert [name for name in ("auto", "revm", "py-evm", "rpc") if builds_blocks(name)] == ["rpc"]


def test_auto_is_the_fastest() -> None:
    assert choose_engine("auto") == "revm"
    assert create_engine("auto").name == "revm"
    assert slow_engine_note() is None


@pytest.mark.usefixtures("no_pyrevm")
def test_auto_without_pyrevm() -> None:
    assert choose_engine("auto") == "py-evm"
    assert choose_engine("revm") == "revm"  # whoever names an engine gets it or an error
    assert create_engine("auto").name == "py-evm"
    note = slow_engine_note()
    assert note is not None
    assert note.startswith("contracts run on engine py-evm: results are the same to the byte")
    assert "revm needs pyrevm, which is not installed (it has wheels for Python 3.11" in note


@pytest.mark.usefixtures("no_pyrevm")
def test_an_engine_whose_package_is_missing() -> None:
    with pytest.raises(UserError, match=r"engine revm needs pyrevm, which is not installed") as e:
        create_engine("revm")
    assert e.value.remedy is not None
    assert "take engine auto" in e.value.remedy


def test_no_engine_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("pyrevm", "eth"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(UserError, match="no EVM engine is installed"):
        create_engine("auto")


def test_a_node_needs_its_url() -> None:
    with pytest.raises(EngineError, match="say where it is, with --url or COSIM_NODE_URL"):
        create_engine("rpc")


@pytest.mark.node
def test_a_node_is_made_from_its_settings(anvil_url: str) -> None:
    engine = create_engine("rpc", EngineOptions({}, NodeSettings(anvil_url)))
    assert isinstance(engine, BlockEngine)


def test_a_scenario_names_a_registered_engine(tmp_path: Path) -> None:
    fields = yaml.safe_load(SCENARIO.read_text(encoding="utf-8"))
    assert load_scenario(SCENARIO).ledger.engine == "auto"
    file = tmp_path / "scenario.yaml"
    file.write_text(yaml.safe_dump(fields | {"ledger": {"engine": "geth"}}), encoding="utf-8")
    with pytest.raises(ScenarioError) as error:
        load_scenario(file)
    assert error.value.field == "ledger.engine"
    assert error.value.problem == (
        "Input should be 'auto', 'py-evm', 'revm' or 'rpc' (given: 'geth')"
    )


WITHOUT_PYREVM = """
import sys
sys.modules["pyrevm"] = None
from cosim.cli import main
sys.exit(main(sys.argv[1:]))
"""


def test_the_command_line_says_once_what_a_slow_engine_costs() -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_PYREVM, "run", str(SCENARIO), "--out", os.devnull + "/x"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert done.stderr.count("contracts run on engine py-evm") == 1
