"""Fixtures that more than one folder of tests uses."""

from __future__ import annotations

import fcntl
import gc
from collections.abc import Callable
from pathlib import Path

import pytest

from cosim.scenario import Scenario, load_scenario

REPOSITORY = Path(__file__).parent.parent
SCENARIOS = REPOSITORY / "scenarios"

LONG = ("unit/verify", "property", "e2e", "analysis", "unit/runs", "unit/api")
"""Folders whose files take longest. They are run first, so that none is left alone at the end."""

MadeOnce = Callable[[str, Callable[[Path], object]], Path]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put long files first; the order is otherwise that of the folders."""

    def place(item: pytest.Item) -> int:
        path = item.path.relative_to(Path(__file__).parent).as_posix()
        return next((i for i, folder in enumerate(LONG) if path.startswith(folder)), len(LONG))

    items.sort(key=place)


def pytest_collection_finish() -> None:
    """Let the garbage collector, also that of each run, pass over half a million objects of ours.

    pytest's items and the modules stay to the end; one look at them takes as long as an interval.
    """
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def made_once(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> MadeOnce:
    """Make a result folder when a test first asks for it; parallel test processes share it."""
    base = tmp_path_factory.getbasetemp()
    if worker_id != "master":
        base = base.parent

    def folder_of(name: str, make: Callable[[Path], object]) -> Path:
        folder = base / "shared results" / name
        folder.parent.mkdir(exist_ok=True)
        with folder.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not folder.exists():
                make(folder)
        return folder

    return folder_of


@pytest.fixture(scope="session")
def quickstart_result(made_once: MadeOnce) -> Path:
    """Result folder of a real run of the quickstart."""
    from cosim.runs.experiment import run_scenario

    file = SCENARIOS / "quickstart.yaml"
    return made_once("quickstart", lambda folder: run_scenario(load_scenario(file), file, folder))


@pytest.fixture(scope="session")
def short_scenario() -> Callable[..., Scenario]:
    """A few intervals around noon of the quickstart, when the transformer is overloaded."""

    def build(
        intervals: int = 4, start: str = "2016-05-24T11:00:00", **sections: object
    ) -> Scenario:
        data = load_scenario(SCENARIOS / "quickstart.yaml").model_dump(mode="json")
        data["time"] |= {"start": start, "intervals": intervals}
        data["grid"] |= {"reference_sample": 1}
        # so that what a test is about stands out from forecast errors
        data["prosumers"]["forecast"] |= {"model": {"name": "nowcast", "options": {}}}
        for name, values in sections.items():
            own = data[name] or {}
            data[name] = own | values if isinstance(values, dict) else values
        return Scenario.model_validate(data)

    return build
