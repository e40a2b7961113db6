"""The reference engine: py-evm, the Python implementation that titanoboa runs contracts on.

Transactions go through py-evm's own transaction executor with Prague rules, which charges
intrinsic gas, calldata and its floor, caps refunds, and starts each transaction with cold
storage once the changes of the one before it are locked. titanoboa's own gas figures leave all
that out and are used nowhere. The machine is built without titanoboa, so a
``boa.env`` that contract tests use in the same process is left alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from eth import constants
from eth.chains.mainnet import MainnetChain
from eth.db.account import AccountDB
from eth.db.atomic import AtomicDB
from eth.tools.builder.chain.builders import build, latest_mainnet_at
from eth.vm.forks.prague.computation import PragueComputation

from cosim.errors import ContractRevert
from cosim.evm.abi import revert_text
from cosim.evm.engine import (
    CHAIN_ID,
    COINBASE,
    DEFAULT_BLOCK_GAS_LIMIT,
    PREVRANDAO,
    Log,
    Receipt,
    check_transaction,
    intrinsic_gas,
    too_poor,
)
from cosim.evm.hashing import create_address
from cosim.evm.snapshots import Snapshots


def _untraced_opcodes() -> dict[int, Any]:
    """Return py-evm's opcodes without the tracers that titanoboa puts into their shared table.

    A tracer keeps every hash and slot it sees for the life of its environment.
    """
    opcodes = dict(PragueComputation.opcodes)
    for value, inner in ((0x20, "sha3"), (0x55, "sstore")):
        while hasattr(opcodes[value], inner):
            opcodes[value] = getattr(opcodes[value], inner)
    return opcodes


class _Transaction:
    """Transaction as py-evm's executor reads it, without a signature; gas price 0."""

    type_id = 2
    s = 1  # a signature that passes the range check; nobody verifies it
    gas_price = 0
    max_fee_per_gas = 0
    max_priority_fee_per_gas = 0
    access_list: Sequence[Any] = ()

    def __init__(
        self, sender: bytes, to: bytes, data: bytes, gas: int, value: int, nonce: int
    ) -> None:
        self.sender = sender
        self.to = to
        self.data = data
        self.gas = gas
        self.value = value
        self.nonce = nonce
        self.intrinsic_gas = intrinsic_gas(data, False)[0]
        if to == constants.CREATE_CONTRACT_ADDRESS:
            # py-evm charges the words of the init code (EIP-3860) when it starts to run
            self.intrinsic_gas += constants.GAS_TXCREATE

    def validate(self) -> None:
        """Check nothing: signatures are made on export, not in the loop."""


