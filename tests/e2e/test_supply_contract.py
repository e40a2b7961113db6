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
from cosim.mechanisms.supply_contract.statement import statement_figure
from cosim.report.outside import bills_outside
from cosim.report.roles import PAYMENTS, money_over_time, money_table
from cosim.results.reader import Results
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


def test_subscriptions_are_what_calls_and_events_say(case: Case) -> None:
    changes = case.tables["supply_subscriptions"]
    begun = changes[changes.action == "subscribed"]
    assert set(begun.interval) == {-1}
    assert dict(zip(begun.prosumer, begun.end_period.astype("Int64"), strict=True)) == {
        c["name"]: 3 if c["name"] == SILENT else pd.NA
        for c in case.scenario["supply_contract"]["consumers"]
    }
    left = changes[changes.action != "subscribed"]
    assert left[["interval", "prosumer", "action", "end_period"]].to_numpy().tolist() == [
        [4, LEAVER, "left", 2]
    ]
    verified(case.folder, "supply_subscriptions", parts=("ledger",))


def test_money_outside_the_market_is_what_the_contract_billed(
    case: Case, rows: pd.DataFrame
) -> None:
    """To the µEUR: bills, and default supply of who drew on after the contract.

    The last interval is of a period that the run's end cuts off.
    """
    manifest = json.loads((case.folder / "manifest.json").read_text("utf-8"))["indicators"]
    prosumers = case.tables["prosumers"].astype({"prosumer": str})
    market = case.scenario["market"]
    retail, feed_in = (round(market[f"{n}_eur_per_kwh"] * 10**6) for n in ("retail", "feed_in"))
    consumers = prosumers[prosumers.prosumer.isin(set(rows.prosumer.astype(str)))]
    late = consumers[
        ((consumers.prosumer == LEAVER) & (consumers.interval >= 8))
        | ((consumers.prosumer == SILENT) & (consumers.interval >= 12))
    ]
    assert (late.metered_wh != 0).any()
    default_ueur = sum(
        -(wh * retail // 1_000) if wh < 0 else -(wh * feed_in // 1_000) for wh in late.metered_wh
    )
    paid_ueur = int(rows.bill_ueur.sum()) + default_ueur
    assert round(manifest["money_by_role_eur"]["outside_market"] * 10**6) == -paid_ueur
    cut_off = consumers[(consumers.interval == 12) & ~consumers.prosumer.isin([LEAVER, SILENT])]
    drawn = {
        "supply_contract": rows.metered_wh.sum(),
        "default_supply": -late.metered_wh.clip(upper=0).sum(),
        "not_billed": -cut_off.metered_wh.clip(upper=0).sum(),
    }
    assert drawn["not_billed"] > 0
    by_supply = {k: round(v * 1_000) for k, v in manifest["drawn_kwh_by_supply"].items()}
    assert {name: by_supply[name] for name in drawn} == drawn
    assert sum(by_supply.values()) == -prosumers.metered_wh.clip(upper=0).sum()
    settled = case.tables["settlement"]
    bought = settled[(settled.contracted_wh < 0) & (settled.metered_wh < 0)]
    local_wh = -bought[["contracted_wh", "metered_wh"]].max(axis=1).sum()
    assert by_supply["local_trades"] == local_wh > 0


def test_money_of_every_role_adds_up_to_zero(case: Case) -> None:
    results = Results(case.folder)
    table, over_time = money_table(results), money_over_time(results)
    for payment in PAYMENTS:
        assert table.total_eur(payment) == pytest.approx(0, abs=1e-9)
    assert over_time.sum(axis=1).abs().max() < 1e-9
    assert over_time["outside_market"].sum() == pytest.approx(table.received_eur("outside_market"))
    # bills are owed when their periods are over
    bills = bills_outside(results).query("supplied_by == 'supply_contract'")
    assert set(bills[bills.supply > 0].interval) == {3, 7, 11}


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


def test_statement_of_every_customer(case: Case, rows: pd.DataFrame, screen: list[str]) -> None:
    """In the report and at 80 columns, each amount by the table of bills."""
    own = Results(case.folder)
    (table,) = statement_figure(own, LENGTH).tables
    cells = {row[0]: row[1:] for row in table.rows}
    assert cells[LEAVER][:3] == ("0 – 1", "customer", "2")
    assert cells[SILENT][:3] == ("0 – 2", "agreed term", "3")
    assert cells[POOR][:3] == ("0 –", "—", "3")
    for name, bills in rows.groupby(rows.prosumer.astype(str)):
        owed = bills.debt_ueur.iloc[-1]
        amounts = (bills.bill_ueur.sum(), bills.bill_ueur.sum() - owed, owed)
        amounts += (bills.deposit_ueur.iloc[-1],)
        assert cells[name][3] == f"{bills.billed_wh.sum() / 1e3:.1f}"
        assert cells[name][4:] == tuple(f"{amount / 1e6:.2f}" for amount in amounts)
    assert cells["Together"][4] == f"{rows.bill_ueur.sum() / 1e6:.2f}"
    lines = screen[0].splitlines()
    assert all(len(line) <= 80 for line in lines)
    assert sum("[kWh]" in line for line in lines) == 1  # of the statement's energy
    printed = next(line for line in lines if line.startswith(LEAVER))
    for text in ("0 – 1", "customer", cells[LEAVER][4]):
        assert text in printed
    report = (case.folder / "report.html").read_text("utf-8")
    supplied = report.split('id="supplied-table"')[1].split("</figure>")[0]
    kwh = f"{rows.metered_wh.sum() / 1e3:.1f}"
    for text in ("Supply contract", kwh, "Default supply", "Not billed by the end"):
        assert text in supplied
    section = report.split('id="supply-statement"')[1]
    for text in (*cells[LEAVER][:2], *cells["Together"][2:5]):
        assert text in section.split("</figure>")[0]


def test_report_holds_the_table(case: Case) -> None:
    report = (case.folder / "report.html").read_text("utf-8")
    assert "Billed by supply contract" in report
    section = report.split('id="supply-gas"')[1].split("</figure>")[0]
    for text in ("subscribeUser", "1\u202f408\u202f078", "0.434 EUR", "gas now"):
        assert text in section
