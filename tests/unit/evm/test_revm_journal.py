"""Reading of revm's journal, and cases where a part of it would not be enough."""

from __future__ import annotations

from typing import Any

import pyrevm
import pytest

from cosim.errors import EngineError
from cosim.evm.abi import pack, pack_mixed
from cosim.evm.contracts import Artifact
from cosim.evm.engine import create_engine
from cosim.evm.hashing import create_address, keccak
from cosim.evm.revm_journal import (
    accounts_in,
    changed_slots,
    entries_at,
    has_code,
    may_create,
    tells_of_creation,
)

DEPLOYER = keccak(b"deployer")[12:]
SELLER = keccak(b"seller")[12:]
GAS = 2_000_000


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("f0", True),
        ("5f5f5ff5", True),
        ("60f000", False),  # PUSH1 0xf0
        ("7f" + "f5" * 32 + "00", False),  # PUSH32
        ("00f0", False),  # behind STOP, and no jump leads there
        ("fdf0f5", False),
        ("005bf0", True),  # behind STOP, but a jump may lead there
        ("00605bf0", False),  # the JUMPDEST is data of a PUSH
        ("56f05b5ff05b", True),
        ("", False),
        ("60", False),
    ],
)
def test_whether_code_can_create(code: str, expected: bool) -> None:
    assert may_create(bytes.fromhex(code)) is expected


def journal_of(slots: list[tuple[int, int]]) -> str:
    evm: Any = pyrevm.EVM()
    seller = "0x" + SELLER.hex()
    evm.insert_account_info(seller, pyrevm.AccountInfo(nonce=7))
    evm.snapshot()
    evm.basic(seller)
    for slot, value in slots:
        evm.insert_account_storage(seller, slot, value)
    return str(evm.journal_str)


def test_slots_that_were_stored_are_found_once_and_in_order() -> None:
    journal = journal_of([(2**255, 5), (3, 0), (9, 1), (2**255, 6), (9, 0)])
    entries = entries_at(journal)
    name = "0x" + SELLER.hex()
    # slot 3 got the value it had; slot 9 has its old value again, which the text does not tell
    assert list(changed_slots(journal, entries)) == [f"{name}, key: {2**255}", f"{name}, key: 9"]
    assert not tells_of_creation(journal, entries)
    assert not has_code(journal)
    (account,) = accounts_in(journal)
    assert (account.address, account.balance_wei, account.nonce) == (SELLER, 0, 7)
    assert (account.has_code, account.is_gone) == (False, False)


def test_nothing_stored() -> None:
    journal = journal_of([(1, 0)])
    assert list(changed_slots(journal, entries_at(journal))) == []


@pytest.mark.parametrize("text", ["", "JournaledState { accounts: [] }", "journal: [("])
def test_another_text_is_refused(text: str) -> None:
    with pytest.raises(EngineError, match="cannot read the journal"):
        entries_at(text)


def test_a_function_that_creates_is_read_in_full(workbench: Artifact) -> None:
    engine: Any = create_engine("revm")
    init = workbench.init_code(0)
    contract = engine.transact(DEPLOYER, None, init, GAS).contract_address
    store = workbench.selectors["store"] + pack(1, 1)
    assert engine.transact(SELLER, contract, store, GAS).status == 1
    assert engine._thorough == set()
    create = workbench.selectors["create_child"] + pack_mixed(5)
    assert engine.transact(SELLER, contract, create, GAS).status == 1
    assert engine.nonce(SELLER) == 2  # executed twice, but sent once
    assert engine.nonce(contract) == 2
    assert engine.code(create_address(contract, 1)) != b""
    assert engine._thorough == {(contract, create[:4])}
    assert engine._evm.journal_len == 1


def test_native_coin_in_a_contract_makes_reading_thorough(workbench: Artifact) -> None:
    engine: Any = create_engine("revm")
    engine.set_balance(DEPLOYER, 100)
    contract = engine.transact(DEPLOYER, None, workbench.init_code(0), GAS).contract_address
    assert engine._rich == set()
    snapshot = engine.snapshot()
    engine.set_balance(contract, 9)
    assert engine._rich == {contract}
    pay = workbench.selectors["pay"] + pack(SELLER, 4)
    assert engine.transact(DEPLOYER, contract, pay, GAS).status == 1
    assert (engine.balance(contract), engine.balance(SELLER)) == (5, 4)
    engine.restore(snapshot)
    assert engine._rich == set()
    assert (engine.balance(contract), engine.balance(SELLER)) == (0, 0)


def test_code_is_printed_once_per_function(workbench: Artifact) -> None:
    engine: Any = create_engine("revm")
    contract = engine.transact(DEPLOYER, None, workbench.init_code(0), GAS).contract_address
    selector = workbench.selectors["store"]
    for i in range(3):
        engine.transact(SELLER, contract, selector + pack(i, 7), GAS)
    assert engine._loaded_by[(contract, selector)] == {contract}
    # without the code, which alone would take more
    assert engine._lengths[(contract, selector)] < 2 * len(engine.code(contract))


def test_a_changed_account_is_not_taken_for_the_old_one(workbench: Artifact) -> None:
    engine: Any = create_engine("revm")
    contract = engine.transact(DEPLOYER, None, workbench.init_code(0), GAS).contract_address
    store = workbench.selectors["store"]
    for i in range(3):
        assert engine.transact(SELLER, contract, store + pack(i, 7), GAS).status == 1
    create = workbench.selectors["create_child"] + pack_mixed(5)
    for child in range(1, 4):
        assert engine.transact(SELLER, contract, create, GAS).status == 1
        assert engine.transact(SELLER, contract, store + pack(child, child), GAS).status == 1
        assert engine.code(create_address(contract, child)) != b""
        assert engine.nonce(contract) == child + 1


def test_remembered_places_are_bounded(
    workbench: Artifact, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cosim.evm.revm_state._PLACES", 8)
    engine: Any = create_engine("revm")
    contract = engine.transact(DEPLOYER, None, workbench.init_code(0), GAS).contract_address
    for i in range(30):
        data = workbench.selectors["store"] + pack(i, i + 1)
        assert engine.transact(SELLER, contract, data, GAS).status == 1
        assert len(engine._places) <= 8
    assert len(engine._storage[contract]) > 30
