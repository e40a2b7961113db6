"""Section ``dso``: instruments of the DSO, and its terms for flexibility."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

from pydantic import Field, ValidationError, model_validator

from cosim.plugins import INSTRUMENTS
from cosim.settings import (
    Fraction,
    Model,
    NonNegative,
    PositiveMoney,
    PositivePrice,
    Price,
)

if TYPE_CHECKING:
    from cosim.dso.instruments.base import Instrument


DAY_S = 86_400
BaselineKind = Literal[
    "nomination", "bounded_nomination", "meter_before", "high_x_of_y", "capacity_limit"
]
BASELINE_KINDS: tuple[str, ...] = get_args(BaselineKind)
"""Names by the contract's numbers."""
RANGED_KINDS = ("bounded_nomination", "capacity_limit")
"""Kinds for which ranges of net injection are registered."""
MEASURED_KINDS = ("meter_before", "high_x_of_y")
"""Kinds that are taken from readings when an offer is settled."""


_CALLING_FIELDS = ("calling_probability", "uncalled_penalty_eur_per_kwh")
_FIELDS_OF_KIND = {
    "nomination": _CALLING_FIELDS,
    "bounded_nomination": _CALLING_FIELDS,
    "meter_before": ("look_back_intervals",),
    "high_x_of_y": (
        "x_days",
        "y_days",
        "look_back_days",
        "adjustment_intervals",
        "adjustment_gap_intervals",
    ),
    "capacity_limit": ("idle_price_factor",),
}


class BaselineSettings(Model):
    """Net injection that flexibility is measured against, by kind."""

    kind: BaselineKind = Field(
        "nomination",
        description="docs/contracts/flexibility-market.md: nomination: as the seller says; "
        "bounded_nomination: so, within the range of its devices' ratings; meter_before: last "
        "reading without activation; high_x_of_y: mean of the highest earlier days; "
        "capacity_limit: none, the award is a limit below the registered capacity",
    )
    calling_probability: Annotated[float, Field(ge=1e-6, le=0.999999)] | None = Field(
        None,
        description="nomination, bounded_nomination: of being called; a draw on the ledger lets so "
        "many of those that offer be awarded, in one round of requests per interval, and who is "
        "not called has to keep its nomination; default: nothing is drawn [-]",
    )
    uncalled_penalty_eur_per_kwh: Price | None = Field(
        None,
        description="with calling_probability α: λ, for each kWh that would have counted as "
        "delivered, had the seller been called; default: α/(1 − α) times dso.price_cap_eur_per_kwh,"
        " so that no kWh that is made up pays on average",
    )
    idle_price_factor: Fraction = Field(
        1.0,
        description="capacity_limit: what is asked for energy between schedule and capacity, of "
        "the price of the offer's cheapest block [-]",
    )
    look_back_intervals: Annotated[int, Field(ge=1, le=96)] = Field(
        16,
        description="meter_before: how many intervals before a reading without activation may "
        "lie; an offer of who has none is refused",
    )
    x_days: Annotated[int, Field(ge=1, le=10)] = Field(
        5, description="high_x_of_y: days whose mean it is, the highest"
    )
    y_days: Annotated[int, Field(ge=1, le=10)] = Field(
        10, description="high_x_of_y: of so many last days without activation"
    )
    look_back_days: Annotated[int, Field(ge=1, le=45)] = Field(
        20,
        description="high_x_of_y: how far back these days may lie; an offer of who has fewer than "
        "x_days among them is refused",
    )
    adjustment_intervals: Annotated[int, Field(ge=0, le=16)] = Field(
        8,
        description="high_x_of_y: intervals of the same day whose mean difference from these days "
        "is added; 0: no adjustment",
    )
    adjustment_gap_intervals: Annotated[int, Field(ge=0, le=16)] = Field(
        4, description="high_x_of_y: intervals between the last of them and the one measured"
    )

    @model_validator(mode="before")
    @classmethod
    def _kind_alone(cls, given: Any) -> Any:
        return {"kind": given} if isinstance(given, str) else given

    @model_validator(mode="after")
    def _fields_of_kind(self) -> BaselineSettings:
        own = {"kind", *_FIELDS_OF_KIND.get(self.kind, ())}
        for name, field in type(self).model_fields.items():
            if name not in own and getattr(self, name) != field.default:
                raise ValueError(f"{name} is no field of {self.kind}: leave it out, or change kind")
        return self

    @model_validator(mode="after")
    def _calls_drawn(self) -> BaselineSettings:
        if self.calling_probability is None and self.uncalled_penalty_eur_per_kwh is not None:
            raise ValueError(
                "uncalled_penalty_eur_per_kwh is for those that a draw does not call: give "
                "calling_probability, or leave it out"
            )
        return self

    @model_validator(mode="after")
    def _days_ordered(self) -> BaselineSettings:
        if not self.x_days <= self.y_days <= self.look_back_days:
            raise ValueError(
                f"x_days ({self.x_days}) must not exceed y_days ({self.y_days}), nor that "
                f"look_back_days ({self.look_back_days})"
            )
        return self


