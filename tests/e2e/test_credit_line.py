"""Members with a credit line: what the supplier lends, what it does not, and who is paid."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from cosim.mechanisms.local_market.indicators import market_indicators
from cosim.report.dues import dues_by_role_eur, dues_figures
from cosim.report.roles import money_table
from cosim.results.manifest import file_hashes
from cosim.results.reader import Results
from cosim.runs.experiment import run_scenario
from cosim.scenario import Scenario
from cosim.verify.verification import verify

ACCOUNT_EUR, SHARE, LIMIT_EUR = 0.1, 0.5, 0.4
BANK_UEUR = 5_500_000
REACHED = "local market: credit limit reached"
MARKET = {
    "account": "credit_line",
    "account_eur": ACCOUNT_EUR,
    "deposit_share": SHARE,
    "credit_limit_eur": LIMIT_EUR,
}


@pytest.fixture(scope="module")
def play(
    short_scenario: Callable[..., Scenario], tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., Path]:
    """Play a few intervals, of a quarter of an hour unless something else is said."""

    def played(intervals: int, market: dict[str, object], **sections: object) -> Path:
        place = tmp_path_factory.mktemp("credit")
        scenario = short_scenario(intervals, market=MARKET | market, **sections)
        run_scenario(scenario, place / "scenario.yaml", place / "result")
        return place / "result"

    return played


@pytest.fixture(scope="module")
def lent(play: Callable[..., Path]) -> Path:
    """A noon at which members buy on credit until it is used up."""
    return play(6, {}, dso={"procure": False})


def test_what_is_lent_and_billed_is_owed(lent: Path) -> None:
    results = Results(lent)
    settled = results.table("settlement")
    received = settled.groupby("prosumer")[["traded_ueur", "supplier_ueur"]].sum().sum(axis=1)
    left = round(ACCOUNT_EUR * SHARE * 1e6) + received
    rows = results.table("debts")
    last = rows.groupby("account")["debt_ueur"].last()
    owing = last[last > 0].sort_index()
    assert owing.to_dict() == (-left[left < 0]).sort_index().to_dict()
    assert (rows["claim_ueur"] == 0).all()  # everybody else is paid
    orders = results.table("orders")
    assert (orders["filled_wh"] > 0).sum() > 0
    assert (orders["reason"] == REACHED).sum() > 0
    # none of these would have been taken on account
    bought = orders[(orders["side"] == "buy") & (orders["filled_wh"] > 0)]
    escrow = bought["energy_wh"] * bought["price_ueur_per_kwh"] / 1_000
    assert (escrow > ACCOUNT_EUR * SHARE * 1e6).any()


def test_debts_are_shown_by_role_and_add_up_to_zero(lent: Path) -> None:
    results = Results(lent)
    indicators = market_indicators(results)
    assert indicators.orders_refused_by_reason == {
        REACHED.partition(": ")[2]: indicators.orders_refused
    }
    assert any(
        "debts of the local market are left at the end of the run" in text
        for text in indicators.warnings()
    )
    dues = dues_by_role_eur(results)
    owed = sum(indicators.debts_eur.values())
    assert dues["supplier"] == pytest.approx(owed)
    assert owed > 0
    assert sum(dues.values()) == pytest.approx(0, abs=1e-9)
    assert indicators.debts_peak_eur >= owed - 1e-9
    (figure,) = dues_figures(results)
    assert figure.tables[0].rows[-1][0] == "Together"
    assert figure.tables[0].rows[-1][-1] == "0.00"
    # what is owed is a part of what the roles received on paper
    assert money_table(results).received_eur("supplier") > 0


def test_without_credit_fewer_orders_are_taken(lent: Path, play: Callable[..., Path]) -> None:
    dry = Results(play(6, {"account": "prepaid"}, dso={"procure": False})).table("orders")
    taken = Results(lent).table("orders")
    assert (taken["status"] != "rejected").sum() > (dry["status"] != "rejected").sum()
    assert set(dry["reason"].dropna()) == {"local market: balance too low"}


def test_verification_plays_the_accounts_again(lent: Path) -> None:
    found = verify(lent, parts=("files", "ledger", "indicators"))
    assert found.passed, found.failed
    (check,) = (check for check in found.checks if check.name == "accounts")
    assert check.compared > 100


@pytest.mark.parametrize("column", ["contracted_wh", "metered_wh", "traded_ueur", "supplier_ueur"])
def test_a_settlement_is_found_wrong_without_an_event(
    lent: Path, monkeypatch: pytest.MonkeyPatch, column: str
) -> None:
    read = Results.table

    def forged(self: Results, name: str) -> pd.DataFrame:
        table = read(self, name)
        if name == "settlement":
            table = table.copy()
            table.loc[7, column] += 1
        return table

    monkeypatch.setattr(Results, "table", forged)
    found = verify(lent, parts=("ledger",))
    (check,) = (one for one in found.checks if one.name == "accounts")
    assert [difference.column for difference in check.differences] == [column]


@pytest.mark.parametrize("field", ["credit_limit_eur", "account"])
def test_another_credit_line_than_the_chain_s_is_found(
    lent: Path, tmp_path: Path, field: str
) -> None:
    folder = tmp_path / "forged"
    shutil.copytree(lent, folder)
    scenario = folder / "scenario.yaml"
    told = {"credit_limit_eur": ("credit_limit_eur: 0.4", "credit_limit_eur: 0.5")}
    told["account"] = ("account: credit_line", "account: prepaid")
    text = scenario.read_text()
    assert told[field][0] in text
    scenario.write_text(text.replace(*told[field]))
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["sha256"] = file_hashes(folder)
    (folder / "manifest.json").write_text(json.dumps(manifest))
    assert "accounts" in verify(folder, parts=("ledger",)).failed


@pytest.mark.parametrize("form", ["on_chain", "committed"])
def test_sealed_orders_are_lent_their_deposit(play: Callable[..., Path], form: str) -> None:
    market = {"reveal_s": 48, "sealed_deposit_eur": 0.1, "clearing": form}
    result = play(3, market)
    orders = Results(result).table("orders")
    assert (orders["status"] == "unrevealed").any()  # their escrow is beyond the limit
    found = verify(result, parts=("files", "ledger"))
    assert found.passed, found.failed


@pytest.mark.parametrize("market", [{}, {"account": "top_up"}])
def test_bilateral_trades_are_played_again(
    play: Callable[..., Path], market: dict[str, object]
) -> None:
    bilateral = {"clearing": "bilateral", "bilateral": {"graph": "ring", "fee_eur_per_kwh": 0.01}}
    result = play(4, bilateral | {"credit_limit_eur": 5.0} | market)
    assert (Results(result).table("orders")["filled_wh"] > 0).any()
    found = verify(result, parts=("files", "ledger"))
    assert found.passed, found.failed


def test_debts_are_paid_out_of_bank_accounts_when_they_are_due(play: Callable[..., Path]) -> None:
    result = play(
        26,
        {
            "credit_days": 1,
            "bank_eur": BANK_UEUR / 1e6,
            "order_lead_s": 600,
            "credit_limit_eur": 20.0,
        },
        time={"start": "2016-05-24T00:00:00", "step_s": 3600},
    )
    results = Results(result)
    sent = results.table("transactions")
    paid = sent[(sent["method"] == "deposit") & (sent["interval"] >= 0)]
    assert set(paid["interval"]) == {24}
    assert (paid["status"] == 1).all()
    rows = results.table("debts")
    due = rows[rows["interval"] <= 22].groupby("account")["debt_ueur"].last()
    events = results.table("events")
    deposited = events[(events["event"] == "Deposited") & events["block"].isin(paid["block"])]
    amounts = sorted(json.loads(text)["amount_ueur"] for text in deposited["arguments"])
    # all that is owed, at most what is in the bank account
    assert amounts == sorted(min(int(debt), BANK_UEUR) for debt in due[due > 0])
    assert 0 < len(amounts) - amounts.count(BANK_UEUR) < len(amounts)
    assert verify(result, parts=("files", "ledger")).passed
