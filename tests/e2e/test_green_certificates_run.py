"""A run with certificates over noon: every Wh and µEUR of them from the meter to the indicators."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from result_folders import Case, same, verified

from cosim.runs.experiment import run_scenario
from cosim.scenario import Scenario, load_scenario

FILE = Path(__file__).parents[2] / "scenarios" / "green_certificates.yaml"
STEP_S = 900


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    """Half an hour, the hour of sunrise, half an hour; so that both ends are parts of hours."""
    data = load_scenario(FILE).model_dump(mode="json")
    data["time"] |= {"start": "2016-05-24T05:30:00", "intervals": 8}
    data["grid"]["reference_sample"] = 1
    folder = tmp_path_factory.mktemp("certificates") / "run"
    run_scenario(Scenario.model_validate(data), FILE, folder)
    return Case(folder, frozenset())


@pytest.fixture(scope="module")
def rows(case: Case) -> pd.DataFrame:
    return case.tables["certificates"]


def first_hour(case: Case) -> int:
    start = pd.Timestamp(case.scenario["time"]["start"], tz="UTC")
    return int(start.timestamp()) // 3_600


def test_every_member_has_a_row_for_every_hour(case: Case, rows: pd.DataFrame) -> None:
    first = first_hour(case)
    assert rows.groupby("hour").interval.unique().map(list).to_dict() == {
        first: [1],
        first + 1: [5],
        first + 2: [7],
    }
    for _, hour in rows.groupby("hour"):
        assert list(hour.prosumer) == case.names


def test_certificates_are_the_meters_energy_and_what_the_events_say(case: Case) -> None:
    verified(case.folder, "certificates", parts=("ledger",))


def test_every_certificate_is_somewhere(rows: pd.DataFrame) -> None:
    same(rows.held_wh, rows.issued_wh + rows.bought_wh - rows.sold_wh - rows.retired_wh)
    assert (rows[["held_wh", "issued_wh", "bought_wh", "sold_wh", "retired_wh"]] >= 0).all().all()
    assert (rows.retired_wh <= rows.consumed_wh).all()
    assert (rows.sold_wh <= rows.offered_wh).all()
    sums = rows.groupby("hour")[["sold_wh", "bought_wh", "earned_ueur", "paid_ueur"]].sum()
    same(sums.sold_wh, sums.bought_wh)
    same(sums.earned_ueur, sums.paid_ueur)
    assert sums.sold_wh.sum() > 0
    assert rows.issued_wh.sum() > 1_000


def test_producers_keep_what_they_can_retire_themselves(rows: pd.DataFrame) -> None:
    own = rows[["issued_wh", "consumed_wh"]].min(axis=1)
    same(rows.offered_wh, rows.issued_wh - own)
    same(rows.retired_wh, own + rows.bought_wh)


def test_only_who_pays_the_price_buys(case: Case, rows: pd.DataFrame) -> None:
    settings = case.scenario["certificates"]
    price = round(settings["price_eur_per_mwh"] * 1_000)
    limits = rows[rows.hour == rows.hour.min()].limit_ueur_per_kwh
    counted = limits.value_counts().to_dict()
    # shares of 13 prosumers by largest remainder
    assert counted == {8_000.0: 7, 4_000.0: 3}
    assert (rows[rows.bought_wh > 0].limit_ueur_per_kwh >= price).all()
    unit = -(-rows.bought_wh * price // 1_000)
    assert ((rows.paid_ueur >= unit) & (rows.paid_ueur <= unit + 13)).all()
    # whoever pays enough lacks nothing while certificates of the hour are left
    for _, hour in rows.groupby("hour"):
        willing = hour[hour.limit_ueur_per_kwh >= price]
        if (hour.offered_wh > hour.sold_wh).any():
            same(willing.retired_wh, willing.consumed_wh)


def test_meters_record_each_interval_once_and_in_time(case: Case) -> None:
    events = case.events("EnergyRecorded")
    assert len(events) == case.intervals * len(case.names)
    assert not events.duplicated(["interval", "meter"]).any()
    registered = case.events("MeterRegistered")
    pairs = set(zip(registered.meter, registered.customer, strict=True))
    assert set(zip(events.meter, events.account, strict=True)) == pairs
    transactions = case.tables["transactions"]
    records = transactions[transactions.method == "record"]
    ends = first_hour(case) * 3_600 + 1_800 + (records.interval + 1) * STEP_S
    assert (records.status == 1).all()
    assert (records.included_at_s >= ends).all()
    window = STEP_S - case.scenario["market"]["order_lead_s"]
    trades = transactions[transactions.contract == "GreenCertificates"]
    trades = trades[trades.interval >= 0]
    ends = first_hour(case) * 3_600 + 1_800 + (trades.interval + 1) * STEP_S
    assert (trades.included_at_s <= ends + window).all()  # before the next orders are sent


def test_matching_by_the_hour_and_over_the_run(case: Case, rows: pd.DataFrame) -> None:
    hours = rows.groupby("hour")[["issued_wh", "consumed_wh", "retired_wh"]].sum()
    consumed = hours.consumed_wh.sum()
    shares = {
        "hourly_matching": hours.retired_wh.sum() / consumed,
        "hourly_matching_limit": hours[["issued_wh", "consumed_wh"]].min(axis=1).sum() / consumed,
        "run_matching": min(hours.issued_wh.sum(), consumed) / consumed,
    }
    indicators: dict[str, Any] = manifest(case)["indicators"]
    assert {name: indicators[name] for name in shares} == pytest.approx(shares, abs=1e-12)
    assert shares["hourly_matching"] < shares["hourly_matching_limit"] <= shares["run_matching"]
    assert indicators["certificates_retired_kwh"] == rows.retired_wh.sum() / 1_000
    report = (case.folder / "report.html").read_text(encoding="utf-8")
    assert "Consumption matched hour by hour" in report
    assert "Certificates by delivery hour" in report


def manifest(case: Case) -> dict[str, Any]:
    return dict(json.loads((case.folder / "manifest.json").read_text(encoding="utf-8")))


def test_the_contract_is_in_the_manifest(case: Case) -> None:
    assert "GreenCertificates" in manifest(case)["contracts"]
