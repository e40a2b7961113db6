"""Fixtures that more than one folder of tests uses."""

from __future__ import annotations

import fcntl
from collections.abc import Callable
from pathlib import Path

import pytest

from cosim.scenario import Scenario, load_scenario

REPOSITORY = Path(__file__).parent.parent
SCENARIOS = REPOSITORY / "scenarios"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the tests that share a fixture of their module in one process: it is made once."""
    for item in items:
        if isinstance(item, pytest.Function) and item.get_closest_marker("xdist_group") is None:
            module = item.nodeid.partition("::")[0]
            made = item._fixtureinfo.name2fixturedefs.values()
            if any(own.baseid == module and own.scope == "module" for *_, own in made):
                item.add_marker(pytest.mark.xdist_group(module))


@pytest.fixture(scope="session")
def quickstart_result(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """Result folder of a real run of the quickstart; parallel test processes share one."""
    from cosim.runs.experiment import run_scenario

    base = tmp_path_factory.getbasetemp()
    if worker_id != "master":
        base = base.parent
    folder = base / "quickstart"
    with (base / "quickstart.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            file = SCENARIOS / "quickstart.yaml"
            run_scenario(load_scenario(file), file, folder)
    return folder


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
