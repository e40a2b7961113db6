"""Prices by parts and over time: the contract's integers, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cosim.errors import ScenarioError
from cosim.inputs.prices import PriceValues, TimesOfUse
from cosim.mechanisms.local_market.model import LocalMarketModel, charges_ueur, settle_reading
from cosim.mechanisms.local_market.orders import Order, Reading
from cosim.mechanisms.local_market.pricing import PricingRule
from cosim.mechanisms.local_market.tariffs import tariffs_of, with_values
from cosim.mechanisms.local_market.terms import MarketTerms
from cosim.scenario import Scenario, load_scenario
from cosim.scenario.tariff import Tariff, Tariffs

EVENING = {"begins": "17:00", "ends": "21:00", "days": "workdays", "eur_per_kwh": 0.30}
NIGHT = {"begins": "23:00", "ends": "05:00", "eur_per_kwh": 0.06}
TIMES = TimesOfUse(windows=(EVENING, NIGHT), otherwise_eur_per_kwh=0.15)


def scenario(tmp_path: Path | None = None, intervals: int = 8, **market: Any) -> Scenario:
    made = load_scenario("quickstart").replace(time={"intervals": intervals}, market=market)
    if tmp_path is not None:
        made._file = tmp_path / "scenario.yaml"
    return made


def test_two_numbers_mean_what_they_meant() -> None:
    tariffs = tariffs_of(scenario(retail_eur_per_kwh=0.31, feed_in_eur_per_kwh=0.07))
    assert tariffs.at(0) == tariffs.at(7) == Tariff(310_000, 70_000)
    assert not tariffs.varies
    assert not tariffs.has_charges
    terms = MarketTerms.of(scenario())
    assert not terms.has_parts
    assert (terms.prices_change, terms.has_charges) == (False, False)


def test_parts_add_up_and_local_trades_pay_their_share() -> None:
    """The Austrian reduction of 57 % for local communities on a network charge of 7.41 ct."""
    retail = {"energy": 0.1234567, "network": 0.0741, "taxes": 0.05}
    found = tariffs_of(scenario(retail=retail, local_share={"network": 0.43})).at(3)
    assert found.retail_price_ueur_per_kwh == 123_457 + 74_100 + 50_000
    assert found.local_network_ueur_per_kwh == 31_863
    assert found.local_taxes_ueur_per_kwh == 0
    assert found.local_limit_ueur_per_kwh == 247_557 - 31_863


def test_changes_are_where_any_part_changes() -> None:
    market = {"retail": {"energy": TIMES.model_dump(), "network": 0.09}}
    tariffs = tariffs_of(scenario(intervals=96, **market))
    assert tariffs.changes == (20, 68, 84, 92)
    assert tariffs.highest_retail_ueur_per_kwh == 390_000
    assert tariffs.base.retail_price_ueur_per_kwh == 150_000
    assert tariffs.at(10**6) == tariffs.at(95)


@pytest.mark.parametrize(
    ("market", "text"),
    [
        ({"retail": {"energy": 0.1}, "feed_in_eur_per_kwh": 0.11}, "no price between them"),
        (
            {"retail": {"energy": 0.1, "taxes": 0.1}, "local_share": {"taxes": 1.0},
             "feed_in": 0.1000011},
            "no price between them",
        ),
        ({"retail": {"energy": -0.2, "network": 0.1}, "feed_in": 0}, "market.retail"),
        ({"feed_in": -0.01}, "market.feed_in"),
        ({"retail": {"energy": 0.3, "network": -0.1}}, "market.retail.network"),
        ({"retail": {"energy": 3_000.0}}, "the contract takes prices from 0 to 2147"),
        ({"feed_in": {"eur_per_kwh": [0.1, 0.1]}}, "prices of 2 intervals, and the run has 8"),
    ],
)  # fmt: skip
def test_prices_that_cannot_stand(market: dict[str, Any], text: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        tariffs_of(scenario(**market))
    assert text in str(caught.value)
    assert caught.value.remedy


def test_a_negative_feed_in_price_is_to_be_clipped() -> None:
    """Raising a price of an exchange by a constant would move every hour of it."""
    spot = {"eur_per_kwh": [0.02, -0.0142, *[0.01] * 6]}
    with pytest.raises(ScenarioError) as caught:
        tariffs_of(scenario(feed_in=spot, retail={"energy": spot, "network": 0.1}))
    assert caught.value.field == "market.feed_in"
    assert "-0.0142 EUR/kWh in interval 1" in str(caught.value)
    assert "clip it at 0" in str(caught.value.remedy)
    assert "market.retail.energy and valuation.wholesale" in str(caught.value.remedy)


@pytest.mark.parametrize(
    ("market", "text"),
    [
        ({"retail": {"energy": 0.1}, "retail_eur_per_kwh": 0.3}, "stands in place of retail_eur"),
        ({"feed_in": 0.1, "feed_in_eur_per_kwh": 0.1}, "stands in place of feed_in_eur_per_kwh"),
        ({"local_share": {"network": 0.5}}, "give retail by its parts"),
        ({"local_share": {"network": 1.5}}, "less than or equal to 1"),
        (
            {"retail": {"energy": {"windows": [{"begins": "7:00", "eur_per_kwh": 1}]}}},
            "windows.0.begins: '7:00' is no clock time",
        ),
        ({"feed_in": {"file": "spot.csv", "unit": "EUR/MWh"}}, "column: Field required"),
        ({"feed_in": {"file": "a.csv", "column": "p", "unit": "EUR"}}, "unit: Input should be"),
        ({"feed_in": {"eur_per_kwh": []}}, "eur_per_kwh: Tuple should have at least 1"),
        ({"feed_in": {"price": 0.1}}, "give a number, or a series by"),
        ({"retail": {"energy": True}}, "market.retail.energy: give a number, or a series by"),
        ({"retail": {"energy": 0.1, "network": "dear"}}, "market.retail.network: give a number"),
        ({"retail": {"energy": float("nan")}}, "give a finite number"),
        ({"retail": {"energy": None}}, "market.retail.energy"),
    ],
)
def test_sections_that_contradict_themselves(market: dict[str, Any], text: str) -> None:
    with pytest.raises(ScenarioError, match=text):
        scenario(**market)


def test_a_scenario_written_out_is_the_same(tmp_path: Path) -> None:
    """With parts the number that they replace is left out; files become values."""
    rows = [f"2016-05-24 {hour:02d}:00,{100 + hour}" for hour in range(6)]
    (tmp_path / "spot.csv").write_text("time,price\n" + "\n".join(rows) + "\n")
    spot = {"file": "spot.csv", "column": "price", "unit": "EUR/MWh"}
    energy = spot | {"added_eur_per_kwh": 0.02}
    given = scenario(tmp_path, retail={"energy": energy, "network": 0.09}, feed_in=0.05)
    given = given.replace(valuation={"wholesale_eur_per_kwh": spot})
    given._file = tmp_path / "scenario.yaml"
    resolved = with_values(given)
    (tmp_path / "spot.csv").unlink()
    file = tmp_path / "written.yaml"
    file.write_text(resolved.to_yaml())
    read = load_scenario(file)
    assert read == resolved
    assert "retail_eur_per_kwh" not in file.read_text()
    assert tariffs_of(read).retail.tolist() == [210_000] * 4 + [211_000] * 4
    assert read.valuation.wholesale_eur_per_kwh == PriceValues(
        eur_per_kwh=(0.1,) * 4 + (0.101,) * 4
    )
    assert with_values(scenario()) == scenario()
    short = scenario().replace(valuation={"wholesale_eur_per_kwh": {"eur_per_kwh": [0.1]}})
    with pytest.raises(ScenarioError, match="prices of 1 intervals"):
        with_values(short)


def test_settlement_at_the_prices_of_the_interval() -> None:
    prices = Tariff(300_001, 80_001, 90_001, 60_001, 38_700, 60_001)
    bid = Order("ann", False, 1_000, 200_000)
    found = settle_reading(bid, 1_000, 150_000, Reading(-1_345), prices)
    assert (found.trade_ueur, found.supplier_ueur) == (-150_000, -103_501)
    assert found.local_charge_ueur == 98_701
    assert found.network_ueur == 38_700 + 31_050  # 345 Wh at 90 001, rounded down
    assert found.taxes_ueur == 60_001 + 20_700
    assert charges_ueur(prices, 0, 0) == (0, 0, 0)


@pytest.mark.parametrize("seed", range(20))
def test_nothing_is_passed_on_that_nobody_paid(seed: int) -> None:
    """What the supplier is billed for covers what it owes, whatever the rounding."""
    rng = np.random.default_rng(seed)
    network, taxes = (int(rng.integers(0, 150_000)) for _ in range(2))
    local = [part * int(rng.integers(0, 10**6)) // 10**6 for part in (network, taxes)]
    prices = Tariff(network + taxes, 0, network, taxes, *local)
    bought, net = int(rng.integers(1, 5_000)), -int(rng.integers(0, 5_000))
    order = Order("ann", False, bought, 1)
    found = settle_reading(order, bought, 1, Reading(net), prices)
    paid = found.local_charge_ueur - min(found.supplier_ueur, 0)
    assert 0 <= paid - found.network_ueur - found.taxes_ueur <= 4


def test_the_rate_of_price_takers_leaves_room_for_charges() -> None:
    retail, feed_in = np.array([300_000, 400_000]), np.array([80_000, 50_000])
    charges = np.array([100_000, 0])
    tariffs = Tariffs(retail, feed_in, charges, charges, 500_000, 1_000_000)
    terms = MarketTerms(400_000, 80_000, 0, PricingRule.MID_MARKET_RATE, tariffs=tariffs)
    book = [Order("ann", False, 100, 400_000), Order("bob", True, 100, 0)]
    assert terms.clear(book, 0).buy_price_ueur_per_kwh == (150_000 + 80_000) // 2
    assert terms.clear(book, 1).buy_price_ueur_per_kwh == 225_000
    model = LocalMarketModel("supplier", terms)
    for order in book:
        model.deposit(order.account, 10**6)
        model.place_order(1, order)
    assert model.clear(1).buy_price_ueur_per_kwh == 225_000
