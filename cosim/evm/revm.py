"""The fast engine: revm through pyrevm, one isolated transaction at a time.

pyrevm keeps a single transaction open for ever: storage stays warm, original values go stale,
and its journal grows. Gas of a second transaction would be wrong. So each transaction here runs
on an empty journal over the backing database:

1. open a checkpoint and execute;
2. take the write set (storage, balances, nonces, new code) out of the journal, which pyrevm shows
   as text only (:mod:`cosim.evm.revm_journal`);
3. revert the checkpoint, which empties the journal, and write the write set to the database.

Most transactions change nothing but storage, which the journal's entries tell at once. For them
only the entries are read, and the values are asked of revm. What moves native coin or creates
contracts is read in full.

The text is short because contract accounts lie in the database without their code: revm fetches
code by its hash on the first call, and before the journal is printed the code is taken out of the
touched accounts again. Printing code would otherwise cost more than executing it.

Limits of pyrevm 0.3.7: ``block.basefee`` is always 0 and ``block.gaslimit`` is fixed when the
machine is built (a change rebuilds it from the state kept here), ``BLOCKHASH`` returns hashes of
no real block. Contracts must not read these.
"""

from __future__ import annotations

from typing import Any

import pyrevm

from cosim.errors import ContractRevert, EngineError
from cosim.evm.abi import revert_text
from cosim.evm.engine import (
    COINBASE,
    PREVRANDAO,
    Log,
    Receipt,
    check_transaction,
    too_poor,
)
from cosim.evm.hashing import EMPTY_HASH, create_address
from cosim.evm.mirror import NO_ACCOUNT, Account
from cosim.evm.revm_journal import (
    accounts_in,
    changed_slots,
    entries_at,
    has_code,
    new_code,
    revert_output,
    tells_of_creation,
)
from cosim.evm.revm_state import Function, RevmState, account_info

_make = tuple.__new__
"""Makes a named tuple in half the time of its class; a run makes a thousand in an interval."""


