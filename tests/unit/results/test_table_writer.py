"""The writer: what goes in comes out, in the same bytes, and nothing half-written is left."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from cosim.errors import ResultFolderError
from cosim.results.manifest import write_manifest
from cosim.results.schemas import tables_of
from cosim.results.writer import TableWriter, prepare

TABLES = tables_of()


def trade(interval: Any, energy_wh: Any) -> dict[str, Any]:
    return {
        "interval": interval,
        "buyer": "point 1",
        "seller": "point 2",
        "energy_wh": energy_wh,
        "price_ueur_per_kwh": 190_000,
        "amount_ueur": np.asarray(energy_wh) * 190,
        "sell_price_ueur_per_kwh": 180_000,
        "earned_ueur": np.asarray(energy_wh) * 180,
    }


def finished(writer: TableWriter, complete: bool = True) -> Path:
    write_manifest(writer.folder, {"complete": complete})
    return writer.finish(complete)


def test_rows_come_back_with_units_and_in_order(tmp_path: Path) -> None:
    writer = TableWriter(tmp_path / "run")
    writer.append("trades", trade(0, np.array([5, 7])))
    writer.append("trades", trade(1, [11]))
    table = pq.read_table(finished(writer) / "tables" / "trades.parquet")
    assert table["interval"].to_pylist() == [0, 0, 1]
    assert table["amount_ueur"].to_pylist() == [950, 1330, 2090]
    assert table["buyer"].to_pylist() == ["point 1"] * 3
    assert table.schema.field("price_ueur_per_kwh").metadata[b"unit"] == "µEUR/kWh".encode()


def test_every_table_is_there_even_when_nothing_happened(tmp_path: Path) -> None:
    folder = finished(TableWriter(tmp_path / "run"))
    for name, table in TABLES.items():
        found = pq.read_table(folder / "tables" / f"{name}.parquet")
        assert found.num_rows == 0
        assert found.schema.names == [column.name for column in table.columns]


def test_bytes_do_not_depend_on_how_rows_were_batched(tmp_path: Path) -> None:
    def digest(name: str, batches: list[np.ndarray]) -> str:
        writer = TableWriter(tmp_path / name, rows_per_group=10)
        for batch in batches:
            writer.append("trades", trade(batch // 4, batch))
        path = finished(writer) / "tables" / "trades.parquet"
        assert pq.ParquetFile(path).metadata.num_row_groups == 4
        assert pq.read_table(path)["energy_wh"].to_pylist() == list(range(35))
        return hashlib.sha256(path.read_bytes()).hexdigest()

    rows = np.arange(35)
    assert digest("one", [rows]) == digest("many", np.array_split(rows, 9))


def test_later_changes_of_an_array_do_not_reach_the_table(tmp_path: Path) -> None:
    writer = TableWriter(tmp_path / "run")
    energy_wh = np.array([5, 7])
    writer.append("trades", trade(0, energy_wh))
    energy_wh[:] = 99
    table = pq.read_table(finished(writer) / "tables" / "trades.parquet")
    assert table["energy_wh"].to_pylist() == [5, 7]


def test_bytes_nulls_lists_and_great_integers(tmp_path: Path) -> None:
    writer = TableWriter(tmp_path / "run")
    writer.append(
        "transactions",
        {
            "block": [1, 1], "index": [0, 1], "sent_at_s": [1.5, 2], "included_at_s": 12,
            "sender": [bytes(20), b"\xab" * 20], "nonce": [0, 0], "to": [None, bytes(20)],
            "data": [b"\x00\x01", b""], "value_wei": [10**24, 0], "gas_limit": 1, "max_fee_wei": 0,
            "tip_wei": 0, "gas_used": 21_000, "status": [1, 0], "interval": -1,
        },
    )  # fmt: skip
    writer.append(
        "violations",
        {
            "interval": 3, "round": 0, "stage": "scheduled", "element": "trafo", "element_idx": 0,
            "quantity": "loading_percent", "value": 120.0, "limit": 100.0,
            "drivers": [["point 2", "point 1"]],
        },
    )  # fmt: skip
    folder = finished(writer)
    rows = pq.read_table(folder / "tables" / "transactions.parquet").to_pylist()
    assert rows[0]["to"] is None
    assert rows[1]["to"] == "0x" + "00" * 20
    assert rows[1]["sender"] == "0x" + "ab" * 20
    assert rows[0]["data"] == b"\x00\x01"
    assert int(rows[0]["value_wei"]) == 10**24
    assert rows[0]["method"] is None
    violations = pq.read_table(folder / "tables" / "violations.parquet").to_pylist()
    assert violations[0]["drivers"] == ["point 2", "point 1"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"energy_mwh": [1]}, "no column energy_mwh"),
        ({"energy_wh": [1, 2, 3]}, "different length"),
        ({"energy_wh": [1.5]}, "energy_wh: 1.5 is not an integer"),
        ({"price_ueur_per_kwh": 0.5}, "price_ueur_per_kwh: 0.5 is not an integer"),
        ({"energy_wh": np.array([2.0])}, "energy_wh: fractional"),
        ({"interval": np.array([2**40])}, "interval"),
        ({"buyer": [None]}, "buyer"),
    ],
)
def test_what_does_not_fit_is_refused(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    writer = TableWriter(tmp_path / "run")

    def write() -> None:
        writer.append("trades", {**trade(np.array([0]), np.array([1])), **change})
        writer.close()

    with pytest.raises(ValueError, match=message):
        write()
    writer.abort()


def test_missing_column_and_unknown_table_are_named(tmp_path: Path) -> None:
    with TableWriter(tmp_path / "run") as writer:
        with pytest.raises(ValueError, match="lacks column vm_pu"):
            writer.append("buses", {"interval": 0, "bus": 1, "va_degree": 0.0})
        with pytest.raises(ValueError, match="unknown table 'busses'"):
            writer.append("busses", {})
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_visible_until_finished_and_nothing_left_after_abort(tmp_path: Path) -> None:
    writer = TableWriter(tmp_path / "run")
    writer.append("trades", trade(0, [1]))
    assert not (tmp_path / "run").exists()
    writer.abort()
    assert list(tmp_path.iterdir()) == []


def test_an_earlier_result_stays_until_the_new_one_is_finished(tmp_path: Path) -> None:
    old = finished(TableWriter(tmp_path / "run"))
    (old / "mark").write_text("old")
    with pytest.raises(ResultFolderError, match="--force"):
        TableWriter(tmp_path / "run")
    with TableWriter(tmp_path / "run", force=True):
        assert (old / "mark").exists()
    assert (old / "mark").exists()
    finished(TableWriter(tmp_path / "run", force=True), complete=True)
    assert not (old / "mark").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_force_does_not_replace_a_folder_that_is_no_result(tmp_path: Path) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.txt").write_text("years of work")
    with pytest.raises(ResultFolderError, match="not a result folder"):
        prepare(tmp_path / "thesis", force=True)
    (tmp_path / "file").write_text("")
    with pytest.raises(ResultFolderError, match="not a folder"):
        prepare(tmp_path / "file", force=True)
    (tmp_path / "empty").mkdir()
    assert prepare(tmp_path / "empty") == tmp_path / "empty"


def test_two_runs_do_not_write_to_one_place_and_a_dead_runs_rest_is_cleared(
    tmp_path: Path,
) -> None:
    (tmp_path / "run.partial").mkdir()
    (tmp_path / "run.partial" / "rest").write_text("of a run that was killed")
    with TableWriter(tmp_path / "run") as writer:
        assert not (writer.folder / "rest").exists()
        with pytest.raises(ResultFolderError, match="another run"):
            TableWriter(tmp_path / "run")


def test_an_interrupted_run_must_say_so(tmp_path: Path) -> None:
    writer = TableWriter(tmp_path / "run")
    write_manifest(writer.folder, {"complete": True})
    with pytest.raises(ValueError, match="complete"):
        writer.finish(complete=False)
    assert finished(writer, complete=False) == tmp_path / "run"


def test_bytes_do_not_depend_on_the_kinds_in_which_rows_came(tmp_path: Path) -> None:
    names, energies = ["n1", "n2", "n3", "n4"], [5, 6, 7, 8]
    kinds: list[list[tuple[Any, Any]]] = [
        [(names, energies)],
        [(name, energy) for name, energy in zip(names, energies, strict=True)],
        [(names[:2], np.array(energies[:2])), (np.array(names[2:], dtype=object), energies[2:])],
        [("n1", np.int64(5)), (np.array(names[1:]), np.array(energies[1:], dtype=np.int32))],
    ]
    digests = set()
    for number, chunks in enumerate(kinds):
        for takes_parts in (False, True):
            place = tmp_path / f"{number}-{takes_parts}"
            with TableWriter(place, keeps_parts=takes_parts) as writer:
                for seller, energy_wh in chunks:
                    rows = trade(3, energy_wh)
                    writer.append("trades", rows | {"seller": seller})
                    if takes_parts:  # what a checkpoint took lies there as Arrow's arrays
                        (tmp_path / "parts").mkdir(exist_ok=True)
                        writer.write_parts(tmp_path / "parts")
                finished(writer)
            digests.add((place / "tables" / "trades.parquet").read_bytes())
    assert len(digests) == 1
