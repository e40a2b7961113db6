"""The fast engine: revm through pyrevm, one isolated transaction at a time.

pyrevm keeps a single transaction open for ever: storage stays warm, original values go stale,
and its journal grows. Gas of a second transaction would be wrong. So each transaction here runs
on an empty journal over the backing database:

1. open a checkpoint and execute;
2. read the write set (storage, balances, nonces, new code) from the journal, which pyrevm offers
   as text only;
3. revert the checkpoint, which empties the journal, and write the write set to the database.

The text is short because contract accounts lie in the database without their code: revm fetches
code by its hash on the first call, and before the journal is printed the code is taken out of the
touched accounts again. Printing code would otherwise cost more than executing it.

Limits of pyrevm 0.3.7: ``block.basefee`` is always 0 and ``block.gaslimit`` is fixed when the
machine is built (a change rebuilds it from the state kept here), ``BLOCKHASH`` returns hashes of
no real block. Contracts must not read these.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pyrevm

from cosim.errors import ContractRevert, EngineError
from cosim.ledger.abi import revert_text
from cosim.ledger.engine import (
    CHAIN_ID,
    COINBASE,
    DEFAULT_BLOCK_GAS_LIMIT,
    PREVRANDAO,
    Log,
    Receipt,
    check_transaction,
)
from cosim.ledger.hashing import EMPTY_HASH, create_address, keccak
from cosim.ledger.snapshots import Snapshots
from cosim.ledger.trie import storage_root

_ACCOUNT = ": Account { info: AccountInfo { balance: "
_ACCOUNT_INFO = re.compile(r"(\d+), nonce: (\d+), code_hash: 0x([0-9a-f]{64}), code: (None)?")
_STORAGE = ", storage: {"
_STATUS = "}, status: "
_SLOT = ": StorageSlot { previous_or_original_value: "
_PRESENT = ", present_value: "
_CODE_LENGTH = re.compile(r"Analysed \{ len: (\d+)")
_REVERT_OUTPUT = re.compile(r"output: 0x([0-9a-f]*)")

# an account as the database holds it: balance, nonce, hash of the code
_Account = tuple[int, int, bytes]
_NO_ACCOUNT: _Account = (0, 0, EMPTY_HASH)

# pyrevm's type stub lacks the first parameter of AccountInfo, the balance
_info: Any = pyrevm.AccountInfo


class RevmEngine:
    """revm 3 (all rules up to Cancun) plus the calldata floor of Prague.

    Storage, accounts and code are mirrored in Python, so that reading them costs a dictionary
    look-up. Implements :class:`cosim.ledger.engine.Engine`.
    """

    name = "revm"

    def __init__(self) -> None:
        self._storage: dict[bytes, dict[int, int]] = {}
        self._accounts: dict[bytes, _Account] = {}
        # code by its hash, and with it what revm keeps of it: jump table and padding
        self._codes: dict[bytes, tuple[bytes, pyrevm.AccountInfo]] = {}
        # contracts that calls of a function have loaded, to take their code out of the journal
        self._loaded_by: dict[tuple[bytes, bytes], set[bytes]] = {}
        # accounts by the journal's text before their storage: most transactions repeat a few
        self._headers: dict[str, tuple[bytes, _Account]] = {}
        self._texts: dict[bytes, str] = {}
        self._log_addresses: dict[str, bytes] = {}
        # undo log, kept only while there is a snapshot
        self._undo: list[tuple[bytes, int | None, int | _Account]] = []
        self._dropped = 0  # entries that discarding has taken from its beginning
        self._snapshots: Snapshots[int] = Snapshots()
        self._gas_limit = DEFAULT_BLOCK_GAS_LIMIT
        self._block = (0, 0)
        self._evm = self._build()

    def _build(self) -> pyrevm.EVM:
        """A machine with the state kept here."""
        evm = pyrevm.EVM(
            env=pyrevm.Env(cfg=pyrevm.CfgEnv(chain_id=CHAIN_ID)), gas_limit=self._gas_limit
        )
        for address, account in self._accounts.items():
            text = "0x" + address.hex()
            if account[2] in self._codes:
                evm.insert_account_info(text, self._codes[account[2]][1])
            evm.insert_account_info(text, _info(*account))
        for address, slots in self._storage.items():
            text = "0x" + address.hex()
            for slot, value in slots.items():
                checkpoint = evm.snapshot()
                evm.insert_account_storage(text, slot, value)
                evm.revert(checkpoint)
        return evm

    def set_block(
        self, number: int, timestamp_s: int, gas_limit: int, base_fee_wei: int = 0
    ) -> None:
        """Set the block of the next transactions; ``base_fee_wei`` is not visible to contracts."""
        if gas_limit != self._gas_limit:
            self._gas_limit = gas_limit
            self._evm = self._build()
        self._block = (number, timestamp_s)
        self._evm.set_block_env(
            pyrevm.BlockEnv(
                number=number,
                coinbase="0x" + COINBASE.hex(),
                timestamp=timestamp_s,
                prevrandao=PREVRANDAO,
                gas_limit=gas_limit,
            )
        )

    def transact(
        self, sender: bytes, to: bytes | None, data: bytes, gas_limit: int, value_wei: int = 0
    ) -> Receipt:
        """Execute one transaction and keep its effects; see :class:`Engine`."""
        floor = check_transaction(data, to is None, gas_limit, self._gas_limit)
        balance, nonce, code_hash = self._accounts.get(sender, _NO_ACCOUNT)
        if value_wei > balance:
            raise EngineError(
                f"account 0x{sender.hex()} has {balance} wei and cannot send {value_wei}"
            )
        evm: Any = self._evm
        sender_text = self._text(sender)
        created = None
        if to is None:
            # the address of the new contract follows from the nonce in the database
            evm.insert_account_info(sender_text, _info(balance, nonce, code_hash))
            created = create_address(sender, nonce)
        elif nonce == 0:
            # a sender's nonce is raised before execution: its account is not empty any more
            evm.insert_account_info(sender_text, _info(balance, 1, code_hash))
        checkpoint = evm.snapshot()
        output = b""
        try:
            if to is None:
                evm.deploy(sender_text, data, value_wei, gas_limit)
            else:
                output = evm.message_call(sender_text, self._text(to), data, value_wei, gas_limit)
            result = evm.result
        except RuntimeError as error:
            result = evm.result
            if result is None:
                evm.revert(checkpoint)
                raise EngineError(f"revm refused a transaction: {error}") from error
            output = _revert_output(str(error))
        gas_used = max(result.gas_used, floor)
        self._set_account(sender, (balance, nonce + 1, code_hash))
        if not result.is_success:
            evm.revert(checkpoint)
            if to is None:
                evm.insert_account_info(sender_text, _info(balance, nonce + 1, code_hash))
            return Receipt(0, gas_used, output, (), created)
        logs = tuple(map(self._log, result.logs))
        self._commit((to or created or b"", b"" if to is None else data[:4]), checkpoint)
        return Receipt(1, gas_used, output, logs, created)

    def _log(self, log: pyrevm.Log) -> Log:
        text = log.address
        address = self._log_addresses.get(text)
        if address is None:
            address = self._log_addresses[text] = bytes.fromhex(text[2:])
        topics, data = log.data
        return Log(address, tuple(topics), data)

    def _commit(self, function: tuple[bytes, bytes], checkpoint: pyrevm.JournalCheckpoint) -> None:
        """Move the write set of the open transaction from the journal to the database.

        The journal prints accounts as ``ADDRESS: Account { info: …, storage: { … }, status: …``.
        Cut at each storage, a piece holds the slots of one account, the status behind them and the
        header of the next account.
        """
        evm = self._evm
        for address in self._loaded_by.get(function, ()):
            if self._accounts.get(address, _NO_ACCOUNT)[2] == EMPTY_HASH:
                continue  # created right now, where another contract lay before a restore
            text = self._text(address)
            info = evm.basic(text)
            evm.insert_account_info(text, _info(info.balance, info.nonce, info.code_hash))
        journal: str = evm.journal_str
        header, *pieces = journal[: journal.index("}, transient_storage: {")].split(_STORAGE)
        infos: list[tuple[bytes, pyrevm.AccountInfo]] = []
        slots: list[tuple[bytes, int, int]] = []
        for piece in pieces:
            end = piece.rfind(_STATUS)
            following = piece[end:]
            known = self._headers.get(header)
            if known is None or not self._is_known(known):
                known = self._read_account(header, following, function, infos)
            if end > 0 and known[1][2] != EMPTY_HASH:
                slots += [(known[0], slot, value) for slot, value in _changed_slots(piece[:end])]
            header = following
        evm.revert(checkpoint)
        for address, new in infos:
            evm.insert_account_info(self._text(address), new)
        for address, slot, value in slots:
            self._set_slot(address, slot, value)

    def _is_known(self, account: tuple[bytes, _Account]) -> bool:
        """Whether an account of the journal is as it is kept here, but for a sender's nonce."""
        address, (balance, nonce, code_hash) = account
        kept = self._accounts.get(address, _NO_ACCOUNT)
        if code_hash == EMPTY_HASH:
            return kept[0] == balance and kept[2] == EMPTY_HASH
        return kept == (balance, nonce, code_hash)

    def _read_account(
        self,
        header: str,
        following: str,
        function: tuple[bytes, bytes],
        infos: list[tuple[bytes, pyrevm.AccountInfo]],
    ) -> tuple[bytes, _Account]:
        """An account of the journal, taken over where it changed."""
        before, _, text = header.rpartition(_ACCOUNT)
        match = _ACCOUNT_INFO.match(text)
        if match is None:  # a new pyrevm prints its journal in another way
            raise EngineError(f"cannot read the journal of revm: {header[:120]}")
        address = bytes.fromhex(before[-40:])
        account: _Account = (int(match[1]), int(match[2]), bytes.fromhex(match[3]))
        # created and destroyed in one transaction: gone again (EIP-6780)
        if "Created | SelfDestructed" in following.partition(_ACCOUNT)[0]:
            account = _NO_ACCOUNT
        known = self._accounts.get(address, _NO_ACCOUNT)
        is_contract = account[2] != EMPTY_HASH
        if is_contract:
            if not match[4]:
                self._loaded_by.setdefault(function, set()).add(address)
            if account[2] not in self._codes:
                self._codes[account[2]] = _new_code(text, self._evm.basic(self._text(address)))
        elif known[1] != account[1]:
            # message calls leave the sender's nonce alone: the one kept here is right
            account = (account[0], known[1], EMPTY_HASH)
        if account != known:
            self._set_account(address, account)
            if account[2] != known[2]:
                infos.append((address, self._codes[account[2]][1]))
            infos.append((address, _info(*account)))
        elif match[4] or not is_contract:
            self._headers[header] = (address, account)
        return address, account

    def _text(self, address: bytes) -> str:
        text = self._texts.get(address)
        if text is None:
            text = self._texts[address] = "0x" + address.hex()
        return text

    def _set_account(self, address: bytes, account: _Account) -> None:
        if self._snapshots:
            self._undo.append((address, None, self._accounts.get(address, _NO_ACCOUNT)))
        self._accounts[address] = account

    def _set_slot(self, address: bytes, slot: int, value: int) -> None:
        slots = self._storage.setdefault(address, {})
        if self._snapshots:
            self._undo.append((address, slot, slots.get(slot, 0)))
        if value:
            slots[slot] = value
        else:
            slots.pop(slot, None)
        # inserting loads the account into the journal, and a loaded account would take the next
        # slot into the journal instead of the database
        checkpoint = self._evm.snapshot()
        self._evm.insert_account_storage(self._text(address), slot, value)
        self._evm.revert(checkpoint)

    def call(self, sender: bytes, to: bytes, data: bytes) -> bytes:
        """Execute a call and forget its effects; raises ContractRevert."""
        evm = self._evm
        checkpoint = evm.snapshot()
        try:
            output: bytes = evm.message_call(
                "0x" + sender.hex(), "0x" + to.hex(), data, 0, self._gas_limit
            )
            return output
        except RuntimeError as error:
            result = evm.result
            if result is None:
                raise EngineError(f"revm refused a call: {error}") from error
            raise ContractRevert(revert_text(_revert_output(str(error)))) from None
        finally:
            evm.revert(checkpoint)

    def snapshot(self) -> int:
        """Remember the state; cheap, the cost lies in what is changed afterwards."""
        return self._snapshots.add(self._dropped + len(self._undo))

    def restore(self, snapshot_id: int) -> None:
        """Go back to a snapshot and forget it and every later one."""
        length = self._snapshots.pop(snapshot_id) - self._dropped
        undo, self._undo = self._undo[length:], self._undo[:length]
        earlier, self._snapshots = self._snapshots, Snapshots()  # nothing is noted meanwhile
        for address, slot, old in reversed(undo):
            if slot is None:
                assert isinstance(old, tuple)
                self._accounts[address] = old
                self._evm.insert_account_info("0x" + address.hex(), _info(*old))
            else:
                assert isinstance(old, int)
                self._set_slot(address, slot, old)
        self._snapshots = earlier

    def discard(self, snapshot_id: int) -> None:
        """Forget a snapshot and every earlier one, and what was changed before the next one."""
        self._snapshots.discard(snapshot_id)
        oldest = self._snapshots.oldest()
        n = len(self._undo) if oldest is None else oldest - self._dropped
        del self._undo[:n]
        self._dropped += n

    def storage(self, address: bytes, slot: int) -> int:
        """Value of a storage slot."""
        return self._storage.get(address, {}).get(slot, 0)

    def storage_root(self, address: bytes) -> bytes:
        """Merkle-Patricia root of an account's storage; about 10 µs per slot."""
        return storage_root(self._storage.get(address, {}))

    def code(self, address: bytes) -> bytes:
        """Runtime code of an account."""
        code_hash = self._accounts.get(address, _NO_ACCOUNT)[2]
        return b"" if code_hash == EMPTY_HASH else self._codes[code_hash][0]

    def nonce(self, address: bytes) -> int:
        """Transactions sent, or contracts created, by an account."""
        return self._accounts.get(address, _NO_ACCOUNT)[1]

    def balance(self, address: bytes) -> int:
        """Native coin of an account. [wei]"""
        return self._accounts.get(address, _NO_ACCOUNT)[0]

    def set_balance(self, address: bytes, balance_wei: int) -> None:
        """Set the native coin of an account. [wei]"""
        _, nonce, code_hash = self._accounts.get(address, _NO_ACCOUNT)
        self._set_account(address, (balance_wei, nonce, code_hash))
        self._evm.insert_account_info("0x" + address.hex(), _info(balance_wei, nonce, code_hash))


def _changed_slots(storage: str) -> Iterator[tuple[int, int]]:
    """Slots in the storage of one account whose value changed, with their new value."""
    slot, *entries = storage.split(_SLOT)
    for entry in entries:
        old, _, rest = entry.partition(_PRESENT)
        new, _, rest = rest.partition(" ")
        if new != old:
            yield int(slot), int(new)
        slot = rest[3:]  # behind "}, "


def _new_code(journal: str, info: pyrevm.AccountInfo) -> tuple[bytes, pyrevm.AccountInfo]:
    """Code of a new contract without the zeros that revm pads it with, and revm's view of it."""
    match = _CODE_LENGTH.search(journal)
    code: bytes = (info.code or b"")[: int(match[1])] if match else b""
    if keccak(code) != info.code_hash:
        raise EngineError("cannot read the code of a new contract from the journal of revm")
    return code, info


def _revert_output(error: str) -> bytes:
    """Revert data in the text of pyrevm's exception; empty when execution halted."""
    match = _REVERT_OUTPUT.search(error)
    return bytes.fromhex(match[1]) if match and error.startswith("Revert") else b""
