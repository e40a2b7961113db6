"""The state of a chain as Python holds it, so that reading it costs a dictionary look-up.

An engine whose machine keeps its state where Python cannot list it notes every change here.
While there is a snapshot, what was there before is noted as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from cosim.evm.hashing import EMPTY_HASH
from cosim.evm.snapshots import Snapshots
from cosim.evm.trie import storage_root

Account = tuple[int, int, bytes]
"""Balance [wei], nonce, and hash of the code."""

Change = tuple[str, bytes, int, int]
"""A slot that is set: its account as an engine takes it and as bytes, slot, value."""

NO_ACCOUNT: Account = (0, 0, EMPTY_HASH)


class StateMirror:
    """Storage, accounts and code, and how to go back to a snapshot."""

    def __init__(self) -> None:
        self._storage: dict[bytes, dict[int, int]] = {}
        self._roots: dict[bytes, bytes] = {}  # asked for since the last change of any slot
        self._accounts: dict[bytes, Account] = {}
        self._code: dict[bytes, bytes] = {EMPTY_HASH: b""}
        # undo log, kept only while there is a snapshot: account, slot or None, what was there
        self._undo: list[tuple[bytes, int | None, int | Account]] = []
        self._dropped = 0  # entries that discarding has taken from its beginning
        self._snapshots: Snapshots[int] = Snapshots()
        self._noting = False
        # slots that were set since the last call of slots_since_asked; None before the first
        self._since_asked: set[tuple[bytes, int]] | None = None

    def slots_since_asked(self) -> Iterator[tuple[bytes, int, int]]:
        """Yield address, slot and value of what was set since the last call; at first, all.

        A slot that was set back to zero has the value 0. From the first call on every change is
        noted.
        """
        asked, self._since_asked = self._since_asked, set()
        if asked is None:
            for address, slots in self._storage.items():
                for slot, value in slots.items():
                    yield address, slot, value
            return
        for address, slot in sorted(asked):
            yield address, slot, self.storage(address, slot)

    @property
    def every_slot(self) -> dict[bytes, dict[int, int]]:
        """The storage of all accounts, as it is kept here."""
        return self._storage

    def storage(self, address: bytes, slot: int) -> int:
        """Value of a storage slot."""
        return self._storage.get(address, {}).get(slot, 0)

    def storage_root(self, address: bytes) -> bytes:
        """Merkle-Patricia root of an account's storage; about 5 µs per slot, once."""
        root = self._roots.get(address)
        if root is None:
            root = self._roots[address] = storage_root(self._storage.get(address, {}))
        return root

    def code(self, address: bytes) -> bytes:
        """Runtime code of an account."""
        return self._code[self._accounts.get(address, NO_ACCOUNT)[2]]

    def nonce(self, address: bytes) -> int:
        """Transactions sent, or contracts created, by an account."""
        return self._accounts.get(address, NO_ACCOUNT)[1]

    def balance(self, address: bytes) -> int:
        """Native coin of an account. [wei]"""
        return self._accounts.get(address, NO_ACCOUNT)[0]

    def accounts(self) -> Iterator[tuple[bytes, int, int, bytes, Mapping[int, int]]]:
        """Everything there is: address, native coin, nonce, runtime code, storage by slot."""
        for address, (balance_wei, nonce, code_hash) in self._accounts.items():
            slots = self._storage.get(address, {})
            yield address, balance_wei, nonce, self._code[code_hash], slots

    def snapshot(self) -> int:
        """Remember the state; cheap, the cost lies in what is changed afterwards."""
        self._noting = True
        return self._snapshots.add(self._dropped + len(self._undo))

    def restore(self, snapshot_id: int) -> None:
        """Go back to a snapshot and forget it and every later one."""
        length = self._snapshots.pop(snapshot_id) - self._dropped
        undo, self._undo = self._undo[length:], self._undo[:length]
        self._noting = False
        for address, slot, old in reversed(undo):
            self._go_back(address, slot, old)
        self._noting = len(self._snapshots) > 0

    def discard(self, snapshot_id: int) -> None:
        """Forget a snapshot and every earlier one, and what was changed before the next one."""
        self._snapshots.discard(snapshot_id)
        oldest = self._snapshots.oldest()
        n = len(self._undo) if oldest is None else oldest - self._dropped
        del self._undo[:n]
        self._dropped += n
        self._noting = oldest is not None

    def _put_account(self, address: bytes, account: Account) -> None:
        if self._noting:
            self._undo.append((address, None, self._accounts.get(address, NO_ACCOUNT)))
        self._accounts[address] = account

    def _put_slots(self, changes: Iterable[Change]) -> None:
        """Set slots."""
        if self._roots:
            self._roots.clear()
        storage, since, undo = self._storage, self._since_asked, self._undo
        for _, address, slot, value in changes:
            slots = storage.get(address)
            if slots is None:
                slots = storage[address] = {}
            if self._noting:
                undo.append((address, slot, slots.get(slot, 0)))
            if since is not None:
                since.add((address, slot))
            if value:
                slots[slot] = value
            else:
                slots.pop(slot, None)

    def _go_back(self, address: bytes, slot: int | None, old: int | Account) -> None:
        """Set an account, or a slot of it, to what it was."""
        if isinstance(old, tuple):
            self._put_account(address, old)
        elif slot is not None:
            self._put_slots([("", address, slot, old)])
