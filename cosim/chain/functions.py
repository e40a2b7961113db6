"""Declarations of a contract's functions, from which its client gets methods.

A client says of a function only what the ABI does not: the gas limit of one that changes state
(:class:`Transaction`), the type of a view's answer (:class:`View`). The ABI has the rest: the
selector, how many arguments there are and how they are encoded, and whether one of them is the
delivery interval. Written out as a method is only what takes other arguments than the contract, or
is called tens of thousands of times in a run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Generic, Protocol, Self, TypeVar, overload

from cosim.evm.abi import pack, pack_mixed
from cosim.evm.contracts import Artifact

if TYPE_CHECKING:
    from cosim.chain.client import ContractClient

Static = int | bytes | bool
"""A value of one word: integer, truth value, 20-byte address, 32-byte word."""
Argument = Static | str | Sequence[int] | Sequence[bytes]
"""Text only where a client takes names, of which it makes words."""

Constructor = Static | Sequence[bytes]
"""A value that a constructor takes: one word, or an array of addresses."""

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Send(Protocol):
    """A function that changes state, of one client."""

    def __call__(
        self,
        sender: bytes,
        *arguments: Argument,
        sent_at_s: float | None = None,
        interval: int = -1,
    ) -> int:
        """Submit, at a time or right after the latest block; return a handle."""


class Ask(Protocol[T_co]):
    """A view, of one client."""

    def __call__(self, *arguments: Argument) -> T_co:
        """Return the contract's answer."""


class _Function:
    """A contract's function under the name of the attribute: ``place_order`` is ``placeOrder``."""

    name: str
    function: str

    def __set_name__(self, owner: type[ContractClient], name: str) -> None:
        first, *others = name.split("_")
        self.name, self.function = name, first + "".join(map(str.capitalize, others))


class Transaction(_Function):
    """Declaration of a function that changes state.

    Parameters
    ----------
    gas : int or callable
        Gas limit; of a batch, by its length, which is that of the last argument.
    takes : callable, optional
        Turns what the method takes into the contract's arguments.
    """

    def __init__(
        self,
        gas: int | Callable[[int], int],
        takes: Callable[..., tuple[Argument, ...]] | None = None,
    ) -> None:
        self.gas = gas
        self.takes = takes

    @overload
    def __get__(self, client: None, owner: type) -> Self: ...
    @overload
    def __get__(self, client: ContractClient, owner: type) -> Send: ...
    def __get__(self, client: ContractClient | None, owner: type) -> Self | Send:
        if client is None:
            return self
        gas, takes, inputs = self.gas, self.takes, client.inputs[self.function]
        calldata, interval_at, submit = inputs.calldata, inputs.interval_at, client.submit

        def send(
            sender: bytes,
            *arguments: Argument,
            sent_at_s: float | None = None,
            interval: int = -1,
        ) -> int:
            if takes is not None:
                arguments = takes(*arguments)
            data = calldata(arguments)
            if interval_at >= 0:
                interval = arguments[interval_at]  # type: ignore[assignment]
            limit = gas if isinstance(gas, int) else gas(len(arguments[-1]))  # type: ignore[arg-type]
            return submit(sender, data, sent_at_s, limit, interval)

        client.__dict__[self.name] = send  # found there from now on
        return send


class View(_Function, Generic[T]):
    """Declaration of a view.

    Parameters
    ----------
    result : callable
        Takes what the contract returns, decoded, and makes the answer of it: ``int``, ``bool``,
        ``bytes``, or a class of several fields.
    takes : callable, optional
        Turns what the method takes into the contract's arguments.
    """

    def __init__(
        self, result: Callable[..., T], takes: Callable[..., tuple[Static, ...]] | None = None
    ) -> None:
        self.result = result
        self.takes = takes

    @overload
    def __get__(self, client: None, owner: type) -> Self: ...
    @overload
    def __get__(self, client: ContractClient, owner: type) -> Ask[T]: ...
    def __get__(self, client: ContractClient | None, owner: type) -> Self | Ask[T]:
        if client is None:
            return self
        function, result, takes = self.function, self.result, self.takes

        def ask(*arguments: Argument) -> T:
            if takes is not None:
                arguments = takes(*arguments)
            return result(*client.view(function, *arguments))

        client.__dict__[self.name] = ask
        return ask


def pair(first: int, second: int) -> tuple[int, int]:
    """Return the result of a view of two integers."""
    return first, second


def constructor_arguments(
    artifact: Artifact, terms: Sequence[object], by_name: Mapping[str, Constructor]
) -> list[Constructor]:
    """Return the arguments of a contract's constructor, in its order.

    Parameters
    ----------
    artifact : Artifact
    terms : sequence of object
        Hold arguments as attributes under the constructor's names; any other attributes are left
        alone. The first that has one gives it; a member of an enumeration gives its ``number``.
    by_name : mapping of str to value
        Arguments by name, which go before those of ``terms``.

    Raises
    ------
    TypeError
        If an argument is missing, or ``by_name`` has one that the constructor does not take.
    """
    names = [
        item["name"]
        for entry in artifact.abi
        if entry["type"] == "constructor"
        for item in entry["inputs"]
    ]
    known = {
        name: _on_chain(getattr(source, name))
        for source in reversed(terms)
        for name in names
        if hasattr(source, name)
    } | dict(by_name)
    missing = [name for name in names if name not in known]
    unknown = [name for name in by_name if name not in names]
    if missing or unknown:
        raise TypeError(
            f"{artifact.name} is deployed with {', '.join(names) or 'nothing'}; "
            f"missing: {', '.join(missing) or 'none'}; unknown: {', '.join(unknown) or 'none'}"
        )
    return [known[name] for name in names]


def _on_chain(value: Any) -> Constructor:
    number: Constructor = getattr(value, "number", value)
    return number


class Inputs:
    """Arguments of a function, by its entry in the ABI."""

    def __init__(self, selector: bytes, entry: Mapping[str, Any]) -> None:
        self.function = str(entry["name"])
        self.names = [item["name"] for item in entry["inputs"]]
        self.interval_at = self.names.index("interval") if "interval" in self.names else -1
        self._selector, self._n = selector, len(self.names)
        is_mixed = any(item["type"].endswith("]") for item in entry["inputs"])
        self._encode: Callable[..., bytes] = pack_mixed if is_mixed else pack

    def calldata(self, arguments: Sequence[Argument]) -> bytes:
        """Encode a call.

        Raises
        ------
        TypeError
            If the number of arguments is another.
        """
        if len(arguments) != self._n:
            raise TypeError(
                f"{self.function} takes ({', '.join(self.names)}), not {len(arguments)} arguments"
            )
        return self._selector + self._encode(*arguments)
