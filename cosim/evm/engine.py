"""Interface of every EVM engine, and the cost of a transaction before it runs.

An engine executes one transaction after another against its own state. It knows no mempool, no
fees and no signatures: gas price is 0 during execution, and the chain model in
:mod:`cosim.chain.chain` accounts for fees from the exact gas. Engines are held equal, receipt by
receipt, by one shared test-suite.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol, runtime_checkable

from cosim.errors import EngineError, UserError
from cosim.evm.hashing import keccak
from cosim.evm.options import EngineOptions
from cosim.plugins import EVM_ENGINES
from cosim.plugins.evm_engine import AUTO, engine_names

CHAIN_ID = 31_337
"""Chain id of the simulated chain, the usual one of local development chains."""

COINBASE = keccak(b"cosim: block proposer")[12:]
"""Block proposer on every engine; it is warm in every transaction (EIP-3651)."""

PREVRANDAO = keccak(b"cosim: no randomness")
"""Constant ``PREVRANDAO`` on every engine: contracts must not draw on it."""

ZERO_ADDRESS = bytes(20)

DEFAULT_BLOCK_GAS_LIMIT = 30_000_000
MAX_INITCODE_BYTES = 49_152

_TX_GAS = 21_000
_CREATE_GAS = 32_000
_INITCODE_WORD_GAS = 2
_TOKEN_GAS = 4
_TOKEN_FLOOR_GAS = 10


class Log(NamedTuple):
    """One entry of an event log.

    Parameters
    ----------
    address : bytes
        Contract that logged, 20 bytes.
    topics : tuple of bytes
        Topics of 32 bytes; the first is the hash of the event's signature.
    data : bytes
        Arguments that are not indexed, ABI-encoded.
    """

    address: bytes
    topics: tuple[bytes, ...]
    data: bytes


class Receipt(NamedTuple):
    """Outcome of one transaction.

    Parameters
    ----------
    status : int
        1 if it succeeded, 0 if it was reverted.
    gas_used : int
        Gas of the whole transaction: intrinsic, calldata, execution, less refunds (at most a
        fifth, EIP-3529), and not below the calldata floor (EIP-7623).
    output : bytes
        Return data of a call, or revert data; empty for a successful deployment.
    logs : tuple of Log
        Event log in order; empty if reverted.
    contract_address : bytes or None
        Address of the contract that a deployment created, also if it was reverted; None for calls.
    """

    status: int
    gas_used: int
    output: bytes
    logs: tuple[Log, ...]
    contract_address: bytes | None = None


class Message(NamedTuple):
    """Call or deployment that an engine executes.

    Parameters
    ----------
    sender : bytes
        20 bytes.
    to : bytes or None
        Contract or account called; None deploys.
    data : bytes
        Calldata or init code.
    gas_limit : int
        Most gas it may use.
    value_wei : int
        Native coin sent along. [wei]
    """

    sender: bytes
    to: bytes | None
    data: bytes
    gas_limit: int
    value_wei: int = 0


class Engine(Protocol):
    """An EVM with a state. Addresses are 20 bytes; slots and values are Python ints."""

    name: str

    def set_block(
        self, number: int, timestamp_s: int, gas_limit: int, base_fee_wei: int = 0
    ) -> None:
        """Set the block in which the next transactions and calls run."""
        ...

    def transact(
        self, sender: bytes, to: bytes | None, data: bytes, gas_limit: int, value_wei: int = 0
    ) -> Receipt:
        """Execute one transaction and keep its effects; ``to=None`` deploys.

        Raises
        ------
        EngineError
            If no block could include the transaction: gas limit below the intrinsic gas or above
            the block's, init code too long, or value above the sender's balance.
        """
        ...

    def call(self, sender: bytes, to: bytes, data: bytes) -> bytes:
        """Execute a call and forget its effects.

        Raises
        ------
        ContractRevert
            If the contract refuses.
        """
        ...

    def snapshot(self) -> int:
        """Remember the state; ids only grow, and none is given twice."""
        ...

    def restore(self, snapshot_id: int) -> None:
        """Go back to a snapshot and forget it and every later one.

        Raises
        ------
        EngineError
            If the snapshot is forgotten already.
        """
        ...

    def discard(self, snapshot_id: int) -> None:
        """Forget a snapshot and every earlier one, so that a window of snapshots can roll along.

        Raises
        ------
        EngineError
            If the snapshot is forgotten already.
        """
        ...

    def storage(self, address: bytes, slot: int) -> int:
        """Value of a storage slot."""
        ...

    def storage_root(self, address: bytes) -> bytes:
        """Merkle-Patricia root of an account's storage, as ``eth_getProof`` reports it."""
        ...

    def code(self, address: bytes) -> bytes:
        """Runtime code of an account."""
        ...

    def nonce(self, address: bytes) -> int:
        """Transactions sent, or contracts created, by an account."""
        ...

    def balance(self, address: bytes) -> int:
        """Native coin of an account. [wei]"""
        ...

    def set_balance(self, address: bytes, balance_wei: int) -> None:
        """Set the native coin of an account (genesis allocation). [wei]"""
        ...


