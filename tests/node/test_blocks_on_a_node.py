"""The chain model's blocks are a node's: which transactions, how much gas, which base fee.

anvil orders by the highest fee, we by the effective tip. Both orders are the same where every
transaction offers one and the same sum for the base fee, plus its tip, as here.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from anvil_node import Node, anvil
from eth_account import Account as Signer
from replay import PURSE_WEI
from workbench import workbench_artifact

from cosim.chain.chain import Chain
from cosim.evm.abi import pack
from cosim.evm.accounts import account
from cosim.evm.engine import CHAIN_ID, create_engine, intrinsic_gas
from cosim.evm.hashing import create_address

pytestmark = pytest.mark.node

GENESIS_S = 1_700_000_000
GAS_LIMIT = 3_000_000
BASE_FEE_WEI = 1_000_000_000
MOST_BASE_FEE_WEI = 100 * BASE_FEE_WEI
"""What everybody would pay of it: no base fee comes near, so tips alone decide."""
N_BLOCKS = 40
SENDERS = [account(11, f"sender {i}") for i in range(12)]
BENCH = create_address(SENDERS[0].address, 0)

Block = tuple[int, list[int], int, int]
"""Number, handles in order, gas used, base fee."""


def send_to_both(
    chain: Chain, node: Node, sent: dict[str, int], nonces: dict[bytes, int], call: dict[str, Any]
) -> int:
    """Submit one transaction to the model, and sign it for the node; its handle."""
    sender = call.pop("sender")
    handle = chain.submit(
        sender.address, call["to"], call["data"], float(chain.now_s), call["gas"],
        tip_wei=call["tip_wei"], max_fee_wei=MOST_BASE_FEE_WEI + call["tip_wei"],
    )  # fmt: skip
    fields: dict[str, Any] = {
        "type": 2,
        "chainId": CHAIN_ID,
        "nonce": nonces[sender.address],
        "gas": call["gas"],
        "maxFeePerGas": MOST_BASE_FEE_WEI + call["tip_wei"],
        "maxPriorityFeePerGas": call["tip_wei"],
        "value": 0,
        "data": call["data"],
    }
    if call["to"] is not None:
        fields["to"] = call["to"]
    nonces[sender.address] += 1
    signed = Signer.sign_transaction(fields, sender.private_key)
    raw = "0x" + bytes(signed.raw_transaction).hex()
    sent[node.request("eth_sendRawTransaction", raw)] = handle
    return handle


def mined_by_node(node: Node, timestamp_s: int, sent: dict[str, int]) -> Block:
    node.request("evm_setNextBlockTimestamp", timestamp_s)
    node.request("evm_mine")
    block = node.request("eth_getBlockByNumber", "latest", False)
    return (
        int(block["number"], 16),
        [sent[one] for one in block["transactions"]],
        int(block["gasUsed"], 16),
        int(block["baseFeePerGas"], 16),
    )


def test_the_block_sequence_is_a_nodes(program: str, tmp_path: Path) -> None:
    bench = workbench_artifact()
    rng = np.random.default_rng(20160524)
    chain = Chain(create_engine("revm"), GENESIS_S, 12, GAS_LIMIT, BASE_FEE_WEI)
    sent: dict[str, int] = {}
    nonces = dict.fromkeys([one.address for one in SENDERS], 0)
    last = dict.fromkeys(range(len(SENDERS)), -1)
    by_node: list[Block] = []
    with anvil(program, tmp_path, GENESIS_S, GAS_LIMIT) as node:
        for one in SENDERS:
            node.request("anvil_setBalance", one.hex, hex(PURSE_WEI))
        node.request("anvil_setNextBlockBaseFeePerGas", hex(BASE_FEE_WEI))
        create = bench.init_code(0)
        for number in range(1, N_BLOCKS + 1):
            # a wave of demand: blocks run over, then what is left over drains
            demand = 0 if number == 1 else int(6 + 6 * np.sin(number / 4))
            # anvil 1.7.1 forgets a transaction whose predecessor found no room: one per sender
            free = [i for i, handle in last.items() if handle < 0 or chain.included(handle)]
            senders = rng.permutation(free)[:demand]
            if number == 1:
                deploy = {"sender": SENDERS[0], "to": None, "data": create, "tip_wei": 1,
                          "gas": intrinsic_gas(create, True)[0] + 2_000_000}  # fmt: skip
                send_to_both(chain, node, sent, nonces, deploy)
            for rank, i in enumerate(senders.tolist()):
                burn = bench.selectors["burn_gas"] + pack(int(rng.integers(0, 4_000)))
                call = {"sender": SENDERS[i], "to": BENCH, "data": burn,
                        "gas": int(rng.integers(300_000, 900_000)),
                        "tip_wei": 1_000_000 * int(rng.integers(1, 900)) + rank}  # fmt: skip
                last[i] = send_to_both(chain, node, sent, nonces, call)
            by_node.append(mined_by_node(node, GENESIS_S + 12 * number, sent))
            chain.mine_blocks()
    records = chain.drain_records()
    blocks = records.blocks
    # handles number the submissions; the records hold included transactions in order of the chain
    included = [
        sorted(
            (place.index, handle)
            for handle in range(len(sent))
            if (place := chain.included(handle)) is not None and place.block == number
        )
        for number in range(1, N_BLOCKS + 1)
    ]
    ours = [
        (number, [handle for _, handle in included[number - 1]],
         blocks["gas_used"][number], blocks["base_fee_wei"][number])
        for number in range(1, N_BLOCKS + 1)
    ]  # fmt: skip
    assert ours == by_node
    fees = [block[3] for block in by_node]
    assert max(fees) > 1.5 * BASE_FEE_WEI  # full blocks raised it
    assert any(len(block[1]) > 3 for block in by_node)
    waited = chain.pending or any(b > a + 12 for a, b in _delays(chain, len(sent)))
    assert waited  # some found no room in the first block
    print(f"{N_BLOCKS} blocks and {len(sent)} transactions equal")


def _delays(chain: Chain, n: int) -> list[tuple[float, int]]:
    places = [chain.included(handle) for handle in range(n)]
    return [(p.transaction.sent_at_s, p.included_at_s) for p in places if p is not None]
