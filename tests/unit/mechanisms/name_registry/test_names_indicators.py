"""Indicators of the name registry."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from cosim.mechanisms.name_registry.indicators import name_indicators
from cosim.results.reader import Results
from cosim.results.writer import TableWriter


def recorded(folder: Path, actions: list[str]) -> Results:
    writer = TableWriter(folder)
    if actions:
        fees = {"registered": 1_000_000, "updated": 250_000}
        writer.append(
            "names",
            {
                "interval": 0,
                "prosumer": "House 1",
                "name": "house-1",
                "action": actions,
                "owner": "0x01",
                "account": "0x01",
                "registry_fee_ueur": [fees.get(action, 0) for action in actions],
                "fees_ueur": 0,
            },
        )
    writer.close()
    (writer.folder / "scenario.yaml").write_text(yaml.safe_dump({"time": {}}))
    return Results(writer.folder, intervals=1)


def test_names_are_counted(tmp_path: Path) -> None:
    actions = ["registered", "registered", "offered", "accepted", "updated"]
    assert name_indicators(recorded(tmp_path / "run", actions)).as_dict() == {
        "names_registered": 2,
        "names_handed_on": 1,
        "name_fees_eur": pytest.approx(2.25),
    }


def test_without_a_name_nothing_is_counted(tmp_path: Path) -> None:
    assert set(name_indicators(recorded(tmp_path / "run", [])).as_dict().values()) == {0}