class DsoSettings(Model):
    """Instruments of the DSO about its grid, and its terms for flexibility."""

    instruments: tuple[str | dict[str, Any], ...] = Field(
        ("flexibility_market", "curtailment"),
        description="what it may do, in the order in which it is tried: names of entry points in "
        "the group cosim.instruments, or mappings of kind and the instrument's own fields",
    )
    procure: bool = Field(True, description="false: violations are recorded and nothing is done")
    curtail: bool = Field(
        True,
        description="cut without a market what offers cannot relieve; false: it stays "
        "violated, and is recorded",
    )
    loading_margin_percent: NonNegative = Field(
        10.0, description="distance kept from loading limits for forecast errors [%]"
    )
    voltage_margin_pu: NonNegative = Field(
        0.003, description="distance kept from voltage limits for forecast errors [pu]"
    )
    budget_eur: PositiveMoney = Field(
        10_000.0,
        description="tokens the DSO deposits; it asks for no more flexibility than what is left of "
        "them covers at the price cap [EUR]",
    )
    price_cap_eur_per_kwh: PositivePrice = Field(0.60, description="most the DSO pays [EUR/kWh]")
    penalty_eur_per_kwh: Price = Field(0.60, description="for awarded but undelivered energy")
    settlement: Literal["capped", "usef"] = Field(
        "capped",
        description="of awarded flexibility: capped: the penalty is for what was awarded and not "
        "delivered, at most the bond; usef: also for change the other way, without a cap; what "
        "bond, payment and balance do not cover is a debt",
    )
    baseline: BaselineSettings = BaselineSettings()
    request_margin: NonNegative = Field(
        0.5, description="energy requested beyond the least technical need [-]"
    )
    max_rounds: Annotated[int, Field(ge=1, le=8)] = Field(
        3,
        description="most rounds of request, offers and award per interval; with "
        "baseline.calling_probability one",
    )

    @model_validator(mode="after")
    def _instruments_known(self) -> DsoSettings:
        self._every_instrument()
        return self

    @property
    def draws_calls(self) -> bool:
        """True if a draw decides who may be awarded."""
        return self.baseline.calling_probability is not None

    @property
    def blocks_of_rounds(self) -> int:
        """Blocks that all rounds of requests need where no transaction waits."""
        # request, offers, their end, draw, awards, cuts ordered of who was not called
        return 6 if self.draws_calls else 3 * self.max_rounds

    def made_instruments(self, binds: bool = False) -> tuple[Instrument[Any], ...]:
        """Return the instruments of a run, in the order in which they are asked.

        None when nothing is procured, and no last resort when nothing is curtailed. Where positions
        bind, the supplier's comes before all others, unless it is named.
        """
        if not self.procure:
            return ()
        made, position = self._every_instrument(), INSTRUMENTS.load("supplier_position")
        if binds and not any(isinstance(one, position) for one in made):
            made = (position(position.settings_type()), *made)
        return tuple(one for one in made if self.curtail or not one.last_resort)

    def _every_instrument(self) -> tuple[Instrument[Any], ...]:
        return tuple(self._instrument(entry) for entry in self.instruments)

    def _instrument(self, entry: str | dict[str, Any]) -> Instrument[Any]:
        own = {"kind": entry} if isinstance(entry, str) else dict(entry)
        name = own.pop("kind", None)
        if name not in INSTRUMENTS.names:
            raise ValueError(
                f"instruments: no instrument {name!r}; there are {', '.join(INSTRUMENTS.names)}"
            )
        kind = INSTRUMENTS.load(str(name))
        shared = kind.settings_type.model_fields.keys() & type(self).model_fields.keys()
        if given := sorted(shared & own.keys()):
            raise ValueError(f"instruments: give dso.{given[0]}, which {name} takes, and not here")
        taken = {field: getattr(self, field) for field in shared}
        if self.draws_calls and "max_rounds" in taken:
            # who has seen the draw would offer with certainty: there is no second round
            taken["max_rounds"] = 1
        try:
            settings = kind.settings_type.model_validate(taken | own)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"])
            known = ", ".join(kind.settings_type.model_fields) or "none"
            raise ValueError(
                f"instruments: {name}.{place}: {first['msg']}; its fields: {known}"
            ) from error
        return kind(settings)
