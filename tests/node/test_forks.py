"""Nodes of older forks are refused before anything is sent to them."""

from __future__ import annotations

from pathlib import Path

import pytest
from anvil_node import Node, anvil

from benchmarks.anvil import running_anvil
from cosim.chain.chain import Chain
from cosim.errors import EngineError, NodeError
from cosim.evm.engine import create_engine
from cosim.evm.node import NodeRefused
from cosim.evm.options import EngineOptions, NodeSettings
from cosim.scenario.ledger import TRANSACTION_GAS_LIMITS

pytestmark = pytest.mark.node


def test_a_node_by_the_rules_of_osaka_refuses_what_our_chain_refuses(
    program: str, tmp_path: Path
) -> None:
    cap = TRANSACTION_GAS_LIMITS["osaka"]
    assert cap is not None
    ledger = Chain(create_engine("py-evm"), 0, 12, 30_000_000)
    ledger.transaction_gas_limit = cap
    options = ("--hardfork", "osaka", "--enable-tx-gas-limit")
    with anvil(program, tmp_path, 0, 30_000_000, options=options) as node:
        (sender,) = node.request("eth_accounts")
        sent = {"from": sender, "to": sender}
        with pytest.raises(NodeRefused, match="tx_gas_limit_cap"):
            node.request("eth_sendTransaction", sent | {"gas": hex(cap + 1)})
        with pytest.raises(EngineError, match="EIP-7825"):
            ledger.submit(bytes(20), bytes(20), b"", 0.0, cap + 1)
        accepted = node.request("eth_sendTransaction", sent | {"gas": hex(cap)})
        handle = ledger.submit(bytes(20), bytes(20), b"", 0.0, cap)
        node.request("evm_mine")
        ledger.mine_blocks()
        receipt = node.request("eth_getTransactionReceipt", accepted)
        included = ledger.included(handle)
        assert included is not None
        assert int(receipt["gasUsed"], 16) == included.receipt.gas_used == 21_000


@pytest.mark.parametrize(
    ("fork", "words"),
    [
        ("london", "PUSH0 (Shanghai), MCOPY (Cancun), TLOAD (Cancun), TSTORE (Cancun)"),
        ("shanghai", "lacks what the contracts need: MCOPY (Cancun), TLOAD"),
        ("cancun", "older than Prague: 400 bytes of calldata cost 27400 gas there, and 37000"),
        ("prague", ""),
        ("osaka", ""),
    ],
)
def test_a_node_of_an_older_fork_is_refused(
    program: str, tmp_path: Path, fork: str, words: str
) -> None:
    with running_anvil(program, tmp_path, 0, 30_000_000, options=("--hardfork", fork)) as url:
        options = EngineOptions({}, NodeSettings(url, 20.0, 20.0))
        if not words:
            assert create_engine("rpc", options).name == "rpc"
            return
        with pytest.raises(NodeError) as caught:
            create_engine("rpc", options)
        assert words in caught.value.problem
        assert "--hardfork prague" in str(caught.value.remedy)
        node = Node(url)
        assert node.request("eth_blockNumber") == "0x0"
        assert node.request("txpool_status") == {"pending": "0x0", "queued": "0x0"}
