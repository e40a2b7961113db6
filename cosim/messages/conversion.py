"""Messages towards foreign simulators, and back: plain dictionaries, checked on arrival."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from functools import lru_cache
from types import MappingProxyType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin

import numpy as np
import numpy.typing as npt

from cosim.messages import BlocksMessage, DispatchMessage, OffersMessage, StageMessage
from cosim.messages.declaration import MESSAGES, FieldType, field_types
from cosim.messages.extras import EXTRAS, Extras

T = TypeVar("T")


def frozen(message: T) -> T:
    """Return the message with its arrays read-only: no receiver can change what others hold."""
    kind: Any = type(message)
    for name in _names(kind):
        value = getattr(message, name)
        if isinstance(value, np.ndarray):
            value.setflags(write=False)
        elif isinstance(value, Mapping):
            for item in value.values():
                if isinstance(item, np.ndarray):
                    item.setflags(write=False)
        elif isinstance(value, Extras):
            for own in value:
                frozen(own)
        elif is_dataclass(value):
            frozen(value)
    return message


@lru_cache(256)
def _names(kind: Any) -> tuple[str, ...]:
    """Return the names of the fields of a dataclass."""
    return tuple(each.name for each in fields(kind))


def to_json(value: Any) -> Any:
    """Return a message or a value as plain JSON types, for a simulator in another process."""
    return _plain(value, as_lists=True)


def to_dict(value: Any) -> Any:
    """Return a message as dictionaries of read-only arrays, for a foreign simulator in this one."""
    return _plain(value, as_lists=False)


def _plain(value: Any, *, as_lists: bool) -> Any:
    def plain(item: Any) -> Any:
        return _plain(item, as_lists=as_lists)

    if isinstance(value, np.ndarray):
        return value.tolist() if as_lists else value
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Extras):
        names = {kind: name for name, kind in EXTRAS.items()}
        return {names[type(own)]: plain(own) for own in value}
    if is_dataclass(value):
        return {each.name: plain(getattr(value, each.name)) for each in fields(value)}
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value


def received(
    attribute: str, message: Any, n_points: int, sizes: Mapping[str, int] = MappingProxyType({})
) -> Any:
    """Return a message of a foreign simulator in the place of one of ours, checked.

    Parameters
    ----------
    attribute : str
        The mosaik attribute that it travels under.
    message : mapping or message
        Arrays may be lists. Keys beyond the fields of the message are dropped.
    n_points : int
        Number of connection points.
    sizes : mapping of str to int
        Sizes of arrays whose shape is neither ``(n,)`` nor free, by field.

    Returns
    -------
    dataclass
        Of the message's type, with read-only arrays of its own.

    Raises
    ------
    ValueError
        If a field is missing, or a value is not of its type or length; names the field.
    """
    kind = MESSAGES[attribute]
    if isinstance(message, kind):
        message = {each.name: getattr(message, each.name) for each in fields(message)}
    return frozen(_received(kind, message, attribute, n_points, sizes))


def _received(
    kind: type[T], message: Any, where: str, n_points: int, sizes: Mapping[str, int]
) -> T:
    if not isinstance(message, Mapping):
        raise ValueError(f"{where} is {message!r}, not a dictionary")
    required = {each.name for each in fields(kind) if _is_required(each)}  # type: ignore[arg-type]
    if missing := sorted(required - message.keys()):
        raise ValueError(f"{where} lacks {', '.join(missing)}")
    values = {
        each.name: _value(each, message[each.name], f"{where}.{each.name}", n_points, sizes)
        for each in field_types(kind)
        if each.name in message
    }
    return kind(**values)


def _is_required(each: Any) -> bool:
    return each.default is MISSING and each.default_factory is MISSING


def _value(each: FieldType, value: Any, path: str, n_points: int, sizes: Mapping[str, int]) -> Any:
    """Value of a field in its type."""
    if each.dtype is not None:
        shape = each.declared.shape if each.declared is not None else ""
        size = n_points if shape == "(n,)" else sizes.get(each.name)
        return _array(each.dtype, value, path, size)
    if each.kind is Extras:
        return _extras(value, path, n_points)
    if each.name == "parts":
        if not isinstance(value, Mapping):
            raise ValueError(f"{path} is {value!r}, not a dictionary")
        floats = np.dtype(np.float64)
        return {k: _array(floats, v, f"{path}.{k}", n_points) for k, v in value.items()}
    if each.name == "stages":
        if not isinstance(value, list | tuple):
            raise ValueError(f"{path} is {value!r}, not a list")
        return [_received(StageMessage, stage, path, n_points, {}) for stage in value]
    nested = _dataclass_in(each.kind)
    if nested is not None and value is not None and not isinstance(value, nested):
        own = _received(nested, value, path, n_points, sizes)
        if isinstance(own, BlocksMessage):
            _check_blocks(own, path, n_points)
        return own
    return value


def _check_blocks(blocks: BlocksMessage, path: str, n_points: int) -> None:
    """Refuse columns of different lengths, and blocks of nobody."""
    size = blocks.prosumer.size
    for each in fields(blocks):
        if (own := getattr(blocks, each.name).size) != size:
            raise ValueError(f"{path}.{each.name} has {own} values, not {size}")
    if size and not 0 <= blocks.prosumer.min() <= blocks.prosumer.max() < n_points:
        raise ValueError(f"{path}.prosumer is no connection point from 0 to {n_points - 1}")


def _extras(value: Any, path: str, n_points: int) -> Extras:
    if isinstance(value, Extras):
        return value
    if not isinstance(value, Mapping):
        raise ValueError(f"{path} is {value!r}, not a dictionary")
    if unknown := sorted(value.keys() - EXTRAS.keys()):
        raise ValueError(f"{path} has the unknown {', '.join(unknown)}")
    own = (_received(EXTRAS[k], v, f"{path}.{k}", n_points, {}) for k, v in value.items())
    return Extras(*own)


def _dataclass_in(kind: Any) -> type[Any] | None:
    """The dataclass that an annotation is, or is optionally."""
    options = get_args(kind) if get_origin(kind) in (Union, UnionType) else (kind,)
    known = (BlocksMessage, OffersMessage, DispatchMessage)
    return next((one for one in options if one in known), None)


def _array(dtype: np.dtype[Any], value: Any, where: str, size: int | None) -> npt.NDArray[Any]:
    try:
        given = np.asarray(value)
        if dtype == np.int64 and not np.isfinite(given).all():
            raise ValueError("not every value is finite")
        array = np.array(given, dtype=dtype)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{where} is no array of numbers: {error}") from error
    if array.ndim != 1 or (size is not None and array.size != size):
        wanted = "(n,)" if size is None else f"({size},)"
        raise ValueError(f"{where} has shape {array.shape}, not {wanted}")
    if dtype == np.int64 and not np.array_equal(array, given):
        raise ValueError(f"{where} holds fractions; it counts in whole units")
    return array


__all__ = ["frozen", "received", "to_dict", "to_json"]
