"""What a supply contract or a shared battery is not paid is a row, an indicator and a warning."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from cosim.api import run
from cosim.report.dues import dues_by_role_eur
from cosim.report.indicators import read_indicators
from cosim.report.summary import print_summary
from cosim.results.manifest import file_hashes
from cosim.results.reader import Results
from cosim.runs.experiment import run_scenario
from cosim.scenario import Scenario, load_scenario
from cosim.verify.verification import verify

FILE = Path(__file__).parents[2] / "scenarios" / "supply_contract.yaml"
LENGTH = 4


@pytest.fixture(scope="module")
def supplied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Consumers with small deposits, of whom one repays its debt after each bill."""
    folder = tmp_path_factory.mktemp("supplied") / "result"
    data = load_scenario(FILE).model_dump(mode="json")
    data["time"] |= {"start": "2016-04-20T17:00:00", "intervals": 3 * LENGTH + 1}
    terms = {"billing_intervals": LENGTH, "least_deposit_eur": 0.1, "credit_limit_eur": 1.0}
    data["supply_contract"] |= terms
    for k, consumer in enumerate(data["supply_contract"]["consumers"]):
        consumer |= {"deposit_eur": 0.15, "tops_up": k == 0, "periods": 0, "leaves_in": None}
    run(Scenario.model_validate(data), out=folder)
    return folder


@pytest.fixture(scope="module")
def shared(
    short_scenario: Callable[..., Scenario], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Members of a battery with nothing to pay its losses with."""
    folder = tmp_path_factory.mktemp("shared")
    battery = {"capacity_kwh": 30, "p_max_kw": 8, "account_eur": 0.0, "owner_eur": 0.00001}
    scenario = short_scenario(8, "2016-05-24T09:00:00", community_storage=battery | {"shares": 104})
    run_scenario(scenario, folder / "scenario.yaml", folder / "result")
    return folder / "result"


def test_what_deposits_do_not_pay_is_owed_to_the_supplier(supplied: Path) -> None:
    results = Results(supplied)
    debts, bills = results.table("supply_debts"), results.table("supply")
    left = debts.groupby("prosumer", observed=True)["debt_ueur"].last()
    booked = bills.groupby("prosumer", observed=True)["debt_ueur"].last()
    assert left[left > 0].to_dict() == booked[booked > 0].to_dict()
    above = (bills["bill_ueur"] - bills["paid_ueur"]).groupby(bills["prosumer"]).sum()
    assert (left[left > 0] <= above[left[left > 0].index]).all()
    assert len(left[left > 0]) >= 2
    # a row where it changed, and no other
    assert not debts.duplicated(["interval", "prosumer"]).any()
    for _, own in debts.groupby("prosumer", observed=True):
        assert (own["debt_ueur"].diff() != 0).all()
    said = json.loads((supplied / "manifest.json").read_text())["indicators"]
    assert said["supply_debts_eur"] == pytest.approx(left.sum() / 1e6)
    dues = dues_by_role_eur(results)
    assert dues["supplier"] == pytest.approx(left.sum() / 1e6)
    assert dues["outside_market"] == pytest.approx(-left.sum() / 1e6)


def test_the_supplier_ends_whose_debt_is_above_the_limit(supplied: Path) -> None:
    results = Results(supplied)
    debts, events = results.table("supply_debts"), results.table("events")
    above = debts[debts["debt_ueur"] > 1_000_000].groupby("prosumer", observed=True).first()
    assert len(above) == 1  # the meter that was silent for a period
    changes = events[events["event"] == "SubscriptionChanged"]["arguments"].map(json.loads)
    ended = [said for said in changes if said["end_period"] < 2**24 - 1]
    # told in period 2, when its price is fixed: it is the last one
    assert [(said["debt_ueur"], said["end_period"]) for said in ended] == [
        (above["debt_ueur"].iloc[0], 3)
    ]


def test_what_members_do_not_pay_is_owed_to_the_battery_s_owner(shared: Path) -> None:
    results = Results(shared)
    debts, accounts = results.table("storage_debts"), results.table("storage")
    last = accounts[accounts["interval"] == 7].set_index("prosumer")["debt_ueur"]
    left = debts.groupby("prosumer", observed=True)["debt_ueur"].last()
    assert left[left > 0].to_dict() == last[last > 0].to_dict()
    assert len(left[left > 0]) > 3
    said = json.loads((shared / "manifest.json").read_text())["indicators"]
    assert said["storage_debts_eur"] == pytest.approx(left.sum() / 1e6)
    assert sum(dues_by_role_eur(results).values()) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("supplied", "debts from bills of the supply contract are left at the end of the run"),
        ("shared", "debts for the shared battery are left at the end of the run"),
    ],
)
def test_the_terminal_warns(name: str, text: str, request: pytest.FixtureRequest) -> None:
    from rich.console import Console

    recorded = Console(width=200, record=True)
    print_summary(read_indicators(Results(request.getfixturevalue(name))), recorded)
    assert text in recorded.export_text()


@pytest.mark.parametrize(("name", "table"), [("supplied", "supply"), ("shared", "storage")])
def test_honest_debts_pass(name: str, table: str, request: pytest.FixtureRequest) -> None:
    found = verify(request.getfixturevalue(name), parts=("files", "ledger", "indicators"))
    assert found.passed, found.failed
    (check,) = (check for check in found.checks if check.name == f"{table}_debts")
    assert check.compared > 3


@pytest.mark.parametrize("column", ["interval", "prosumer", "debt_ueur"])
@pytest.mark.parametrize(("name", "table"), [("supplied", "supply"), ("shared", "storage")])
def test_a_forged_debt_is_found(
    name: str, table: str, column: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    folder = tmp_path / "forged"
    shutil.copytree(request.getfixturevalue(name), folder)
    path = folder / "tables" / f"{table}_debts.parquet"
    schema, frame = pq.read_schema(path), pd.read_parquet(path)
    frame[column] = frame[column].astype(object)
    frame.loc[1, column] = "nobody" if column == "prosumer" else frame.loc[1, column] + 1
    frame.to_parquet(path, schema=schema, index=False)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["sha256"] = file_hashes(folder)
    (folder / "manifest.json").write_text(json.dumps(manifest))
    assert f"{table}_debts" in verify(folder, parts=("ledger",)).failed
