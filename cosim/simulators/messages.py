"""What travels between the simulators: one dictionary of arrays per message.

Every array has shape (n,) in the order of the grid's connection points, energies are integer Wh of
net injection (positive feeds the grid), prices integer µEUR per kWh, powers MW and Mvar. In one
process the arrays travel by reference and are read-only; towards a simulator in another process
they become lists (`to_json`). What a foreign simulator sends in the place of one of ours is checked
and becomes arrays again (`received`), so that it can stand in by sending the same keys.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NotRequired, TypedDict, get_args, get_origin, get_type_hints

import numpy as np
import numpy.typing as npt

from cosim.units import BoolArray, FloatArray, IntArray

StrArray = npt.NDArray[np.object_]


class BidsMessage(TypedDict):
    """Bidders → Market, Recorder: what each prosumer nominates, orders and offers."""

    interval: int
    planned_wh: IntArray  # nominated if the order clears in full
    firm_wh: IntArray  # nominated if it does not clear at all
    order_wh: IntArray  # energy of the order, 0 for none
    is_sell: BoolArray
    order_price_ueur_per_kwh: IntArray
    sent_fraction: FloatArray  # when in the order window the order leaves, [0, 1)
    forecast_q_mvar: FloatArray
    flex_down_wh: IntArray  # by how much injection could be lowered
    flex_up_wh: IntArray  # by how much it could be raised
    flex_down_price_ueur_per_kwh: IntArray
    flex_down_price_if_sold_ueur_per_kwh: IntArray
    flex_up_price_ueur_per_kwh: IntArray
    curtailable_down_wh: IntArray  # what the DSO could cut in the red phase
    curtailable_up_wh: IntArray
    storage_wh: NotRequired[IntArray]  # nominated to a shared battery, charging positive


class OffersMessage(TypedDict):
    """Offers accepted by the flexibility contract; arrays of shape (m,)."""

    request: IntArray
    prosumer: IntArray
    direction: IntArray  # +1 raises net injection, -1 lowers it
    energy_wh: IntArray
    price_ueur_per_kwh: IntArray


class ScheduleMessage(TypedDict):
    """Market → DSO: the schedules as they stand on the ledger."""

    interval: int
    round: int
    nominated_wh: IntArray
    activated_wh: IntArray  # signed, from awards
    curtailed_wh: IntArray  # signed, positive cuts injection
    forecast_q_mvar: FloatArray
    curtailable_down_wh: IntArray
    curtailable_up_wh: IntArray
    offers: OffersMessage | None  # answers to the requests of the last decision


class DecisionMessage(TypedDict):
    """DSO → Market: what it asks for, awards, curtails, or that the schedules fit."""

    interval: int
    accepted: bool
    request_down_wh: int
    request_up_wh: int
    awarded_wh: IntArray  # (m,) per offer of the last schedule message
    curtailed_wh: IntArray  # (n,) in force for this interval


class DispatchMessage(TypedDict):
    """Market → Devices: the final schedules."""

    interval: int
    contracted_wh: IntArray  # what the order cleared for
    nominated_wh: IntArray
    activated_wh: IntArray
    curtailed_wh: IntArray


class DeliveryMessage(TypedDict):
    """Devices → Grid, Market, Bidders, Recorder: what was delivered and metered."""

    interval: int
    p_inject_mw: FloatArray
    q_inject_mvar: FloatArray
    metered_wh: IntArray
    soc_mwh: FloatArray
    owed_mwh: FloatArray
    external_p_mw: FloatArray  # where another simulator feeds the prosumer, NaN elsewhere
    parts: dict[str, FloatArray]  # the devices' columns of table ``prosumers``


class FlowMessage(TypedDict):
    """Grid → Market, Recorder: the physical power flow."""

    interval: int
    converged: bool
    delivered_wh: IntArray  # (n,) energy that the solved grid took from each connection point
    vm_pu: FloatArray
    va_degree: FloatArray
    line_loading_percent: FloatArray
    trafo_loading_percent: FloatArray
    losses_mw: float
    p_slack_mw: float
    q_slack_mvar: float


class StageMessage(TypedDict):
    """One check of every element; arrays of shape (e,), as the columns of ``grid_checks``."""

    stage: str  # scheduled, relieved
    round: int
    element: StrArray
    element_idx: IntArray
    quantity: StrArray
    value: FloatArray
    limit: FloatArray
    violated: BoolArray
    drivers: list[list[str]]  # per violated row, the connection points that drive it


class ChecksMessage(TypedDict):
    """DSO → Recorder: every check of the interval; none if the DSO makes none."""

    stages: list[StageMessage]


class PricesMessage(TypedDict):
    """Market → Bidders: what the interval cleared at."""

    interval: int
    price_ueur_per_kwh: int
    volume_wh: int
    storage_wh: NotRequired[IntArray]  # stored by each in a shared battery, by (n,)


class SessionMessage(TypedDict):
    """Market → Recorder: what happened on the ledger, once per step."""

    tables: dict[str, dict[str, Any]]  # rows by table and column, as TableWriter.append takes them
    settled: int | None  # the interval that was settled now
    schedule: NotRequired[DispatchMessage]  # absent in the step that only settles the last interval


MESSAGES: dict[str, Any] = {
    "bids": BidsMessage,
    "schedule": ScheduleMessage,
    "decision": DecisionMessage,
    "dispatch": DispatchMessage,
    "delivery": DeliveryMessage,
    "flow": FlowMessage,
    "checks": ChecksMessage,
    "prices": PricesMessage,
    "session": SessionMessage,
}
"""Every message by the mosaik attribute that it travels under."""

_DTYPES: dict[Any, Any] = {
    IntArray: np.int64,
    FloatArray: np.float64,
    BoolArray: np.bool_,
    StrArray: np.object_,
}
_POINTS = frozenset({"bids", "schedule", "dispatch", "delivery"})
_POINT_KEYS = frozenset({"curtailed_wh", "delivered_wh"})
"""Messages whose arrays all have one value per connection point, and such arrays of others."""


def frozen(message: Mapping[str, Any]) -> dict[str, Any]:
    """The message with its arrays read-only: a receiver cannot change what the sender holds."""
    for value in message.values():
        if isinstance(value, np.ndarray):
            value.setflags(write=False)
        elif isinstance(value, dict):
            frozen(value)
    return dict(message)


def to_json(value: Any) -> Any:
    """A message or a value as plain JSON types, for a simulator in another process."""
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Mapping):
        return {key: to_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_json(item) for item in value]
    return value


def received(
    attribute: str, message: Any, n_points: int, sizes: Mapping[str, int] = MappingProxyType({})
) -> dict[str, Any]:
    """A message of a foreign simulator in the place of one of ours: checked, and arrays again.

    Parameters
    ----------
    attribute : str
        The mosaik attribute that it travels under; a key of :data:`MESSAGES`.
    message : mapping
        Arrays may be lists. Keys beyond those of the message are kept as they are.
    n_points : int
        Number of connection points.
    sizes : mapping of str to int
        Sizes of arrays that have another.

    Returns
    -------
    dict
        With read-only arrays of its own.

    Raises
    ------
    ValueError
        If a key is missing, or a value is not of its type or length; names the key.
    """
    known = {**dict.fromkeys(_POINT_KEYS, n_points), **sizes}
    every = n_points if attribute in _POINTS else None
    return frozen(_received(MESSAGES[attribute], message, attribute, every, known))


def _received(
    kind: Any, message: Any, where: str, every: int | None, sizes: Mapping[str, int]
) -> dict[str, Any]:
    """A message whose arrays have the sizes given by key, or all one size, or any."""
    if not isinstance(message, Mapping):
        raise ValueError(f"{where} is {message!r}, not a dictionary")
    hints = get_type_hints(kind, include_extras=True)
    optional = {key for key, hint in hints.items() if get_origin(hint) is NotRequired}
    if missing := sorted(hints.keys() - optional - message.keys()):
        raise ValueError(f"{where} lacks {', '.join(missing)}")
    types = hints | {key: get_args(hints[key])[0] for key in optional}

    def value_of(key: str, value: Any) -> Any:
        """One value of the message in its type."""
        kind, path = types.get(key), f"{where}.{key}"
        if kind in _DTYPES:
            return _array(_DTYPES[kind], value, path, sizes.get(key, every))
        if kind == dict[str, FloatArray]:
            if not isinstance(value, Mapping):
                raise ValueError(f"{path} is {value!r}, not a dictionary")
            return {k: _array(np.float64, v, f"{path}.{k}", every) for k, v in value.items()}
        if kind is DispatchMessage:
            return _received(kind, value, path, sizes["curtailed_wh"], sizes)
        if kind == list[StageMessage]:
            if not isinstance(value, list | tuple):
                raise ValueError(f"{path} is {value!r}, not a list")
            return [_received(StageMessage, stage, path, None, {}) for stage in value]
        if kind == OffersMessage | None and value is not None:
            return _received(OffersMessage, value, path, None, {})
        return value

    return {key: value_of(key, value) for key, value in message.items()}


def _array(dtype: Any, value: Any, where: str, size: int | None) -> Any:
    try:
        given = np.asarray(value)
        if dtype is np.int64 and not np.isfinite(given).all():
            raise ValueError("not every value is finite")
        array = np.array(given, dtype=dtype)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{where} is no array of numbers: {error}") from error
    if array.ndim != 1 or (size is not None and array.size != size):
        wanted = "(n,)" if size is None else f"({size},)"
        raise ValueError(f"{where} has shape {array.shape}, not {wanted}")
    if dtype is np.int64 and not np.array_equal(array, given):
        raise ValueError(f"{where} holds fractions; it counts in whole units")
    return array


__all__ = [
    "MESSAGES",
    "BidsMessage",
    "ChecksMessage",
    "DecisionMessage",
    "DeliveryMessage",
    "DispatchMessage",
    "FlowMessage",
    "OffersMessage",
    "PricesMessage",
    "ScheduleMessage",
    "SessionMessage",
    "StageMessage",
    "frozen",
    "received",
    "to_json",
]
