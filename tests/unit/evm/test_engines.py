"""One suite for both engines: what a transaction costs, does, and leaves behind."""

from __future__ import annotations

import subprocess
import sys

import pytest
from senders import KEYED

from cosim.errors import ContractRevert, EngineError
from cosim.evm.abi import pack, pack_mixed, unpack_uint
from cosim.evm.contracts import Artifact
from cosim.evm.engine import (
    CHAIN_ID,
    COINBASE,
    PREVRANDAO,
    Engine,
    create_engine,
    intrinsic_gas,
)
from cosim.evm.hashing import create_address, keccak

DEPLOYER, SELLER = (one.address for one in KEYED)
GAS = 2_000_000


def deployed(engine: Engine, workbench: Artifact, total: int = 0) -> bytes:
    receipt = engine.transact(DEPLOYER, None, workbench.init_code(total), GAS)
    assert receipt.status == 1
    assert receipt.contract_address is not None
    return receipt.contract_address


def test_deployment_creates_the_address_of_the_nonce(engine: Engine, workbench: Artifact) -> None:
    assert deployed(engine, workbench) == create_address(DEPLOYER, 0)
    assert deployed(engine, workbench) == create_address(DEPLOYER, 1)
    assert engine.nonce(DEPLOYER) == 2
    assert engine.code(create_address(DEPLOYER, 0)) == engine.code(create_address(DEPLOYER, 1))


def test_reverted_transactions_raise_the_nonce(engine: Engine, workbench: Artifact) -> None:
    receipt = engine.transact(DEPLOYER, None, workbench.init_code(666), GAS)
    assert receipt.status == 0
    assert receipt.contract_address == create_address(DEPLOYER, 0)
    assert engine.code(create_address(DEPLOYER, 0)) == b""
    contract = deployed(engine, workbench)
    assert contract == create_address(DEPLOYER, 1)
    engine.transact(SELLER, contract, workbench.selectors["fail_late"] + pack(1, 2), GAS)
    assert engine.nonce(SELLER) == 1
    assert engine.storage_root(contract) == engine.storage_root(SELLER)  # both empty


def test_a_plain_transfer_costs_the_intrinsic_gas(engine: Engine) -> None:
    engine.set_balance(DEPLOYER, 10)
    receipt = engine.transact(DEPLOYER, SELLER, b"", 21_000, 4)
    assert (receipt.status, receipt.gas_used) == (1, 21_000)
    assert (engine.balance(DEPLOYER), engine.balance(SELLER)) == (6, 4)


@pytest.mark.parametrize(
    ("data", "gas_used"),
    [(b"\0", 21_010), (b"\1", 21_040), (b"\0\1" * 100, 21_000 + 10 * 500)],
)
def test_calldata_has_a_floor(engine: Engine, data: bytes, gas_used: int) -> None:
    # EIP-7623: 10 gas per token, a zero byte is one token and another byte four
    assert engine.transact(DEPLOYER, SELLER, data, 50_000).gas_used == gas_used


def test_storage_is_cold_and_refunds_are_capped(engine: Engine, workbench: Artifact) -> None:
    contract = deployed(engine, workbench)
    store = workbench.selectors["store_many"] + pack_mixed(list(range(20)), 1)
    first = engine.transact(DEPLOYER, contract, store, GAS).gas_used
    second = engine.transact(DEPLOYER, contract, store, GAS).gas_used
    third = engine.transact(DEPLOYER, contract, store, GAS).gas_used
    # Setting 20 values, and both halves of the entry, from zero costs 19 900 more than leaving
    # them (EIP-2200); the total goes from zero the first time and from 20 the second.
    assert first - second == 22 * 19_900 + 17_100
    assert second == third  # as cold as before
    clear = workbench.selectors["clear"] + pack(0, 20)
    cleared = engine.transact(DEPLOYER, contract, clear, GAS)
    # 20 cleared slots cost 5 000 each and refund 4 800 each, but at most a fifth of the gas
    # (EIP-3529); without the cap less than 40 000 would remain
    assert 0.8 * (21_000 + 20 * 5_000) < cleared.gas_used < 0.8 * (21_000 + 20 * 5_000 + 10_000)


def test_out_of_gas_uses_all_and_keeps_nothing(engine: Engine, workbench: Artifact) -> None:
    contract = deployed(engine, workbench)
    root = engine.storage_root(contract)
    data = workbench.selectors["burn_gas"] + pack(100_000)
    receipt = engine.transact(SELLER, contract, data, 500_000)
    assert (receipt.status, receipt.gas_used, receipt.output) == (0, 500_000, b"")
    assert receipt.logs == ()
    assert engine.storage_root(contract) == root


