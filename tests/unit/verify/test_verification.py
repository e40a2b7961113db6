"""A stranger verifies a result: an honest one passes, a forged one does not, wherever it lies."""

from __future__ import annotations

import io
import json
import os
import signal
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandapower
import pandas as pd
import pyarrow.parquet as pq
import pytest
from forgery import hash_again, rewrite, with_other_cell

from cosim.cli import EXIT_FAILED, EXIT_USER, main
from cosim.evm.engine import BlockEngine, Message, Receipt
from cosim.evm.revm import RevmEngine
from cosim.replay.replay import replay
from cosim.results.manifest import MANIFEST
from cosim.results.parquet import TableFile
from cosim.results.reader import Results
from cosim.results.schemas import tables_of
from cosim.runs.experiment import run_scenario
from cosim.scenario import Scenario
from cosim.verify.files import check_bytes, check_files, check_tables
from cosim.verify.ledger import check_events, check_receipts, check_state
from cosim.verify.verification import verify

TABLES = tables_of()

LEDGER, GRID = ("files", "ledger"), ("files", "grid")

FORGED = {
    "orders": ("filled_wh", "orders", LEDGER),
    "trades": ("earned_ueur", "trades", LEDGER),
    "schedules": ("nominated_wh", "grid checks", GRID),
    "grid_checks": ("limit", "grid checks", GRID),
    "violations": ("drivers", "grid checks", GRID),
    "flexibility": ("delivered_wh", "flexibility", LEDGER),
    "settlement": ("fees_ueur", "settlement", LEDGER),
    "storage": ("debt_ueur", "storage", LEDGER),
    "certificates": ("held_wh", "certificates", LEDGER),
    "supply": ("refund_ueur", "supply", LEDGER),
    "names": ("account", "names", LEDGER),
    "storages": ("start_mwh", "storages", GRID),
    "forecasts": ("rated_mw", "forecasts", GRID),
    "prosumers": ("soc_mwh", "devices", GRID),
    "buses": ("va_degree", "power flow", GRID),
    "branches": ("loading_percent", "power flow", GRID),
    "grid_balance": ("q_slack_mvar", "power flow", GRID),
    "transactions": ("gas_limit", "gas limits", LEDGER),
    "blocks": ("base_fee_wei", "blocks", LEDGER),
    "events": ("arguments", "events", LEDGER),
    "requests": ("asked_wh", "requests", LEDGER),
    "supply_subscriptions": ("deposit_ueur", "supply_subscriptions", LEDGER),
}
"""Of each table a column that no indicator depends on, the check that finds it, and its part."""


def test_an_honest_result_passes(whole_result: Path) -> None:
    done = verify(whole_result)
    assert done.failed == []
    # nobody owes anything, nobody is pivotal, and nobody signed
    debts = {"debts", "flexibility_debts", "storage_debts", "supply_debts"}
    empty = debts | {"bilateral_trades", "pivotal", "rebounds", "signature"}
    assert {check.name for check in done.checks if not check.compared} == empty
    # these need another consensus, debts, tap controllers, or every round solved again, and have
    # tests of their own
    elsewhere = debts | {"reorganisations", "margins", "pivotal", "rebounds", "taps"}
    elsewhere |= {"bilateral_trades"}
    assert set(FORGED) == set(TABLES) - elsewhere
    flow = next(check for check in done.checks if check.name == "power flow")
    # another solver than the run's: close, but not the same numbers
    assert 0 < flow.largest["vm_pu"] < 1e-8
    assert 0 < flow.largest["loading_percent"] < 1e-5


