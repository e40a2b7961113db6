"""Whatever is sent, both engines give the same receipts and end in the same state."""

from __future__ import annotations

import functools
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from workbench import workbench_artifact

from cosim.evm.abi import pack_mixed
from cosim.evm.engine import Engine, create_engine, intrinsic_gas
from cosim.evm.hashing import create_address, keccak

SENDERS = [keccak(f"sender {i}".encode())[12:] for i in range(4)]
STRANGERS = [keccak(f"stranger {i}".encode())[12:] for i in range(3)]
FIRST, SECOND = create_address(SENDERS[0], 0), create_address(SENDERS[0], 1)
CHILDREN = [create_address(FIRST, nonce) for nonce in range(1, 4)]
GAS = 2_000_000


def call(name: str, *arguments: Any) -> bytes:
    return workbench_artifact().selectors[name] + pack_mixed(*arguments)


keys = st.integers(0, 11)
amounts = st.sampled_from([0, 1, 2, 999, 2**200, 2**256 - 1])
ether = st.sampled_from([0, 0, 1, 7, 10**15])
partners = st.sampled_from([FIRST, SECOND, *CHILDREN, *STRANGERS, SENDERS[1]])
calldata = st.one_of(
    st.builds(functools.partial(call, "store"), keys, amounts),
    st.builds(functools.partial(call, "store_many"), st.lists(keys, max_size=9), amounts),
    st.builds(functools.partial(call, "clear"), keys, st.integers(0, 12)),
    st.builds(functools.partial(call, "set_and_unset"), keys, st.integers(0, 5)),
    st.builds(functools.partial(call, "forward"), partners, keys, amounts),
    st.builds(functools.partial(call, "forward_quietly"), partners, st.integers(0, 9)),
    st.builds(functools.partial(call, "fail_late"), keys, amounts),
    st.builds(functools.partial(call, "pay"), partners, st.integers(0, 9)),
    st.builds(functools.partial(call, "pay_all_gas"), partners, st.integers(0, 9)),
    st.builds(functools.partial(call, "create_child"), keys),
    st.builds(functools.partial(call, "create_copy"), partners),
    st.builds(functools.partial(call, "burn_gas"), st.integers(0, 300)),
    st.builds(functools.partial(call, "divide"), keys, keys),
    st.builds(functools.partial(call, "total")),
    st.binary(max_size=70),
    st.just(b""),
    st.just(bytes(range(256)) * 8),
)
# few gas limits are generous, so that transactions run out of gas in all places
gas_limits = st.one_of(st.just(GAS), st.just(GAS), st.integers(21_000, 160_000))
transactions = st.tuples(
    st.sampled_from(SENDERS),
    st.one_of(st.just(FIRST), st.just(FIRST), partners, st.none()),
    calldata,
    gas_limits,
    ether,
)


def started(name: str, value_wei: int = 50) -> Engine:
    engine = create_engine(name)
    engine.set_block(1, 1_700_000_000, 30_000_000)
    for sender in SENDERS[:3]:
        engine.set_balance(sender, 10**18)
    for total in (5, 0):
        receipt = engine.transact(
            SENDERS[0], None, workbench_artifact().init_code(total), GAS, value_wei
        )
        assert receipt.status == 1
    assert engine.code(SECOND)
    return engine


def run(engine: Engine, sequence: list[Any]) -> list[Any]:
    """Receipts of a sequence; deployments use the workbench's init code before the data."""
    receipts = []
    for number, (sender, to, data, gas_limit, value) in enumerate(sequence):
        engine.set_block(number + 2, 1_700_000_000 + 12 * number, 30_000_000)
        if to is None:
            data = workbench_artifact().init_code(666 if len(data) % 3 == 0 else len(data))
            gas_limit *= 3
        gas_limit = max(gas_limit, *intrinsic_gas(data, to is None))
        value = min(value, engine.balance(sender))
        receipts.append(engine.transact(sender, to, data, gas_limit, value))
    return receipts


def state(engine: Engine, receipts: list[Any]) -> list[Any]:
    created = [receipt.contract_address for receipt in receipts if receipt.contract_address]
    copies = [create_address(address, nonce) for address in (FIRST, SECOND) for nonce in (4, 5)]
    return [
        (
            engine.balance(address),
            engine.nonce(address),
            engine.code(address),
            engine.storage_root(address),
            [engine.storage(address, slot) for slot in range(4)],
        )
        for address in (*SENDERS, *STRANGERS, FIRST, SECOND, *CHILDREN, *copies, *created)
    ]


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(transactions, min_size=5, max_size=40))
def test_same_receipts_and_state(sequence: list[Any]) -> None:
    revm, py_evm = started("revm"), started("py-evm")
    receipts = run(revm, sequence)
    assert receipts == run(py_evm, sequence)
    assert state(revm, receipts) == state(py_evm, receipts)


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(transactions, min_size=5, max_size=30), st.integers(0, 60))
def test_same_without_native_coin_at_first(sequence: list[Any], coin_from: int) -> None:
    # as long as no contract holds native coin, revm's journal is not read in full
    sequence = [
        (sender, to, data, gas_limit, value if number >= coin_from else 0)
        for number, (sender, to, data, gas_limit, value) in enumerate(sequence)
    ]
    revm, py_evm = started("revm", 0), started("py-evm", 0)
    snapshots = revm.snapshot(), py_evm.snapshot()
    before = state(revm, [])
    receipts = run(revm, sequence)
    assert receipts == run(py_evm, sequence)
    assert state(revm, receipts) == state(py_evm, receipts)
    for engine, snapshot in zip((revm, py_evm), snapshots, strict=True):
        engine.restore(snapshot)
        assert state(engine, []) == before
    assert run(revm, sequence[::-1]) == run(py_evm, sequence[::-1])
    assert state(revm, receipts) == state(py_evm, receipts)


@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(transactions, min_size=3, max_size=12),
    st.lists(transactions, min_size=3, max_size=12),
)
def test_restored_state_goes_on_the_same(kept: list[Any], undone: list[Any]) -> None:
    revm, py_evm = started("revm"), started("py-evm")
    for engine in (revm, py_evm):
        receipts = run(engine, kept)
        before = state(engine, receipts)
        outer = engine.snapshot()
        run(engine, undone[:3])
        engine.snapshot()
        run(engine, undone)
        engine.restore(outer)
        assert state(engine, receipts) == before
    # and not only what can be seen, also what later transactions find
    receipts = run(revm, undone)
    assert receipts == run(py_evm, undone)
    assert state(revm, receipts) == state(py_evm, receipts)


@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(transactions, min_size=6, max_size=16), st.integers(1, 4), st.integers(0, 3))
def test_a_rolling_window_restores_what_was(sequence: list[Any], length: int, back: int) -> None:
    states: dict[str, Any] = {}
    for engine in (started("revm"), started("py-evm")):
        window: list[tuple[int, Any]] = []
        receipts: list[Any] = []
        for transaction in sequence:
            window.append((engine.snapshot(), state(engine, receipts)))
            if len(window) > length:
                engine.discard(window[0][0])
                del window[0]
            receipts += run(engine, [transaction])
        snapshot, before = window[max(-len(window), -1 - back)]
        engine.restore(snapshot)
        n = len(before) - len(state(engine, []))
        created = [receipt for receipt in receipts if receipt.contract_address]
        assert state(engine, created[:n]) == before
        states[engine.name] = (run(engine, sequence), state(engine, receipts))
    assert states["revm"] == states["py-evm"]
