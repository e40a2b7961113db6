"""A run over noon in which accounts are looked up by name, and one household moves."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from result_folders import Case, verified

from cosim.mechanisms.name_registry.names import canonical_name
from cosim.runs.experiment import run_scenario
from cosim.scenario import Scenario, load_scenario

FILE = Path(__file__).parents[2] / "scenarios" / "name_registry.yaml"
MOVER, AFTER, INTERVALS = "LV1.101 Bus 5", 1, 4


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    """One hour before noon: the transformer is overloaded and the DSO awards flexibility."""
    data = load_scenario(FILE).model_dump(mode="json")
    data["time"] |= {"start": "2016-05-24T11:00:00", "intervals": INTERVALS}
    data["name_registry"]["moves"] = [{"name": MOVER, "interval": AFTER}]
    data["grid"]["reference_sample"] = 1
    folder = tmp_path_factory.mktemp("names") / "run"
    run_scenario(Scenario.model_validate(data), FILE, folder, report=False)
    return Case(folder, frozenset())


@pytest.fixture(scope="module")
def rows(case: Case) -> pd.DataFrame:
    return case.tables["names"]


def test_everybody_registers_before_the_first_interval(case: Case, rows: pd.DataFrame) -> None:
    first = rows[rows.action == "registered"]
    committed = rows[rows.action == "committed"]
    assert set(first.interval) == set(committed.interval) == {-1}
    assert list(first.prosumer) == case.names
    assert list(first.name) == [canonical_name(name) for name in case.names]
    assert set(first.action) == {"registered"}
    assert set(first.registry_fee_ueur) == {1_000_000}
    assert list(committed.name) == list(first.name)
    assert list(committed.owner) == list(first.owner)
    assert (first.owner == first.account).all()


def test_a_household_hands_its_name_on(rows: pd.DataFrame) -> None:
    moved = rows[rows.interval >= 0]
    assert moved[["interval", "prosumer"]].drop_duplicates().values.tolist() == [[AFTER, MOVER]]
    assert list(moved.action) == ["offered", "accepted", "updated"]
    offered, accepted, updated = moved.itertuples()
    assert offered.owner == offered.account == accepted.account
    assert updated.owner == updated.account == accepted.owner != offered.owner
    assert list(moved.registry_fee_ueur) == [0, 0, 250_000]


def test_who_is_awarded_and_settled_is_who_the_name_stands_for(
    case: Case, rows: pd.DataFrame
) -> None:
    account_of = rows[rows.action == "registered"].set_index("account").prosumer
    for event in ("IntervalSettled", "OfferAwarded", "OfferSettled"):
        events = case.events(event)
        assert len(events) > 0
        assert set(events.account.map(account_of)) <= set(case.names) - {MOVER}
    settled = case.events("IntervalSettled")
    assert len(settled) == INTERVALS * (len(case.names) - 1)


def test_names_are_what_the_events_say(case: Case) -> None:
    verified(case.folder, "names", parts=("ledger",))


def test_manifest_counts_names_and_fees(case: Case) -> None:
    manifest = json.loads((case.folder / "manifest.json").read_text(encoding="utf-8"))
    indicators = manifest["indicators"]
    assert indicators["names_registered"] == len(case.names)
    assert indicators["names_handed_on"] == 1
    assert indicators["name_fees_eur"] == len(case.names) + 0.25
    assert "NameRegistry" in manifest["contracts"]
    (collected,) = case.events("FeesCollected").itertuples()
    assert collected.amount_ueur == len(case.names) * 1_000_000 + 250_000
