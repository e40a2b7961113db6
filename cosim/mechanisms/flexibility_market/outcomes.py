"""Requests of the DSO, their offers and awards, as the chain holds them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from cosim.mechanisms.flexibility_market.curves import (
    Block,
    Blocks,
    beyond_idle,
    price_times_wh,
    total_wh,
)
from cosim.mechanisms.flexibility_market.records import FlexibilitySettlement
from cosim.messages import BidsMessage
from cosim.messages.extras import (
    CallingAppraisal,
    CoveredRequests,
    FlexibilityOutcomes,
    IdleFlexibility,
    ReliefAppraisal,
    UncalledOffers,
)
from cosim.units import WH_PER_KWH, amount_earned_ueur


@dataclass(eq=False)
class Request:
    """A request of the DSO, its offers and their settlement; lists by offer.

    ``direction`` is +1 to raise net injections and -1 to lower them; ``idle_wh`` of an offer comes
    first and changes no schedule; ``measured_wh`` are baselines taken at the settlement.
    """

    number: int
    interval: int
    direction: int
    quantity_wh: int
    prosumers: list[int] = field(default_factory=list)
    blocks: list[Blocks] = field(default_factory=list)
    baselines_wh: list[int] = field(default_factory=list)
    idle_wh: list[int] = field(default_factory=list)
    measured_wh: dict[int, int] = field(default_factory=dict)
    awarded_wh: list[int] = field(default_factory=list)
    delivered_wh: list[int] = field(default_factory=list)
    paid_ueur: list[int] = field(default_factory=list)
    penalty_ueur: list[int] = field(default_factory=list)

    def add_offer(self, prosumer: int, baseline_wh: int, blocks: Blocks, idle_wh: int = 0) -> None:
        """Note an offer that the contract took."""
        self.prosumers.append(prosumer)
        self.blocks.append(blocks)
        self.baselines_wh.append(baseline_wh)
        self.idle_wh.append(idle_wh)
        for column in (self.awarded_wh, self.delivered_wh, self.paid_ueur, self.penalty_ueur):
            column.append(0)

    def effect_wh(self, o: int, awarded_wh: int) -> int:
        """Return by how much an award to an offer changes the schedule, signed. [Wh]"""
        return self.direction * max(awarded_wh - self.idle_wh[o], 0)

    def rows(self, o: int) -> list[Block]:
        """Return the blocks of an offer that change the schedule."""
        return beyond_idle(self.blocks[o], self.idle_wh[o])

    def settlements(self, names: Sequence[str]) -> dict[str, FlexibilitySettlement]:
        """Return the settlement of each offer by the prosumer's name, as on the ledger."""
        return {
            names[i]: FlexibilitySettlement(
                self.delivered_wh[o], self.paid_ueur[o], self.penalty_ueur[o]
            )
            for o, i in enumerate(self.prosumers)
        }


@dataclass(frozen=True)
class Wish:
    """Flexibility that the DSO wanted in one direction, and what it asked for.

    Parameters
    ----------
    round : int
        Of requests in the interval, from 0.
    direction : int
        +1 to raise net injections, -1 to lower them.
    wanted_wh, asked_wh : int
        Wanted, and as far as its deposit covered it at the price cap. [Wh]
    request : Request or None
        None if nothing was asked for, or the contract or the chain did not let it in.
    """

    round: int
    direction: int
    wanted_wh: int
    asked_wh: int
    request: Request | None


@dataclass(frozen=True)
class CallStep:
    """Closing of an interval's offers, a draw by a link, or cuts ordered of prosumers.

    Parameters
    ----------
    link : bytes, optional
    cuts_wh : mapping of int to int, optional
        By position of the prosumer, of injection positive. [Wh]
    """

    link: bytes | None = None
    cuts_wh: Mapping[int, int] | None = None


@dataclass(frozen=True)
class FlexibilityStep:
    """Something that happened to a request: it was opened, or an offer, or awards.

    Parameters
    ----------
    request : Request
    offer : int, optional
        Position of an offer that was taken.
    awarded_wh : mapping of int to int, optional
        Energy awarded in one transaction by position of the offer. [Wh]
    """

    request: Request
    offer: int | None = None
    awarded_wh: Mapping[int, int] | None = None


def outcomes_of(wishes: Sequence[Wish], n: int) -> FlexibilityOutcomes:
    """Return what each of ``n`` prosumers offered and was awarded in an interval.

    Parameters
    ----------
    wishes : sequence of Wish
        Of the interval.
    n : int
    """
    offered_wh = {sign: np.zeros(n, dtype=np.int64) for sign in (-1, 1)}
    requested_wh, awarded_wh = {-1: 0, 1: 0}, np.zeros(n, dtype=np.int64)
    for request in (one.request for one in wishes if one.request is not None):
        sign, own_wh = request.direction, np.zeros(n, dtype=np.int64)
        for o, i in enumerate(request.prosumers):
            own_wh[i] = total_wh(request.blocks[o])
            awarded_wh[i] += sign * request.awarded_wh[o]
        offered_wh[sign] = np.maximum(offered_wh[sign], own_wh)
        requested_wh[sign] += request.quantity_wh
    return FlexibilityOutcomes(
        offered_wh[-1], offered_wh[1], awarded_wh, requested_wh[-1], requested_wh[1]
    )


