"""All that ships draws from generators of the seed alone: runs are not watched for it."""

from __future__ import annotations

import random
import warnings
from pathlib import Path

import numpy as np
import pytest

from cosim.errors import UngovernedDrawsWarning
from cosim.plugins import STRATEGIES, draws
from cosim.prosumers import asking
from cosim.scenario import Scenario, load_scenario
from cosim.simulators.devices import DevicesSimulator

SCENARIOS = Path(__file__).parents[2] / "scenarios"
PLAYED = ("supply_contract", "community_storage", "green_certificates", "name_registry")


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> None:
    """Watch ours as plug-ins of other packages are."""
    monkeypatch.setattr(draws, "others_act_in", lambda role: True)
    monkeypatch.setattr(asking, "is_built_in", lambda plugin: False)


def shares() -> list[dict[str, object]]:
    ours = [name for name in STRATEGIES.names if STRATEGIES.package(name) == "cosim"]
    return [{"name": name, "share": 1 / len(ours)} for name in ours]


@pytest.mark.usefixtures("watched")
def test_no_strategy_that_ships_draws_from_what_no_seed_governs(play, short_scenario) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error", UngovernedDrawsWarning)
        tables = play(short_scenario(3, prosumers={"strategies": shares()}))
    assert tables["requests"].shape[0] > 0  # instruments and flexibility had their part


@pytest.mark.usefixtures("watched")
@pytest.mark.parametrize("name", PLAYED)
def test_no_mechanism_that_ships_draws_from_what_no_seed_governs(play, name) -> None:
    data = load_scenario(SCENARIOS / f"{name}.yaml").model_dump(mode="json")
    data["time"]["intervals"] = 2
    if data["name_registry"]:
        data["name_registry"]["moves"] = []  # they come later
    with warnings.catch_warnings():
        warnings.simplefilter("error", UngovernedDrawsWarning)
        tables = play(Scenario.model_validate(data))
    assert tables["settlement"]["interval"].max() == 1


@pytest.mark.usefixtures("watched")
def test_a_draw_of_ours_would_be_seen(play, short_scenario, monkeypatch) -> None:
    honest = DevicesSimulator.play

    def drawing(self, interval, inbox, children):
        random.random()
        return honest(self, interval, inbox, children)

    monkeypatch.setattr(DevicesSimulator, "play", drawing)
    with pytest.warns(UngovernedDrawsWarning, match="simulator devices drew in interval 0"):
        play(short_scenario(1))


def test_ours_are_not_watched_in_a_run(play, short_scenario, monkeypatch) -> None:
    looked = []

    def look() -> dict[str, object]:
        looked.append(random.getstate())
        return {"random": looked[-1]}

    monkeypatch.setattr(draws, "shared_generators", look)
    before = np.random.get_state()[1].tolist()  # noqa: NPY002
    play(short_scenario(2))
    assert looked == []
    assert np.random.get_state()[1].tolist() == before  # noqa: NPY002
