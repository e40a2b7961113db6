"""Indicators of the supply contract."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from cosim.mechanisms.supply_contract.indicators import supply_indicators
from cosim.results.reader import Results
from cosim.results.writer import TableWriter


def recorded(folder: Path, bills: list[tuple[bool, int, int, int]]) -> Results:
    """A result with bills: estimated, energy, amount, paid."""
    writer = TableWriter(folder)
    for period, (estimated, billed_wh, bill_ueur, paid_ueur) in enumerate(bills):
        writer.append(
            "supply",
            {
                "interval": [0],
                "period": [period],
                "prosumer": ["House 1"],
                "metered_wh": [7],
                "declared_wh": [None if estimated else billed_wh],
                "estimated": [estimated],
                "billed_wh": [billed_wh],
                "price_ueur_per_kwh": [300_000],
                "bill_ueur": [bill_ueur],
                "paid_ueur": [paid_ueur],
                "topped_up_ueur": [0],
                "refund_ueur": [0],
                "deposit_ueur": [0],
                "debt_ueur": [bill_ueur - paid_ueur],
                "fees_ueur": [0],
            },
        )
    writer.close()
    (writer.folder / "scenario.yaml").write_text(yaml.safe_dump({"time": {}}))
    return Results(writer.folder, intervals=1)


def test_bills_add_up(tmp_path: Path) -> None:
    bills = [(False, 3_000, 900_000, 900_000), (True, 1_000, 300_000, 50_000)]
    assert supply_indicators(recorded(tmp_path / "run", bills)).as_dict() == {
        "supply_billed_kwh": pytest.approx(4.0),
        "supply_bill_eur": pytest.approx(1.2),
        "supply_above_deposit_eur": pytest.approx(0.25),
        "supply_debts_eur": 0.0,
        "supply_estimated_share": pytest.approx(0.25),
    }


def test_a_bill_of_nothing_has_no_share(tmp_path: Path) -> None:
    indicators = supply_indicators(recorded(tmp_path / "run", [(False, 0, 0, 0)]))
    assert indicators.supply_bill_eur == 0
    assert indicators.supply_estimated_share is None


def test_before_the_first_bill_nothing_is_billed(tmp_path: Path) -> None:
    indicators = supply_indicators(recorded(tmp_path / "run", []))
    assert set(indicators.as_dict().values()) == {0.0, None}
    assert indicators.supply_estimated_share is None
