"""Waiting for the chain to include a transaction."""

from __future__ import annotations

from cosim.errors import ContractRevert, EngineError
from cosim.ledger.blocks import Included
from cosim.ledger.chain import Chain
from cosim.ledger.clients.base import ContractClient

PATIENCE_BLOCKS = 100
"""How many blocks a transaction that must succeed may wait for room."""


def wait_for(chain: Chain, handle: int, until_s: float) -> Included | None:
    """Mine block by block until a transaction is included; withdraw it at the time given. [s]"""
    while (included := chain.included(handle)) is None:
        if chain.now_s + chain.block_time_s >= until_s:
            chain.drop([handle])
            return None
        chain.mine_until(chain.now_s + chain.block_time_s)
    return included


def confirmed(client: ContractClient, handle: int) -> Included:
    """Wait for a transaction that must succeed.

    Raises
    ------
    ContractRevert
        If the contract refused.
    EngineError
        If no block has room for it.
    """
    chain = client.chain
    included = wait_for(chain, handle, chain.now_s + PATIENCE_BLOCKS * chain.block_time_s)
    if included is None:
        raise EngineError(
            f"a transaction to {client.contract} found no room in {PATIENCE_BLOCKS} blocks; "
            "raise ledger.block_gas_limit in the scenario"
        )
    client.check(handle)
    return included


def refusal(client: ContractClient, handle: int) -> str:
    """Revert text of an included transaction; empty if it succeeded."""
    try:
        client.check(handle)
    except ContractRevert as revert:
        return revert.text
    return ""
