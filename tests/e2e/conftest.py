"""Results that more than one module looks at: the quickstart and two slices of congested_feeder.

At noon voltages and the transformer are beyond their limits, at 23:00 a line is overloaded by
electric vehicles.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from result_folders import Case

from cosim.runs.experiment import run_scenario
from cosim.scenario import Scenario, load_scenario

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
