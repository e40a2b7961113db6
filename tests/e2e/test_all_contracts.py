"""All contracts in one run: every interval reconciles with all mechanisms."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from result_folders import Case, verified

from cosim.runs.experiment import run_scenario
from cosim.scenario import Scenario, load_scenario

SCENARIOS = Path(__file__).parents[2] / "scenarios"
CONTRACTS = {
    "EuroToken",
    "SmartMeters",
    "LocalMarket",
    "MarketSettlement",
    "FlexibilityMarket",
    "CommunityStorage",
    "GreenCertificates",
    "NameRegistry",
    "Supplier",
}
MOVER, CONSUMER, BATTERY = "LV1.101 Bus 5", "LV1.101 Bus 10", "community battery"


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    """Eight intervals of an afternoon with the sections of four scenarios, and fees."""
    file = SCENARIOS / "community_storage.yaml"
    data = load_scenario(file).model_dump(mode="json")
    for other, section in (
        ("green_certificates", "certificates"),
        ("name_registry", "name_registry"),
        ("supply_contract", "supply_contract"),
    ):
        data[section] = load_scenario(SCENARIOS / f"{other}.yaml").model_dump(mode="json")[section]
    data["name_registry"]["moves"] = [{"name": MOVER, "interval": 3}]
    data["supply_contract"]["billing_intervals"] = 4
    data["time"] |= {"start": "2016-05-24T14:00:00", "intervals": 8}
    data["ledger"] |= {"tip_gwei": 1.0, "eur_per_eth": 2_000.0}
    data["grid"]["reference_sample"] = 1
    folder = tmp_path_factory.mktemp("all") / "run"
    run_scenario(Scenario.model_validate(data), file, folder, report=False)
    return Case(folder, frozenset({"trafo"}))


def test_every_contract_is_on_the_ledger_and_at_work(case: Case) -> None:
    manifest = json.loads((case.folder / "manifest.json").read_text("utf-8"))
    assert set(manifest["contracts"]) == CONTRACTS
    transactions = case.tables["transactions"]
    running = transactions[(transactions.interval >= 0) & (transactions.status == 1)]
    assert set(running.contract) >= CONTRACTS - {"EuroToken", "SmartMeters"}


def test_whatever_can_be_recomputed_is_as_recorded(case: Case) -> None:
    tables = ("names", "storage", "certificates", "supply", "settlement", "metering")
    verified(case.folder, *tables, parts=("ledger",))


def test_who_is_not_in_the_local_market_has_neither_orders_nor_shares(case: Case) -> None:
    for name in (MOVER, CONSUMER):
        assert name not in set(case.tables["orders"].prosumer)
        assert name not in set(case.tables["storage"].prosumer)
        assert name in set(case.tables["prosumers"].prosumer)


def test_nothing_that_members_sent_to_the_storage_was_refused(case: Case) -> None:
    storage = case.tables["storage"]
    assert storage.accepted.all()
    assert storage.groupby("interval").allocated_wh.sum().eq(0).all()
    assert (storage[storage.nominated_wh > 0].prosumer != BATTERY).sum() > 10


def test_the_battery_certifies_nothing(case: Case) -> None:
    certificates = case.tables["certificates"]
    own = certificates[certificates.prosumer == BATTERY]
    assert len(own) > 0
    assert own.issued_wh.eq(0).all()
    assert certificates.issued_wh.sum() > 0
