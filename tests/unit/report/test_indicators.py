"""Indicators against values worked out by hand from the tables of conftest.py."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from cosim.errors import ResultFolderError
from cosim.report.checks import checks_of_stage, violation_minutes
from cosim.report.costs import costs_by_prosumer, money_by_role, supplier_bill_ueur
from cosim.report.indicator import IndicatorSet
from cosim.report.indicators import Indicators, compute_indicators
from cosim.report.series import offenders
from cosim.report.summary import print_summary
from cosim.report.text import number
from cosim.results.reader import Results
from cosim.results.writer import TableWriter

SOLAR = "solar house"


@pytest.fixture(scope="module")
def indicators(results: Results) -> Indicators:
    return compute_indicators(results)


def minutes(results: Results, stage: str) -> dict[str, tuple[float, float]]:
    found = violation_minutes(results, stage)
    return {kind: (v["minutes"], v["element_minutes"]) for kind, v in found.items()}


def test_violation_minutes_of_the_schedule(results: Results) -> None:
    assert minutes(results, "scheduled") == {
        "over_voltage": (15, 15),
        "under_voltage": (15, 15),
        "line": (15, 15),
        "trafo": (30, 30),
        "non_convergence": (0, 0),
        "any": (30, 75),
    }


def test_the_last_round_counts_and_the_schedule_where_there_was_none(results: Results) -> None:
    # interval 1: round 2 fits, though round 1 did not; interval 2: never relieved
    found = minutes(results, "relieved")
    assert found["trafo"] == (15, 15)
    assert found["over_voltage"] == (0, 0)
    assert found["under_voltage"] == (15, 15)
    relieved = checks_of_stage(results, "relieved")
    assert len(relieved) == 4 * 5
    assert relieved[relieved.interval == 1]["round"].unique().tolist() == [2]


def test_violation_minutes_delivered(results: Results) -> None:
    found = minutes(results, "delivered")
    assert found["trafo"] == (15, 15)
    assert found["any"] == (15, 15)


def test_no_solution_is_a_violation_of_its_own_kind(another_result: Callable[..., Path]) -> None:
    def diverge(writer: TableWriter) -> None:
        rows = {"interval": 3, "stage": "scheduled", "round": 0, "limit": 1.1, "violated": [True]}
        writer.append(
            "grid_checks",
            {**rows, "element": "bus", "element_idx": 1, "quantity": "vm_pu", "value": np.nan},
        )
        writer.append(
            "grid_checks",
            {**rows, "element": "grid", "element_idx": 0, "quantity": "convergence", "value": 0.0},
        )

    results = Results(another_result(change=diverge))
    found = minutes(results, "scheduled")
    assert found["non_convergence"] == (15, 15)
    assert found["any"] == (45, 90)
    unsolved = [o.name for o in offenders(results) if o.kind == "non_convergence"]
    assert unsolved == ["Whole network"]
    assert found["over_voltage"] == (15, 15)


def test_flexibility_and_curtailment(indicators: Indicators) -> None:
    assert indicators["flexibility_offered_kwh"] == 0.3
    assert indicators["flexibility_awarded_kwh"] == 0.2
    assert indicators["flexibility_delivered_kwh"] == 0.15
    assert indicators["flexibility_paid_eur"] == 0.02
    assert indicators["penalties_eur"] == 0.005
    assert indicators["flexibility_cost_eur"] == 0.015
    assert indicators.curtailed_injection_kwh == 0.04
    assert indicators.imbalance_kwh == pytest.approx(0.02)
    assert indicators.curtailed_consumption_kwh == 0.01


def test_self_supply_counts_what_is_simultaneous(indicators: Indicators) -> None:
    # kW: PV 0 10 8 0; battery 0 2 4 -5; consumption 6 each; not exported 0 8 8 0; covered 0 6 6 4
    assert indicators.generation_kwh == pytest.approx(18 / 4)
    assert indicators.consumption_kwh == pytest.approx(24 / 4)
    assert indicators.self_consumption == pytest.approx(16 / 18)
    assert indicators.self_sufficiency == pytest.approx(16 / 24)


def test_trading_and_losses(indicators: Indicators) -> None:
    assert indicators["traded_kwh"] == 0.5
    assert indicators["mean_price_eur_per_kwh"] == 0.19
    assert indicators.losses_kwh == pytest.approx(4 * 0.4 / 4)
    assert indicators["orders"] == {
        "cleared": 2, "partial": 0, "unmatched": 2, "late": 2, "rejected": 2, "unrevealed": 0,
    }  # fmt: skip
    assert indicators.largest_difference_vm_pu == 2e-9


def test_gas(indicators: Indicators) -> None:
    assert indicators.setup_gas == 3_000_000
    assert indicators.running_gas == 4 * 610_000
    assert indicators.gas_per_prosumer_and_interval == 610_000 / 2
    assert list(indicators.gas_by_method) == [
        "LocalMarket.(create)", "LocalMarket.clear", "LocalMarket.placeOrder",
    ]  # fmt: skip
    assert indicators.gas_by_method["LocalMarket.placeOrder"] == {
        "transactions": 8, "reverted": 4, "gas": 840_000, "mean_gas": 105_000.0,
    }  # fmt: skip


def test_the_suppliers_bill_rounds_up_what_is_paid_and_down_what_is_earned() -> None:
    cost = supplier_bill_ueur([-1, -1000, 0, 1, 1000], 299_999, 80_001)
    assert cost.tolist() == [300, 299_999, 0, -80, -80_001]


def test_cost_of_each_prosumer(results: Results, indicators: Indicators) -> None:
    costs = costs_by_prosumer(results)
    solar = costs.loc[SOLAR]
    assert solar["cost_ueur"] == 40 - 95_000 - 160_080 - 15_000
    house = costs.drop(index=SOLAR).iloc[0]
    assert house["cost_ueur"] == 80 + 95_000 + 405_300
    assert indicators.mean_cost_eur == pytest.approx((500_380 - 270_040) / 2 / 1e6)


def test_money_of_all_roles_adds_up_to_zero(results: Results) -> None:
    money = money_by_role(results)
    assert money.sum(axis=1).tolist() == [0, 0, 0, 0]
    assert money.loc[1].to_dict() == {
        "prosumers": 80_080 - 60_000 + 15_000 - 30,
        "supplier": -20_080,
        "dso": -15_000,
        "fees": 30,
        "state": 0,
    }


def test_the_worst_offender_comes_first_with_its_drivers(results: Results) -> None:
    first = offenders(results)[0]
    assert first.name == "Transformer 1 (transformer 0)"
    assert first.minutes == {"scheduled": 30, "relieved": 15, "delivered": 15}
    assert first.worst == {"scheduled": 140.0, "relieved": 101.0, "delivered": 100.5}
    assert first.drivers[0] == SOLAR
    under = next(o for o in offenders(results) if o.kind == "under_voltage")
    assert under.worst["scheduled"] == 0.88


def test_an_interrupted_run_counts_what_is_done(another_result: Callable[..., Path]) -> None:
    folder = another_result(complete=False, intervals_done=2)
    found = compute_indicators(Results(folder))
    assert found.intervals == 2
    assert found.violations["scheduled"]["trafo"]["minutes"] == 15
    assert found.curtailed_injection_kwh == 0.0
    assert found.running_gas == 2 * 610_000


def test_without_a_manifest_what_is_delivered_and_settled_counts(
    another_result: Callable[..., Path],
) -> None:
    def deliver(writer: TableWriter) -> None:
        writer.append("buses", {"interval": 4, "bus": 0, "vm_pu": 1.0, "va_degree": 0.0})

    folder = another_result(change=deliver)
    (folder / "manifest.json").unlink()
    results = Results(folder)
    assert results.n_intervals == 4
    assert compute_indicators(results, {}).largest_difference_vm_pu is None


def test_nothing_to_divide_by_is_none(another_result: Callable[..., Path]) -> None:
    found = compute_indicators(Results(another_result(market=False)))
    assert found.self_sufficiency is None
    assert found["mean_price_eur_per_kwh"] is None
    assert found.mean_cost_eur is None
    assert found.gas_per_prosumer_and_interval is None


def test_a_folder_that_is_no_result_is_named(tmp_path: Path) -> None:
    with pytest.raises(ResultFolderError, match="no tables/"):
        Results(tmp_path)


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        (1234.56, 1, "1\u202f234.6\u00a0kWh"),
        (-0.04, 1, "0.0\u00a0kWh"),
        (-2.0, 0, "−2\u00a0kWh"),
        (None, 1, "—"),
    ],
)
def test_numbers_as_text(value: float | None, digits: int, text: str) -> None:
    assert number(value, "kWh", digits) == text


def test_summary_in_the_terminal(indicators: Indicators) -> None:
    out = StringIO()
    print_summary(indicators, Console(file=out, width=100))
    lines = out.getvalue().splitlines()
    overload = next(line for line in lines if "Transformer overload" in line)
    assert [cell.strip() for cell in overload.strip("│").split("│")] == [
        "Transformer overload", "30", "15", "15",
    ]  # fmt: skip
    supply = next(line for line in lines if "Self-sufficiency" in line)
    assert "66.7\u00a0%" in supply


@dataclass(frozen=True)
class Doubtful(IndicatorSet):
    """Indicators that may mislead."""

    def warnings(self) -> Sequence[str]:
        return ["half of it is missing [and more]"]


def test_summary_ends_with_the_warnings(indicators: Indicators) -> None:
    out = StringIO()
    doubtful = replace(indicators, parts=(*indicators.parts, Doubtful()))
    assert [*indicators.warnings(), "half of it is missing [and more]"] == doubtful.warnings()
    print_summary(doubtful, Console(file=out, width=100))
    assert out.getvalue().splitlines()[-1] == "warning: half of it is missing [and more]"
