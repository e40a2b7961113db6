"""A file in the working folder with the name of a module is run by no process of ours."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest
import yaml

from cosim.errors import CheckError
from cosim.processes import without_the_working_folder
from cosim.scenario import Scenario
from cosim.studies.runner import run_study
from cosim.studies.study import load_study
from cosim.verify import power_flows
from cosim.verify.verification import verify


@pytest.fixture
def marker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What appears when the working folder's ``multiprocessing.py`` is run."""
    place, left = tmp_path / "here", tmp_path / "run"
    place.mkdir()
    (place / "multiprocessing.py").write_text(
        "import os, sys\n"
        f"open({str(left)!r}, 'a').close()\n"
        "sys.path[:] = [each for each in sys.path if each not in ('', os.getcwd())]\n"
        "del sys.modules['multiprocessing']\n"
        "import multiprocessing\n"
    )
    monkeypatch.chdir(place)
    return left


def test_a_plain_process_does_run_it(marker: Path) -> None:
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        assert pool.submit(os.getpid).result() != os.getpid()
    assert marker.exists()


def test_ours_do_not(marker: Path) -> None:
    with without_the_working_folder(), ProcessPoolExecutor(1, get_context("spawn")) as pool:
        assert pool.submit(os.getpid).result() != os.getpid()
    assert not marker.exists()
    assert "PYTHONSAFEPATH" not in os.environ


def test_nor_do_those_of_a_study_and_its_verification(
    marker: Path, short_scenario: Callable[..., Scenario], tmp_path: Path
) -> None:
    file = tmp_path / "study.yaml"
    fields = short_scenario(2).model_dump(mode="json", exclude_unset=True)
    fields["study"] = {"variants": {"with": {}, "without": {"dso.procure": False}}}
    file.write_text(yaml.safe_dump(fields))
    done = run_study(load_study(file), tmp_path / "out", jobs=2)
    assert len(done.runs) == 2
    checked = verify(tmp_path / "out" / "runs" / "with", parts=("grid",), jobs=2)
    assert checked.failed == []
    assert not marker.exists()


def _end(*given: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_process_that_is_killed_accuses_nobody(
    quickstart_result: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(power_flows, "_solve_all", _end)
    with pytest.raises(CheckError, match="ended without a word"):
        verify(quickstart_result, parts=("grid",), jobs=2, every=8)