def test_logs_and_storage(engine: Engine, workbench: Artifact) -> None:
    contract = deployed(engine, workbench, 7)
    data = workbench.selectors["store"] + pack(3, 2**255)
    receipt = engine.transact(SELLER, contract, data, GAS)
    (log,) = receipt.logs
    decoder = workbench.events[log.topics[0]]
    assert log.address == contract
    assert decoder.name == "Stored"
    assert decoder.decode(log.topics, log.data) == {
        "key": 3,
        "who": SELLER,
        "amount": 2**255,
        "is_new": True,
    }
    slot = unpack_uint(keccak(pack(0, 3)))  # Vyper's mapping in slot 0
    assert engine.storage(contract, slot) == 2**255
    assert engine.storage(contract, 12345) == 0
    assert engine.storage(SELLER, slot) == 0


def test_calls_leave_no_trace(engine: Engine, workbench: Artifact) -> None:
    contract = deployed(engine, workbench)
    root = engine.storage_root(contract)
    engine.call(SELLER, contract, workbench.selectors["store"] + pack(1, 1))
    assert engine.storage_root(contract) == root
    assert engine.nonce(SELLER) == 0
    assert unpack_uint(engine.call(SELLER, contract, workbench.selectors["total"])) == 0


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (("fail_late", 1, 1), "workbench: too late"),
        (("divide", 1, 0), "no reason given: check without text, no such function, or out of gas"),
    ],
)
def test_refused_calls_say_why(
    engine: Engine, workbench: Artifact, data: tuple[str, int, int], text: str
) -> None:
    contract = deployed(engine, workbench)
    name, *arguments = data
    with pytest.raises(ContractRevert) as caught:
        engine.call(SELLER, contract, workbench.selectors[name] + pack(*arguments))
    assert caught.value.text == text


def test_contracts_see_the_block(engine: Engine, workbench: Artifact) -> None:
    contract = deployed(engine, workbench)
    engine.set_block(77, 1_700_000_123, 12_345_678, 5)
    output = engine.call(SELLER, contract, workbench.selectors["whereabouts"])
    assert output == pack(77, 1_700_000_123, COINBASE, PREVRANDAO_INT, CHAIN_ID, 12_345_678, 0)
    # the state has survived the change of the gas limit
    assert engine.nonce(DEPLOYER) == 1
    data = workbench.selectors["store"] + pack(1, 1)
    assert engine.transact(SELLER, contract, data, GAS).status == 1


PREVRANDAO_INT = unpack_uint(PREVRANDAO)


def test_snapshots_form_a_stack(engine: Engine, workbench: Artifact) -> None:
    contract = deployed(engine, workbench)
    store = workbench.selectors["store"]
    engine.transact(SELLER, contract, store + pack(1, 1), GAS)
    roots = [engine.storage_root(contract)]
    outer = engine.snapshot()
    engine.transact(SELLER, contract, store + pack(1, 2), GAS)
    roots.append(engine.storage_root(contract))
    inner = engine.snapshot()
    other = deployed(engine, workbench)
    engine.transact(SELLER, contract, store + pack(9, 9), GAS)
    engine.restore(inner)
    assert engine.storage_root(contract) == roots[1]
    assert engine.code(other) == b""
    assert engine.nonce(DEPLOYER) == 1
    engine.restore(outer)
    assert engine.storage_root(contract) == roots[0]
    assert engine.nonce(SELLER) == 1
    with pytest.raises(EngineError, match="restored already"):
        engine.restore(inner)
    assert deployed(engine, workbench) == other


def test_a_window_of_snapshots_rolls_along(engine: Engine, workbench: Artifact) -> None:
    contract = deployed(engine, workbench)
    roots, snapshots = [], []
    for i in range(6):
        roots.append(engine.storage_root(contract))
        snapshots.append(engine.snapshot())
        engine.transact(SELLER, contract, workbench.selectors["store"] + pack(i, 1 + i), GAS)
        if i >= 2:
            engine.discard(snapshots[i - 2])
    assert snapshots == sorted(set(snapshots))
    for forgotten in snapshots[:4]:
        with pytest.raises(EngineError, match="or discarded"):
            engine.restore(forgotten)
        with pytest.raises(EngineError, match="or discarded"):
            engine.discard(forgotten)
    engine.restore(snapshots[4])
    assert engine.storage_root(contract) == roots[4]
    assert engine.nonce(SELLER) == 4
    with pytest.raises(EngineError, match="restored already"):
        engine.discard(snapshots[5])
    assert engine.snapshot() > snapshots[5]


def test_discarding_forgets_the_earlier_and_keeps_the_later(
    engine: Engine, workbench: Artifact
) -> None:
    contract = deployed(engine, workbench)
    store = workbench.selectors["store"]
    first = engine.snapshot()
    engine.transact(SELLER, contract, store + pack(1, 1), GAS)
    second = engine.snapshot()
    engine.transact(SELLER, contract, store + pack(1, 2), GAS)
    root = engine.storage_root(contract)
    third = engine.snapshot()
    other = deployed(engine, workbench)
    engine.transact(SELLER, contract, store + pack(1, 0), GAS)
    engine.discard(second)
    with pytest.raises(EngineError, match=f"no snapshot {first}"):
        engine.restore(first)
    engine.restore(third)
    assert engine.storage_root(contract) == root
    assert (engine.nonce(SELLER), engine.code(other)) == (2, b"")
    assert engine.transact(SELLER, contract, store + pack(1, 2), GAS).status == 1


