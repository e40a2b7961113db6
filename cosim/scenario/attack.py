"""Section ``attack``: who does what to the market, the grid and the ledger, and when.

One attack per scenario. With ``active: false`` nobody attacks, and the same accounts are labelled
in the indicators and the report, so that a run with the attack can be compared with one without.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field, model_validator

from cosim.settings import Fraction, Gwei, Model, Positive, PositiveMoney, Price

Names = Annotated[tuple[str, ...], Field(min_length=1)]


class AttackTimes(Model):
    """Fields of every attack: whether it takes place, and in which delivery intervals."""

    active: bool = Field(True, description="false: the accounts are labelled and nobody attacks")
    from_interval: int = Field(0, ge=0, description="first interval attacked, counted from 0")
    until_interval: int | None = Field(
        None, ge=0, description="last interval attacked; default: the last of the run"
    )

    @model_validator(mode="after")
    def _times_ordered(self) -> AttackTimes:
        if self.until_interval is not None and self.until_interval < self.from_interval:
            raise ValueError(
                f"until_interval ({self.until_interval}) must not be before from_interval "
                f"({self.from_interval})"
            )
        return self

    def intervals(self, n_intervals: int) -> range:
        """Delivery intervals of a run that are attacked; none when it is not active."""
        if not self.active:
            return range(0)
        last = n_intervals - 1 if self.until_interval is None else self.until_interval
        return range(self.from_interval, last + 1)


class MeterUnderReport(AttackTimes):
    """Meters that report too little consumption, or too much feed-in."""

    kind: Literal["meter_under_report"]
    meters: Names = Field(description="connection points of the meters")
    factor: Fraction = Field(0.5, description="consumption reported, of that measured [-]")
    feed_in_factor: Annotated[float, Field(ge=1, allow_inf_nan=False)] = Field(
        1.0, description="feed-in reported, of that measured [-]"
    )


class SilentMeter(AttackTimes):
    """Meters that do not report; ``market.silent_estimate_kwh`` is settled instead."""

    kind: Literal["silent_meter"]
    meters: Names = Field(description="connection points of the meters")


class FailingSender(AttackTimes):
    """A sender of batches that sends none (docs/submission.md)."""

    kind: Literal["failing_sender"]
    sender: Literal["aggregator", "head_end"] = Field(
        description="aggregator: of orders, with market.submission: batched; head_end: of "
        "readings, with metering.submission: batched"
    )


class FlexibilityDefault(AttackTimes):
    """Prosumers who offer flexibility and do not deliver what they are awarded."""

    kind: Literal["flexibility_default"]
    prosumers: Names = Field(description="connection points")
    share: Fraction = Field(1.0, description="of the awarded energy that is not delivered [-]")
    price_factor: Fraction = Field(
        1.0, description="their offers' prices, of honest ones; below 1 they are awarded first [-]"
    )


class Spam(AttackTimes):
    """An account that fills the blocks before gate closure, so that orders miss the gate."""

    kind: Literal["spam"]
    blocks: Annotated[int, Field(gt=0)] = Field(
        10, description="how many blocks before gate closure are filled"
    )
    until: Literal["gate_closure", "delivery"] = Field(
        "gate_closure",
        description="delivery: also the blocks after gate closure, in which the market is cleared "
        "and the DSO procures flexibility",
    )
    tip_gwei: Gwei = Field(2.0, description="priority fee of the spam [gwei]")
    gas_share: Annotated[float, Field(gt=0, le=1)] = Field(
        1.0, description="of the block's gas that the spam asks for [-]"
    )
    budget_eur: PositiveMoney | None = Field(
        None, description="most it pays over the run; default: whatever it takes [EUR]"
    )


class FrontRunning(AttackTimes):
    """A prosumer who reads the others' open orders and prices its own last."""

    kind: Literal["front_running"]
    attacker: str = Field(description="connection point")
    tip_gwei: Gwei = Field(
        1.0, description="priority fee of its order, beyond that of the others [gwei]"
    )


class Reorganisation(AttackTimes):
    """A longer branch replaces the last blocks before delivery, without the victims' orders."""

    kind: Literal["reorganisation"]
    depth_blocks: Annotated[int, Field(gt=0)] | None = Field(
        None, description="blocks that are replaced; default: back to the opening of the window"
    )
    victims: tuple[str, ...] = Field((), description="connection points; default: everybody")


