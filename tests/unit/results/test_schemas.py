"""Schemas of the tables of a result: a column's name says its unit."""

from __future__ import annotations

from cosim.results.schemas import tables_of


def test_a_columns_name_ends_in_its_unit() -> None:
    endings = {
        "Wh": "_wh", "µEUR": "_ueur", "µEUR/kWh": "_ueur_per_kwh", "MW": "_mw", "Mvar": "_mvar",
        "MWh": "_mwh", "pu": "_pu", "degree": "_degree", "%": "_percent", "s": "_s", "wei": "_wei",
        "wei/gas": "_wei",
    }  # fmt: skip
    columns = [column for table in tables_of().values() for column in table.columns]
    wrong = [c.name for c in columns if c.unit in endings and not c.name.endswith(endings[c.unit])]
    assert wrong == []
    assert {c.unit for c in columns} - endings.keys() == {"-", "gas", "as quantity"}
