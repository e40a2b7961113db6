"""A forger who recomputes whatever can be: hashes, manifest, indicators, report.

Each row of the table in docs/verify.md names the test that plays its forgery: here for tables,
files and manifest, in ``test_forged_scenario.py`` and ``test_forged_programs.py`` for the rest.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from forger import found, places, publish
from forgery import hash_again, rewrite, with_other_cell

from cosim.replay.findings import Check
from cosim.report.report import render
from cosim.results.reader import Results
from cosim.results.schemas import tables_of
from cosim.runs.again import play_again
from cosim.verify.files import check_bytes, check_files, check_manifest
from cosim.verify.inputs import check_inputs, check_report
from cosim.verify.rerun import compare_tables
from cosim.verify.trees import differing, unpacked
from cosim.verify.verification import verify


def test_the_honest_result_is_what_is_played(honest: Path, played: Path) -> None:
    assert places(found(honest, played)) == set()
    results = Results(honest)
    for check in (check_files, check_bytes, check_manifest, check_inputs, check_report):
        assert [str(one) for one in check(results).differences] == []
    # there is something to forge
    assert {len(results.table(name)) for name in ("trades", "flexibility", "margins")} != {0}


# --- cells, rows and columns of tables ---


@pytest.mark.parametrize("name", sorted(tables_of()))
def test_every_column_of_every_table(honest: Path, played: Path, name: str) -> None:
    file = f"tables/{name}.parquet"
    recorded, own = pq.read_table(honest / file), pq.read_table(played / file)

    def is_found(table: Any) -> bool:
        check = Check("rerun", "")
        compare_tables(check, name, table, own)
        return not check.passed

    assert not is_found(recorded)
    more = pa.Table.from_arrays([_invented(field.type) for field in own.schema], schema=own.schema)
    assert is_found(pa.concat_tables([recorded, more]))
    if n_rows := recorded.num_rows:
        for row in {0, n_rows // 2, n_rows - 1}:
            missed = [
                column
                for column in recorded.column_names
                if not is_found(with_other_cell(recorded, column, row))
            ]
            assert missed == []
        assert is_found(recorded.slice(1))
        assert is_found(recorded.append_column("note", pa.array(["x"] * n_rows)))
        assert is_found(recorded.drop_columns(recorded.column_names[-1]))
        assert n_rows == 1 or is_found(recorded.take(list(range(n_rows))[::-1]))
    if name in ("buses", "grid_checks"):  # power flows: 1e-9 of a value is the limit
        column = "vm_pu" if name == "buses" else "value"
        place = recorded.column_names.index(column)
        values = recorded[column].to_numpy() * (1 + 3e-9)
        moved = recorded.set_column(place, recorded.schema.field(place), pa.array(values))
        assert is_found(moved)


def _invented(kind: Any) -> Any:
    if pa.types.is_list(kind):
        return pa.array([["x"]], kind)
    if pa.types.is_string(kind):
        return pa.array(["x"], kind)
    if pa.types.is_binary(kind):
        return pa.array([b"x"], kind)
    return pa.array([1], pa.int64()).cast(kind)


def test_invented_late_orders(forged: Path, played: Path) -> None:
    """Also of a prosumer who does not exist: no transaction stands for a late order."""
    path = forged / "tables" / "orders.parquet"
    orders = pq.read_table(path)
    row = {**orders.slice(orders.num_rows - 1).to_pylist()[0], "status": "late", "block": None}
    row |= {"filled_wh": 0, "prosumer": "LV1.101 Bus 999"}
    rewrite(path, pa.concat_tables([orders, pa.Table.from_pylist([row], schema=orders.schema)]))
    publish(forged, report=False)
    assert ("orders", "number of rows") in places(found(forged, played))


# --- the network ---


def test_every_column_and_global_of_the_network(honest: Path, played: Path) -> None:
    recorded, own = (
        unpacked(json.loads((folder / "network.json").read_text())) for folder in (honest, played)
    )
    missed = []
    content, n = recorded["_object"], 0

    def is_found(key: str) -> bool:
        """In the subtree alone, which is what a comparison of the whole comes down to."""
        there = key in own["_object"]
        return not there or any(True for _ in differing(content[key], own["_object"][key]))

    assert {"bus", "line", "trafo", "f_hz", "sn_mva", "std_types"} <= set(content)
    for key in [*content]:
        before = content[key]
        frame = before.get("_object") if isinstance(before, dict) else None
        if not isinstance(frame, dict) or "columns" not in frame:
            content[key] = ["another"]
            if not is_found(key):
                missed.append(key)
            content[key] = before
            continue
        for place in range(len(frame["columns"]) if frame["data"] else 0):
            row, n = frame["data"][-1], n + 1
            value = row[place]
            row[place] = value + 1 if isinstance(value, float) else [value]
            if not is_found(key):
                missed.append(f"{key}.{frame['columns'][place]}")
            row[place] = value
        # a second tap changer, say
        frame["columns"].append("tap2_pos")
        if not is_found(key):
            missed.append(f"{key} with another column")
        frame["columns"].pop()
    assert missed == []
    assert n > 60
    assert not any(differing(recorded, own))


def test_a_second_tap_changer_is_found_by_other_means(forged: Path) -> None:
    path = forged / "network.json"
    net = json.loads(path.read_text())
    table = net["_object"]["trafo"]
    inner = json.loads(table["_object"])
    new = {"tap2_side": "lv", "tap2_neutral": 0, "tap2_pos": 2, "tap2_step_percent": 2.5}
    inner["columns"] += [*new]
    inner["data"] = [[*row, *new.values()] for row in inner["data"]]
    table["_object"] = json.dumps(inner)
    path.write_text(json.dumps(net))
    hash_again(forged)
    assert "network" in verify(forged, parts=("grid",), every=100).failed


# --- files, report, manifest ---


def test_a_report_that_says_something_else(forged: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = forged / "report.html"
    text = path.read_text(encoding="utf-8")
    kwh = Results(forged).manifest["indicators"]["traded_kwh"]
    assert str(kwh)[:4] in text
    results = Results(forged)
    own = render(results)  # once for all: it takes a second
    monkeypatch.setattr("cosim.verify.inputs.render", lambda given: own)
    for changed in (
        text.replace("</body>", "<p>Verified by everybody.</p></body>"),
        text.replace(str(kwh)[:4], "9999"),
        text.replace("plotly", "p1otly", 1),
    ):
        assert changed != text
        path.write_text(changed, encoding="utf-8")
        assert not check_report(results).passed
    path.unlink()
    assert not check_report(Results(forged)).passed


@pytest.mark.parametrize("name", ["notes.txt", "tables/more.parquet", "inputs/grid/x.csv", "a/b"])
def test_a_file_that_no_run_writes(forged: Path, name: str) -> None:
    path = forged / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes((forged / "tables" / "names.parquet").read_bytes())
    hash_again(forged)
    assert [one.table for one in check_files(Results(forged)).differences] == [name]


def test_a_link_is_no_file(forged: Path) -> None:
    """What it leads to may be another file tomorrow, or one that is not the author's to show."""
    table = forged / "tables" / "settlement.parquet"
    outside = forged.with_name("settlement.parquet")
    table.rename(outside)
    table.symlink_to(outside)
    (difference,) = check_files(Results(forged)).differences
    assert difference.table == "tables/settlement.parquet"
    assert difference.recorded == "a link"