class Censorship(AttackTimes):
    """Validators that keep what some prosumers send out of the blocks."""

    kind: Literal["censorship"]
    prosumers: Names = Field(description="connection points")
    validators_share: Fraction = Field(0.51, description="of the validators that censor [-]")
    meters: bool = Field(False, description="whether their meters' reports are kept out too")


class Collusion(AttackTimes):
    """Sellers who agree on the price of their orders, or to withhold energy from the market."""

    kind: Literal["collusion"]
    sellers: Names = Field(description="connection points")
    price_eur_per_kwh: Price | None = Field(
        None, description="least price that they ask; default: each asks its own [EUR/kWh]"
    )
    withheld_share: Fraction = Field(
        0.0, description="of the energy that they would sell, kept from the local market [-]"
    )

    @model_validator(mode="after")
    def _agree_on_something(self) -> Collusion:
        if self.price_eur_per_kwh is None and not self.withheld_share:
            raise ValueError("give price_eur_per_kwh or withheld_share: nothing is agreed on")
        return self


class PhantomBaseline(AttackTimes):
    """Prosumers who nominate injection that they do not have, and offer to lower it."""

    kind: Literal["phantom_baseline"]
    prosumers: Names = Field(description="connection points")
    energy_kwh: Positive = Field(
        10.0,
        description="injection that is made up in every interval, as far as dso.baseline lets it",
    )
    price_eur_per_kwh: Price = Field(
        0.079, description="of lowering it; below the feed-in price it is awarded first"
    )


class IncDec(AttackTimes):
    """Prosumers who plan to inject more than they mean to, and are paid for not doing so."""

    kind: Literal["inc_dec"]
    prosumers: Names = Field(
        description="connection points, each with a storage or consumption that can wait"
    )
    share: Fraction = Field(
        1.0, description="of what they could raise their injection by (storage, waiting) [-]"
    )
    price_eur_per_kwh: Price = Field(0.079, description="of not doing so [EUR/kWh]")
    sells: bool = Field(False, description="whether it is ordered in the local market as well")


AttackSettings = (
    MeterUnderReport
    | SilentMeter
    | FailingSender
    | FlexibilityDefault
    | Spam
    | FrontRunning
    | Reorganisation
    | Censorship
    | Collusion
    | PhantomBaseline
    | IncDec
)


@dataclass(frozen=True)
class Parties:
    """Connection points on either side of an attack.

    Parameters
    ----------
    attackers, victims : tuple of str
        Neither is complete: attackers may hold no connection point, and who loses may be the
        supplier or the DSO.
    """

    attackers: tuple[str, ...]
    victims: tuple[str, ...]


def named(settings: AttackSettings) -> dict[str, tuple[str, ...]]:
    """Connection points that an attack names, by field."""
    match settings:
        case MeterUnderReport() | SilentMeter():
            return {"meters": settings.meters}
        case FlexibilityDefault() | Censorship() | PhantomBaseline() | IncDec():
            return {"prosumers": settings.prosumers}
        case FrontRunning():
            return {"attacker": (settings.attacker,)}
        case Reorganisation():
            return {"victims": settings.victims}
        case Collusion():
            return {"sellers": settings.sellers}
        case Spam() | FailingSender():
            return {}


def parties(settings: AttackSettings, names: Sequence[str]) -> Parties:
    """Return attackers and victims among the prosumers with the given names.

    Where an attack is on the community and names nobody, everybody else is a victim.
    """
    mentioned = tuple(name for group in named(settings).values() for name in group)
    match settings:
        case MeterUnderReport() | SilentMeter() | FlexibilityDefault():
            return Parties(mentioned, ())
        case FrontRunning() | Collusion() | PhantomBaseline() | IncDec():
            return Parties(mentioned, _without(names, mentioned))
        case Spam() | FailingSender() | Reorganisation() | Censorship():
            return Parties((), mentioned or tuple(names))


def _without(names: Iterable[str], left_out: Sequence[str]) -> tuple[str, ...]:
    return tuple(name for name in names if name not in left_out)


def check_attack(settings: AttackSettings, n_intervals: int) -> None:
    """Require that an attack fits the run.

    Raises
    ------
    ValueError
        If a connection point is named twice, or the run ends before the attack.
    """
    for field, names in named(settings).items():
        if len(set(names)) < len(names):
            raise ValueError(f"attack.{field}: name each connection point once")
    for field, interval in (
        ("from_interval", settings.from_interval),
        ("until_interval", settings.until_interval),
    ):
        if interval is not None and interval >= n_intervals:
            raise ValueError(
                f"attack.{field} is {interval}; the run has only {n_intervals} intervals, "
                "counted from 0"
            )
