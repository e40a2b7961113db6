"""Contracts and models in step: a hand-worked interval agrees, any other figure stops the run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from deployed import Markets, deployed, readings_of, scenario_of

from cosim.attacks.silence import SilentMeters
from cosim.errors import ReconciliationError
from cosim.mechanisms.deployment import Deployment
from cosim.mechanisms.flexibility_market.outcomes import Request
from cosim.mechanisms.flexibility_market.play import FlexibilityMarketPlay
from cosim.mechanisms.local_market.interference import LedgerAttack
from cosim.mechanisms.local_market.outcomes import OrderBook
from cosim.mechanisms.local_market.play import LocalMarketPlay
from cosim.mechanisms.local_market.trades import Trade
from cosim.mechanisms.play import Play, Statement
from cosim.mechanisms.treasury import Treasury

INTERVAL = 1
NAMES = ("buyer", "seller")
BUYER, SELLER = 0, 1
IS_SELL, ENERGY_WH, PRICES = (
    np.array([False, True]),
    np.array([1_000] * 2),
    np.array([250_000, 150_000]),
)
DELIVERED = [-1_500, 700]
PURSE = {"account_eur": 1.5, "deposit_share": 2 / 3, "supplier_eur": 1.0}
OPENING = (
    {"buyer": 1_000_000, "seller": 1_000_000, "supplier": 1_000_000, "DSO": 0},
    {"buyer": 500_000, "seller": 500_000, "supplier": 0, "DSO": 2_000_000},
)
# buyer: 1 kWh at 0.20, half a kWh at 0.30 from the supplier; seller: 0.3 kWh short, at 0.30, and
# 500 Wh less than the baseline of 1 200 Wh, all of the award, at 0.20
CLOSING = (
    {"buyer": 650_000, "seller": 1_110_000, "supplier": 1_240_000, "DSO": 0},
    {"buyer": 500_000, "seller": 600_000, "supplier": 0, "DSO": 1_900_000},
)
ISSUED = 6_000_000


class Community(Markets):
    """A buyer and a seller, and what everybody should hold."""

    def __init__(self, attack: LedgerAttack | None = None) -> None:
        scenario = scenario_of(market=PURSE, dso={"budget_eur": 2.0})
        super().__init__(deployed(scenario, NAMES, n_mechanisms=0, attack=attack), scenario)
        self.treasury = Treasury(self.deployment, self.deployment.plays)

    def clear(self) -> tuple[Trade, ...]:
        """Let both trade; who traded with whom."""
        self.trade(INTERVAL, IS_SELL, ENERGY_WH, PRICES, np.zeros(2))
        return self.market._intervals[INTERVAL].trades

    def activate(self) -> None:
        """Let the seller offer and be awarded."""
        request = self.request(INTERVAL, -1, 1_000)
        assert request is not None
        offered, price = np.array([0, 800]), np.array([0, 200_000])
        self.offer(request, offered, price, np.array([0, 1_200]))
        assert self.award(request, np.array([500])) == [[0]]

    def close(self) -> None:
        """Check all money, and forget the interval."""
        for play in self.deployment.plays:
            self.treasury.book(play.transfers())
            play.forget(INTERVAL)
        self.treasury.check(INTERVAL)

    def play(self) -> None:
        """The whole interval."""
        self.clear()
        self.activate()
        self.settle(INTERVAL, DELIVERED)
        self.close()

    def balances(self) -> tuple[dict[str, int], dict[str, int]]:
        """Free balances in the two models."""
        local, flexible = (
            {name: play.model.balance_of(name) for name in OPENING[0]}
            for play in (self.market, self.flexibility)
        )
        return local, flexible


@pytest.fixture
def markets() -> Community:
    return Community()


Change = Callable[[Any], Any]


def changed(patch: pytest.MonkeyPatch, owner: Any, name: str, change: Change) -> None:
    """Let a method answer something else."""
    honest = getattr(owner, name)
    patch.setattr(owner, name, lambda *given, **named: change(honest(*given, **named)))


def refused(*accounts: str) -> Any:
    return pytest.raises(ReconciliationError, match=f"interval {INTERVAL}, {', '.join(accounts)}:")


def test_a_hand_worked_interval_agrees_to_the_integer(markets: Community) -> None:
    assert markets.balances() == OPENING
    assert markets.clear() == (Trade("buyer", "seller", 1_000, 200_000, 200_000, 200_000, 200_000),)
    markets.activate()
    statement, rows = markets.settle(INTERVAL, DELIVERED)
    assert statement.contracted_wh.tolist() == [-1_000, 1_000]
    assert statement.metered_wh.tolist() == DELIVERED
    assert statement.traded_ueur.tolist() == [-200_000, 200_000]
    assert statement.supplier_ueur.tolist() == [-150_000, -90_000]
    assert (rows["delivered_wh"], rows["paid_ueur"], rows["penalty_ueur"]) == (
        [500],
        [100_000],
        [0],
    )
    markets.close()
    assert markets.balances() == CLOSING


def test_the_next_interval_starts_from_the_last_balances(markets: Community) -> None:
    before = Community()
    markets.play()
    markets.treasury.check(INTERVAL + 1)
    # models that did not follow, and the ledger that went on
    for play, old in zip(markets.deployment.plays, before.deployment.plays, strict=True):
        play.model = old.model
    with pytest.raises(ReconciliationError, match=f"interval {INTERVAL + 1}, "):
        markets.treasury.check(INTERVAL + 1)


@pytest.mark.parametrize(
    "wrong",
    [
        {"buy_price_ueur_per_kwh": 200_001},
        {"sell_price_ueur_per_kwh": 199_999},
        {"volume_wh": 999},
    ],
)
def test_another_price_or_volume(
    markets: Community, monkeypatch: pytest.MonkeyPatch, wrong: dict[str, int]
) -> None:
    changed(monkeypatch, markets.market._trading, "close", lambda book: replace(book, **wrong))
    (figure,) = wrong
    with pytest.raises(
        ReconciliationError, match=f"interval {INTERVAL}, {figure}: .*clearing of the model"
    ):
        markets.clear()


@pytest.mark.parametrize(("who", "filled_wh"), [("seller", 999), ("buyer", 0)])
def test_another_fill_names_whose(
    markets: Community, monkeypatch: pytest.MonkeyPatch, who: str, filled_wh: int
) -> None:
    def other(book: OrderBook) -> OrderBook:
        filled = book.filled_wh.copy()
        filled[NAMES.index(who)] = filled_wh
        return replace(book, filled_wh=filled)

    changed(monkeypatch, markets.market._trading, "close", other)
    with refused(who):
        markets.clear()


def test_a_reading_that_is_not_what_was_delivered(markets: Community) -> None:
    markets.clear()
    readings = replace(readings_of(INTERVAL, DELIVERED), reported_wh=np.array([-1_499, 700]))
    with refused("buyer"):
        markets.settle_readings(INTERVAL, readings)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("contracted_wh", 999),
        ("metered_wh", 701),
        ("traded_ueur", 200_001),
        ("supplier_ueur", -89_999),
        ("estimated", True),
    ],
)
def test_another_settlement_of_the_contract(
    markets: Community, monkeypatch: pytest.MonkeyPatch, column: str, value: int
) -> None:
    tamper(monkeypatch, markets, **{column: value})
    markets.clear()
    with refused("seller"):
        markets.settle(INTERVAL, DELIVERED)


def test_a_settlement_that_is_missing(markets: Community, monkeypatch: pytest.MonkeyPatch) -> None:
    tamper(monkeypatch, markets, contracted_wh=0, metered_wh=0, traded_ueur=0, supplier_ueur=0)
    markets.clear()
    with refused("seller"):
        markets.settle(INTERVAL, DELIVERED)


def tamper(patch: pytest.MonkeyPatch, markets: Community, **columns: int) -> None:
    """Let the contract have settled the seller otherwise."""
    read = markets.market._read_settlements

    def other(interval: int, settling: Any, statement: Statement) -> None:
        read(interval, settling, statement)
        for column, value in columns.items():
            getattr(statement, column)[SELLER] = value

    patch.setattr(markets.market, "_read_settlements", other)


def test_a_silent_meter_is_settled_by_the_agreed_estimate_and_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    silent = Community(SilentMeters((SELLER,), range(INTERVAL, INTERVAL + 1)))
    silent.clear()
    statement, _ = silent.settle(INTERVAL, DELIVERED)
    # 3 kWh short of the contract, at 0.30
    assert statement.estimated.tolist() == [False, True]
    assert statement.metered_wh.tolist() == [-1_500, -2_000]
    assert statement.supplier_ueur.tolist() == [-150_000, -900_000]
    silent.close()
    other = Community(silent.deployment.attack)
    tamper(monkeypatch, other, metered_wh=-1_000, supplier_ueur=-600_000)
    other.clear()
    with refused("seller"):
        other.settle(INTERVAL, DELIVERED)


@pytest.mark.parametrize(
    ("column", "value"), [("delivered_wh", 499), ("paid_ueur", 100_001), ("penalty_ueur", 1)]
)
def test_another_settlement_of_flexibility(
    markets: Community, monkeypatch: pytest.MonkeyPatch, column: str, value: int
) -> None:
    def other(requests: tuple[Request, ...]) -> tuple[Request, ...]:
        getattr(requests[0], column)[0] = value
        return requests

    changed(monkeypatch, markets.requests, "settle", other)
    markets.clear()
    markets.activate()
    with refused("seller"):
        markets.settle(INTERVAL, DELIVERED)


def test_flexibility_that_the_contract_did_not_settle(
    markets: Community, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(requests: tuple[Request, ...]) -> tuple[Request, ...]:
        return tuple(replace(request, prosumers=[]) for request in requests)

    changed(monkeypatch, markets.requests, "settle", none)
    markets.clear()
    markets.activate()
    with refused("seller"):
        markets.settle(INTERVAL, DELIVERED)


@pytest.mark.parametrize("kind", [LocalMarketPlay, FlexibilityMarketPlay])
def test_a_balance_that_the_model_does_not_know(
    markets: Community, monkeypatch: pytest.MonkeyPatch, kind: type[Play]
) -> None:
    def moved(free: dict[str, int]) -> dict[str, int]:
        return free | {"seller": free["seller"] - 1, "buyer": free["buyer"] + 1}

    changed(monkeypatch, markets.deployment.play(kind), "_free_ueur", moved)
    with refused("buyer", "seller"):
        markets.play()


def issue(markets: Community, receiver: bytes) -> None:
    """Mint one token."""
    handle = markets.deployment.token.mint(markets.deployment.issuer.address, receiver, 1)
    markets.chain.mine_blocks()
    markets.deployment.token.check(handle)


def test_a_token_issued_to_an_account_names_it(markets: Community) -> None:
    issue(markets, markets.deployment.prosumers[SELLER].address)
    with refused("seller"):
        markets.play()


def test_a_token_issued_to_a_market(markets: Community) -> None:
    issue(markets, markets.market.client.address)
    with pytest.raises(ReconciliationError, match=f"instead of {ISSUED} µEUR, \\+1 µEUR"):
        markets.play()


def test_a_token_issued_to_a_stranger(markets: Community) -> None:
    issue(markets, bytes(range(20)))
    with refused("EuroToken"):
        markets.play()


def other_tokens(patch: pytest.MonkeyPatch, **changes_ueur: int) -> None:
    """Let holders have more or fewer tokens on the ledger."""

    def moved(tokens: dict[str, int]) -> dict[str, int]:
        return tokens | {name: tokens[name] + ueur for name, ueur in changes_ueur.items()}

    changed(patch, Deployment, "held_ueur", moved)


def test_a_token_that_moved_from_one_market_to_the_other(
    markets: Community, monkeypatch: pytest.MonkeyPatch
) -> None:
    other_tokens(monkeypatch, LocalMarket=-1, FlexibilityMarket=1)
    with refused("LocalMarket"):
        markets.play()


def test_deposits_that_are_not_backed_by_tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    other_tokens(monkeypatch, issuer=1, LocalMarket=-1)
    with pytest.raises(ReconciliationError, match="interval -1, LocalMarket: holds 2999999"):
        Community()
