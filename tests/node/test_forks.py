"""Nodes of older forks are refused before anything is sent to them."""

from __future__ import annotations

from pathlib import Path

import pytest
from anvil_node import Node

from benchmarks.anvil import running_anvil
from cosim.errors import NodeError
from cosim.evm.engine import create_engine
from cosim.evm.options import EngineOptions, NodeSettings

pytestmark = pytest.mark.node


@pytest.mark.parametrize(
    ("fork", "words"),
    [
        ("london", "PUSH0 (Shanghai), MCOPY (Cancun), TLOAD (Cancun), TSTORE (Cancun)"),
        ("shanghai", "lacks what the contracts need: MCOPY (Cancun), TLOAD"),
        ("cancun", "older than Prague: 400 bytes of calldata cost 27400 gas there, and 37000"),
        ("prague", ""),
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