class RevmEngine(RevmState):
    """revm 3 (all rules up to Cancun) plus the calldata floor of Prague.

    Implements :class:`cosim.evm.engine.Engine`.
    """

    name = "revm"

    def __init__(self) -> None:
        super().__init__()
        # functions whose transactions moved native coin or created contracts
        self._thorough: set[Function] = set()
        # contracts that calls of a function have loaded, to take their code out of the journal
        self._loaded_by: dict[Function, set[bytes]] = {}
        # length of the longest journal of a function in which there was no code
        self._lengths: dict[Function, int] = {}

    def set_block(
        self, number: int, timestamp_s: int, gas_limit: int, base_fee_wei: int = 0
    ) -> None:
        """Set the block of the next transactions; ``base_fee_wei`` is not visible to contracts."""
        self._block = number, timestamp_s
        if gas_limit != self._gas_limit:
            self._gas_limit = gas_limit
            self._evm = self._build()  # in that block
            return
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
        account = self._accounts.get(sender, NO_ACCOUNT)
        balance, nonce, code_hash = account
        if value_wei > balance:
            raise too_poor(sender, balance, value_wei)
        if to is None:
            return self._deploy(sender, data, gas_limit, value_wei, floor)
        evm = self._evm
        sender_text = self._texts.get(sender) or self._text(sender)
        if nonce == 0:
            # a sender's nonce is raised before execution: its account is not empty any more
            evm.insert_account_info(sender_text, account_info(balance, 1, code_hash))
        checkpoint = evm.snapshot()
        try:
            output = evm.message_call(
                sender_text, self._texts.get(to) or self._text(to), data, value_wei, gas_limit
            )
        except RuntimeError as error:
            result = self._refusal(error, checkpoint)
            evm.revert(checkpoint)
            self._raise_nonce(sender, account)
            return Receipt(0, max(result.gas_used, floor), revert_output(str(error)), ())
        result = evm.result
        function = (to, data[:4])
        if value_wei or self._rich or function in self._thorough:
            self._raise_nonce(sender, account)
            self._commit(function, checkpoint)
        elif self._commit_storage(function, checkpoint):
            self._raise_nonce(sender, account)
        else:
            # it created a contract: once more, to read all of the journal
            self._thorough.add(function)
            return self.transact(sender, to, data, gas_limit)
        gas_used = max(result.gas_used, floor)
        return _make(Receipt, (1, gas_used, output, self._logs(result), None))

    def _deploy(
        self, sender: bytes, data: bytes, gas_limit: int, value_wei: int, floor: int
    ) -> Receipt:
        evm = self._evm
        account = self._accounts.get(sender, NO_ACCOUNT)
        balance, nonce, code_hash = account
        text = self._text(sender)
        # the address of the new contract follows from the nonce in the database
        evm.insert_account_info(text, account_info(balance, nonce, code_hash))
        created = create_address(sender, nonce)
        checkpoint = evm.snapshot()
        try:
            evm.deploy(text, data, value_wei, gas_limit)
        except RuntimeError as error:
            result = self._refusal(error, checkpoint)
            evm.revert(checkpoint)
            self._raise_nonce(sender, account)
            evm.insert_account_info(text, account_info(balance, nonce + 1, code_hash))
            output = revert_output(str(error))
            return Receipt(0, max(result.gas_used, floor), output, (), created)
        result = evm.result
        self._raise_nonce(sender, account)
        self._commit((created, b""), checkpoint)
        return Receipt(1, max(result.gas_used, floor), b"", self._logs(result), created)

    def _refusal(self, error: RuntimeError, checkpoint: pyrevm.JournalCheckpoint) -> Any:
        """Return what revm says of a transaction that failed; raises if it was not executed."""
        result = self._evm.result
        if result is None:
            self._evm.revert(checkpoint)
            raise EngineError(f"revm refused a transaction: {error}") from error
        return result

    def _logs(self, result: Any) -> tuple[Log, ...]:
        logs = []
        for log in result.logs:
            text = log.address
            topics, data = log.data
            address = self._addresses.get(text) or self._address(text)
            logs.append(_make(Log, (address, tuple(topics), data)))
        return tuple(logs)

    def _commit_storage(self, function: Function, checkpoint: pyrevm.JournalCheckpoint) -> bool:
        """Move what the open transaction stored to the database, if it changed nothing else.

        Without native coin in any contract or in the transaction, only a creation changes more
        than storage. If there is one, the checkpoint is reverted and nothing kept.
        """
        evm = self._evm
        codeless = self._codeless.get(function)
        if codeless is None:
            codeless = self._codeless[function] = [
                (self._text(address), account_info(*self._accounts[address]))
                for address in sorted(self._loaded_by.get(function, ()))
                if self._accounts[address][2] != EMPTY_HASH
            ]
        for text, info in codeless:
            evm.insert_account_info(text, info)
        journal: str = evm.journal_str
        entries = entries_at(journal)
        if self._creators and tells_of_creation(journal, entries):
            evm.revert(checkpoint)
            return False
        if len(journal) > self._lengths.get(function, 0):
            self._note_loaded(function, journal)
        value_of, places = evm.storage, self._places
        changes = []
        for entry in changed_slots(journal, entries):
            place = places.get(entry) or self._place(entry)
            text, address, slot, slots = place
            value = value_of(text, slot)
            if value != slots.get(slot, 0):
                changes.append((text, address, slot, value))
        evm.revert(checkpoint)
        self._store(changes)
        return True

    def _note_loaded(self, function: Function, journal: str) -> None:
        """Remember whose code is in the journal of a function, to take it out in time."""
        if not has_code(journal):
            self._lengths[function] = len(journal)
            return
        for account in accounts_in(journal):
            if account.has_code:
                self._loaded_by.setdefault(function, set()).add(account.address)
        self._codeless.pop(function, None)

    def _commit(self, function: Function, checkpoint: pyrevm.JournalCheckpoint) -> None:
        """Move the whole write set of the open transaction from the journal to the database."""
        evm = self._evm
        for address in sorted(self._loaded_by.get(function, ())):
            if self._accounts[address][2] == EMPTY_HASH:
                continue  # created right now, where another contract lay before a restore
            text = self._text(address)
            info = evm.basic(text)
            evm.insert_account_info(text, account_info(info.balance, info.nonce, info.code_hash))
        journal = evm.journal_str
        infos: list[tuple[str, pyrevm.AccountInfo]] = []
        for account in accounts_in(journal):
            text = self._text(account.address)
            now: Account = (account.balance_wei, account.nonce, account.code_hash)
            if account.is_gone:
                now = NO_ACCOUNT
            known = self._accounts.get(account.address, NO_ACCOUNT)
            if now[2] == EMPTY_HASH:
                # message calls leave the sender's nonce alone: the one kept here is right
                now = (now[0], known[1], EMPTY_HASH)
            elif now[2] not in self._analysed:
                self._analysed[now[2]] = evm.basic(text)
                self._code[now[2]] = new_code(account.code_length, self._analysed[now[2]])
            if account.has_code and known[2] == now[2]:
                self._loaded_by.setdefault(function, set()).add(account.address)
                self._codeless.pop(function, None)
            if now != known:
                self._put_account(account.address, now)
                if now[2] != known[2]:
                    infos.append((text, self._analysed[now[2]]))
                infos.append((text, account_info(*now)))
        changes = []
        for entry in changed_slots(journal, entries_at(journal)):
            text, address, slot, _ = self._place(entry)
            if self._accounts[address][2] != EMPTY_HASH:
                changes.append((text, address, slot, evm.storage(text, slot)))
        evm.revert(checkpoint)
        for text, new in infos:
            evm.insert_account_info(text, new)
        self._store(changes)

    def call(self, sender: bytes, to: bytes, data: bytes) -> bytes:
        """Execute a call and forget its effects; raises ContractRevert."""
        evm = self._evm
        checkpoint = evm.snapshot()
        try:
            output: bytes = evm.message_call(
                self._text(sender), self._text(to), data, 0, self._gas_limit
            )
            return output
        except RuntimeError as error:
            result = evm.result
            if result is None:
                raise EngineError(f"revm refused a call: {error}") from error
            raise ContractRevert(revert_text(revert_output(str(error)))) from None
        finally:
            evm.revert(checkpoint)
