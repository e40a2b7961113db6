"""A run as raw signed transactions: the right bytes, in order, with keys that follow from it."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from eth_account import Account as Signer
from eth_account.typed_transactions import TypedTransaction
from hexbytes import HexBytes

from cosim.chain.roles import key_ring, sender_names
from cosim.cli import EXIT_USER, main
from cosim.errors import ResultFolderError, UserError
from cosim.evm.accounts import account
from cosim.evm.engine import CHAIN_ID
from cosim.evm.hashing import keccak
from cosim.verify.export import PURSE_WEI, export_transactions


@pytest.fixture(scope="module")
def exported(whole_result: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("export") / "signed"
    return export_transactions(whole_result, folder).folder


def lines_of(folder: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (folder / "transactions.jsonl").read_text().splitlines()]


def test_every_transaction_is_there_in_order_and_signed_by_its_sender(
    whole_result: Path, exported: Path
) -> None:
    table = pd.read_parquet(whole_result / "tables" / "transactions.parquet")
    lines = lines_of(exported)
    for key in ("block", "index", "sender", "nonce"):
        assert [line[key] for line in lines] == table[key].tolist()
    for line, row in zip(lines, table.itertuples(), strict=True):
        raw = HexBytes(str(line["raw"]))
        assert line["hash"] == "0x" + keccak(bytes(raw)).hex()
        assert Signer.recover_transaction(raw).lower() == row.sender
        sent = TypedTransaction.from_bytes(raw).as_dict()
        assert bytes(sent["data"]) == row.data
        assert (sent["chainId"], sent["gas"], sent["value"]) == (CHAIN_ID, row.gas_limit, 0)
        assert sent["maxFeePerGas"] == row.max_fee_wei > 0
        assert sent["maxPriorityFeePerGas"] == row.tip_wei == 20_000_000
        assert bytes(sent["to"]).hex() == (row.to or "0x").removeprefix("0x")


def test_the_same_result_gives_the_same_bytes(
    whole_result: Path, exported: Path, tmp_path: Path
) -> None:
    again = export_transactions(whole_result, tmp_path / "again").folder
    for name in ("transactions.jsonl", "genesis.json", "README.md"):
        assert (again / name).read_bytes() == (exported / name).read_bytes()


def test_the_genesis_funds_every_sender_under_prague_rules(
    whole_result: Path, exported: Path
) -> None:
    genesis = json.loads((exported / "genesis.json").read_text())
    blocks = pd.read_parquet(whole_result / "tables" / "blocks.parquet")
    assert int(genesis["timestamp"], 16) == blocks.timestamp_s[0]
    assert int(genesis["gasLimit"], 16) == 30_000_000
    assert int(genesis["baseFeePerGas"], 16) == 10**9
    assert genesis["config"]["chainId"] == CHAIN_ID
    assert genesis["config"]["pragueTime"] == 0
    senders = {str(line["sender"]) for line in lines_of(exported)}
    assert genesis["alloc"] == {one: {"balance": hex(PURSE_WEI)} for one in senders}
    # what all transactions of one sender can cost at most
    table = pd.read_parquet(whole_result / "tables" / "transactions.parquet")
    most = (table.gas_limit.astype(object) * table.max_fee_wei.astype(object)).groupby(table.sender)
    assert max(most.sum()) < PURSE_WEI


def test_a_fee_for_nodes_with_a_base_fee(whole_result: Path, tmp_path: Path) -> None:
    done = export_transactions(whole_result, tmp_path / "dear", max_fee_gwei=3.0)
    fees = {
        TypedTransaction.from_bytes(HexBytes(str(line["raw"]))).as_dict()["maxFeePerGas"]
        for line in lines_of(done.folder)
    }
    assert fees == {3 * 10**9}
    with pytest.raises(UserError, match="below the tip"):
        export_transactions(whole_result, tmp_path / "cheap", max_fee_gwei=0.001)
    assert not (tmp_path / "cheap").exists()


def test_test_keys_are_marked(exported: Path) -> None:
    readme = (exported / "README.md").read_text()
    assert readme.splitlines()[2].startswith("**Test keys.**")
    assert "20160524" in readme  # the seed


def test_an_export_is_not_overwritten(
    whole_result: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "signed"
    command = ["export-transactions", str(whole_result), "--out", str(out)]
    assert main(command) == 0
    assert "test accounts signed in" in capsys.readouterr().out
    assert main(command) == EXIT_USER
    assert "--force" in capsys.readouterr().err
    assert main([*command, "--force"]) == 0
    (tmp_path / "mine").mkdir()
    with pytest.raises(ResultFolderError, match="exists already"):
        export_transactions(whole_result, tmp_path / "mine", force=True)


def test_the_key_ring_holds_everybody() -> None:
    names = sender_names(["a", "b"], ["meter-a", "shared"])
    assert names == (
        "issuer", "metering operator", "market operator", "supplier", "DSO", "state",
        "aggregator", "attacker",
        "prosumer a", "prosumer b", "meter meter-a", "meter shared",
        "next household a", "next household b",
    )  # fmt: skip
    ring = key_ring(7, ["a", "b"], ["meter-a", "shared"])
    assert len(ring) == len(names)
    assert ring[account(7, "attacker").address] == account(7, "attacker").private_key
    assert not set(ring) & set(key_ring(8, ["a", "b"], ["meter-a", "shared"]))
