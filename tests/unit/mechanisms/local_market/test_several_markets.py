"""Local markets of several areas: each clears its own orders, and all are settled together."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
from deployed import FEED_IN, RETAIL, bids_of, delivery_of, deployed, flow_of, scenario_of

from cosim.errors import ScenarioError
from cosim.mechanisms.local_market.areas import MarketArea, market_areas, market_of
from cosim.mechanisms.local_market.clearing import clear
from cosim.mechanisms.local_market.markets import LocalMarketsPlay
from cosim.mechanisms.local_market.orders import Order
from cosim.mechanisms.session import Session
from cosim.messages import Columns, DecisionMessage
from cosim.timing import StageTimer

NAMES = ("east buyer", "west seller", "above", "east seller", "west buyer", "west other")
EAST, WEST, ABOVE = (
    MarketArea("east", (0, 3)),
    MarketArea("west", (1, 4, 5)),
    MarketArea("supplier", (2,), trades=False),
)
IS_SELL = np.array([False, True, True, True, False, True])
ENERGY = np.array([3_000, 2_000, 5_000, 1_000, 1_500, 2_000])
PRICE = np.array([250_000, 90_000, 80_000, 200_000, 150_000, 100_000])
SIGNED = np.where(IS_SELL, ENERGY, -ENERGY)
NOTHING = np.zeros(6, dtype=np.int64)


def accepted(interval: int) -> DecisionMessage:
    """The DSO lets the schedules stand."""
    return DecisionMessage(interval, True, 0, 0, np.zeros(0, dtype=np.int64), NOTHING)


@pytest.fixture(scope="module")
def played() -> tuple[Session, Mapping[str, Columns], Mapping[str, Columns]]:
    """An interval of three markets: rows as it is closed, and as it is settled."""
    scenario = scenario_of(intervals=2)
    deployment = deployed(scenario, NAMES, n_mechanisms=0, areas=(EAST, WEST, ABOVE))
    session = Session(deployment, scenario.clock(), 2_000.0, StageTimer())
    bids = bids_of(
        0, 6, is_sell=IS_SELL, order_wh=ENERGY, order_price_ueur_per_kwh=PRICE, planned_wh=SIGNED
    )
    scheduled = session.open(bids)
    # no fill moves a schedule of who does not trade; others go as far as they are filled
    assert scheduled.nominated_wh.tolist() == [-1_000, 1_500, 0, 1_000, -1_500, 0]
    dispatch, prices, closed = session.close(accepted(0), None, None)
    assert prices.price_ueur_per_kwh.tolist() == [225_000, 120_000, 0, 225_000, 120_000, 120_000]
    assert prices.volume_wh.tolist() == [1_000, 1_500, 0, 1_000, 1_500, 1_500]
    assert dispatch.contracted_wh.tolist() == [-1_000, 1_500, 0, 1_000, -1_500, 0]
    delivered = np.array([-1_200, 1_500, 700, 1_000, -1_400, 100])
    settled = session.settle(0, delivery_of(0, delivered), flow_of(0, delivered))
    return session, closed.tables, settled


@pytest.mark.parametrize("area", [EAST, WEST])
def test_each_market_clears_the_orders_of_its_members(played, area: MarketArea) -> None:
    _, tables, _ = played
    alone = clear(
        [Order(NAMES[i], IS_SELL[i], int(ENERGY[i]), int(PRICE[i])) for i in area.points],
        retail_price_ueur_per_kwh=RETAIL,
        feed_in_price_ueur_per_kwh=FEED_IN,
    )
    orders = tables["orders"]
    own = [k for k, name in enumerate(orders["area"]) if name == area.name]
    assert [orders["prosumer"][k] for k in own] == [NAMES[i] for i in area.points]
    assert [orders["filled_wh"][k] for k in own] == list(alone.fills_wh)
    trades = tables["trades"]
    own = [k for k, name in enumerate(trades["area"]) if name == area.name]
    assert {trades["price_ueur_per_kwh"][k] for k in own} == {alone.price_ueur_per_kwh}
    assert sum(trades["energy_wh"][k] for k in own) == alone.volume_wh
    both = {trades[side][k] for k in own for side in ("buyer", "seller")}
    assert both <= {NAMES[i] for i in area.points}


def test_who_is_in_no_area_settles_with_the_supplier(played) -> None:
    _, tables, settled = played
    assert "above" not in tables["orders"]["prosumer"]
    rows = settled["settlement"]
    assert rows["area"].tolist() == ["east", "west", "supplier", "east", "west", "west"]
    assert rows["contracted_wh"][2] == 0
    assert rows["supplier_ueur"].tolist() == [-60_000, 0, 56_000, 0, 8_000, 8_000]


def test_money_of_each_market_is_conserved(played) -> None:
    session, _, settled = played
    traded, area = settled["settlement"]["traded_ueur"], settled["settlement"]["area"]
    assert {name: int(traded[area == name].sum()) for name in ("east", "west", "supplier")} == {
        "east": 0,
        "west": 0,
        "supplier": 0,
    }
    deployment = session.deployment
    held = deployment.held_ueur()
    play = deployment.play(LocalMarketsPlay)
    for part in play.parts:
        name = f"LocalMarket/{part.area.name}"
        assert part.play.client.name == name
        assert held[name] == part.play.model.held_total_ueur() > 0


def test_contracts_bear_the_names_of_their_areas(played) -> None:
    session, _, _ = played
    names = [client.name for client in session.deployment.clients]
    assert names == [
        "EuroToken",
        "SmartMeters",
        *(
            f"{kind}/{area}"
            for area in ("east", "west", "supplier")
            for kind in ("LocalMarket", "MarketSettlement")
        ),
        "JoinedMarkets",
        "FlexibilityMarket",
    ]


AREAS = ("a", "b", "", "a", "b", "b")


def areas_of(areas: object, area_of=AREAS, members=(True,) * 6) -> tuple[MarketArea, ...]:
    return market_areas(scenario_of(market={"areas": areas}), NAMES, area_of, members)


def test_every_area_of_the_grid_or_some_of_them_have_a_market() -> None:
    both = areas_of("each")
    assert both == (
        MarketArea("a", (0, 3)),
        MarketArea("b", (1, 4, 5)),
        MarketArea("supplier", (2,), trades=False),
    )
    assert areas_of(("b",)) == (both[1], MarketArea("supplier", (0, 2, 3), trades=False))
    listed = areas_of({"x": (NAMES[5], NAMES[0])}, area_of=("",) * 6)
    assert listed == (
        MarketArea("x", (0, 5)),
        MarketArea("supplier", (1, 2, 3, 4), trades=False),
    )
    assert areas_of(None) == ()
    found = market_of(areas_of("each", members=(True,) * 5 + (False,)), 6)
    assert found is not None
    assert found.tolist() == [0, 1, 2, 0, 1, 2]
    assert market_of((), 6) is None


@pytest.mark.parametrize(
    ("areas", "changes", "said"),
    [
        ("each", {"area_of": ("",) * 6}, "does not say which area"),
        (("a", "c"), {}, "no connection point is in an area 'c'"),
        ("each", {"members": (True, True, True, False, True, True)}, "1 of area 'a' takes part"),
        ("each", {"area_of": ("supplier",) * 6}, "no market can have the name 'supplier'"),
        ({"x": ("east byer", NAMES[0])}, {}, "'east byer' is no connection point"),
    ],
)
def test_areas_that_do_not_fit_the_grid_are_refused(areas, changes, said) -> None:
    with pytest.raises(ScenarioError, match=said) as caught:
        areas_of(areas, **changes)
    assert str(caught.value.field).startswith("market.areas")
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("sections", "said"),
    [
        ({"market": {"areas": ["a", "a"]}}, "the area 'a' twice"),
        (
            {"market": {"areas": {"x": ["p", "q"], "y": ["q", "r"]}}},
            "the connection point 'q' twice",
        ),
        ({"market": {"areas": []}}, "names no area"),
        ({"market": {"areas": ["a/b"]}}, "nor hold a slash"),
        ({"market": {"areas": "each", "clearing": "committed"}}, "clearing: committed is for one"),
        ({"market": {"areas": "each", "clearing": "bilateral"}}, "clearing: bilateral is for one"),
        ({"market": {"areas": "each", "reveal_s": 60}}, "reveal_s is for one"),
        ({"market": {"areas": "each", "position": "binding"}}, "position: binding is for one"),
        ({"market": {"areas": "each"}, "name_registry": {}}, "name_registry is for one"),
        (
            {"market": {"areas": "each"}, "attack": {"kind": "silent_meter", "meters": [NAMES[0]]}},
            "attack.kind: silent_meter is on one",
        ),
        (
            {
                "market": {"areas": "each"},
                "ledger": {"consensus": "proof_of_work", "propagation_delay_s": 2.0},
            },
            "needs a ledger without reorganisations",
        ),
    ],
)
def test_what_does_not_know_several_markets_is_refused(sections, said) -> None:
    market = sections.pop("market")
    with pytest.raises(ScenarioError, match=said):
        scenario_of(**{"market": {}, **sections}).replace(market=market)


def test_one_market_is_written_as_before() -> None:
    plain = scenario_of()
    assert "areas" not in plain.to_yaml()
    named = plain.replace(market={"areas": {"x": ["p", "q"]}})
    assert named.to_yaml().count("areas") == 1
