"""docs/results.md: every table and column is there as the schemas have it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cosim.results.schemas import tables_of

TABLES = tables_of()

PAGE = Path(__file__).parents[3] / "docs" / "results.md"


@pytest.mark.parametrize("name", TABLES)
def test_every_column_is_documented_with_its_unit(name: str) -> None:
    section = re.search(rf"^### `{name}`\n(.*?)(?=^### |\Z)", PAGE.read_text("utf-8"), re.M | re.S)
    assert section is not None
    rows = re.findall(r"^\| `(\w+)` \| (.+?) \| (.+?) \| (.+?) \|$", section.group(1), re.M)
    assert [(column, unit, meaning) for column, _, unit, meaning in rows] == [
        (column.name, column.unit, column.description) for column in TABLES[name].columns
    ]
    assert [kind.endswith("may be missing") for _, kind, _, _ in rows] == [
        column.optional for column in TABLES[name].columns
    ]


def test_a_columns_name_ends_in_its_unit() -> None:
    endings = {
        "Wh": "_wh", "µEUR": "_ueur", "µEUR/kWh": "_ueur_per_kwh", "MW": "_mw", "Mvar": "_mvar",
        "MWh": "_mwh", "pu": "_pu", "degree": "_degree", "%": "_percent", "s": "_s", "wei": "_wei",
        "wei/gas": "_wei",
    }  # fmt: skip
    columns = [column for table in TABLES.values() for column in table.columns]
    wrong = [c.name for c in columns if c.unit in endings and not c.name.endswith(endings[c.unit])]
    assert wrong == []
    assert {c.unit for c in columns} - endings.keys() == {"-", "gas", "as quantity"}
