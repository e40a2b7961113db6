"""Bench of gas: contracts on an engine, and the gas of the transactions of interest."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from cosim.chain.functions import Constructor, constructor_arguments
from cosim.errors import ContractRevert, EngineError
from cosim.evm.abi import pack_mixed, revert_text, unpack_values
from cosim.evm.contracts import Artifact, compile_contract
from cosim.evm.engine import DEFAULT_BLOCK_GAS_LIMIT, Engine, Receipt
from cosim.evm.hashing import keccak

DEPLOY = "deploy"
"""Method of a deployment."""

ISSUER, OPERATOR = "deployer of EuroToken", "deployer of SmartMeters"
"""Accounts that issue tokens and register meters."""
UNLIMITED = 2**256 - 1
"""Allowance that is not used up."""
SILENT_ESTIMATE_WH = 2_345
RETAIL, FEED_IN = 300_000, 80_000
"""The supplier's prices. [µEUR/kWh]"""

GENESIS_S = 1_700_000_000
BLOCK_S = 12

Value = int | bytes | bool | Sequence[int] | Sequence[bytes]


class GasUse(NamedTuple):
    """Gas of one whole transaction: intrinsic, calldata, execution, less refunds.

    Parameters
    ----------
    contract : str
    method : str
        Name of the function, or ``deploy``; with a case in brackets where it is not the usual one.
    gas : int
    """

    contract: str
    method: str
    gas: int


@functools.cache
def account(name: str) -> bytes:
    """Return the address of an account, the same on every engine, without zero bytes.

    A zero byte of calldata costs 4 gas and any other 16, so figures would depend on names.
    """
    digest = keccak(f"gas: {name}".encode())
    while 0 in digest[12:]:
        digest = keccak(digest)
    return digest[12:]


@dataclass(frozen=True)
class Deployed:
    """A contract on a bench, called by function name.

    Parameters
    ----------
    bench : Bench
    artifact : Artifact
    address : bytes
    """

    bench: Bench
    artifact: Artifact
    address: bytes

    def do(self, sender: str, method: str, *arguments: Value) -> Receipt:
        """Transact.

        Parameters
        ----------
        sender : str
            Name of the account.
        method : str
        *arguments
            Integers, addresses and words as bytes, sequences of them.

        Raises
        ------
        ContractRevert
            If the contract refuses.
        """
        data = self.artifact.selectors[method] + pack_mixed(*arguments)
        receipt = self.bench.engine.transact(
            account(sender), self.address, data, DEFAULT_BLOCK_GAS_LIMIT
        )
        if receipt.status == 0:
            raise ContractRevert(revert_text(receipt.output), self.artifact.name, method)
        return receipt

    def measure(self, sender: str, method: str, *arguments: Value, case: str = "") -> int:
        """Transact, and note the gas; of a case other than the usual one if one is named."""
        gas = self.do(sender, method, *arguments).gas_used
        self.bench.note(self.artifact.name, f"{method} ({case})" if case else method, gas)
        return gas

    def ask(self, view: str, *arguments: Value) -> list[Any]:
        """Return the answer of a view."""
        data = self.artifact.selectors[view] + pack_mixed(*arguments)
        output = self.bench.engine.call(account("reader"), self.address, data)
        entry = self.artifact.functions[self.artifact.selectors[view]]
        return unpack_values([item["type"] for item in entry["outputs"]], output)


class Bench:
    """An engine, a clock and the gas noted so far.

    Parameters
    ----------
    engine : Engine
        Any; its clock must be before :data:`GENESIS_S`.

    Attributes
    ----------
    contracts : dict of str to Deployed
        The contract of each name that was measured.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.uses: list[GasUse] = []
        self.contracts: dict[str, Deployed] = {}
        self.block_number = 0
        self.now_s = GENESIS_S

    def at(self, time_s: int, block_number: int | None = None) -> None:
        """Go to a time, in the next block or in a later one.

        Raises
        ------
        EngineError
            If that is in the past.
        """
        number = self.block_number + 1 if block_number is None else block_number
        if time_s < self.now_s or number <= self.block_number:
            raise EngineError(f"block {number} at {time_s} s is in the past")
        self.block_number, self.now_s = number, time_s
        self.engine.set_block(number, time_s, DEFAULT_BLOCK_GAS_LIMIT)

    def begin(self, chapter: int) -> None:
        """Go to where the calls of one contract begin.

        Each contract has blocks and times of its own, so that its figures do not depend on
        which others are measured before it.
        """
        self.at(GENESIS_S + 10_000_000 * chapter, 1_000 * chapter)

    def deploy(
        self,
        contract: str,
        *terms: object,
        sender: str = "",
        measured: bool = True,
        **by_name: Constructor,
    ) -> Deployed:
        """Deploy a contract from an account of its own.

        Parameters
        ----------
        contract : str
        *terms
            Hold arguments of the constructor under their names.
        sender : str, optional
            Name of an account that sent nothing yet; default: one named after the contract.
        measured : bool
            Whether to note the gas.
        **by_name
            Arguments of the constructor, before those of ``terms``.

        Raises
        ------
        TypeError
            If an argument is missing or unknown.
        ContractRevert
            If the constructor refuses.
        """
        artifact = compile_contract(contract)
        by = account(sender or f"deployer of {contract}")
        data = artifact.init_code(*constructor_arguments(artifact, terms, by_name))
        receipt = self.engine.transact(by, None, data, DEFAULT_BLOCK_GAS_LIMIT)
        if receipt.status == 0 or receipt.contract_address is None:
            raise ContractRevert(revert_text(receipt.output), contract, "__init__")
        deployed = Deployed(self, artifact, receipt.contract_address)
        if measured:
            self.note(contract, DEPLOY, receipt.gas_used)
            self.contracts[contract] = deployed
        return deployed

    def note(self, contract: str, method: str, gas: int) -> None:
        """Keep a figure.

        Raises
        ------
        EngineError
            If there is one already.
        """
        if any((use.contract, use.method) == (contract, method) for use in self.uses):
            raise EngineError(f"{contract}.{method} was measured already")
        self.uses.append(GasUse(contract, method, gas))
