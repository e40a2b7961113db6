"""JSON-RPC to an Ethereum node: one request or many at once, and what can go wrong on the way.

Nothing is repeated here. Who sends knows what may be sent twice: :mod:`cosim.evm.rpc`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import requests
from web3 import HTTPProvider

from cosim.errors import EngineError

Request = tuple[str, Sequence[Any]]
"""Method and parameters."""

_TRANSIENT = frozenset({-32603, -32005})
"""JSON-RPC codes of "internal error" and "limit exceeded": the node may answer later."""

_OF_THE_EVM = "evm error"
"""Beginning of anvil's words for an execution that halted: final, whatever the code says."""


class NodeUnavailable(EngineError):
    """The node did not answer, or said that it could not: worth trying again."""


class NodeRefused(EngineError):
    """The node answered with an error that another attempt would not change.

    Parameters
    ----------
    method : str
        The request.
    code : int
        JSON-RPC error code.
    message : str
        The node's words.
    data : bytes
        Revert data, where the node sent some.
    """

    def __init__(self, method: str, code: int, message: str, data: bytes = b"") -> None:
        self.method = method
        self.code = code
        self.message = message
        self.data = data
        super().__init__(f"the node refuses {method}: {message} ({code})")

    @property
    def is_execution(self) -> bool:
        """True if the EVM ran and reverted or halted."""
        text = self.message.lower()
        return self.code == 3 or any(
            word in text for word in ("revert", _OF_THE_EVM, "out of gas", "invalid opcode")
        )

    @property
    def is_known_transaction(self) -> bool:
        """True if the transaction is in the node's pool or in a block already."""
        text = self.message.lower()
        return any(
            word in text
            for word in ("already known", "already imported", "known transaction", "nonce too low")
        )


class Block(NamedTuple):
    """A block as the node tells it.

    Parameters
    ----------
    number, timestamp_s : int
        [-, s]
    hash : str
        Of its header.
    transactions : tuple of str
        Hashes of its transactions.
    """

    number: int
    timestamp_s: int
    hash: str
    transactions: tuple[str, ...]


class Node:
    """A node behind a URL.

    Parameters
    ----------
    url : str
        http or https.
    timeout_s : float
        Longest time of one answer. [s]
    """

    def __init__(self, url: str, timeout_s: float = 20.0) -> None:
        session = requests.Session()
        session.trust_env = False  # what is said to the node goes to nobody else
        self._provider = HTTPProvider(
            url,
            request_kwargs={"timeout": timeout_s},
            session=session,
            exception_retry_configuration=None,
        )

    def request(self, method: str, *parameters: Any) -> Any:
        """Return the result of one request.

        Raises
        ------
        NodeUnavailable
            If there is no answer, or one that may be another later.
        NodeRefused
            If the node answers with an error.
        """
        try:
            answer = self._provider.make_request(method, parameters)
        except (requests.RequestException, json.JSONDecodeError, OSError) as error:
            raise NodeUnavailable(f"{method}: {_reason(error)}") from error
        return _result(method, answer)

    def batch(self, calls: Sequence[Request]) -> list[Any]:
        """Return the results of requests sent together; a refusal stands in its place.

        Nodes may work on them at the same time: none may build on another.

        Raises
        ------
        NodeUnavailable
            If an answer is missing, or may be another later.
        """
        if not calls:
            return []
        try:
            answers = self._provider.make_batch_request(list(calls))  # type: ignore[arg-type]
        except (requests.RequestException, json.JSONDecodeError, OSError, KeyError) as error:
            raise NodeUnavailable(f"{calls[0][0]}: {_reason(error)}") from error
        if not isinstance(answers, list) or len(answers) != len(calls):
            raise NodeUnavailable(f"{calls[0][0]}: not every request of a batch was answered")
        results: list[Any] = []
        for (method, _), answer in zip(calls, answers, strict=True):
            try:
                results.append(_result(method, answer))
            except NodeRefused as refusal:
                results.append(refusal)
        return results

    def read(self, calls: Sequence[Request]) -> list[Any]:
        """Do as :meth:`batch`, but raise a refusal of any of them."""
        results = self.batch(calls)
        for result in results:
            if isinstance(result, NodeRefused):
                raise result
        return results


def block_of(answer: Any) -> Block:
    """Return the block in an answer of ``eth_getBlockByNumber`` without whole transactions."""
    if answer is None:
        raise NodeUnavailable("the node does not know its own block")
    return Block(
        int(answer["number"], 16),
        int(answer["timestamp"], 16),
        str(answer["hash"]),
        tuple(str(one) for one in answer["transactions"]),
    )


def to_bytes(text: str | None) -> bytes:
    """Return the bytes of hexadecimal text with 0x; nothing for None."""
    return bytes.fromhex((text or "").removeprefix("0x"))


def _result(method: str, answer: Mapping[str, Any]) -> Any:
    if not isinstance(answer, Mapping) or ("error" not in answer and "result" not in answer):
        raise NodeUnavailable(f"{method}: no JSON-RPC answer")
    if "error" not in answer:
        return answer["result"]
    error: Any = answer["error"]
    if not isinstance(error, Mapping):
        raise NodeUnavailable(f"{method}: {error}")
    code, message = int(error.get("code", 0)), str(error.get("message", ""))
    if code in _TRANSIENT and _OF_THE_EVM not in message.lower():
        raise NodeUnavailable(f"{method}: {message} ({code})")
    data = error.get("data")
    text = data if isinstance(data, str) and data.startswith("0x") else None
    raise NodeRefused(method, code, message, to_bytes(text))


def _reason(error: Exception) -> str:
    """Describe what happened, without the URL: it may hold a password."""
    response = getattr(error, "response", None)
    if response is not None:
        return f"HTTP status {response.status_code}"
    if isinstance(error, requests.Timeout):
        return "no answer in time"
    if isinstance(error, requests.ConnectionError):
        return "no connection"
    return type(error).__name__
