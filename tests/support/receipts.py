"""Receipts of transactions that one block must take."""

from __future__ import annotations

from collections.abc import Sequence

from cosim.chain.client import ContractClient
from cosim.evm.engine import Receipt


def receipts_of(client: ContractClient, handles: Sequence[int]) -> list[Receipt]:
    """Mine a block that must include them all, and successfully; return their receipts."""
    client.chain.mine_until(client.chain.now_s + client.chain.block_time_s)
    return [included.receipt for included in client.check_all(handles)]
