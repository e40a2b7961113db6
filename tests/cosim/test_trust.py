"""Nothing that a scenario names is started or imported before its user said so."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from strangers import CONSUMPTION

import cosim
from cosim.cli import EXIT_USER, main
from cosim.errors import ScenarioError
from cosim.scenario import Scenario

WITNESS = """
import os
from pathlib import Path
from foreign_simulators import Faulty

Path(os.environ["WITNESS"]).touch()
"""
FEED = {"model": "Display", "params": {"how": "none"}, "feeds": [CONSUMPTION]}
IMPORTED = {"name": "imported", "python": "witness_simulator:Faulty"} | FEED


@pytest.fixture
def given(
    tmp_path: Path, short_scenario: Callable[..., Scenario], monkeypatch: pytest.MonkeyPatch
) -> tuple[Path, Path]:
    """A scenario file that would leave a file behind, and that file."""
    witness = tmp_path / "witness"
    (tmp_path / "witness_simulator.py").write_text(WITNESS)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("WITNESS", str(witness))
    started = {"name": "started", "cmd": f"touch '{witness}'"} | FEED
    connected = {"name": "connected", "connect": "127.0.0.1:1"} | FEED
    data = short_scenario(1).model_dump(mode="json")
    file = tmp_path / "strange.yaml"
    file.write_text(yaml.safe_dump(data | {"simulators": [IMPORTED, started, connected]}))
    return file, witness


def test_a_run_says_what_it_would_start(
    given: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, witness = given
    assert main(["run", str(file), "--out", str(tmp_path / "out")]) == EXIT_USER
    said = capsys.readouterr().err
    assert f"file {file}, field simulators.imported.python: imports a module" in said
    assert "'witness_simulator:Faulty'" in said
    assert "field simulators.started.cmd: starts a program: " in said
    assert f"touch '{witness}'" in said
    assert "field simulators.connected.connect: sends what it reads to an address: " in said
    assert "remedy: read what it is; if you trust it, give --trust (in Python trust=True)" in said
    assert not witness.exists()
    assert not (tmp_path / "out").exists()


def test_so_do_a_study_a_comparison_and_python(
    given: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, witness = given
    study = tmp_path / "study.yaml"
    plain = yaml.safe_load(file.read_text())
    named = plain.pop("simulators")
    variants = {"plain": {}, "strange": {"simulators": named}}
    study.write_text(yaml.safe_dump(plain | {"study": {"variants": variants}}))
    out = tmp_path / "out"
    assert main(["run", str(study), "--out", str(out)]) == EXIT_USER
    assert f"file {study}, field simulators.imported.python: " in capsys.readouterr().err
    with pytest.raises(ScenarioError, match="trust=True") as refused:
        cosim.run(file, out)
    assert refused.value.file == str(file)
    with pytest.raises(ScenarioError, match="trust=True"):
        cosim.compare(file, ["no_market"], out, jobs=1)
    made = cosim.load_scenario("quickstart").replace(simulators=[IMPORTED])
    with pytest.raises(ScenarioError, match="trust=True"):
        cosim.run(made, out)
    assert not witness.exists()
    assert not out.exists()


def test_with_consent_it_is_played(given: tuple[Path, Path], tmp_path: Path) -> None:
    file, witness = given
    scenario = cosim.load_scenario(file).replace(simulators=[IMPORTED])
    result = cosim.run(scenario, tmp_path / "out", trust=True)
    assert witness.exists()
    assert result.frame("prosumers")["load_p_mw"].max() > 0
