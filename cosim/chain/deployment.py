"""Deployment of a contract on the simulated chain."""

from __future__ import annotations

from collections.abc import Sequence

from cosim.chain.chain import Chain
from cosim.errors import ContractRevert, EngineError
from cosim.evm.abi import revert_text
from cosim.evm.contracts import Artifact
from cosim.evm.engine import intrinsic_gas

_CODE_BYTE_GAS = 200  # what a byte of deployed code costs
_CONSTRUCTOR_GAS = 500_000  # most that one of our constructors uses on top of that
_ELEMENT_GAS = 50_000  # and for each contract in an array that it takes


def deploy(
    chain: Chain,
    artifact: Artifact,
    sender: bytes,
    *arguments: int | bytes | bool | Sequence[bytes],
) -> bytes:
    """Deploy a contract in the next block, and tell the chain what lies at its address.

    Parameters
    ----------
    chain : Chain
        Mined by one block.
    artifact : Artifact
        The compiled contract.
    sender : bytes
        Deploying account.
    *arguments : int, bool, bytes or sequence of bytes
        Constructor arguments.

    Returns
    -------
    bytes
        Address of the contract, 20 bytes.

    Raises
    ------
    ContractRevert
        If the constructor refuses.
    EngineError
        If it does not fit into the next block.
    """
    data = artifact.init_code(*arguments)
    gas_limit = intrinsic_gas(data, True)[0] + _CODE_BYTE_GAS * len(data) + _CONSTRUCTOR_GAS
    gas_limit += _ELEMENT_GAS * sum(len(one) for one in arguments if isinstance(one, list | tuple))
    handle = chain.submit(sender, None, data, chain.now_s, gas_limit)
    chain.mine_blocks()
    included = chain.included(handle)
    if included is None:
        raise EngineError(
            f"{artifact.name} was not deployed: its gas limit of {gas_limit} does not fit into the "
            f"next block of {chain.block_gas_limit}"
        )
    address = included.receipt.contract_address
    if included.receipt.status == 0 or address is None:
        raise ContractRevert(
            revert_text(included.receipt.output), artifact.name, "__init__", {"data": arguments}
        )
    chain.register(address, artifact)
    return address
