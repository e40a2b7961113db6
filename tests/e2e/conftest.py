"""Results that more than one module looks at: the quickstart and two slices of congested_feeder.

At noon voltages and the transformer are beyond their limits, at 23:00 a line is overloaded by
electric vehicles.
"""

from __future__ import annotations

import functools
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from attack_studies import FOLDER, REPORTED, Studies
from checkpointed import EVERY, INTERVALS, die_after, dying
from result_folders import Case

import cosim
from cosim.grid.catalogue import GridCase
from cosim.inputs.kept import note_grid
from cosim.runs import preparation
from cosim.runs.experiment import RunResult, run_scenario
from cosim.scenario import Scenario, load_scenario
from cosim.studies.runner import StudyResult, run_study
from cosim.studies.study import load_study

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(
    scope="session",
    params=["quickstart", "noon", "evening"],
)
def case(request: pytest.FixtureRequest, made_once: Callable[..., Path]) -> Case:
    if request.param == "quickstart":
        return Case(request.getfixturevalue("quickstart_result"), frozenset({"trafo"}))
    start, intervals, violated = {
        "noon": ("2016-06-17T11:00:00", 6, {"bus", "trafo"}),
        "evening": ("2016-06-17T22:30:00", 4, {"line"}),
    }[request.param]
    file = REPOSITORY / "scenarios" / "congested_feeder.yaml"
    data = load_scenario(file).model_dump(mode="json")
    data["time"] |= {"start": start, "intervals": intervals}
    data["grid"]["reference_sample"] = 2
    # a mean of days expects no car to charge in the evening, and the schedules violate nothing
    data["prosumers"]["forecast"]["model"] = {"name": "nowcast"}
    scenario = Scenario.model_validate(data)
    folder = made_once(request.param, lambda folder: run_scenario(scenario, file, folder))
    return Case(folder, frozenset(violated))


@pytest.fixture(scope="module")
def grid_read_once() -> Iterator[None]:
    """All runs of a module are on one grid; reading it takes longer than a run."""
    cached = functools.cache(preparation.open_grid)

    def opened(named: str, scenario_folder: Path | None = None) -> GridCase:
        case = cached(named, scenario_folder)
        note_grid(str(named), case.folder)  # each result keeps it
        return case

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(preparation, "open_grid", opened)
        yield


@pytest.fixture
def without_reports(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs of a study get no reports of their own: nobody reads them."""
    played = functools.partial(run_scenario, report=False)
    monkeypatch.setattr("cosim.studies.runner.run_scenario", played)


@pytest.fixture(scope="module")
def studies(tmp_path_factory: pytest.TempPathFactory, grid_read_once: None) -> Iterator[Studies]:
    """Plays a study of an attack once per module, when a test first asks for it.

    Only the runs in ``REPORTED`` get a report of their own: drawing one takes as long as playing.
    """
    done: dict[str, StudyResult] = {}

    def played(scenario: Scenario, file: Path, out: Path, **options: Any) -> RunResult:
        return run_scenario(scenario, file, out, report=out.name in REPORTED, **options)

    def study(name: str) -> StudyResult:
        if name not in done:
            out = tmp_path_factory.mktemp("attacks") / name
            done[name] = run_study(load_study(FOLDER / f"{name}.yaml"), out, jobs=1)
        return done[name]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("cosim.studies.runner.run_scenario", played)
        yield study


@pytest.fixture(scope="module")
def checkpointed_file(
    short_scenario: Callable[..., Scenario], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """With trades, flexibility, batteries, fees and draws, so that much can be forgotten."""
    scenario = short_scenario(
        intervals=INTERVALS,
        start="2016-05-24T10:30:00",
        prosumers={
            "battery": {"mode": "arbitrage"},
            "strategies": [
                {"name": "truthful", "share": 0.5},
                {"name": "zero_intelligence", "share": 0.5},
            ],
        },
        ledger={"initial_base_fee_gwei": 5.0, "tip_gwei": 0.1, "consensus": "proof_of_work"},
    )
    file = tmp_path_factory.mktemp("resumed") / "scenario.yaml"
    file.write_text(scenario.to_yaml())
    return file


@pytest.fixture(scope="module")
def died(checkpointed_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that died after its eighth interval, with two checkpoints."""
    out = tmp_path_factory.mktemp("died") / "run"
    with dying():
        cosim.run(checkpointed_file, out, checkpoint=EVERY, progress=die_after(7))
    return out


@pytest.fixture
def copied(died: Path, tmp_path: Path) -> Path:
    """The same, to be changed."""
    out = tmp_path / "run"
    shutil.copytree(f"{died}.partial", f"{out}.partial")
    return out
