"""Messages between the simulators, one frozen dataclass each.

Arrays of shape (n,) are in the order of the grid's connection points; energies are integer Wh of
net injection (positive feeds the grid), prices integer µEUR per kWh, powers MW and Mvar. In one
process the arrays travel by reference and are read-only; towards a simulator in another process
they become lists (:mod:`cosim.messages.conversion`).

::

    Bidders → [ Market ⇄ Dso ] → Devices → Grid → Recorder
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt

from cosim.messages.declaration import Field, To, message
from cosim.messages.extras import Extras
from cosim.units import BoolArray, FloatArray, IntArray

StrArray = npt.NDArray[np.object_]

Columns = Mapping[str, "npt.NDArray[Any] | Sequence[Any] | str | float | bool | None"]
"""Rows of a table by column; a single value stands for every row."""


@dataclass(frozen=True)
class BlocksMessage:
    """Blocks of flexibility that prosumers have; each one's in the order in which it uses them.

    What a block costs depends on what it replaces, which is known when the market has cleared.
    """

    prosumer: Annotated[IntArray, Field("-", "(b,)", "position of the connection point")]
    direction: Annotated[IntArray, Field("-", "(b,)", "+1 raises the net injection, -1 lowers it")]
    energy_wh: Annotated[IntArray, Field("Wh", "(b,)", "by how much it could be changed")]
    withheld_wh: Annotated[IntArray, Field("Wh", "(b,)", "of it, not to be offered")]
    price_ueur_per_kwh: Annotated[
        IntArray, Field("µEUR/kWh", "(b,)", "of what the supplier would take, or deliver")
    ]
    price_if_traded_ueur_per_kwh: Annotated[
        IntArray, Field("µEUR/kWh", "(b,)", "of what it has to stand in for: sold, or bought")
    ]

    @classmethod
    def none(cls) -> BlocksMessage:
        """Return no blocks."""
        nothing = np.zeros(0, dtype=np.int64)
        return cls(nothing, nothing, nothing, nothing, nothing, nothing)

    def total_wh(self, direction: int, n: int) -> IntArray:
        """Return the energy of all blocks of a direction by connection point, (n,). [Wh]"""
        total, own = np.zeros(n, dtype=np.int64), self.direction == direction
        np.add.at(total, self.prosumer[own], self.energy_wh[own])
        return total


@message("bids", "bidders", To("market", trigger=True), To("recorder"))
@dataclass(frozen=True)
class BidsMessage:
    """Nominations, orders and offers of every prosumer."""

    interval: int
    planned_wh: Annotated[IntArray, Field("Wh", "(n,)", "nominated if the order clears in full")]
    firm_wh: Annotated[IntArray, Field("Wh", "(n,)", "nominated if it does not clear at all")]
    order_wh: Annotated[IntArray, Field("Wh", "(n,)", "energy of the order, 0 for none")]
    is_sell: Annotated[BoolArray, Field("-", "(n,)", "side of the order")]
    order_price_ueur_per_kwh: Annotated[IntArray, Field("µEUR/kWh", "(n,)", "its limit price")]
    sent_fraction: Annotated[
        FloatArray, Field("-", "(n,)", "when in the order window it leaves, in [0, 1)")
    ]
    forecast_q_mvar: Annotated[FloatArray, Field("Mvar", "(n,)", "expected reactive injection")]
    curtailable_down_wh: Annotated[
        IntArray, Field("Wh", "(n,)", "injection that the DSO could cut in the red phase")
    ]
    curtailable_up_wh: Annotated[
        IntArray, Field("Wh", "(n,)", "consumption that it could cut in the red phase")
    ]
    flexibility: Annotated[
        BlocksMessage, Field("-", "()", "what could be offered to the DSO, and for how much")
    ]
    extras: Extras = field(default_factory=Extras)

    @property
    def flex_down_wh(self) -> IntArray:
        """By how much injections could be lowered, (n,). [Wh]"""
        return self.flexibility.total_wh(-1, self.planned_wh.size)

    @property
    def flex_up_wh(self) -> IntArray:
        """By how much injections could be raised, (n,). [Wh]"""
        return self.flexibility.total_wh(1, self.planned_wh.size)


@dataclass(frozen=True)
class OffersMessage:
    """Offers accepted by the flexibility contract, block by block."""

    request: Annotated[IntArray, Field("-", "(m,)", "number of the request")]
    prosumer: Annotated[IntArray, Field("-", "(m,)", "position of the connection point")]
    direction: Annotated[IntArray, Field("-", "(m,)", "+1 raises the net injection, -1 lowers it")]
    energy_wh: Annotated[IntArray, Field("Wh", "(m,)", "offered")]
    price_ueur_per_kwh: Annotated[IntArray, Field("µEUR/kWh", "(m,)", "asked")]


@message("schedule", "market", To("dso", trigger=True))
@dataclass(frozen=True)
class ScheduleMessage:
    """Schedules as they stand on the ledger in one round."""

    interval: int
    round: Annotated[int, Field("-", "()", "of the DSO's, from 0")]
    nominated_wh: Annotated[IntArray, Field("Wh", "(n,)", "schedule before flexibility")]
    activated_wh: Annotated[IntArray, Field("Wh", "(n,)", "awarded, raising positive")]
    curtailed_wh: Annotated[IntArray, Field("Wh", "(n,)", "positive cuts injection")]
    forecast_q_mvar: Annotated[FloatArray, Field("Mvar", "(n,)", "expected reactive injection")]
    curtailable_down_wh: Annotated[IntArray, Field("Wh", "(n,)", "injection that could be cut")]
    curtailable_up_wh: Annotated[IntArray, Field("Wh", "(n,)", "consumption that could be cut")]
    offers: Annotated[
        OffersMessage | None, Field("-", "()", "answers to the requests of the last decision")
    ]
    extras: Extras = field(default_factory=Extras)


@message("decision", "dso", To("market", trigger=True, weak=True))
@dataclass(frozen=True)
class DecisionMessage:
    """Requests, awards and curtailment of the DSO, or that the schedules stand."""

    interval: int
    accepted: Annotated[bool, Field("-", "()", "whether the schedules stand")]
    request_down_wh: Annotated[int, Field("Wh", "()", "flexibility asked for, lowering")]
    request_up_wh: Annotated[int, Field("Wh", "()", "flexibility asked for, raising")]
    awarded_wh: Annotated[IntArray, Field("Wh", "(m,)", "per offer of the last schedule")]
    curtailed_wh: Annotated[
        IntArray, Field("Wh", "(n,)", "in force for this interval, positive cuts injection")
    ]
    extras: Extras = field(default_factory=Extras)


@message("dispatch", "market", To("devices", trigger=True))
@dataclass(frozen=True)
class DispatchMessage:
    """Final schedules."""

    interval: int
    contracted_wh: Annotated[IntArray, Field("Wh", "(n,)", "what the order cleared for")]
    nominated_wh: Annotated[IntArray, Field("Wh", "(n,)", "schedule before flexibility")]
    activated_wh: Annotated[IntArray, Field("Wh", "(n,)", "awarded, raising positive")]
    curtailed_wh: Annotated[IntArray, Field("Wh", "(n,)", "positive cuts injection")]
    unserved_wh: Annotated[
        IntArray | None,
        Field("Wh", "(n,)", "not sold (positive) or not bought where positions bind"),
    ] = None


@message(
    "delivery",
    "devices",
    To("grid", trigger=True),
    To("recorder"),
    To("bidders", time_shifted=True),
    To("market", time_shifted=True),
)
@dataclass(frozen=True)
class DeliveryMessage:
    """Delivered power and metered energy."""

    interval: int
    p_inject_mw: Annotated[FloatArray, Field("MW", "(n,)", "fed into the grid")]
    q_inject_mvar: Annotated[FloatArray, Field("Mvar", "(n,)", "fed into the grid")]
    metered_wh: Annotated[IntArray, Field("Wh", "(n,)", "the meter's reading, injection positive")]
    soc_mwh: Annotated[FloatArray, Field("MWh", "(n,)", "stored energy at the end")]
    owed_mwh: Annotated[FloatArray, Field("MWh", "(n,)", "consumption put off and still owed")]
    external_p_mw: Annotated[
        FloatArray, Field("MW", "(n,)", "fed by another simulator, NaN where none feeds")
    ]
    parts: Annotated[
        Mapping[str, FloatArray], Field("MW", "(n,)", "the devices' columns of table `prosumers`")
    ]


@message("flow", "grid", To("recorder"), To("market", time_shifted=True))
@dataclass(frozen=True)
class FlowMessage:
    """The power flow of what was delivered."""

    interval: int
    converged: Annotated[bool, Field("-", "()", "whether the power flow has a solution")]
    delivered_wh: Annotated[
        IntArray, Field("Wh", "(n,)", "energy that the solved grid took from each connection point")
    ]
    vm_pu: Annotated[FloatArray, Field("pu", "(buses,)", "voltage magnitudes")]
    va_degree: Annotated[FloatArray, Field("degree", "(buses,)", "voltage angles")]
    line_loading_percent: Annotated[FloatArray, Field("%", "(lines,)", "the more loaded end")]
    trafo_loading_percent: Annotated[FloatArray, Field("%", "(trafos,)", "the more loaded end")]
    losses_mw: Annotated[float, Field("MW", "()", "in lines and transformers")]
    p_slack_mw: Annotated[float, Field("MW", "()", "drawn from the upstream grid")]
    q_slack_mvar: Annotated[float, Field("Mvar", "()", "drawn from the upstream grid")]
    tap_pos: Annotated[
        FloatArray | None,
        Field("-", "(controlled trafos,)", "where controllers left the taps; NaN without solution"),
    ] = None


@dataclass(frozen=True)
class StageMessage:
    """One check of every element, with the columns of ``grid_checks``."""

    stage: Annotated[str, Field("-", "()", "scheduled or relieved")]
    round: Annotated[int, Field("-", "()", "of the DSO's, from 0")]
    element: Annotated[StrArray, Field("-", "(e,)", "bus, line, trafo or grid")]
    element_idx: Annotated[IntArray, Field("-", "(e,)", "index in the network")]
    quantity: Annotated[StrArray, Field("-", "(e,)", "vm_pu, loading_percent or convergence")]
    value: Annotated[FloatArray, Field("as quantity", "(e,)", "NaN without convergence")]
    limit: Annotated[FloatArray, Field("as quantity", "(e,)", "that it must keep")]
    violated: Annotated[BoolArray, Field("-", "(e,)", "whether it does not")]
    drivers: Annotated[
        Sequence[Sequence[str]],
        Field("-", "", "by violated row, connection points that drive it, strongest first"),
    ]


@message("checks", "dso", To("recorder"))
@dataclass(frozen=True)
class ChecksMessage:
    """Every check that the DSO made in an interval."""

    stages: Annotated[Sequence[StageMessage], Field("-", "", "empty if nothing was checked")]


@message("prices", "market", To("bidders", time_shifted=True))
@dataclass(frozen=True)
class PricesMessage:
    """Price signal and volume of the interval, of the market that each connection point is in."""

    interval: int
    price_ueur_per_kwh: Annotated[IntArray, Field("µEUR/kWh", "(n,)", "0 without trade")]
    volume_wh: Annotated[IntArray, Field("Wh", "(n,)", "sold, and bought, in its market")]
    extras: Extras = field(default_factory=Extras)


@message("session", "market", To("recorder", trigger=True))
@dataclass(frozen=True)
class SessionMessage:
    """Rows of tables about the ledger, once per step."""

    tables: Annotated[Mapping[str, Columns], Field("-", "", "rows by table and column")]
    settled: Annotated[int | None, Field("-", "()", "the interval that was settled now")]
    schedule: Annotated[
        DispatchMessage | None, Field("-", "()", "absent in the step that only settles")
    ] = None


__all__ = [
    "BidsMessage",
    "ChecksMessage",
    "Columns",
    "DecisionMessage",
    "DeliveryMessage",
    "DispatchMessage",
    "Extras",
    "FlowMessage",
    "OffersMessage",
    "PricesMessage",
    "ScheduleMessage",
    "SessionMessage",
    "StageMessage",
    "StrArray",
]