class PyEvmEngine:
    """py-evm 0.12 with Prague rules. Implements :class:`cosim.evm.engine.Engine`."""

    name = "py-evm"

    def __init__(self) -> None:
        chain_class = build(MainnetChain, latest_mainnet_at(1))
        chain = chain_class.from_genesis(
            AtomicDB(),
            {"difficulty": constants.GENESIS_DIFFICULTY, "gas_limit": DEFAULT_BLOCK_GAS_LIMIT},
        )
        self._state: Any = chain.get_vm().state
        self._state.computation_class = type(
            "UntracedComputation", (PragueComputation,), {"opcodes": _untraced_opcodes()}
        )
        # titanoboa sets the class to fork a remote chain; ours is always the plain one
        self._database = self._state._db
        self._state._account_db = AccountDB(self._database, self._state.state_root)
        self._snapshots: Snapshots[bytes] = Snapshots()
        self._gas_limit = DEFAULT_BLOCK_GAS_LIMIT
        self.set_block(0, 0, DEFAULT_BLOCK_GAS_LIMIT)

    def __getstate__(self) -> dict[str, Any]:
        """Return what py-evm's database holds, the root of the state, and the block."""
        self._state.lock_changes()
        self._state.persist()
        context = self._state.execution_context
        return {
            "database": dict(self._database.wrapped_db.kv_store),
            "root": bytes(self._state.state_root),
            "snapshots": self._snapshots,
            "block": (context._block_number, context._timestamp, self._gas_limit),
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Build a machine with such a database."""
        PyEvmEngine.__init__(self)
        self._database.wrapped_db.kv_store.update(state["database"])
        self._state._account_db = AccountDB(self._database, state["root"])
        self._snapshots = state["snapshots"]
        self.set_block(*state["block"])

    def set_block(
        self, number: int, timestamp_s: int, gas_limit: int, base_fee_wei: int = 0
    ) -> None:
        """Set the block of the next transactions; ``base_fee_wei`` is not visible to contracts."""
        self._gas_limit = gas_limit
        context = self._state.execution_context
        context._block_number = number
        context._timestamp = timestamp_s
        context._gas_limit = gas_limit
        context._base_fee_per_gas = 0
        context._coinbase = COINBASE
        context._mix_hash = PREVRANDAO
        context._difficulty = 0
        context._chain_id = CHAIN_ID

    def transact(
        self, sender: bytes, to: bytes | None, data: bytes, gas_limit: int, value_wei: int = 0
    ) -> Receipt:
        """Execute one transaction and keep its effects; see :class:`Engine`."""
        check_transaction(data, to is None, gas_limit, self._gas_limit)
        balance = self.balance(sender)
        if value_wei > balance:
            raise too_poor(sender, balance, value_wei)
        nonce = self.nonce(sender)
        self._state.lock_changes()  # what went before is original storage now, and cold
        computation = self._execute(sender, to, data, gas_limit, value_wei)
        created = create_address(sender, nonce) if to is None else None
        used = gas_limit - computation.get_gas_remaining()
        refund = min(computation.get_gas_refund(), used // 5)
        gas_used = used - refund + computation.data_floor_gas
        if computation.is_error:
            output = computation.output if computation.error.erases_return_data is False else b""
            return Receipt(0, gas_used, bytes(output), (), created)
        logs = tuple(
            Log(address, tuple(topic.to_bytes(32, "big") for topic in topics), data)
            for address, topics, data in computation.get_log_entries()
        )
        return Receipt(1, gas_used, b"" if created else bytes(computation.output), logs, created)

    def _execute(
        self, sender: bytes, to: bytes | None, data: bytes, gas_limit: int, value_wei: int
    ) -> Any:
        target = constants.CREATE_CONTRACT_ADDRESS if to is None else to
        return self._state.apply_transaction(
            _Transaction(sender, target, data, gas_limit, value_wei, self.nonce(sender))
        )

    def call(self, sender: bytes, to: bytes, data: bytes) -> bytes:
        """Execute a call and forget its effects; raises ContractRevert."""
        self._state.lock_changes()
        snapshot = self._state.snapshot()
        try:
            computation = self._execute(sender, to, data, self._gas_limit, 0)
        finally:
            self._state.revert(snapshot)
        if computation.is_error:
            raise ContractRevert(revert_text(bytes(computation.output)))
        return bytes(computation.output)

    def snapshot(self) -> int:
        """Remember the state; writes the tries, so about as dear as the changes since the last."""
        self._state.lock_changes()
        self._state.persist()
        return self._snapshots.add(self._state.state_root)

    def restore(self, snapshot_id: int) -> None:
        """Go back to a snapshot and forget it and every later one."""
        root: Any = self._snapshots.pop(snapshot_id)
        self._state._account_db = AccountDB(self._database, root)

    def copy_of_state(self) -> AccountDB:
        """Return the state so far, as py-evm keeps it; changes of the copy do not come back."""
        root: Any = self._snapshots.pop(self.snapshot())
        return AccountDB(self._database, root)

    def discard(self, snapshot_id: int) -> None:
        """Forget a snapshot and every earlier one; py-evm's database keeps their tries."""
        self._snapshots.discard(snapshot_id)

    def storage(self, address: bytes, slot: int) -> int:
        """Value of a storage slot."""
        return int(self._state.get_storage(address, slot))

    def storage_root(self, address: bytes) -> bytes:
        """Merkle-Patricia root of an account's storage, from py-evm's own trie."""
        self._state.lock_changes()
        self._state.make_state_root()
        return bytes(self._state._account_db._get_storage_root(address))

    def code(self, address: bytes) -> bytes:
        """Runtime code of an account."""
        return bytes(self._state.get_code(address))

    def nonce(self, address: bytes) -> int:
        """Transactions sent, or contracts created, by an account."""
        return int(self._state.get_nonce(address))

    def balance(self, address: bytes) -> int:
        """Native coin of an account. [wei]"""
        return int(self._state.get_balance(address))

    def set_balance(self, address: bytes, balance_wei: int) -> None:
        """Set the native coin of an account. [wei]"""
        self._state.set_balance(address, balance_wei)
