"""What travels between the simulators: one dictionary of arrays per message.

Every array has shape (n,) in the order of the grid's connection points, energies are integer Wh of
net injection (positive feeds the grid), prices integer µEUR per kWh, powers MW and Mvar. In one
process the arrays travel by reference and are read-only; towards a simulator in another process
they become lists, and lists are taken in their place, so that a foreign simulator can stand in for
any of ours by sending the same keys.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypedDict

import numpy as np

from cosim.units import BoolArray, FloatArray, IntArray


class BidsMessage(TypedDict):
    """Bidders → Market and DSO: what each prosumer nominates, orders and offers."""

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
    parts: dict[str, FloatArray]


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


class ChecksMessage(TypedDict):
    """DSO → Recorder: every check of the interval; columns of ``grid_checks``, and the drivers."""

    stages: list[dict[str, Any]]


class PricesMessage(TypedDict):
    """Market → Bidders: what the interval cleared at."""

    interval: int
    price_ueur_per_kwh: int
    volume_wh: int


ARRAY_TYPES: dict[str, Any] = {
    **{
        key: np.int64
        for message in (BidsMessage, OffersMessage, ScheduleMessage, DecisionMessage)
        for key in message.__annotations__
        if key.endswith(("_wh", "_ueur_per_kwh")) or key in ("request", "prosumer", "direction")
    },
    "metered_wh": np.int64,
    "delivered_wh": np.int64,
    "is_sell": np.bool_,
}


def frozen(message: Mapping[str, Any]) -> dict[str, Any]:
    """The message with its arrays read-only: a receiver cannot change what the sender holds."""
    for value in message.values():
        if isinstance(value, np.ndarray):
            value.setflags(write=False)
        elif isinstance(value, dict):
            frozen(value)
    return dict(message)


def to_json(value: Any) -> Any:
    """A message as plain JSON types, for a simulator in another process."""
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Mapping):
        return {key: to_json(item) for key, item in value.items()}
    return value


def from_any(message: Mapping[str, Any]) -> dict[str, Any]:
    """A message whose lists, if it came from another process, are arrays again."""
    return {key: _from_any(key, value) for key, value in message.items()}


def _from_any(key: str, value: Any) -> Any:
    if isinstance(value, Mapping):
        return from_any(value)
    if not isinstance(value, list):
        return value
    if value and isinstance(value[0], Mapping):
        return [from_any(item) for item in value]
    if value and isinstance(value[0], list | str):
        return value
    return np.asarray(value, dtype=ARRAY_TYPES.get(key, np.float64))


__all__ = [
    "ARRAY_TYPES",
    "BidsMessage",
    "ChecksMessage",
    "DecisionMessage",
    "DeliveryMessage",
    "DispatchMessage",
    "FlowMessage",
    "OffersMessage",
    "PricesMessage",
    "ScheduleMessage",
    "from_any",
    "frozen",
    "to_json",
]