def test_the_undo_log_of_revm_is_as_long_as_its_window(workbench: Artifact) -> None:
    engine = create_engine("revm")
    contract = deployed(engine, workbench)
    lengths = []
    kept = engine.snapshot()
    for i in range(40):
        engine.transact(SELLER, contract, workbench.selectors["store"] + pack(i % 5, i), GAS)
        latest = engine.snapshot()
        engine.discard(kept)
        kept = latest
        lengths.append(len(engine._undo))  # type: ignore[attr-defined]
    assert lengths == [0] * 40
    engine.discard(kept)
    engine.transact(SELLER, contract, workbench.selectors["store"] + pack(1, 77), GAS)
    assert engine._undo == []  # type: ignore[attr-defined]


def test_another_contract_where_one_lay_before_a_restore(engine: Engine) -> None:
    store = bytes.fromhex("600160005260206000f3")  # deployed code is the word 1
    snapshot = engine.snapshot()
    first = engine.transact(DEPLOYER, None, store, GAS).contract_address
    assert first is not None
    assert engine.code(first) == (1).to_bytes(32, "big")
    engine.restore(snapshot)
    second = engine.transact(DEPLOYER, None, store.replace(b"\x60\x01", b"\x60\x02"), GAS)
    assert (second.status, second.contract_address) == (1, first)
    assert engine.code(first) == (2).to_bytes(32, "big")


@pytest.mark.parametrize(
    ("to", "data", "gas_limit", "value", "text"),
    [
        (SELLER, b"", 20_999, 0, "below the 21000 gas"),
        (SELLER, b"\1" * 100, 24_999, 0, "below the 25000 gas"),
        (SELLER, b"", 30_000_001, 0, "above the block gas limit"),
        (SELLER, b"", 21_000, 1, "has 0 wei"),
        (None, b"\0" * 49_153, 5_000_000, 0, "EIP-3860"),
    ],
)
def test_what_no_block_could_include_is_refused(
    engine: Engine, to: bytes | None, data: bytes, gas_limit: int, value: int, text: str
) -> None:
    with pytest.raises(EngineError, match=text):
        engine.transact(DEPLOYER, to, data, gas_limit, value)
    assert engine.nonce(DEPLOYER) == 0


def test_intrinsic_gas_of_a_deployment() -> None:
    assert intrinsic_gas(b"\0" * 33, True) == (21_000 + 33 * 4 + 32_000 + 2 * 2, 21_330)


def test_unknown_engine() -> None:
    with pytest.raises(EngineError, match="one of auto, py-evm, revm, rpc"):
        create_engine("geth")


def test_revm_memory_is_flat(workbench: Artifact) -> None:
    engine = create_engine("revm")
    contract = deployed(engine, workbench)
    store = workbench.selectors["store"]
    for i in range(3000):
        engine.transact(SELLER, contract, store + pack(i % 50, i), GAS)
    evm = engine._evm  # type: ignore[attr-defined]
    # an open transaction would keep every account, slot and journal entry
    assert evm.journal_depth == 0
    assert evm.journal_len == 1
    assert len(evm.journal_str) < 2_000
    assert not evm.checkpoint_ids
    assert engine.nonce(SELLER) == 3000


def test_py_evm_leaves_titanoboa_alone() -> None:
    # in a process of its own: titanoboa changes py-evm's classes when it is imported
    script = """
import boa
contract = boa.loads(
    "# pragma version 0.4.3\\nx: public(uint256)\\n"
    "@external\\ndef set(a: uint256):\\n    self.x = a"
)
contract.set(5)
block, timestamp = boa.env.evm.patch.block_number, boa.env.timestamp
from cosim.evm.engine import create_engine
engine = create_engine("py-evm")
engine.set_block(900, 1_900_000_000, 30_000_000)
traced = set(boa.env.sstore_trace)
code = bytes.fromhex("602a5f5560205f2060015500")  # sstore(0, 42); sstore(1, keccak(memory))
init = bytes([0x6b]) + code + bytes.fromhex("5f52600c6014f3")
receipt = engine.transact(bytes(19) + b"\\x09", None, init, 200_000)
assert engine.transact(bytes(19) + b"\\x09", receipt.contract_address, b"", 200_000).status == 1
assert engine.storage(receipt.contract_address, 0) == 42
assert contract.x() == 5
contract.set(6)
assert contract.x() == 6
assert (block, timestamp) == (boa.env.evm.patch.block_number, boa.env.timestamp)
assert boa.env.evm.get_code(boa.util.abi.Address(receipt.contract_address)) == b""
assert set(boa.env.sstore_trace) == traced
print("same env")
"""
    result = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert result.stdout == "same env\n", result.stderr
