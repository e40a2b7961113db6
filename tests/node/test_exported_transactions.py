"""A plain node accepts the exported transactions one after the other, with the result's outcome."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from itertools import groupby
from pathlib import Path

import pandas as pd
import pytest
from anvil_node import anvil

from cosim.runs.experiment import run_scenario
from cosim.scenario import Scenario
from cosim.verify.export import export_transactions

pytestmark = pytest.mark.node


@pytest.mark.parametrize("fee_gwei", [0.0, 1.0])
def test_a_node_accepts_every_exported_transaction_in_order(
    program: str, short_scenario: Callable[..., Scenario], tmp_path: Path, fee_gwei: float
) -> None:
    scenario = short_scenario(2, ledger={"initial_base_fee_gwei": fee_gwei, "tip_gwei": 0.02})
    folder = tmp_path / "result"
    run_scenario(scenario, tmp_path / "scenario.yaml", folder)
    begin = time.perf_counter()
    done = export_transactions(folder, tmp_path / "signed")
    spent_ms = (time.perf_counter() - begin) / done.n_transactions * 1e3
    genesis = json.loads((done.folder / "genesis.json").read_text())
    lines = [
        json.loads(line) for line in (done.folder / "transactions.jsonl").read_text().splitlines()
    ]
    table = pd.read_parquet(folder / "tables" / "transactions.parquet")
    time_of = dict(zip(table.block, table.included_at_s, strict=True))
    options = ["--init", str(done.folder / "genesis.json"), "--order", "fifo"]
    gas_limit, genesis_s = int(genesis["gasLimit"], 16), int(genesis["timestamp"], 16)
    base_fee_wei = int(genesis["baseFeePerGas"], 16)
    mined, found = 0, []
    with anvil(program, tmp_path, genesis_s, gas_limit, base_fee_wei, options) as node:
        for block, group in groupby(lines, key=lambda line: line["block"]):
            if empty := block - mined - 1:
                node.request("anvil_mine", hex(empty), hex(12))
            mined = block
            node.request("evm_setNextBlockTimestamp", int(time_of[block]))
            sent = [node.request("eth_sendRawTransaction", line["raw"]) for line in group]
            node.request("evm_mine")
            receipts = node.request("eth_getBlockReceipts", "latest")
            assert [one["transactionHash"] for one in receipts] == sent
            found += receipts
    assert [one["transactionHash"] for one in found] == [line["hash"] for line in lines]
    for key, field in (("gas_used", "gasUsed"), ("status", "status"), ("block", "blockNumber")):
        assert [int(one[field], 16) for one in found] == table[key].tolist()
    print(f"{len(found)} exported transactions accepted, {spent_ms:.2f} ms each to sign")
