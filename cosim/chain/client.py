"""What all contract clients share: sending, reading, and telling why a contract refused."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Self

from cosim.chain.blocks import Included
from cosim.chain.chain import Chain
from cosim.chain.deployment import deploy
from cosim.errors import ContractRevert, EngineError
from cosim.evm.abi import pack, revert_text, unpack_values
from cosim.evm.contracts import Artifact, compile_contract


class ContractClient:
    """Client of one deployed contract.

    Parameters
    ----------
    chain : Chain
        Where it is deployed.
    address : bytes
        Its address, 20 bytes.
    artifact : Artifact
        What was deployed there.
    """

    contract: ClassVar[str]
    """Name of the contract's source file without suffix."""

    def __init__(self, chain: Chain, address: bytes, artifact: Artifact) -> None:
        self.chain = chain
        self.address = address
        self.artifact = artifact
        self._selectors = dict(artifact.selectors)
        self._outputs = {
            entry["name"]: [item["type"] for item in entry["outputs"]]
            for entry in artifact.functions.values()
        }
        self._submit = chain.submit

    @classmethod
    def _deployed(cls, chain: Chain, sender: bytes, *arguments: int | bytes | bool) -> Self:
        artifact = compile_contract(cls.contract)
        return cls(chain, deploy(chain, artifact, sender, *arguments), artifact)

    @classmethod
    def at(cls, chain: Chain, address: bytes) -> Self:
        """Client of a contract that is deployed already."""
        artifact = compile_contract(cls.contract)
        chain.register(address, artifact)
        return cls(chain, address, artifact)

    def calldata(self, function: str, *arguments: int | bytes | bool) -> bytes:
        """Calldata of a function whose arguments are all of static type."""
        return self._selectors[function] + pack(*arguments)

    def _send(
        self,
        sender: bytes,
        data: bytes,
        sent_at_s: float | None,
        gas_limit: int,
        interval: int = -1,
        label: str = "",
    ) -> int:
        """Submit; without a time, right after the latest block."""
        when_s = self.chain.now_s if sent_at_s is None else sent_at_s
        return self._submit(
            sender, self.address, data, when_s, gas_limit, interval=interval, label=label
        )

    def _view(self, function: str, *arguments: int | bytes | bool) -> list[Any]:
        """Answer of a view, decoded."""
        data = self._selectors[function] + pack(*arguments)
        try:
            output = self.chain.call(self.address, data)
        except ContractRevert as error:
            raise self._explained(data, error.text) from None
        types = self._outputs[function]
        if len(output) < 32 * len(types):
            raise EngineError(f"no {self.contract} at 0x{self.address.hex()}")
        return unpack_values(types, output)

    def check(self, handle: int) -> Included | None:
        """Included transaction of a handle; None while no block includes it.

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
        """Included transactions of handles that must all have succeeded.

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
                    f"a transaction to {self.contract} is in no block up to {self.chain.now_s} s"
                )
            result.append(included)
        return result

    def _explained(self, data: bytes, text: str) -> ContractRevert:
        function, arguments = self.decode_calldata(data)
        return ContractRevert(text, self.contract, function, arguments)

    def decode_calldata(self, data: bytes) -> tuple[str, dict[str, Any]]:
        """Function and arguments by name of calldata sent to this contract."""
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

    def events(self, included: Included) -> list[tuple[str, dict[str, Any]]]:
        """Name and arguments of this contract's events in a transaction, addresses as bytes."""
        decoders = self.artifact.events
        return [
            (decoder.name, decoder.decode(log.topics, log.data))
            for log in included.receipt.logs
            if log.address == self.address and (decoder := decoders.get(log.topics[0])) is not None
        ]
