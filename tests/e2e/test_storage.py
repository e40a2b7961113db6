"""An afternoon and evening with a shared battery: energy, money, and what it did to the grid."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandapower
import pandas as pd
import pytest
from result_folders import Case, table_bytes, verified

from cosim.mechanisms.community_storage.play import SOC_TOLERANCE_WH
from cosim.report.costs import costs_by_prosumer, physical_wh
from cosim.report.indicators import Indicators
from cosim.results.reader import Results
from cosim.runs.experiment import run_scenario
from cosim.scenario import Scenario, load_scenario

FILE = Path(__file__).parents[2] / "scenarios" / "community_storage.yaml"
BATTERY = "community battery"
SHARES, MEMBERS = 104, 13
STANDBY_WH = 10


def run(folder: Path, nominations: str, intervals: int = 24, engine: str = "revm") -> Indicators:
    """From 14:00, when PV overloads the transformer, to 20:00, when the battery is in use."""
    data = load_scenario(FILE).model_dump(mode="json")
    data["time"] |= {"start": "2016-05-24T14:00:00", "intervals": intervals}
    data["grid"]["reference_sample"] = 2
    data["community_storage"]["nominations"] = nominations
    data["ledger"]["engine"] = engine
    return run_scenario(Scenario.model_validate(data), FILE, folder).indicators


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("storage") / "shared"


@pytest.fixture(scope="module")
def indicators(folder: Path) -> Indicators:
    return run(folder, "own_balance")


@pytest.fixture(scope="module")
def case(indicators: Indicators, folder: Path) -> Case:
    return Case(folder, frozenset({"trafo"}))


@pytest.fixture(scope="module")
def rows(case: Case) -> pd.DataFrame:
    rows = case.tables["storage"]
    return rows.assign(prosumer=rows.prosumer.astype(str))


@pytest.fixture(scope="module")
def members(rows: pd.DataFrame) -> pd.DataFrame:
    return rows[rows.prosumer != BATTERY]


@pytest.fixture(scope="module")
def battery(rows: pd.DataFrame) -> pd.DataFrame:
    return rows[rows.prosumer == BATTERY].set_index("interval")


def wide(frame: pd.DataFrame, column: str) -> pd.DataFrame:
    """A column by interval and prosumer."""
    frame = frame.assign(prosumer=frame.prosumer.astype(str))
    return frame.pivot(index="interval", columns="prosumer", values=column)


def test_members_share_it_equally(members: pd.DataFrame, battery: pd.DataFrame) -> None:
    assert members.groupby("interval").size().eq(MEMBERS).all()
    assert members.shares.eq(SHARES // MEMBERS).all()
    assert battery.shares.eq(0).all()
    assert members.accepted.all()
    assert (members.nominated_wh > 0).any()
    assert (members.nominated_wh < 0).any()


def test_accounts_follow_the_nominations_and_stay_within_shares(members: pd.DataFrame) -> None:
    nominated, accounts = wide(members, "nominated_wh"), wide(members, "account_wh")
    change = accounts.diff().fillna(accounts.iloc[:1])
    charged, discharged = nominated.clip(lower=0), -nominated.clip(upper=0)
    credited, debited = charged * 950 // 1_000, -(discharged * 1_000 // -950)
    assert (change == credited - debited).all(axis=None)
    assert accounts.ge(0).all(axis=None)
    assert accounts.le(100_000 * 8 // SHARES).all(axis=None)
    assert nominated.abs().le(12_500 * 8 // SHARES).all(axis=None)


def test_battery_holds_what_the_accounts_say(case: Case, battery: pd.DataFrame) -> None:
    people = case.tables["prosumers"]
    own = people[people.prosumer == BATTERY].set_index("interval")
    accounts = case.tables["storage"].query(f"prosumer != '{BATTERY}'")
    total = accounts.groupby("interval").account_wh.sum()
    assert total.to_dict() == battery.account_wh.to_dict()
    assert (own.soc_mwh * 1e6 - total).abs().max() <= SOC_TOLERANCE_WH
    assert total.max() > 50_000
    assert np.allclose(own.load_p_mw, STANDBY_WH / 250_000)
    # at the low-voltage busbar, as the last connection point of the solved network
    net = pandapower.from_json(str(case.folder / "network.json"))
    assert net.sgen.name.iloc[-1] == BATTERY
    assert own.bus.unique().tolist() == [net.trafo.lv_bus.iloc[0]]


def test_reported_energy_is_physical_energy_and_allocation(
    case: Case, members: pd.DataFrame, battery: pd.DataFrame
) -> None:
    reported = wide(case.tables["settlement"], "metered_wh")
    metered = wide(case.tables["prosumers"], "metered_wh")
    assert reported.sum(axis=1).tolist() == metered.sum(axis=1).tolist()
    nominated = wide(members, "nominated_wh")
    names = list(nominated.columns)
    assert (reported[names] == metered[names] - nominated).all(axis=None)
    assert (reported[BATTERY] == -battery.loss_wh).all()
    assert (battery.loss_wh == -metered[BATTERY] - nominated.sum(axis=1)).all()
    assert battery.loss_wh.between(-20, STANDBY_WH + 1).all()
    physical = physical_wh(Results(case.folder))
    settlement = case.tables["settlement"].assign(physical_wh=physical)
    assert (wide(settlement, "physical_wh") == metered).all(axis=None)


def test_schedule_of_the_battery_is_what_the_dso_checks(case: Case) -> None:
    schedules = wide(case.tables["schedules"], "dispatched_wh")
    metered = wide(case.tables["prosumers"], "metered_wh")
    assert (schedules[BATTERY] == metered[BATTERY]).all()
    assert (schedules[BATTERY] < -5_000).any()
    assert (schedules[BATTERY] > 1_000).any()


def test_losses_are_billed_by_share_at_the_suppliers_price(
    case: Case, members: pd.DataFrame, battery: pd.DataFrame
) -> None:
    billed = wide(members, "billed_ueur")
    assert billed.nunique(axis=1).eq(1).all()  # equal shares, equal bills
    ahead = 0
    for interval, loss_wh in battery.loss_wh.items():
        bill = max(int(loss_wh), 0) * 300_000 // 1_000
        per_share = max(-((ahead - bill) // SHARES), 0)
        ahead += per_share * SHARES - bill
        assert 0 <= ahead < SHARES
        assert billed.loc[interval].eq(per_share * (SHARES // MEMBERS)).all()
    supplier = wide(case.tables["settlement"], "supplier_ueur")[BATTERY]
    paid = -supplier[supplier < 0].sum()
    assert billed.to_numpy().sum() == paid + ahead  # the owner gets back what it paid


def test_ledger_tells_the_same_story(case: Case) -> None:
    verified(case.folder, "storage", parts=("ledger",))
    assert case.events("StorageReported").interval.tolist() == list(range(24))


def test_costs_count_bills_and_start_from_what_was_metered(
    case: Case, members: pd.DataFrame
) -> None:
    costs = costs_by_prosumer(Results(case.folder))
    received = members.groupby("prosumer")[["credited_ueur", "billed_ueur", "fees_ueur"]].sum()
    own = received.credited_ueur - received.billed_ueur - received.fees_ueur
    assert costs.other_ueur[own.index].tolist() == own.tolist()
    assert costs.other_ueur.sum() == -case.tables["storage"].fees_ueur.sum()


def test_both_engines_write_the_same_tables(tmp_path: Path) -> None:
    for engine in ("revm", "py-evm"):
        run(tmp_path / engine, "own_balance", 3, engine)
    assert table_bytes(tmp_path / "revm") == table_bytes(tmp_path / "py-evm")
    assert len(pd.read_parquet(tmp_path / "revm" / "tables" / "storage.parquet")) == 3 * 14


def test_sharing_raises_self_consumption_and_shortens_violations(
    indicators: Indicators, tmp_path: Path
) -> None:
    alone = run(tmp_path / "alone", "none")
    assert alone["storage_charged_kwh"] == 0.0
    assert indicators.self_consumption is not None
    assert alone.self_consumption is not None
    assert alone.self_sufficiency is not None
    assert indicators.self_sufficiency is not None
    assert indicators.self_consumption > alone.self_consumption + 0.05
    assert indicators.self_sufficiency > alone.self_sufficiency + 0.15
    minutes = [i.violations["scheduled"]["trafo"]["minutes"] for i in (indicators, alone)]
    assert minutes == [45.0, 75.0]
    assert indicators["flexibility_cost_eur"] < alone["flexibility_cost_eur"]
    assert np.isclose(alone["storage_loss_kwh"], 24 * STANDBY_WH / 1_000)


def test_flexibility_counts_from_what_meters_report(tmp_path: Path) -> None:
    """Who stores on the ledger and does nothing else has delivered nothing."""
    seller = "LV1.101 Bus 13"
    fields = load_scenario(FILE).model_dump(mode="json", exclude_unset=True) | {
        "time": {"start": "2016-05-24T12:00:00", "intervals": 1},
        "attack": {"kind": "flexibility_default", "prosumers": [seller], "price_factor": 0.1},
    }
    run_scenario(Scenario.of(fields, FILE), FILE, tmp_path / "run")
    results = Results(tmp_path / "run")
    own = {
        name: table[table["prosumer"].astype(str) == seller]
        for name in ("flexibility", "schedules", "prosumers", "storage")
        for table in [results.table(name)]
    }
    lowered_wh = int(own["schedules"]["nominated_wh"].iloc[0]) - int(
        own["prosumers"]["metered_wh"].iloc[0]
    )
    stored_wh = -int(own["storage"]["allocated_wh"].iloc[0])
    assert stored_wh > 500
    assert own["flexibility"]["awarded_wh"].sum() > lowered_wh + stored_wh
    assert own["flexibility"]["delivered_wh"].sum() == lowered_wh
    verified(tmp_path / "run", "deliveries")


def test_what_is_stored_gives_no_way_where_positions_bind(tmp_path: Path) -> None:
    """The grid carries what members store in the battery at its busbar, and nothing untraded."""
    fields = load_scenario(FILE).model_dump(mode="json", exclude_unset=True) | {
        "time": {"start": "2016-05-24T12:00:00", "intervals": 1},
        "market": {"position": "binding"},
    }
    run_scenario(Scenario.of(fields, FILE), FILE, tmp_path / "run")
    results = Results(tmp_path / "run")
    schedules = results.table("schedules").set_index("prosumer")
    stored_wh = -results.table("storage").set_index("prosumer")["allocated_wh"]
    assert (schedules["unserved_wh"] < 0).any()
    kept = schedules["contracted_wh"] + stored_wh
    members = [name for name in schedules.index if name != BATTERY and stored_wh[name] > 0]
    assert len(members) > 5
    assert (schedules["dispatched_wh"][members] >= kept[members]).all()
    verified(tmp_path / "run")


def test_losses_are_billed_at_the_prices_of_the_interval(tmp_path: Path) -> None:
    """Every interval has prices of its own, and each loss is billed at its retail price."""
    fields = load_scenario(FILE).model_dump(mode="json", exclude_unset=True) | {
        "time": {"start": "2016-05-24T17:30:00", "intervals": 8},
        "market": {
            "retail": {"energy": {"eur_per_kwh": [0.20 + 0.03 * k for k in range(8)]}},
            "feed_in": {"eur_per_kwh": [0.05 + 0.01 * k for k in range(8)]},
        },
    }
    run_scenario(Scenario.of(fields, FILE), FILE, tmp_path / "run")
    rows = Results(tmp_path / "run").table("storage")
    loss_wh = rows[rows["prosumer"] == BATTERY].set_index("interval")["loss_wh"]
    assert (loss_wh.iloc[3:] > 0).all()
    assert (loss_wh < 0).any()
    expected, over = [], 0
    for interval, loss in loss_wh.items():
        bill = max(loss, 0) * (200 + 30 * interval)
        per_share = -(-max(bill - over, 0) // SHARES) if loss > 0 else 0
        over += per_share * SHARES - bill
        expected.append(per_share * SHARES)
    assert rows.groupby("interval")["billed_ueur"].sum().tolist() == expected
    verified(tmp_path / "run")