def test_versions_switch_nothing_off(forged: Path) -> None:
    """Bytes that are no cells are compared whatever the manifest says of versions."""
    path = forged / "tables" / "settlement.parquet"
    table = pq.read_table(path)
    pq.write_table(table, path, compression="none", write_statistics=False)
    manifest = json.loads((forged / "manifest.json").read_text())
    manifest["versions"] = dict.fromkeys(manifest["versions"], "0")
    manifest["git_revision"] = "0" * 40
    (forged / "manifest.json").write_text(json.dumps(manifest))
    publish(forged, report=False)
    assert [one.table for one in check_bytes(Results(forged)).differences] == [
        "tables/settlement.parquet"
    ]


def test_versions_do_not_switch_off_the_check_of_the_state(forged: Path) -> None:
    """A contract of another code and an end of another state are found under any version."""
    path = forged / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["versions"] = dict.fromkeys(manifest["versions"], "0")
    manifest["git_revision"] = "0" * 40
    manifest["contracts"]["LocalMarket"]["runtime_code_hash"] = "0x" + "00" * 32
    manifest["chain"]["state_digest"] = "0x" + "00" * 32
    path.write_text(json.dumps(manifest))
    publish(forged, report=False)
    done = verify(forged, parts=("ledger",))
    assert done.failed == ["state"]
    (state,) = [check for check in done.checks if check.name == "state"]
    assert {one.column for one in state.differences} == {"runtime_code_hash", "state_digest"}


