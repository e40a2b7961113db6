"""Surplus of trades and extremes, against values worked out by hand and the market's own model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from clearing_welfare import largest_welfare_ueur

from cosim.mechanisms.local_market.orders import Order
from cosim.mechanisms.local_market.panel import LocalMarketReported
from cosim.mechanisms.local_market.surplus import largest_surplus
from cosim.report.extremes import extreme_indicators
from cosim.report.indicators import compute_indicators
from cosim.report.subjects import subjects
from cosim.results.reader import Results
from cosim.results.writer import TableWriter


def test_surplus_of_what_was_filled_and_of_every_order(results: Results) -> None:
    found = compute_indicators(results)
    # 500 Wh between an ask at 0.08 and a bid at 0.30 EUR/kWh: once of four times
    assert found["trade_surplus_eur"] == pytest.approx(0.11, abs=1e-12)
    assert found["trade_surplus_possible_eur"] == pytest.approx(0.44, abs=1e-12)
    assert found["supplier_received_eur"] == pytest.approx(0.24522, abs=1e-12)


def test_what_lacks_of_the_largest_surplus_is_not_laid_to_lateness_alone(results: Results) -> None:
    # of the four pairs of orders one cleared, one was late, one refused, and one not matched
    rows = dict(compute_indicators(results).rows())
    assert rows["Surplus of trades (largest of all orders sent)"] == "0.11 (0.44)\u00a0EUR"
    (subject,) = (each for each in subjects(results) if isinstance(each, LocalMarketReported))
    part = subject.report(results)
    (tile,) = (each for each in part.tiles if each.title == "Surplus of the trades")
    assert tile.note.startswith("by limit price; 0.44\u00a0EUR is the largest that all orders sent")
    assert "late and refused orders" in tile.note


def test_largest_surplus_is_that_of_the_markets_model() -> None:
    generator = np.random.default_rng(4)
    most = 0
    for _ in range(300):
        n = int(generator.integers(0, 9))
        is_sell = generator.random(n) < 0.5
        energy = generator.integers(1, 1_000, n)
        price = generator.integers(0, 6, n) * 50_000
        book = [Order(f"p{k}", bool(is_sell[k]), int(energy[k]), int(price[k])) for k in range(n)]
        found = largest_surplus(is_sell, energy, price)
        assert found / 1_000 == pytest.approx(largest_welfare_ueur(book))
        most = max(most, found)
    assert most > 0


def test_extremes_are_those_of_the_stage(results: Results) -> None:
    assert extreme_indicators(results) == {
        "highest_vm_pu": 1.09,
        "lowest_vm_pu": 0.92,
        "highest_line_loading_percent": 95.0,
        "highest_trafo_loading_percent": 100.5,
        "scheduled_highest_vm_pu": 1.12,
        "scheduled_lowest_vm_pu": 0.88,
        "scheduled_highest_line_loading_percent": 130.0,
        "scheduled_highest_trafo_loading_percent": 140.0,
    }
    assert compute_indicators(results).scheduled_lowest_vm_pu == 0.88


def test_held_buses_and_unsolved_intervals_do_not_count(
    another_result: Callable[..., Path],
) -> None:
    def change(writer: TableWriter) -> None:
        rows = {"interval": 3, "stage": "delivered", "round": 0, "limit": 1.1, "violated": [True]}
        rows |= {"element": "bus", "quantity": "vm_pu"}
        writer.append("grid_checks", {**rows, "element_idx": 0, "value": 1.3})  # the slack bus
        writer.append("grid_checks", {**rows, "element_idx": 2, "value": np.nan})

    found = extreme_indicators(Results(another_result(change=change)))
    assert found["highest_vm_pu"] == 1.09
    assert found["lowest_vm_pu"] == 0.92


def test_without_a_solution_there_is_no_extreme(
    another_result: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    results = Results(another_result())
    checks = results.frame("grid_checks").assign(value=np.nan)
    monkeypatch.setattr(results, "_frames", {"grid_checks": checks})
    assert set(extreme_indicators(results).values()) == {None}