@pytest.mark.parametrize("table", sorted(FORGED))
def test_a_forged_cell_is_caught_though_its_hash_was_forged_too(copied: Path, table: str) -> None:
    column, caught_by, parts = FORGED[table]
    path = copied / "tables" / f"{table}.parquet"
    honest = pq.read_table(path)
    # interval 0 where power flows are solved again; before relief, for what was curtailed by a
    # round before the last is in no table
    row = 0 if parts is GRID else honest.num_rows // 2
    rewrite(path, with_other_cell(honest, column, row))
    assert not check_files(Results(copied)).passed
    hash_again(copied)
    failed = verify(copied, every=100, parts=parts).failed
    assert caught_by in failed
    assert not {"files", "schemas", "bytes", "manifest"} & set(failed)


@pytest.mark.parametrize("table", sorted(TABLES))
def test_a_changed_byte_is_caught(copied: Path, table: str) -> None:
    path = copied / "tables" / f"{table}.parquet"
    content = bytearray(path.read_bytes())
    # in the data, and in the footer
    for place in (len(content) // 3, len(content) - 12):
        changed = content.copy()
        changed[place] ^= 1
        path.write_bytes(changed)
        results = Results(copied)
        named = [difference.table for difference in check_files(results).differences]
        assert named == [f"tables/{table}.parquet"]
        hash_again(copied)
        results = Results(copied)
        assert check_files(results).passed
        # not readable, or not what a run writes, or another value that a run could write
        told = not (check_tables(results).passed and check_bytes(results).passed)
        if not told:
            told = not verify(copied, parts=FORGED.get(table, ("", "", LEDGER))[2][1:]).passed
        # or a number that the power flow cannot tell from the true one
        assert told or 0 < largest_change(path, content) < 1e-8
        path.write_bytes(content)
        hash_again(copied)


def test_a_table_without_rows_has_its_further_columns_all_the_same(copied: Path) -> None:
    path = copied / "tables" / "flexibility.parquet"
    columns = {**pq.read_table(path).slice(0, 0).to_pydict(), "idle_wh": []}
    empty = TableFile(TABLES["flexibility"], path, 1)
    empty.append(columns)
    empty.close()
    assert "idle_wh" in pq.read_schema(path).names
    assert check_bytes(Results(copied)).passed


def largest_change(path: Path, content: bytearray) -> float:
    now, before = pq.read_table(path).to_pandas(), pd.read_parquet(io.BytesIO(content))
    numbers = before.select_dtypes("number").columns
    assert now.drop(columns=numbers).equals(before.drop(columns=numbers))
    return float((now[numbers] - before[numbers]).abs().to_numpy().max())


def change_manifest(folder: Path, keys: Sequence[str], value: object) -> None:
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    inner = manifest
    for key in keys[:-1]:
        inner = inner[key]
    assert inner[keys[-1]] != value
    inner[keys[-1]] = value
    path.write_text(json.dumps(manifest))


@pytest.mark.parametrize(
    ("keys", "value", "part", "caught_by"),
    [
        (("chain", "state_digest"), "0x" + "00" * 32, "ledger", "state"),
        (("contracts", "LocalMarket", "storage_root"), "0x" + "00" * 32, "ledger", "state"),
        (("contracts", "EuroToken", "runtime_code_hash"), "0x" + "00" * 32, "ledger", "state"),
        (("indicators", "cost_eur"), 0.0, "indicators", "indicators"),
        (("indicators", "orders", "cleared"), 0, "indicators", "indicators"),
        (("chain", "settings", "block_time_s"), 13, "files", "manifest"),
        (("seed",), 1, "files", "manifest"),
        (("complete",), False, "files", "manifest"),
    ],
)
def test_a_forged_manifest_is_caught(
    copied: Path, keys: tuple[str, ...], value: object, part: str, caught_by: str
) -> None:
    change_manifest(copied, keys, value)
    assert verify(copied, parts=(part,)).failed == [caught_by]


def test_a_thicker_line_is_caught(copied: Path) -> None:
    net = pandapower.from_json(str(copied / "network.json"))
    net.line.loc[net.line.index[3], "r_ohm_per_km"] *= 0.9
    pandapower.to_json(net, str(copied / "network.json"))
    hash_again(copied)
    changed = {"network", "power flow", "grid checks", "margins"}
    assert set(verify(copied, parts=GRID).failed) == changed


def test_a_dearer_supplier_is_caught(copied: Path) -> None:
    path = copied / "scenario.yaml"
    text = path.read_text()
    assert "eur_per_eth: 2000.0" in text
    path.write_text(text.replace("eur_per_eth: 2000.0", "eur_per_eth: 1000.0"))
    hash_again(copied)
    change_manifest(copied, ("chain", "settings", "eur_per_eth"), 1000.0)
    failed = verify(copied, parts=LEDGER).failed
    assert failed == ["settlement", "names", "storage", "certificates", "supply"]


def test_missing_and_additional_files_are_named(copied: Path) -> None:
    (copied / "tables" / "names.parquet").rename(copied / "tables" / "more.parquet")
    check = check_files(Results(copied))
    assert [str(one) for one in check.differences] == [
        "tables/more.parquet: recorded 'not named in the manifest', recomputed 'a file'",
        "tables/names.parquet: recorded 'named or expected', recomputed 'no such file'",
    ]
    (copied / "tables" / "more.parquet").rename(copied / "tables" / "names.parquet")
    (copied / "figures").mkdir()
    (copied / "figures" / "map.svg").write_text("<svg/>")
    check = check_files(Results(copied))
    assert [str(one) for one in check.differences] == [
        "figures/map.svg: recorded 'a file', recomputed 'nothing that a run writes'"
    ]
    (copied / "tables" / "names.parquet").unlink()
    assert {"files", "schemas", "names"} <= set(verify(copied, parts=LEDGER).failed)


def test_what_only_the_hash_and_the_rerun_protect(copied: Path) -> None:
    """The list in docs/verify.md: cells that no other means recompute."""
    path = copied / "tables" / "transactions.parquet"
    frame = pq.read_table(path).to_pandas()
    forged, created = pq.read_table(path), frame.index[frame["to"].isna()]
    values = forged["gas_limit"].to_pylist()
    values[int(created[0])] += 1
    place = forged.column_names.index("gas_limit")
    forged = forged.set_column(place, forged.schema.field(place), [values])
    times = forged["sent_at_s"].to_pylist()
    last_report = int(frame.index[frame["method"] == "record"][-1])
    times[last_report] += 0.25
    place = forged.column_names.index("sent_at_s")
    forged = forged.set_column(place, forged.schema.field(place), [times])
    rewrite(path, forged)
    path = copied / "tables" / "grid_checks.parquet"
    checks = pq.read_table(path)
    rows = checks.to_pandas()
    between = rows[(rows["stage"] == "relieved") & (rows["element"] == "line")]
    last = between.groupby("interval")["round"].transform("max")
    value = checks["value"].to_pylist()
    value[int(between.index[between["round"] < last][0])] += 0.001
    place = checks.column_names.index("value")
    rewrite(path, checks.set_column(place, checks.schema.field(place), [value]))
    assert verify(copied, parts=("files",)).failed == ["files"]
    hash_again(copied)  # all else is checked now
    done = verify(copied)
    assert done.failed == ["rerun"]
    named = {(one.table, one.column) for one in done.checks[-1].differences}
    assert named == {
        ("transactions", "gas_limit"),
        ("transactions", "sent_at_s"),
        ("grid_checks", "value"),
    }


def test_py_evm_replays_the_same(whole_result: Path) -> None:
    done = verify(whole_result, "py-evm", parts=("ledger",))
    assert done.failed == []
    receipts = next(check for check in done.checks if check.name == "receipts")
    assert (
        receipts.compared
        == 9 * pq.read_table(whole_result / "tables" / "transactions.parquet").num_rows
    )


class WholeBlocks(RevmEngine):
    """revm as a node shows itself: it is given whole blocks, and leaves one transaction out."""

    def __init__(self, left_out: int | None = None) -> None:
        super().__init__()
        self.left_out = left_out
        self.sizes: list[int] = []

    def execute_block(self, messages: Sequence[Message]) -> list[Receipt | None]:
        begin = sum(self.sizes)
        self.sizes.append(len(messages))
        return [
            None if begin + i == self.left_out else self.transact(*message)
            for i, message in enumerate(messages)
        ]


def test_an_engine_that_executes_whole_blocks(whole_result: Path) -> None:
    results, engine = Results(whole_result), WholeBlocks()
    assert isinstance(engine, BlockEngine)
    assert not isinstance(RevmEngine(), BlockEngine)
    done = replay(results, engine)
    assert check_receipts(results, done).passed
    assert check_events(results, done).passed
    assert check_state(results, done).passed
    blocks = results.table("blocks")["n_transactions"]
    assert engine.sizes == blocks[blocks > 0].tolist()


def test_a_node_that_leaves_a_transaction_out(whole_result: Path) -> None:
    results = Results(whole_result)
    done = replay(results, WholeBlocks(left_out=100))
    check = check_receipts(results, done)
    first = check.differences[0]
    left_out = results.table("transactions").iloc[100]
    assert first.row == f"block {left_out.block}, index {left_out['index']}"
    assert first.recomputed == "the node did not include it"


def test_an_interrupted_run_is_verified_as_far_as_it_went(
    short_scenario: Callable[..., Scenario], tmp_path: Path
) -> None:
    folder = tmp_path / "result"

    def interrupt(interval: int, violated: bool) -> None:
        if interval == 1:
            os.kill(os.getpid(), signal.SIGINT)

    result = run_scenario(short_scenario(4), tmp_path / "s.yaml", folder, progress=interrupt)
    assert (result.complete, result.intervals_done) == (False, 1)
    done = verify(folder)
    assert done.failed == []
    assert len(np.unique(pq.read_table(folder / "tables" / "buses.parquet")["interval"])) == 2


def test_the_command_says_what_differs(
    copied: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["verify", str(copied), "--every", "100"]) == 0
    said = capsys.readouterr().out
    assert "values compared, nothing differs" in said
    assert len(said.splitlines()) <= 5, "the checks that are fine are not listed"
    assert "receipts" not in said
    assert main(["verify", str(copied), "--only", "ledger", "--verbose"]) == 0
    said = capsys.readouterr().out
    assert "receipts" in said
    assert "contracts are, by code, those of this version" in said
    path = copied / "tables" / "settlement.parquet"
    rewrite(path, with_other_cell(pq.read_table(path), "traded_ueur", 5))
    hash_again(copied)
    assert main(["verify", str(copied), "--only", "ledger"]) == EXIT_FAILED
    printed = capsys.readouterr().out
    row = pq.read_table(path).to_pylist()[5]
    said, true = row["traded_ueur"], row["traded_ueur"] - 1
    begin = f"2016-05-24 11:{15 * row['interval']:02}"
    assert (
        f"settlement: settlement, interval {row['interval']} ({begin}), prosumer "
        f"{row['prosumer']}, traded_ueur: recorded {said}, recomputed {true}\n"
    ) in printed
    assert main(["verify", str(tmp_path)]) == EXIT_USER
    assert main(["verify", str(copied), "--engine", "rpc"]) == EXIT_USER
    assert "field --url" in capsys.readouterr().err


def test_a_study_cannot_be_verified_on_one_node(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest = {"kind": "study", "complete": True, "runs": [{"name": "first"}]}
    (tmp_path / MANIFEST).write_text(json.dumps(manifest))
    url = "http://127.0.0.1:1"
    assert main(["verify", str(tmp_path), "--engine", "rpc", "--url", url]) == EXIT_USER
    said = " ".join(capsys.readouterr().err.split())
    assert "is a study, and a node can replay one run only" in said
    assert "runs/first" in said.replace(" ", "")
