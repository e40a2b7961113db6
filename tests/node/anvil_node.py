"""anvil, an Ethereum node, for the tests of this folder, and requests to it over JSON-RPC."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.anvil import find_anvil, running_anvil
from cosim.evm import node
from cosim.evm.node import NodeRefused as NodeError

__all__ = ["Node", "NodeError", "anvil", "find_anvil"]


class Node(node.Node):
    """A node that answers JSON-RPC at a local port."""

    def send(self, method: str, parameters: Iterable[Any]) -> list[Any]:
        """Results of requests of one parameter each, sent together; a node may reorder them."""
        return self.read([(method, [one]) for one in parameters])


@contextmanager
def anvil(
    program: str,
    folder: Path,
    genesis_s: int,
    block_gas_limit: int,
    base_fee_wei: int = 0,
    options: Sequence[str] = (),
) -> Iterator[Node]:
    """Run an anvil that mines when told to, at a free port; it ends with the context."""
    fees = ("--block-base-fee-per-gas", str(base_fee_wei)) if base_fee_wei else ()
    with running_anvil(
        program, folder, genesis_s, block_gas_limit, options=(*fees, *options)
    ) as url:
        yield Node(url)
