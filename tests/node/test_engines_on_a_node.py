"""Both engines and an Ethereum node agree on what scenarios seldom or never do.

Calldata that costs more than the execution, refunds above their cap, contracts that create
contracts, native coin in and out, reverts inside and outside, and running out of gas in all places.
"""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from anvil_node import Node, anvil
from replay import (
    PURSE_WEI,
    NodeReceipt,
    RecordedTransaction,
    dumped_storage,
    replay,
    trie_root,
)
from workbench import workbench_artifact

from cosim.evm.abi import NO_REASON, pack_mixed, revert_text
from cosim.evm.accounts import account
from cosim.evm.contracts import Artifact
from cosim.evm.engine import DEFAULT_BLOCK_GAS_LIMIT, Engine, create_engine, intrinsic_gas
from cosim.evm.hashing import create_address

pytestmark = pytest.mark.node

KEYED = [account(7, f"sender {i}") for i in range(3)]
SENDERS = [one.address for one in KEYED]
STRANGER = account(7, "stranger").address
FIRST, SECOND = create_address(SENDERS[0], 0), create_address(SENDERS[0], 1)
CHILDREN = [create_address(FIRST, nonce) for nonce in range(1, 4)]
GENESIS_S = 1_700_000_000
N_TRANSACTIONS = 250

State = tuple[int, int, str, str]


def sequence(bench: Artifact) -> list[RecordedTransaction]:
    """Two deployments and what a seeded die says."""
    die = random.Random(20160524)
    nonces = dict.fromkeys(SENDERS, 0)
    result = []

    def add(sender: bytes, to: bytes | None, data: bytes, gas_limit: int, value_wei: int) -> None:
        gas_limit = max(gas_limit, *intrinsic_gas(data, to is None))
        time_s = GENESIS_S + 12 * (len(result) + 1)
        result.append(
            RecordedTransaction(
                len(result) + 1, time_s, sender, nonces[sender], to, data, value_wei, gas_limit
            )
        )
        nonces[sender] += 1

    for total in (5, 0):
        add(SENDERS[0], None, bench.init_code(total), 5_000_000, 50)
    while len(result) < N_TRANSACTIONS:
        key, amount = die.randrange(12), die.choice([0, 1, 2, 999, 2**200, 2**256 - 1])
        partner = die.choice([FIRST, SECOND, *CHILDREN, STRANGER])
        calls = {
            "store": (key, amount),
            "store_many": ([die.randrange(12) for _ in range(die.randrange(9))], amount),
            "clear": (key, die.randrange(13)),
            "set_and_unset": (key, die.randrange(6)),
            "forward": (partner, key, amount),
            "forward_quietly": (partner, die.randrange(10)),
            "fail_late": (key, amount),
            "pay": (partner, die.randrange(10)),
            "pay_all_gas": (partner, die.randrange(10)),
            "create_child": (key,),
            "create_copy": (partner,),
            "burn_gas": (die.randrange(300),),
            "divide": (key, die.randrange(3)),
        }
        name = die.choice([*calls, "deploy", "bytes", "nothing"])
        to: bytes | None = die.choice([FIRST, FIRST, *CHILDREN, STRANGER])
        gas_limit = die.choice([2_000_000, 2_000_000, die.randrange(21_000, 160_000)])
        if name == "deploy":
            to, data, gas_limit = None, bench.init_code(die.choice([1, 666])), 3 * gas_limit
        elif name == "bytes":
            data = die.randbytes(die.randrange(2_000))
        elif name == "nothing":
            data = b""
        else:
            data = bench.selectors[name] + pack_mixed(*calls[name])
        add(die.choice(SENDERS), to, data, gas_limit, die.choice([0, 0, 1, 10**15]))
    return result


def executed(
    engine_name: str, transactions: list[RecordedTransaction]
) -> tuple[list[NodeReceipt], Engine]:
    """Receipts of an engine, and the engine."""
    engine = create_engine(engine_name)
    for sender in SENDERS:
        engine.set_balance(sender, PURSE_WEI)
    receipts = []
    for number, one in enumerate(transactions):
        engine.set_block(number + 1, one.timestamp_s, DEFAULT_BLOCK_GAS_LIMIT)
        receipt = engine.transact(one.sender, one.to, one.data, one.gas_limit, one.value_wei)
        receipts.append(
            NodeReceipt(
                block=number,
                index=0,
                status=receipt.status,
                gas_used=receipt.gas_used,
                contract_address=receipt.contract_address,
                logs=receipt.logs,
                revert_reason=None if receipt.status else revert_text(receipt.output),
            )
        )
    return receipts, engine


def test_engines_and_node_give_the_same_receipts_and_state(program: str, tmp_path: Path) -> None:
    transactions = sequence(workbench_artifact())
    keys = {one.address: one.private_key for one in KEYED}
    with anvil(program, tmp_path, GENESIS_S, DEFAULT_BLOCK_GAS_LIMIT) as node:
        by_node = replay(node, transactions, keys)
        created = {one.contract_address for one in by_node if one.contract_address and one.status}
        accounts = {*SENDERS, STRANGER, *CHILDREN, *created}
        state = state_of_node(node, accounts)
    for name in ("revm", "py-evm"):
        receipts, engine = executed(name, transactions)
        assert receipts == by_node, name
        assert state_of_engine(engine, accounts) == state, name
    # the die has thrown what this test is about
    at_floor = [
        one.gas_used == intrinsic_gas(sent.data, sent.to is None)[1]
        for one, sent in zip(by_node, transactions, strict=True)
    ]
    out_of_gas = [
        one.gas_used == sent.gas_limit and not one.status
        for one, sent in zip(by_node, transactions, strict=True)
    ]
    reasons = {one.revert_reason for one in by_node}
    assert sum(at_floor) > 20
    assert sum(out_of_gas) > 5
    assert {"workbench: too late", "workbench: unlucky", NO_REASON} <= reasons
    assert all(engine.code(child) for child in CHILDREN)
    print(f"{len(by_node)} transactions equal: {sum(not one.status for one in by_node)} reverted")


def state_of_node(node: Node, accounts: set[bytes]) -> dict[bytes, State]:
    """Balance, nonce, code and storage root by account."""
    storage = dumped_storage(node)
    result = {}
    for address in accounts:
        text = "0x" + address.hex()
        slots = storage.get(text, {})
        result[address] = (
            int(node.request("eth_getBalance", text, "latest"), 16),
            int(node.request("eth_getTransactionCount", text, "latest"), 16),
            node.request("eth_getCode", text, "latest"),
            trie_root({slot: value for slot, value in slots.items() if value}),
        )
    return result


def state_of_engine(engine: Engine, accounts: set[bytes]) -> dict[bytes, State]:
    """The same of an engine."""
    return {
        address: (
            engine.balance(address),
            engine.nonce(address),
            "0x" + engine.code(address).hex(),
            "0x" + engine.storage_root(address).hex(),
        )
        for address in accounts
    }