def test_versions_alone_say_nothing(forged: Path, played: Path) -> None:
    """And a manifest that names others, or another engine, is believed by no check."""
    path = forged / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["versions"] = dict.fromkeys(manifest["versions"], "0")
    manifest["environment"] = {}
    manifest["timing"] = {"mosaik": 1e-9}
    manifest["chain"]["engine"] = "py-evm"
    path.write_text(json.dumps(manifest))
    publish(forged)
    assert places(found(forged, played)) == set()
    assert check_manifest(Results(forged)).passed
    assert check_report(Results(forged)).passed  # it shows what the manifest says


@pytest.mark.parametrize(
    ("keys", "value"),
    [
        (("power_flow", "reference_intervals"), [0, 1, 2, 3]),
        (("power_flow", "reference_engine"), "another"),
        (("power_flow", "tolerance_pu"), 1.0),
        (("power_flow", "largest_difference_vm_pu"), 1e-3),
        (("contracts", "LocalMarket", "address"), "0x" + "11" * 20),
        (("chain", "last_block"), 1),
        (("indicators", "cost_eur"), -1e6),
        (("verified_by",), "everybody"),
    ],
)
def test_a_manifest_that_says_more(
    forged: Path, played: Path, keys: tuple[str, ...], value: object
) -> None:
    path = forged / "manifest.json"
    manifest = json.loads(path.read_text())
    inner = manifest
    for key in keys[:-1]:
        inner = inner[key]
    inner[keys[-1]] = value
    path.write_text(json.dumps(manifest))
    hash_again(forged)
    assert ".".join(keys) in {
        one.row[: len(".".join(keys))] for one in found(forged, played).differences
    }


def test_inputs_of_a_grid_that_comes_with_cosim(forged: Path) -> None:
    """Whoever changes them and plays the run has another grid of that name."""
    missed = []
    for file in sorted(p for p in (forged / "inputs").rglob("*") if p.is_file()):
        if file.name == "index.json":  # what it says is compared by the rerun
            continue
        honest = file.read_bytes()
        if file.suffix == ".parquet":
            table = pq.read_table(file)
            pq.write_table(with_other_cell(table, table.column_names[-1], 5), file)
        else:
            file.write_bytes(honest + b"\n")
        if check_inputs(Results(forged)).passed:
            missed.append(file.name)
        file.write_bytes(honest)
    assert missed == []


def test_a_run_cut_short_is_only_believed_as_interrupted(forged: Path, tmp_path: Path) -> None:
    """Dropping the last interval leaves rows that an interruption would have kept, or none."""
    for file in sorted((forged / "tables").glob("*.parquet")):
        table = pq.read_table(file)
        if "interval" in table.column_names:
            rewrite(file, table.filter(pc.less(table["interval"], 3)))
    manifest = json.loads((forged / "manifest.json").read_text())
    manifest["intervals_done"], manifest["complete"] = 3, False
    (forged / "manifest.json").write_text(json.dumps(manifest))
    publish(forged, report=False)
    play_again(forged, tmp_path / "again", settled=3)
    check = found(forged, tmp_path / "again")
    assert ("transactions", "number of rows") in places(check)
