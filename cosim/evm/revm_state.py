"""State of the fast engine: accounts, code and slots, kept here and in revm's database."""

from __future__ import annotations

from typing import Any

import pyrevm

from cosim.evm.engine import CHAIN_ID, COINBASE, DEFAULT_BLOCK_GAS_LIMIT, PREVRANDAO
from cosim.evm.hashing import EMPTY_HASH
from cosim.evm.mirror import NO_ACCOUNT, Account, Change, StateMirror
from cosim.evm.revm_journal import may_create

# pyrevm's type stub lacks the first parameter of AccountInfo, the balance
account_info: Any = pyrevm.AccountInfo

Function = tuple[bytes, bytes]
"""Contract and selector that a transaction calls."""

_PLACES = 20_000
"""Slots whose text in the journal is remembered; about 10 MB."""

_OF_THE_MACHINE = frozenset(("_evm", "_analysed", "_codeless", "_texts", "_addresses", "_places"))


class RevmState(StateMirror):
    """State that revm's database holds too; what is set here is set there.

    Implements the parts of :class:`cosim.evm.engine.Engine` that execute nothing.
    """

    def __init__(self) -> None:
        super().__init__()
        # what revm keeps of a code, by its hash: jump table and padding
        self._analysed: dict[bytes, pyrevm.AccountInfo] = {}
        # contracts that can do more than store: those that hold native coin, or have code that
        # can create contracts
        self._rich: set[bytes] = set()
        self._creators: set[bytes] = set()
        # accounts of contracts without their code as revm takes them, by the function that loads
        # them, until a contract's account changes
        self._codeless: dict[Function, list[tuple[str, pyrevm.AccountInfo]]] = {}
        # addresses as revm takes and shows them
        self._texts: dict[bytes, str] = {}
        self._addresses: dict[str, bytes] = {}
        # slots by their text in the journal: address twice, slot, and the account's storage
        self._places: dict[str, tuple[str, bytes, int, dict[int, int]]] = {}
        self._gas_limit = DEFAULT_BLOCK_GAS_LIMIT
        self._block: tuple[int, int] | None = None  # number and timestamp, once they are set
        self._evm: Any = self._build()

    def __getstate__(self) -> dict[str, Any]:
        """Return the state without the machine, and without what it can tell again."""
        return {name: value for name, value in vars(self).items() if name not in _OF_THE_MACHINE}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take a state, and build a machine with it."""
        vars(self).update(state)
        self._codeless, self._texts, self._addresses, self._places = {}, {}, {}, {}
        self._analysed = {
            code_hash: analysed(code) for code_hash, code in self._code.items() if code
        }
        self._evm = self._build()

    def _build(self) -> pyrevm.EVM:
        """Return a machine with the state kept here."""
        evm = pyrevm.EVM(
            env=pyrevm.Env(cfg=pyrevm.CfgEnv(chain_id=CHAIN_ID)), gas_limit=self._gas_limit
        )
        # revm touches it in every transaction, and prints an unknown account with its empty code
        evm.insert_account_info("0x" + COINBASE.hex(), account_info(*NO_ACCOUNT))
        for address, account in self._accounts.items():
            if account[2] in self._analysed:
                evm.insert_account_info(self._text(address), self._analysed[account[2]])
            evm.insert_account_info(self._text(address), account_info(*account))
        for address, slots in self._storage.items():
            for slot, value in slots.items():
                checkpoint = evm.snapshot()
                evm.insert_account_storage(self._text(address), slot, value)
                evm.revert(checkpoint)
        if self._block is not None:
            number, timestamp_s = self._block
            evm.set_block_env(
                pyrevm.BlockEnv(
                    number=number,
                    coinbase="0x" + COINBASE.hex(),
                    timestamp=timestamp_s,
                    prevrandao=PREVRANDAO,
                    gas_limit=self._gas_limit,
                )
            )
        return evm

    def _place(self, entry: str) -> tuple[str, bytes, int, dict[int, int]]:
        """Return the slot of an entry ``0x…, key: N``, and the storage that it belongs to."""
        if len(self._places) >= _PLACES:
            self._places.clear()
        text, slot = entry[:42], int(entry[49:])
        address = self._address(text)
        place = text, address, slot, self._storage.setdefault(address, {})
        self._places[entry] = place
        return place

    def _text(self, address: bytes) -> str:
        """Return an address as revm takes it."""
        text = self._texts.get(address)
        if text is None:
            text = self._texts[address] = "0x" + address.hex()
        return text

    def _address(self, text: str) -> bytes:
        """Return an address that revm shows; its logs use capital letters, its journal none."""
        address = self._addresses.get(text)
        if address is None:
            address = self._addresses[text] = bytes.fromhex(text[2:])
        return address

    def _raise_nonce(self, sender: bytes, account: Account) -> None:
        """Add one for a sender; it has no code (EIP-3607), so nothing else depends on it."""
        if self._noting:
            self._undo.append((sender, None, account))
        self._accounts[sender] = (account[0], account[1] + 1, account[2])

    def _put_account(self, address: bytes, account: Account) -> None:
        known = self._accounts.get(address, NO_ACCOUNT)
        super()._put_account(address, account)
        if account[2] != EMPTY_HASH or known[2] != EMPTY_HASH:
            self._codeless.clear()
            _keep(self._rich, address, account[2] != EMPTY_HASH and account[0] > 0)
            _keep(self._creators, address, may_create(self._code[account[2]]))

    def _store(self, changes: list[Change]) -> None:
        """Set slots here and in revm's database."""
        self._put_slots(changes)
        evm = self._evm
        snapshot, insert, revert = evm.snapshot, evm.insert_account_storage, evm.revert
        for text, _, slot, value in changes:
            # inserting loads the account into the journal, and a loaded account would take the
            # next slot into the journal instead of the database
            checkpoint = snapshot()
            insert(text, slot, value)
            revert(checkpoint)

    def _go_back(self, address: bytes, slot: int | None, old: int | Account) -> None:
        if isinstance(old, tuple):
            self._put_account(address, old)
            self._evm.insert_account_info(self._text(address), account_info(*old))
        elif slot is not None:
            self._store([(self._text(address), address, slot, old)])

    def set_balance(self, address: bytes, balance_wei: int) -> None:
        """Set the native coin of an account. [wei]"""
        _, nonce, code_hash = self._accounts.get(address, NO_ACCOUNT)
        self._put_account(address, (balance_wei, nonce, code_hash))
        self._evm.insert_account_info(
            self._text(address), account_info(balance_wei, nonce, code_hash)
        )


def _keep(addresses: set[bytes], address: bytes, is_in: bool) -> None:
    if is_in:
        addresses.add(address)
    else:
        addresses.discard(address)


def analysed(code: bytes) -> pyrevm.AccountInfo:
    """Return what revm keeps of a contract's code: jump table and padding.

    Only deploying it makes revm look at it: here a constructor in a machine of its own returns it.
    """
    evm: Any = pyrevm.EVM(env=pyrevm.Env(cfg=pyrevm.CfgEnv(chain_id=CHAIN_ID)), gas_limit=2**60)
    sender = "0x" + "11" * 20
    evm.insert_account_info(sender, account_info(0, 0))
    # PUSH2 size, DUP1, PUSH1 place, PUSH0, CODECOPY, PUSH0, RETURN
    constructor = b"\x61" + len(code).to_bytes(2, "big") + bytes.fromhex("80600a5f395ff3")
    info: pyrevm.AccountInfo = evm.basic(evm.deploy(sender, constructor + code, 0, 2**40))
    return info
