"""Section supply_contract: what it means, and what a mistake in it is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from cosim.errors import ScenarioError
from cosim.mechanisms.membership import members
from cosim.scenario import load_scenario

FILE = Path(__file__).parents[4] / "scenarios" / "supply_contract.yaml"
NAMES = [f"LV1.101 Bus {number}" for number in (1, 2, 3, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14)]


def changed(tmp_path: Path, **sections: dict[str, Any]) -> Path:
    data = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    for section, change in sections.items():
        data.setdefault(section, {}).update(change)
    path = tmp_path / "scenario.yaml"
    path.write_text(yaml.safe_dump(data), encoding="utf-8")
    return path


def test_four_consumers_stay_out_of_the_local_market() -> None:
    joined = members(load_scenario(FILE), NAMES)
    assert [name for name, joins in zip(NAMES, joined, strict=True) if not joins] == [
        "LV1.101 Bus 8",
        "LV1.101 Bus 10",
        "LV1.101 Bus 11",
        "LV1.101 Bus 13",
    ]


@pytest.mark.parametrize(
    ("sections", "says"),
    [
        ({"supply_contract": {"prices_eur_per_kwh": [0.3, 0.41]}}, "above price_cap_eur_per_kwh"),
        ({"supply_contract": {"prices_eur_per_kwh": []}}, "at least 1 item"),
        ({"supply_contract": {"least_deposit_eur": 6.0}}, "is below least_deposit_eur"),
        ({"supply_contract": {"billing_intervals": 3}}, "greater than or equal to 4"),
        ({"supply_contract": {"consumers": []}}, "at least 1 item"),
        (
            {"supply_contract": {"consumers": [{"name": "A"}, {"name": "A"}]}},
            "name each connection point once",
        ),
        ({"supply_contract": {"price_cap_eur_per_kwh": 3_000.0}}, "less than or equal to 2147"),
        ({"market": {"account_eur": 4.0}}, "more than market.account_eur"),
        ({"ledger": {"block_time_s": 7}}, "a supply contract counts blocks"),
        ({"market": {"order_lead_s": 606}}, "a supply contract counts blocks"),
    ],
)
def test_mistakes_are_told(tmp_path: Path, sections: dict[str, Any], says: str) -> None:
    with pytest.raises(ScenarioError, match=says):
        load_scenario(changed(tmp_path, **sections))


def test_consumer_must_be_a_connection_point(tmp_path: Path) -> None:
    path = changed(tmp_path, supply_contract={"consumers": [{"name": "Bus 99"}]})
    with pytest.raises(ScenarioError, match="'Bus 99' is no connection point"):
        members(load_scenario(path), NAMES)
