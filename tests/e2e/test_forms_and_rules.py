"""The three forms of clearing and sealed orders give one result; the pricing rules give theirs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from cosim.runs.experiment import run_scenario
from cosim.scenario import Scenario

RETAIL, FEED_IN = 300_000, 80_000
COMPARED = ("trades", "schedules", "prosumers", "buses", "flexibility")

Tables = dict[str, pd.DataFrame]


@pytest.fixture(scope="module")
def run(
    short_scenario: Callable[..., Scenario], tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., Tables]:
    """Tables of four intervals around noon under other market settings; each is run once."""
    base = tmp_path_factory.mktemp("forms")
    known: dict[str, Tables] = {}

    def tables(**market: object) -> Tables:
        name = "-".join(["run", *(f"{key}_{value}" for key, value in sorted(market.items()))])
        if name not in known:
            scenario = short_scenario(market=market)
            folder = run_scenario(scenario, Path("scenario.yaml"), base / name, report=False).folder
            known[name] = {
                file.stem: pd.read_parquet(file) for file in (folder / "tables").glob("*.parquet")
            }
        return known[name]

    return tables


@pytest.mark.parametrize(
    "market",
    [
        {"clearing": "verified"},
        {"clearing": "committed"},
        {"reveal_s": 36},
        {"clearing": "verified", "reveal_s": 36},
        {"clearing": "committed", "reveal_s": 48},
    ],
    ids=str,
)
def test_every_form_has_the_result_of_open_orders_cleared_on_chain(
    run: Callable[..., Tables], market: dict[str, object]
) -> None:
    expected, tables = run(), run(**market)
    assert len(expected["trades"]) > 0
    for name in COMPARED:
        assert_frame_equal(tables[name], expected[name])
    without_fees = [c for c in expected["settlement"].columns if c != "fees_ueur"]
    assert_frame_equal(tables["settlement"][without_fees], expected["settlement"][without_fees])
    assert set(tables["orders"].status) == set(expected["orders"].status)


def test_a_committed_clearing_puts_a_root_on_chain_and_every_order_claims(
    run: Callable[..., Tables],
) -> None:
    events = run(clearing="committed")["events"].event.value_counts()
    placed = len(run()["orders"])
    crossing = (run()["trades"].groupby("interval").size() > 0).sum()
    assert events["ClearingCommitted"] == crossing
    assert events["BondReleased"] == crossing
    assert "OrderFilled" not in events
    claimed = run(clearing="committed")["orders"]
    traded = run()["trades"].interval.unique()
    assert events["FillClaimed"] == claimed.interval.isin(traded).sum()
    assert placed == len(claimed)


def test_sealed_orders_hide_what_they_say_until_the_gate_is_closed(
    run: Callable[..., Tables],
) -> None:
    tables = run(reveal_s=36)
    events = tables["events"].event.value_counts()
    assert events["OrderCommitted"] == events["OrderPlaced"] == len(tables["orders"])
    transactions = tables["transactions"]
    sealed = transactions[transactions.method == "commitOrder"]
    opened = transactions[transactions.method == "revealOrder"]
    gate_closes_s = opened.groupby("interval").sent_at_s.min()
    assert (sealed.included_at_s <= sealed.interval.map(gate_closes_s)).all()
    # calldata of a commitment: selector, interval, hash; the fields of the order are in the other
    assert sealed.data.map(len).eq(4 + 2 * 32).all()
    assert opened.data.map(len).eq(4 + 5 * 32).all()


@pytest.mark.parametrize("rule", ["mid_market_rate", "supply_demand_ratio", "bill_sharing"])
def test_community_prices_follow_the_formula_of_the_rule(
    run: Callable[..., Tables], rule: str
) -> None:
    tables = run(pricing=rule)
    orders = tables["orders"]
    assert (orders.price_ueur_per_kwh == orders.side.map({"buy": RETAIL, "sell": 0})).all()
    sums = orders.pivot_table(
        index="interval", columns="side", values=["energy_wh", "filled_wh"], aggfunc="sum"
    )
    for interval, trades in tables["trades"].groupby("interval"):
        supply, demand = (int(sums.loc[interval, ("energy_wh", s)]) for s in ("sell", "buy"))
        expected = {
            "mid_market_rate": (RETAIL + FEED_IN) // 2,
            "supply_demand_ratio": FEED_IN
            if supply >= demand
            else FEED_IN * RETAIL * demand // ((RETAIL - FEED_IN) * supply + FEED_IN * demand),
            "bill_sharing": 0,
        }[rule]
        assert set(trades.price_ueur_per_kwh) == {expected}
        assert trades.energy_wh.sum() == min(supply, demand)
    assert len(tables["trades"]) > 0


def test_pay_as_bid_pays_everybody_its_own_price_and_the_supplier_the_rest(
    run: Callable[..., Tables],
) -> None:
    tables, uniform = run(pricing="pay_as_bid"), run()
    trades = tables["trades"]
    assert trades.energy_wh.sum() == uniform["trades"].energy_wh.sum()
    limits = tables["orders"].set_index(["interval", "prosumer"]).price_ueur_per_kwh
    for trade in trades.itertuples():
        assert trade.price_ueur_per_kwh == limits[trade.interval, trade.buyer]
        assert trade.sell_price_ueur_per_kwh == limits[trade.interval, trade.seller]
    assert trades.amount_ueur.sum() > trades.earned_ueur.sum()


def test_mcafee_trades_no_more_than_the_crossing_and_never_runs_a_deficit(
    run: Callable[..., Tables],
) -> None:
    trades, uniform = run(pricing="mcafee")["trades"], run()["trades"]
    volume = trades.groupby("interval").energy_wh.sum()
    crossing = uniform.groupby("interval").energy_wh.sum()
    assert (volume <= crossing.reindex(volume.index)).all()
    assert (trades.price_ueur_per_kwh >= trades.sell_price_ueur_per_kwh).all()
    assert (trades.amount_ueur >= trades.earned_ueur).all()
