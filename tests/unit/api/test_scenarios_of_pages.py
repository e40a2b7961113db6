"""Scenarios that stand whole on a page of the documentation, played as they are copied."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import cosim

DOCS = Path(__file__).parents[3] / "docs"


def block(page: str, language: str, begin: str) -> str:
    """Return the first block of a page in a language that begins so."""
    text = (DOCS / page).read_text(encoding="utf-8")
    blocks = re.findall(rf"^```{language}\n(.*?)^```$", text, re.M | re.S)
    return next(found for found in blocks if found.startswith(begin))


def test_the_trading_graph_of_the_page(tmp_path: Path) -> None:
    file = tmp_path / "neighbours.yaml"
    file.write_text(block("bilateral.md", "yaml", "name:"), encoding="utf-8")
    result = cosim.run(cosim.load_scenario(file), out=tmp_path / "result")
    trades = result.frame("bilateral_trades")
    assert set(zip(trades["seller"], trades["buyer"], strict=True)) == {
        ("LV1.101 Bus 3", "LV1.101 Bus 5")
    }
    assert f"trades {trades['energy_wh'].sum() / 1000:.3f} kWh" in (
        DOCS / "bilateral.md"
    ).read_text(encoding="utf-8")


def test_three_prices_out_of_one_file_of_the_page(tmp_path: Path) -> None:
    file = tmp_path / "spot.yaml"
    file.write_text(block("tariffs.md", "yaml", "name:"), encoding="utf-8")
    (tmp_path / "spot.csv").write_text(block("tariffs.md", "csv", "time"), encoding="utf-8")
    scenario = cosim.load_scenario(file)
    result = cosim.run(scenario.replace(time={"intervals": 5}), out=tmp_path / "result")
    market = result.scenario.market
    at_one = 4
    assert market.retail.energy.eur_per_kwh[at_one] == pytest.approx(0.0058)
    assert market.feed_in.eur_per_kwh[at_one] == 0
    wholesale = result.scenario.valuation.wholesale_eur_per_kwh
    assert wholesale.eur_per_kwh[at_one] == pytest.approx(-0.0142)
    negative = market.feed_in.model_copy(update={"eur_per_kwh": wholesale.eur_per_kwh})
    with pytest.raises(cosim.errors.ScenarioError, match=r"-0\.0142 EUR/kWh in interval 4"):
        cosim.run(
            result.scenario.replace(market={"feed_in": negative.model_dump()}),
            out=tmp_path / "refused",
        )
