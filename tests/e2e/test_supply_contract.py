"""A run with a supply contract: every Wh and µEUR of it from the meter to the printed table."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pandas as pd
import pytest
from result_folders import Case, verified

from cosim.cli import main
from cosim.mechanisms.supply_contract.published_gas import METHODS
from cosim.scenario import load_scenario

FILE = Path(__file__).parents[2] / "scenarios" / "supply_contract.yaml"
LENGTH, INTERVALS = 4, 13
LEAVER, SILENT, POOR = "LV1.101 Bus 11", "LV1.101 Bus 13", "LV1.101 Bus 10"


@pytest.fixture(scope="module")
def screen() -> list[str]:
    """What the command printed, filled in by the run."""
    return []


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory, screen: list[str]) -> Case:
    """Three periods of an hour in the evening and a part of a fourth, by command."""
    folder = tmp_path_factory.mktemp("supply")
    scenario = load_scenario(FILE).model_dump(mode="json")
    scenario["time"] |= {"start": "2016-04-20T17:00:00", "intervals": INTERVALS}
    scenario["grid"]["reference_sample"] = 1
    scenario["ledger"] |= {"tip_gwei": 1.0, "eur_per_eth": 2_000.0}
    scenario["supply_contract"]["billing_intervals"] = LENGTH
    scenario["supply_contract"]["least_deposit_eur"] = 0.1
    for consumer in scenario["supply_contract"]["consumers"]:
        consumer["periods"] = 0 if consumer["name"] != SILENT else 3
        if consumer["name"] == POOR:
            consumer["deposit_eur"] = 0.5
    file = folder / "supply.yaml"
    file.write_text(json.dumps(scenario), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", "80")
        from rich.console import Console

        recorded = Console(width=80, record=True, file=io.StringIO())
        patch.setattr("cosim.cli.running.Console", lambda: recorded)
        assert main(["run", str(file), "--out", str(folder / "run")]) == 0
    screen.append(recorded.export_text())
    return Case(folder / "run", frozenset())


@pytest.fixture(scope="module")
def rows(case: Case) -> pd.DataFrame:
    return case.tables["supply"]


def test_periods_of_consumers(case: Case, rows: pd.DataFrame) -> None:
    periods = rows.groupby("prosumer").period.agg(list).to_dict()
    consumers = [c["name"] for c in case.scenario["supply_contract"]["consumers"]]
    assert periods == {name: [0, 1] if name == LEAVER else [0, 1, 2] for name in consumers}
    # two intervals after their ends; what the run's end cuts off happens in blocks after it
    assert rows.groupby("period").interval.unique().map(list).to_dict() == {0: [5], 1: [9], 2: [12]}


def test_bills_are_the_meters_energy_and_what_the_events_say(case: Case) -> None:
    verified(case.folder, "supply", parts=("ledger",))


def test_what_is_billed_is_declared_or_estimated(rows: pd.DataFrame) -> None:
    estimated = rows[rows.estimated]
    assert list(zip(estimated.prosumer, estimated.period, strict=True)) == [(SILENT, 1)]
    assert list(estimated.billed_wh) == [5_000]
    assert estimated.declared_wh.isna().all()
    declared = rows[~rows.estimated]
    assert (declared.declared_wh == declared.metered_wh).all()
    assert (declared.billed_wh == declared.metered_wh).all()
    assert rows.metered_wh.gt(0).sum() > 8


def test_bills_round_up_at_the_price_of_their_period(rows: pd.DataFrame) -> None:
    prices = {0: 280_000, 1: 280_000, 2: 320_000}
    assert rows.price_ueur_per_kwh.tolist() == rows.period.map(prices).tolist()
    assert (rows.bill_ueur == -(-rows.billed_wh * rows.price_ueur_per_kwh // 1_000)).all()


def test_deposits_and_debts_add_up(rows: pd.DataFrame, case: Case) -> None:
    deposits = {
        c["name"]: round(c["deposit_eur"] * 10**6)
        for c in case.scenario["supply_contract"]["consumers"]
    }
    for name, own in rows.groupby("prosumer", observed=True):
        deposit, debt = deposits[name], 0
        for row in own.itertuples():
            assert row.paid_ueur == min(row.bill_ueur, deposit)
            owed = debt + row.bill_ueur - row.paid_ueur
            repaid = min(owed, row.topped_up_ueur)
            debt = owed - repaid
            deposit += row.topped_up_ueur - repaid - row.paid_ueur - row.refund_ueur
            assert (row.deposit_ueur, row.debt_ueur) == (deposit, debt)
    poor = rows[rows.prosumer == POOR]
    assert (poor.bill_ueur > poor.paid_ueur).any()
    assert (poor.debt_ueur == 0).all()  # it tops up


def test_supplier_gets_what_was_billed(rows: pd.DataFrame, case: Case) -> None:
    transfers = case.events("Transfer")
    manifest = json.loads((case.folder / "manifest.json").read_text("utf-8"))
    contract = manifest["contracts"]["Supplier"]["address"]
    refunds = rows.refund_ueur.sum()
    left = transfers[transfers.sender == contract].value.sum() - refunds
    assert left == rows.bill_ueur.sum()
    assert refunds > 0


def test_consumers_stay_out_of_the_local_market_that_goes_on(
    case: Case, rows: pd.DataFrame
) -> None:
    consumers = set(rows.prosumer)
    assert len(consumers) == 4
    for table in ("orders", "settlement"):
        traders = set(case.tables[table].prosumer)
        assert traders
        assert not traders & consumers
    assert set(case.tables["prosumers"].prosumer) >= consumers  # they live on the grid


def test_printed_table_is_of_the_runs_own_transactions(case: Case, screen: list[str]) -> None:
    transactions = case.tables["transactions"]
    done = transactions[transactions.status == 1]
    for published in METHODS:
        calls = done[(done.contract == published.contract) & (done.method == published.method)]
        line = next(row for row in screen[0].splitlines() if row.startswith(published.method))
        average = f"{calls.gas_used.mean():,.0f}".replace(",", "\u202f")
        cells = line.split(" ")
        assert average in cells
        assert str(len(calls)) in cells
        # at 3 gwei and 102.75 EUR, and at this scenario's tip of 1 gwei and 2 000 EUR
        assert f"{calls.gas_used.mean() * 3e-9 * 102.75:.4f}" in cells
        assert f"{calls.gas_used.mean() * 1e-9 * 2_000:.4f}" in cells
        assert calls.gas_used.mean() <= published.gas_now
    text = " ".join(screen[0].split())
    assert "0.29 EUR for the deployment of Supplier implies 2.0 gwei" in text
    assert "it is 0.434 EUR" in text


def test_report_holds_the_table(case: Case) -> None:
    report = (case.folder / "report.html").read_text("utf-8")
    assert "Billed by supply contract" in report
    section = report.split('id="supply-gas"')[1].split("</figure>")[0]
    for text in ("subscribeUser", "1\u202f408\u202f078", "0.434 EUR", "gas now"):
        assert text in section
