"""Gas of every method: complete, bounded, the same on both engines, and not above the snapshot."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cosim.errors import ContractRevert, EngineError
from cosim.evm.contracts import compile_contract
from cosim.evm.engine import create_engine
from cosim.gas.bench import DEPLOY, Bench, GasUse, account
from cosim.gas.tables import as_json, as_markdown, screen_tables
from cosim.mechanisms.gas import every_case, measure_methods
from cosim.mechanisms.local_market.clearing import clear, crosses, ranking
from cosim.mechanisms.local_market.client import pack_ranking
from cosim.mechanisms.local_market.gas_clearing import (
    CLEARING_COLUMNS,
    FORMS,
    SIZES,
    ClearingGas,
    as_csv,
    as_section,
    book,
    measure_clearing,
)
from cosim.mechanisms.supply_contract.gas import PUBLISHED
from cosim.plugins import MECHANISMS

ROOT = Path(__file__).parents[3]
REFERENCE = ROOT / "results" / "reference"
CONTRACTS = sorted(
    path.stem for path in (ROOT / "contracts").rglob("*.vy") if path.stem[0].isupper()
)
RISE = 1.01
AGAIN = "print the reference anew with `cosim gas` as docs/gas.md says, and say why in CHANGELOG.md"


@pytest.fixture(scope="module")
def uses() -> list[GasUse]:
    return measure_methods(create_engine("revm"))


@pytest.fixture(scope="module")
def gas(uses: list[GasUse]) -> dict[tuple[str, str], int]:
    return {(use.contract, use.method): use.gas for use in uses}


@pytest.fixture(scope="module")
def clearing() -> list[ClearingGas]:
    return measure_clearing(create_engine("revm"))


def reference_uses() -> list[GasUse]:
    rows = json.loads((REFERENCE / "gas.json").read_text(encoding="utf-8"))
    return [GasUse(**row) for row in rows]


def reference_clearing() -> list[dict[str, Any]]:
    text = (REFERENCE / "clearing_gas.csv").read_text(encoding="utf-8")
    return [
        {key: value if key == "form" else int(value) for key, value in row.items()}
        for row in csv.DictReader(io.StringIO(text))
    ]


INSIDE = {
    "LocalMarket": {"record", "passOn", "placeOrders"},
    "MarketSettlement": {"reportAll"},
}
"""Functions that only another contract may call, within what its own functions cost."""


@pytest.mark.parametrize("contract", CONTRACTS)
def test_every_method_is_measured(contract: str, gas: dict[tuple[str, str], int]) -> None:
    changing = {
        entry["name"]
        for entry in compile_contract(contract).abi
        if entry["type"] == "function" and entry["stateMutability"] in ("nonpayable", "payable")
    } - INSIDE.get(contract, set())
    own = {method for name, method in gas if name == contract}
    assert changing | {DEPLOY} <= own
    # any other row is a case of a method that has a row
    assert {method.partition(" (")[0] for method in own} == changing | {DEPLOY}


def test_no_figure_is_above_the_snapshot(uses: list[GasUse]) -> None:
    kept = {(use.contract, use.method): use.gas for use in reference_uses()}
    assert [(use.contract, use.method) for use in uses] == list(kept), AGAIN
    risen = [
        (use.contract, use.method, kept[use.contract, use.method], use.gas)
        for use in uses
        if use.gas > RISE * kept[use.contract, use.method]
    ]
    assert not risen, AGAIN


def test_the_snapshot_is_what_is_measured(uses: list[GasUse]) -> None:
    fallen = [
        (use.contract, use.method, kept.gas, use.gas)
        for use, kept in zip(uses, reference_uses(), strict=True)
        if use.gas < kept.gas / RISE
    ]
    assert not fallen, AGAIN


def test_clearing_is_as_in_the_snapshot(clearing: list[ClearingGas]) -> None:
    kept = reference_clearing()
    measured = list(csv.DictReader(io.StringIO(as_csv(clearing))))
    assert tuple(kept[0]) == CLEARING_COLUMNS
    same = ("form", "orders", "filled", "claims")
    assert [[row[c] for c in same] for row in measured] == [
        [str(row[c]) for c in same] for row in kept
    ], AGAIN
    for column in ("clearing_gas", "claims_gas", "gas_per_participant"):
        for new, old in zip(measured, kept, strict=True):
            assert old[column] / RISE - 1 <= float(new[column]) <= RISE * old[column] + 1, AGAIN


def test_the_page_shows_the_snapshot() -> None:
    rows = [
        ClearingGas(
            row["form"],
            row["orders"],
            row["filled"],
            row["clearing_gas"],
            (row["claims_gas"],) if row["claims"] else (),
        )
        for row in reference_clearing()
    ]
    page = (ROOT / "docs" / "gas.md").read_text(encoding="utf-8")
    assert page == as_markdown(reference_uses(), PUBLISHED, [as_section(rows)]), AGAIN


@pytest.mark.parametrize("key", PUBLISHED, ids=".".join)
def test_cheaper_than_published(key: tuple[str, str], gas: dict[tuple[str, str], int]) -> None:
    assert gas[key] <= PUBLISHED[key].today


def test_clearing_100_orders(gas: dict[tuple[str, str], int]) -> None:
    limits = {"clear": 1_500_000, "clearVerified": 600_000, "commitClearing": 100_000}
    for method, limit in limits.items():
        assert gas["LocalMarket", method] < limit, method
    for case in ("", " (first of an interval)", " (last of an interval)"):
        assert gas["MarketSettlement", f"claimFill{case}"] < 80_000, case


def test_clearing_by_size(clearing: list[ClearingGas]) -> None:
    assert {(row.form, row.n_orders) for row in clearing} == {(f, n) for f in FORMS for n in SIZES}
    for row in clearing:
        idle = row.n_filled == 0
        assert idle or 0.4 * row.n_orders <= row.n_filled <= 0.6 * row.n_orders
        assert len(row.claims_gas) == (row.n_filled if row.form == "committed" else 0)
        assert all(claim <= 85_000 for claim in row.claims_gas)
        if row.form == "committed":
            assert row.clearing_gas < 100_000
        if row.n_orders == 100:
            assert row.clearing_gas < {"on chain": 1_500_000, "verified": 600_000}.get(
                row.form, 100_000
            )
    # a book that does not cross costs the same whatever its length
    for form in FORMS:
        idle_gas = {r.clearing_gas for r in clearing if r.form == form and not r.n_filled}
        assert max(idle_gas) - min(idle_gas) < 100
        assert max(idle_gas) < 60_000


def test_engines_agree_on_every_method(uses: list[GasUse]) -> None:
    assert measure_methods(create_engine("py-evm")) == uses


def test_engines_agree_on_clearing(clearing: list[ClearingGas]) -> None:
    sizes = SIZES[:3]
    own = measure_clearing(create_engine("py-evm"), sizes)
    # intervals are numbered as here, but there are fewer members: only who acts is the same
    assert own == measure_clearing(create_engine("revm"), sizes)
    for mine, larger in zip(own, [r for r in clearing if r.n_orders in sizes], strict=True):
        assert mine.clearing_gas == pytest.approx(larger.clearing_gas, abs=100)


def test_order_books_cross_or_not_as_asked() -> None:
    for n in SIZES:
        assert crosses(book(n))
        assert not crosses(book(n, crossing=False))
        fills = clear(book(n)).fills_wh
        assert len(fills) == n
        words = pack_ranking(ranking(book(n)))
        indexes = [word >> (16 * k) & 0xFFFF for word in words for k in range(16)][:n]
        assert sorted(indexes) == list(range(n))
        assert all(word < 2**256 for word in words)


def test_json_is_a_list_of_contract_method_and_gas(uses: list[GasUse]) -> None:
    rows = json.loads(as_json(uses))
    assert all(list(row) == ["contract", "method", "gas"] for row in rows)
    deployed = {row["contract"] for row in rows if row["method"] == DEPLOY}
    assert deployed == set(CONTRACTS)
    assert len({(row["contract"], row["method"]) for row in rows}) == len(rows)


def test_tables_on_the_screen(uses: list[GasUse]) -> None:
    table, compared = screen_tables(uses, PUBLISHED)
    assert table.row_count == len(uses)
    assert [column.header for column in table.columns] == ["contract", "method", "gas"]
    assert compared.row_count == len(PUBLISHED)
    assert [column.header for column in compared.columns][1:4] == ["ours", "today", "then"]


def test_cases_come_from_the_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    kinds = MECHANISMS.every()
    places = [cases.place for cases in every_case()[2:]]
    assert places == sorted(places)
    assert all(kind.gas() in every_case() for kind in kinds.values())
    # one that measures nothing leaves the others where they are
    monkeypatch.setattr(kinds["supply_contract"], "gas", classmethod(lambda kind: None))
    others = [place for place in places if place != 5]
    assert [cases.place for cases in every_case()[2:]] == others
    (sweep,) = [cases.sweep for cases in every_case() if cases.sweep is not None]
    assert all(callable(part) for part in (sweep.csv, sweep.section))


def test_accounts_have_no_zero_bytes() -> None:
    assert all(0 not in account(f"somebody {k}") for k in range(200))


def test_a_bench_refuses_what_would_be_wrong() -> None:
    bench = Bench(create_engine("revm"))
    bench.begin(1)
    token = bench.deploy("EuroToken")
    refusals: list[tuple[type[Exception], str, Callable[[], object]]] = [
        (EngineError, "in the past", lambda: bench.begin(1)),
        (EngineError, "in the past", lambda: bench.at(bench.now_s - 1)),
        (EngineError, "measured already", lambda: bench.note("EuroToken", DEPLOY, 1)),
        (
            ContractRevert,
            "euro token: not the issuer",
            lambda: token.measure("thief", "mint", account("thief"), 1),
        ),
        (
            ContractRevert,
            "name registry: an update must cost less",
            lambda: bench.deploy(
                "NameRegistry",
                token=token.address,
                beneficiary=account("beneficiary"),
                registration_fee_ueur=1,
                update_fee_ueur=1,
                min_commitment_age_s=60,
                max_commitment_age_s=600,
            ),
        ),
    ]
    for kind, text, act in refusals:
        with pytest.raises(kind, match=text):
            act()
    assert bench.uses == [GasUse("EuroToken", DEPLOY, bench.uses[0].gas)]
