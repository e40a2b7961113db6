"""Fields that a plug-in adds to a message, by their type.

A plug-in declares a frozen dataclass with :func:`extra`, puts one value of it into a message and
takes it out by its type, so that nobody in between has to know it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, is_dataclass
from typing import Annotated, Any, TypeVar

import numpy as np
import numpy.typing as npt

from cosim.messages.declaration import Field
from cosim.units import IntArray

T = TypeVar("T")

EXTRAS: dict[str, type[Any]] = {}
"""Every declared type by its name in a message of another process."""


def extra(name: str) -> Any:
    """Declare a dataclass that messages may carry, under a name."""

    def declare(kind: type[T]) -> type[T]:
        if not is_dataclass(kind):
            raise TypeError(f"{kind.__name__} is no dataclass")
        if EXTRAS.setdefault(name, kind) is not kind:
            raise ValueError(f"two types of message fields are named {name!r}")
        return kind

    return declare


class Extras:
    """Values of plug-ins in a message, at most one of each type.

    Parameters
    ----------
    *values : dataclass
        Of types that :func:`extra` declared.
    """

    __slots__ = ("_values",)

    def __init__(self, *values: object) -> None:
        self._values = {type(value): value for value in values}
        unknown = [kind.__name__ for kind in self._values if kind not in EXTRAS.values()]
        if unknown:
            raise TypeError(f"not declared as an extra: {', '.join(unknown)}")

    def of(self, kind: type[T]) -> T | None:
        """Return the value of a type; None if the message carries none."""
        value = self._values.get(kind)
        return value if isinstance(value, kind) else None

    def __iter__(self) -> Iterator[object]:
        return iter(self._values.values())

    def __or__(self, other: Extras) -> Extras:
        return Extras(*self, *other)


@extra("storage_nominations")
@dataclass(frozen=True)
class StorageNominations:
    """Nominations to a shared battery, in bids."""

    energy_wh: Annotated[IntArray, Field("Wh", "(n,)", "charging positive")]


@extra("supplier_orders")
@dataclass(frozen=True)
class SupplierOrders:
    """Orders to the supplier at the slack bus that the grid may leave unserved, in schedules.

    Sales and purchases beyond local trades, as far as their energy can be held back: generation and
    discharging of the one, charging and deferrable consumption of the other.
    """

    sell_wh: Annotated[IntArray, Field("Wh", "(n,)", "to the supplier, >= 0")]
    buy_wh: Annotated[IntArray, Field("Wh", "(n,)", "from the supplier, >= 0")]


@extra("unserved_orders")
@dataclass(frozen=True)
class UnservedOrders:
    """Energy of orders to the supplier that the grid does not carry, in a decision."""

    energy_wh: Annotated[IntArray, Field("Wh", "(n,)", "sales positive, purchases negative")]


@extra("covered_requests")
@dataclass(frozen=True)
class CoveredRequests:
    """Flexibility that the last decision asked for, as far as the DSO's money covers it.

    In the schedules that answer a request: awards must stay within it.
    """

    down_wh: Annotated[int, Field("Wh", "()", "lowering net injection, >= 0")]
    up_wh: Annotated[int, Field("Wh", "()", "raising it, >= 0")]


@extra("idle_flexibility")
@dataclass(frozen=True)
class IdleFlexibility:
    """Part of offers that changes no schedule, in the schedules that bring offers.

    Under a capacity limit an award pays first for what lies between the registered capacity and the
    schedule. By block, of the whole offer that it belongs to.
    """

    offer: Annotated[IntArray, Field("-", "(m,)", "position of the offer that the block is of")]
    cost_ueur: Annotated[IntArray, Field("µEUR", "(m,)", "of any award to this offer")]


@extra("uncalled_offers")
@dataclass(frozen=True)
class UncalledOffers:
    """Offers that a draw does not let be awarded, in the schedules that bring the others."""

    prosumer: Annotated[IntArray, Field("-", "(k,)", "position of the connection point")]
    direction: Annotated[IntArray, Field("-", "(k,)", "+1 raises the net injection, -1 lowers it")]
    energy_wh: Annotated[IntArray, Field("Wh", "(k,)", "offered")]
    price_ueur_per_kwh: Annotated[IntArray, Field("µEUR/kWh", "(k,)", "asked")]


@extra("storage_accounts")
@dataclass(frozen=True)
class StorageAccounts:
    """Accounts of a shared battery, in prices."""

    energy_wh: Annotated[IntArray, Field("Wh", "(n,)", "stored")]


@extra("own_outcomes")
@dataclass(frozen=True)
class OwnOutcomes:
    """Fills of the interval before and money of the last settled one, in prices."""

    contracted_wh: Annotated[IntArray, Field("Wh", "(n,)", "filled, sales positive")]
    traded_ueur: Annotated[IntArray, Field("µEUR", "(n,)", "received from the market")]
    supplier_ueur: Annotated[IntArray, Field("µEUR", "(n,)", "received from the supplier")]
    flexibility_ueur: Annotated[IntArray, Field("µEUR", "(n,)", "received from the DSO")]


@extra("flexibility_outcomes")
@dataclass(frozen=True)
class FlexibilityOutcomes:
    """Offers and awards of flexibility in the interval before, in prices."""

    offered_down_wh: Annotated[IntArray, Field("Wh", "(n,)", "most in one request, lowering")]
    offered_up_wh: Annotated[IntArray, Field("Wh", "(n,)", "most in one request, raising")]
    awarded_wh: Annotated[IntArray, Field("Wh", "(n,)", "raising positive")]
    requested_down_wh: Annotated[int, Field("Wh", "()", "asked for by the DSO, lowering")]
    requested_up_wh: Annotated[int, Field("Wh", "()", "asked for by the DSO, raising")]


@extra("calling_appraisal")
@dataclass(frozen=True)
class CallingAppraisal:
    """Cheapest awards among those that a draw calls, and among all that offer, in a decision.

    Both without curtailment and without the limit of what was requested.
    """

    called_wh: Annotated[IntArray, Field("Wh", "(m,)", "per offer of those called")]
    called_suffice: Annotated[
        bool, Field("-", "()", "whether these keep the limits with their margins")
    ]
    every_wh: Annotated[
        IntArray, Field("Wh", "(b,)", "per offer of those called, then of the others")
    ]
    every_suffice: Annotated[bool, Field("-", "()", "whether these keep them")]


@extra("relief_appraisal")
@dataclass(frozen=True)
class ReliefAppraisal:
    """Need without margins and pivotal providers of the offers just awarded, in a decision."""

    violated: Annotated[
        bool, Field("-", "()", "whether the schedule before the awards violates a limit")
    ]
    needed_wh: Annotated[
        IntArray,
        Field("Wh", "(m,)", "per offer of the last schedule, what limits without margins need"),
    ]
    sufficient: Annotated[bool, Field("-", "()", "whether the offers suffice for these limits")]
    pivotal: Annotated[IntArray, Field("-", "(k,)", "position of each pivotal provider's point")]
    element: Annotated[
        npt.NDArray[np.object_], Field("-", "(k,)", "bus, line or trafo that it is pivotal for")
    ]
    element_idx: Annotated[IntArray, Field("-", "(k,)", "index in the network")]
    quantity: Annotated[
        npt.NDArray[np.object_], Field("-", "(k,)", "vm_pu or loading_percent, by phase if of one")
    ]
