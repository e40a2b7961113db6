"""Waiting for the chain to include a transaction, and to confirm it."""

from __future__ import annotations

from cosim.chain.blocks import Included
from cosim.chain.chain import Chain
from cosim.chain.client import ContractClient
from cosim.errors import ContractRevert, EngineError

PATIENCE_BLOCKS = 100
"""Most blocks that a transaction that must succeed may wait for."""


def wait_for(chain: Chain, handle: int, until_s: float) -> Included | None:
    """Mine until a transaction is included and has its confirmations.

    It is withdrawn if no block holds it before a time. Once included, its confirmations are
    waited for however long they take; what a reorganisation took out again is waited for anew.

    Parameters
    ----------
    chain : Chain
    handle : int
    until_s : float
        A block at this time comes too late, Unix time. [s]

    Returns
    -------
    Included or None
        None if it was withdrawn.
    """
    while not is_confirmed(chain, included := chain.included(handle)):
        if included is None and chain.next_block_s >= until_s:
            chain.drop([handle])
            return None
        chain.mine_blocks()
    return included


def is_confirmed(chain: Chain, included: Included | None) -> bool:
    """Return True if so many blocks lie on a transaction that its sender acts on it."""
    return included is not None and chain.block - included.block >= chain.confirmations


def confirmed(client: ContractClient, handle: int) -> Included:
    """Wait for a transaction that must succeed.

    Raises
    ------
    ContractRevert
        If the contract refused.
    EngineError
        If no block has space for it.
    """
    chain = client.chain
    patience_s = PATIENCE_BLOCKS * max(chain.block_time_s, chain.next_block_s - chain.now_s)
    included = wait_for(chain, handle, chain.now_s + patience_s)
    if included is None:
        raise EngineError(
            f"a transaction to {client.name} found no space in {PATIENCE_BLOCKS} blocks; "
            "raise ledger.block_gas_limit in the scenario"
        )
    client.check(handle)
    return included


def refusal(client: ContractClient, handle: int) -> str:
    """Return the revert text of an included transaction; empty if it succeeded."""
    try:
        client.check(handle)
    except ContractRevert as revert:
        return revert.text
    return ""
