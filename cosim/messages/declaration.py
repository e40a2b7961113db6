"""Declaration of messages: who sends them to whom, and what each field holds.

A message is a frozen dataclass. Its decorator says which simulator sends it and to whom, whether
its arrival makes the receiver step, and whether it arrives one interval later; the annotation of
each field says unit and shape. World, simulators, the checks of foreign simulators and the
documentation derive from this.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass
from typing import Annotated, Any, TypeVar, get_args, get_origin, get_type_hints

import numpy as np

T = TypeVar("T")


@dataclass(frozen=True)
class To:
    """A receiver of a message.

    Parameters
    ----------
    role : str
        Simulator that takes it.
    trigger : bool
        Whether its arrival makes the receiver step.
    time_shifted : bool
        Whether it arrives one interval later.
    weak : bool
        Whether this connection closes a cycle within an interval.
    """

    role: str
    trigger: bool = False
    time_shifted: bool = False
    weak: bool = False


@dataclass(frozen=True)
class Edge:
    """One connection of the world: a message from its sender to one receiver."""

    sender: str
    to: To
    attribute: str


@dataclass(frozen=True)
class Field:
    """Unit, shape and meaning of a message's field.

    Parameters
    ----------
    unit : str
        ``-`` where there is none.
    shape : str
        ``()`` for a single value; ``(n,)`` by connection point; ``(m,)`` by block of an offer;
        ``(b,)`` by block that could be offered; ``(e,)`` by element checked; ``(buses,)``,
        ``(lines,)``, ``(trafos,)``.
    meaning : str
        With the sign, where it has one.
    """

    unit: str
    shape: str
    meaning: str = ""


MESSAGES: dict[str, type[Any]] = {}
"""Every message by the mosaik attribute that it travels under, in the order of declaration."""

_EDGES: list[Edge] = []


def message(attribute: str, sender: str, *to: To) -> Callable[[type[T]], type[T]]:
    """Declare a message: its attribute, its sender and its receivers."""

    def declare(kind: type[T]) -> type[T]:
        MESSAGES[attribute] = kind
        _EDGES.extend(Edge(sender, receiver, attribute) for receiver in to)
        return kind

    return declare


def edges() -> tuple[Edge, ...]:
    """Return every connection, in the order of declaration."""
    return tuple(_EDGES)


def inputs_of(role: str) -> tuple[str, ...]:
    """Return the messages that a simulator takes, each once."""
    return tuple(dict.fromkeys(edge.attribute for edge in _EDGES if edge.to.role == role))


def outputs_of(role: str) -> tuple[str, ...]:
    """Return the messages that a simulator sends, each once."""
    return tuple(dict.fromkeys(edge.attribute for edge in _EDGES if edge.sender == role))


def triggers_of(role: str) -> tuple[str, ...]:
    """Return the messages whose arrival makes a simulator step."""
    found = (edge for edge in _EDGES if edge.to.role == role and edge.to.trigger)
    return tuple(dict.fromkeys(edge.attribute for edge in found))


@dataclass(frozen=True)
class FieldType:
    """Type of a message's field at run time.

    Parameters
    ----------
    name : str
    declared : Field or None
    kind : type
        The annotation without what was declared.
    dtype : numpy.dtype or None
        Of an array; None for anything else.
    """

    name: str
    declared: Field | None
    kind: Any
    dtype: np.dtype[Any] | None


_FIELDS: dict[type[Any], tuple[FieldType, ...]] = {}


def field_types(kind: type[Any]) -> tuple[FieldType, ...]:
    """Return the fields of a message, or of a dataclass in one."""
    if kind in _FIELDS:
        return _FIELDS[kind]
    if not is_dataclass(kind):
        raise TypeError(f"{kind!r} is no dataclass")
    hints = get_type_hints(kind, include_extras=True)
    found = []
    for each in fields(kind):
        hint, declared = hints[each.name], None
        if get_origin(hint) is Annotated:
            hint, *said = get_args(hint)
            declared = next((one for one in said if isinstance(one, Field)), None)
        found.append(FieldType(each.name, declared, hint, _dtype(hint)))
    return _FIELDS.setdefault(kind, tuple(found))


def _dtype(hint: Any) -> np.dtype[Any] | None:
    """dtype of a ``numpy.typing.NDArray``; None for another type."""
    if get_origin(hint) is not np.ndarray:
        return None
    found: np.dtype[Any] = np.dtype(get_args(get_args(hint)[1])[0])
    return found