@dataclass(frozen=True)
class AppraisedDraw:
    """A draw of who may be awarded, and what it costs the DSO.

    Attributes
    ----------
    seed : str or None
        Hexadecimal; None where none was drawn in time.
    sellers, called : int
        Who offered, and how many of them may be awarded.
    prices_ueur_per_kwh : tuple of int
        Of the offers of those called, then of the others.
    appraisal : CallingAppraisal
    """

    seed: str | None
    sellers: int
    called: int
    prices_ueur_per_kwh: tuple[int, ...]
    appraisal: CallingAppraisal

    def called_ueur(self) -> int:
        """Return what the cheapest awards among those called cost. [µEUR]"""
        return _cost_ueur(self.appraisal.called_wh.tolist(), self.prices_ueur_per_kwh)

    def every_ueur(self) -> int:
        """Return what the cheapest awards among all that offer cost. [µEUR]"""
        return _cost_ueur(self.appraisal.every_wh.tolist(), self.prices_ueur_per_kwh)


def _cost_ueur(awarded_wh: Sequence[int], prices_ueur_per_kwh: Sequence[int]) -> int:
    return sum(map(amount_earned_ueur, awarded_wh, prices_ueur_per_kwh))


@dataclass(frozen=True)
class AppraisedRound:
    """A round of awards as the DSO appraised it.

    Attributes
    ----------
    request : int
        Number of its last request with offers.
    prices_ueur_per_kwh : tuple of int
        Of its offers.
    appraisal : ReliefAppraisal
    idle : IdleFlexibility or None
        What an award pays first, whatever it changes.
    draw : AppraisedDraw or None
        Who was called, where calls are drawn.
    """

    request: int
    prices_ueur_per_kwh: tuple[int, ...]
    appraisal: ReliefAppraisal
    idle: IdleFlexibility | None = None
    draw: AppraisedDraw | None = None

    def needed_ueur(self) -> int:
        """Return what the awards cost that limits without margins need. [µEUR]"""
        needed_wh = self.appraisal.needed_wh.tolist()
        cost = _cost_ueur(needed_wh, self.prices_ueur_per_kwh)
        if self.idle is not None:
            idle = zip(
                needed_wh, self.idle.offer.tolist(), self.idle.cost_ueur.tolist(), strict=True
            )
            cost += sum({offer: ueur for wh, offer, ueur in idle if wh}.values())
        return cost


@dataclass
class FlexibilityInterval:
    """Flexibility that prosumers have in one interval; the DSO's requests and their offers.

    ``left_out`` are the last offers of those that a draw did not call, ``uncalled`` who made them
    in the interval, and ``cuts_wh`` what of these the contract knows to be ordered by the DSO.
    """

    bids: BidsMessage
    offers: list[tuple[Request, int]] = field(default_factory=list)
    left_out: list[tuple[Request, int]] = field(default_factory=list)
    uncalled: set[int] = field(default_factory=set)
    cuts_wh: dict[int, int] = field(default_factory=dict)
    wishes: list[Wish] = field(default_factory=list)
    covered: CoveredRequests | None = None
    top_ups: list[tuple[str, int]] = field(default_factory=list)
    appraised: list[AppraisedRound] = field(default_factory=list)

    def rows(self) -> list[tuple[Request, int, Block]]:
        """Return the blocks of the last offers, in the order in which the DSO gets them."""
        return [(request, o, block) for request, o in self.offers for block in request.rows(o)]

    def uncalled_offers(self) -> UncalledOffers:
        """Return the blocks of those that the draw did not call."""
        rows = [
            (request.prosumers[o], request.direction, *block)
            for request, o in self.left_out
            for block in request.rows(o)
        ]
        return UncalledOffers(*np.array(rows, dtype=np.int64).reshape(-1, 4).T)

    def idle(self) -> IdleFlexibility:
        """Return what is idle of the last offers, by the same blocks."""
        position = {place: k for k, place in enumerate(self.offers)}
        rows = [
            (position[request, o], -(-cost // WH_PER_KWH))
            for request, o, _ in self.rows()
            for cost in (price_times_wh(request.blocks[o], request.idle_wh[o]),)
        ]
        return IdleFlexibility(*np.array(rows, dtype=np.int64).reshape(-1, 2).T)
