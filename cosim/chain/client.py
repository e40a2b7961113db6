"""Base of all contract clients: sending, reading, and a contract's refusals explained."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from pathlib import Path
from types import FunctionType
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from cosim.chain.blocks import Included
from cosim.chain.chain import Chain
from cosim.chain.deployment import deploy
from cosim.chain.functions import Argument, Constructor, Inputs, constructor_arguments
from cosim.errors import ContractRevert, EngineError
from cosim.evm.abi import EventDecoder, revert_text, unpack_values
from cosim.evm.contracts import Artifact, compile_contract, compile_source


class LogEntries(NamedTuple):
    """Log entries of one event, to be decoded by columns.

    Parameters
    ----------
    decoder : EventDecoder
    topics : list of sequence of bytes
    data : list of bytes
    """

    decoder: EventDecoder
    topics: list[Sequence[bytes]]
    data: list[bytes]

    def addresses(self, name: str) -> list[bytes]:
        """Return an indexed argument, an address, of every entry, 20 bytes each."""
        return self.decoder.addresses(name, self.topics)

    def integers(self) -> dict[str, npt.NDArray[np.int64]]:
        """Return the numbers that are not indexed, by name, each (n,) int64.

        Raises
        ------
        OverflowError
            If one does not fit.
        """
        return self.decoder.integers(self.data)


class ContractClient:
    """Client of one deployed contract.

    Parameters
    ----------
    chain : Chain
        The chain that it is deployed on.
    address : bytes
        Its address, 20 bytes.
    artifact : Artifact
        The contract that lies there.

    Attributes
    ----------
    name : str
        Name of the contract, after which comes that of the instance where there are several.
    """

    contract: ClassVar[str]
    """Name of the contract's source file without suffix."""
    sources: ClassVar[Path | None] = None
    """Folder of the source; None for a contract that comes with cosim."""

    def __init__(self, chain: Chain, address: bytes, artifact: Artifact) -> None:
        self.chain = chain
        self.address = address
        self.artifact = artifact
        self.name = artifact.name
        self._selectors = dict(artifact.selectors)
        self._outputs = {
            entry["name"]: [item["type"] for item in entry["outputs"]]
            for entry in artifact.functions.values()
        }
        self.inputs = {
            entry["name"]: Inputs(selector, entry) for selector, entry in artifact.functions.items()
        }
        self._submit = chain.submit

    def __getstate__(self) -> dict[str, Any]:
        """Return the attributes without the methods that were made of the ABI."""
        return {
            name: value
            for name, value in vars(self).items()
            if name != "_submit" and not isinstance(value, FunctionType)
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take the attributes; methods are made of the ABI when they are first called."""
        vars(self).update(state)
        self._submit = self.chain.submit

    @classmethod
    def deploy(
        cls,
        chain: Chain,
        sender: bytes,
        *terms: object,
        instance: str = "",
        **by_name: Constructor,
    ) -> Self:
        """Deploy in the next block.

        Parameters
        ----------
        chain : Chain
        sender : bytes
            Deploying account.
        *terms
            Hold arguments of the constructor as attributes under their names; the first goes
            before the others.
        instance : str
            Tells it from others of the same contract; it is called ``contract/instance`` then.
        **by_name
            Arguments of the constructor, before those of ``terms``.

        Raises
        ------
        TypeError
            If an argument is missing or unknown.
        ContractRevert
            If the constructor refuses.
        """
        artifact = cls._compiled().called(instance)
        arguments = constructor_arguments(artifact, terms, by_name)
        return cls(chain, deploy(chain, artifact, sender, *arguments), artifact)

    @classmethod
    def _compiled(cls) -> Artifact:
        if cls.sources is None:
            return compile_contract(cls.contract)
        return compile_source(cls.sources / f"{cls.contract}.vy")

    @classmethod
    def at(cls, chain: Chain, address: bytes) -> Self:
        """Return the client of a contract that is deployed already."""
        artifact = cls._compiled()
        chain.register(address, artifact)
        return cls(chain, address, artifact)

    def send(
        self,
        sender: bytes,
        function: str,
        *arguments: Argument,
        gas: int,
        sent_at_s: float | None = None,
        interval: int = -1,
    ) -> int:
        """Call a function that changes state.

        Parameters
        ----------
        sender : bytes
        function : str
            Its name in the contract.
        *arguments
            Integers, truth values, addresses and words as bytes, sequences of them.
        gas : int
            Gas limit.
        sent_at_s : float, optional
            Unix time; default: right after the latest block. [s]
        interval : int
            For the records, where the contract does not ask for it.

        Returns
        -------
        int
            Handle of the transaction.

        Raises
        ------
        TypeError
            If the number of arguments is not the contract's.
        """
        inputs = self.inputs[function]
        data = inputs.calldata(arguments)
        if inputs.interval_at >= 0:
            interval = arguments[inputs.interval_at]  # type: ignore[assignment]
        return self.submit(sender, data, sent_at_s, gas, interval)

    def submit(
        self, sender: bytes, data: bytes, sent_at_s: float | None, gas: int, interval: int
    ) -> int:
        """Send calldata, without a time right after the latest block; return a handle."""
        when_s = self.chain.now_s if sent_at_s is None else sent_at_s
        return self._submit(sender, self.address, data, when_s, gas, interval=interval)

    def view(self, function: str, *arguments: Argument) -> list[Any]:
        """Return the answer of a view, decoded.

        Raises
        ------
        TypeError
            If the number of arguments is not the contract's.
        ContractRevert
            If the contract refuses.
        EngineError
            If the contract is not there.
        """
        data = self.inputs[function].calldata(arguments)
        try:
            output = self.chain.call(self.address, data)
        except ContractRevert as error:
            raise self._explained(data, error.text) from None
        types = self._outputs[function]
        if len(output) < 32 * len(types):
            raise EngineError(f"no {self.name} at 0x{self.address.hex()}")
        return unpack_values(types, output)

    def check(self, handle: int) -> Included | None:
        """Return the included transaction of a handle; None while no block includes it.

        Raises
        ------
        ContractRevert
            If the contract refused, with its text, the function and its arguments.
        """
        included = self.chain.included(handle)
        if included is not None and included.receipt.status == 0:
            raise self._explained(included.transaction.data, revert_text(included.receipt.output))
        return included

    def check_all(self, handles: Iterable[int]) -> list[Included]:
        """Return the included transactions of handles that must all have succeeded.

        Raises
        ------
        ContractRevert
            If the contract refused one.
        EngineError
            If one is in no block yet.
        """
        result = []
        for handle in handles:
            included = self.check(handle)
            if included is None:
                raise EngineError(
                    f"a transaction to {self.name} is in no block up to {self.chain.now_s} s"
                )
            result.append(included)
        return result

    def _explained(self, data: bytes, text: str) -> ContractRevert:
        function, arguments = self.decode_calldata(data)
        return ContractRevert(text, self.name, function, arguments)

    def decode_calldata(self, data: bytes) -> tuple[str, dict[str, Any]]:
        """Return function and arguments by name of calldata sent to this contract."""
        entry: Mapping[str, Any] | None = self.artifact.functions.get(data[:4])
        if entry is None:
            return "", {"data": "0x" + data.hex()}
        types = [item["type"] for item in entry["inputs"]]
        values = unpack_values(types, data[4:])
        names = [item["name"] for item in entry["inputs"]]
        return str(entry["name"]), {
            name: "0x" + value.hex() if isinstance(value, bytes) else value
            for name, value in zip(names, values, strict=True)
        }

    def events(
        self, included: Included, names: Container[str] | None = None
    ) -> list[tuple[str, dict[str, Any]]]:
        """Return this contract's events in a transaction, of some names or all: name, arguments."""
        decoders = self.artifact.events
        if names is not None:
            decoders = {topic: one for topic, one in decoders.items() if one.name in names}
        return [
            (decoder.name, decoder.decode(log.topics, log.data))
            for log in included.receipt.logs
            if log.address == self.address and (decoder := decoders.get(log.topics[0])) is not None
        ]

    def entries(self, included: Iterable[Included]) -> dict[str, LogEntries]:
        """Return this contract's log entries in transactions, by event, in the chain's order."""
        decoders, own = self.artifact.events, self.address
        found: dict[bytes, LogEntries] = {}
        for one in included:
            for address, topics, data in one.receipt.logs:
                if address != own:
                    continue
                entries = found.get(topics[0])
                if entries is None:
                    if topics[0] not in decoders:
                        continue
                    entries = found[topics[0]] = LogEntries(decoders[topics[0]], [], [])
                entries.topics.append(topics)
                entries.data.append(data)
        return {entries.decoder.name: entries for entries in found.values()}