@runtime_checkable
class BlockEngine(Engine, Protocol):
    """An engine whose blocks somebody else builds: a node."""

    def execute_block(self, messages: Sequence[Message]) -> list[Receipt | None]:
        """Execute, in this order, what fits into the block set by ``set_block``.

        Parameters
        ----------
        messages : sequence of Message
            Candidates, best first; those of one sender in the order of their nonces.

        Returns
        -------
        list of Receipt or None
            One per message; None for what does not fit into the block.
        """
        ...


def intrinsic_gas(data: bytes, is_create: bool) -> tuple[int, int]:
    """Return the gas due before execution, and the least gas with this calldata.

    Parameters
    ----------
    data : bytes
        Calldata, or init code of a deployment.
    is_create : bool
        True if the transaction deploys.

    Returns
    -------
    intrinsic : int
        21 000, plus 4 per zero and 16 per other byte, plus what a deployment costs (EIP-3860).
    floor : int
        21 000 plus 10 per calldata token (EIP-7623).
    """
    tokens = 4 * len(data) - 3 * data.count(0)
    intrinsic = _TX_GAS + _TOKEN_GAS * tokens
    if is_create:
        intrinsic += _CREATE_GAS + _INITCODE_WORD_GAS * ((len(data) + 31) // 32)
    return intrinsic, _TX_GAS + _TOKEN_FLOOR_GAS * tokens


def check_transaction(data: bytes, is_create: bool, gas_limit: int, block_gas_limit: int) -> int:
    """Refuse what no block could include; return the calldata floor.

    Returns
    -------
    int
        Least gas of the transaction (EIP-7623).

    Raises
    ------
    EngineError
        If the gas limit is below the intrinsic gas or above the block's, or the init code is
        longer than 49 152 bytes (EIP-3860).
    """
    if not is_create:  # a call's intrinsic gas is never above its floor
        floor = _TX_GAS + _TOKEN_FLOOR_GAS * (4 * len(data) - 3 * data.count(0))
        if floor <= gas_limit <= block_gas_limit:
            return floor
    intrinsic, floor = intrinsic_gas(data, is_create)
    if gas_limit < intrinsic or gas_limit < floor:
        raise EngineError(
            f"gas limit {gas_limit} is below the {max(intrinsic, floor)} gas that the transaction "
            "costs before it runs: raise its gas limit"
        )
    if gas_limit > block_gas_limit:
        raise EngineError(
            f"gas limit {gas_limit} is above the block gas limit {block_gas_limit}: no block can "
            "include the transaction; raise ledger.block_gas_limit in the scenario"
        )
    if is_create and len(data) > MAX_INITCODE_BYTES:
        raise EngineError(
            f"init code of {len(data)} bytes is longer than {MAX_INITCODE_BYTES} (EIP-3860)"
        )
    return floor


def too_poor(sender: bytes, balance_wei: int, value_wei: int) -> EngineError:
    """Return the error of a sender that has less native coin than it sends. [wei]"""
    return EngineError(
        f"account 0x{sender.hex()} has {balance_wei} wei and cannot send {value_wei}"
    )


def choose_engine(name: str) -> str:
    """Return the engine that ``auto`` stands for here: the fastest that is installed.

    Parameters
    ----------
    name : str
        As in a scenario; any other than ``auto`` stands for itself.

    Raises
    ------
    UserError
        If none is installed.
    """
    if name != AUTO:
        return name
    installed = [one for one in _by_speed() if not EVM_ENGINES.load(one).missing()]
    if not installed:
        raise UserError("no EVM engine is installed", remedy="install cosim again")
    return installed[0]


def slow_engine_note() -> str | None:
    """Return what the engine costs that ``auto`` takes here, where a faster one is missing."""
    chosen = choose_engine(AUTO)
    fastest = _by_speed()[0]
    if chosen == fastest:
        return None
    lacking = EVM_ENGINES.load(fastest)
    return (
        f"contracts run on engine {chosen}: {EVM_ENGINES.load(chosen).cost}. The faster {fastest} "
        f"needs {', '.join(lacking.missing())}, which is not installed ({lacking.install})"
    )


def _by_speed() -> list[str]:
    """Return the engines that ``auto`` may take, fastest first; ours first among equals."""
    ranks = {name: engine.speed for name, engine in EVM_ENGINES.every().items() if engine.speed}
    return sorted(ranks, key=lambda name: -ranks[name])


def create_engine(name: str, options: EngineOptions | None = None) -> Engine:
    """Return an engine by its name in the scenario.

    Parameters
    ----------
    name : str
        ``auto`` or one of the registry's, e.g. ``revm``, ``py-evm``, ``rpc``.
    options : EngineOptions, optional
        For the engine; default: none.

    Raises
    ------
    EngineError
        If there is no such engine, or it lacks an option.
    UserError
        If a package that it needs is not installed.
    NodeError
        If it is a node that does not answer, or cannot play a run.
    """
    chosen = choose_engine(name)
    if chosen not in EVM_ENGINES.names:
        raise EngineError(f"no EVM engine {name!r}: one of {', '.join(engine_names())}")
    engine = EVM_ENGINES.load(chosen)
    if missing := engine.missing():
        raise UserError(
            f"engine {name} needs {', '.join(missing)}, which is not installed",
            field="ledger.engine",
            remedy=f"take engine {AUTO}, or install it: {engine.install or 'pip install'}",
        )
    return engine.create(options or EngineOptions())
