"""Local markets of several areas in a run: one play each, which step together.

Each sees its own members only, counted from 0. What is sent is sent for all of them before anything
is waited for: their clearings share a block, and so do their readings.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from cosim.chain.client import ContractClient
from cosim.mechanisms.deployment import Deployment
from cosim.mechanisms.local_market.areas import MarketArea
from cosim.mechanisms.local_market.joined import ENROLLED_AT_ONCE, JoinedMarkets
from cosim.mechanisms.local_market.mirroring import MemberReadings
from cosim.mechanisms.local_market.orders import Reading
from cosim.mechanisms.local_market.play import LocalMarketPlay
from cosim.mechanisms.play import (
    Charges,
    Deposit,
    Play,
    Readings,
    Schedules,
    Statement,
    TokenTransfer,
)
from cosim.mechanisms.rows import joined_rows
from cosim.messages import BidsMessage, BlocksMessage, Columns, Extras
from cosim.units import IntArray

_OF_BIDS = (
    "planned_wh",
    "firm_wh",
    "order_wh",
    "is_sell",
    "order_price_ueur_per_kwh",
    "sent_fraction",
    "forecast_q_mvar",
    "curtailable_down_wh",
    "curtailable_up_wh",
)
_OF_STATEMENT = (
    "contracted_wh",
    "metered_wh",
    "traded_ueur",
    "supplier_ueur",
    "estimated",
)
_OF_CHARGES = ("local_ueur", "network_ueur", "taxes_ueur")


@dataclass(frozen=True)
class AreaPlay:
    """Local market of an area in a run.

    Parameters
    ----------
    area : MarketArea
    play : LocalMarketPlay
        Whose prosumers are the area's members.
    """

    area: MarketArea
    play: LocalMarketPlay

    @property
    def points(self) -> IntArray:
        """Positions of the members."""
        return np.array(self.area.points, dtype=np.int64)

    def bids(self, bids: BidsMessage) -> BidsMessage:
        """Return the members' bids, without orders where nobody trades."""
        own: dict[str, Any] = {name: getattr(bids, name)[self.points] for name in _OF_BIDS}
        if not self.area.trades:
            own["order_wh"] = np.zeros_like(own["order_wh"])
        return replace(bids, **own, flexibility=BlocksMessage.none(), extras=Extras())


class LocalMarketsPlay(Play, MemberReadings):
    """Local markets of several areas.

    Parameters
    ----------
    deployment : Deployment
        Of the whole run.
    parts : sequence of AreaPlay
    joined : JoinedMarkets
        Of these, in their order.
    """

    def __init__(
        self, deployment: Deployment, parts: Sequence[AreaPlay], joined: JoinedMarkets
    ) -> None:
        self.parts = tuple(parts)
        self.joined = joined
        self.address = joined.address
        self.answers_for = tuple(name for part in parts for name in part.play.answers_for)
        self._operator = deployment.operator.address
        self._n = len(deployment.prosumers)
        self._accounts = tuple(account.address for account in deployment.prosumers)
        self._market_of = {
            deployment.prosumers[i].name: part.play for part in parts for i in part.area.points
        }

    @property
    def clients(self) -> Sequence[ContractClient]:
        """Those of every market, and the contract that joins them."""
        return [*(client for part in self.parts for client in part.play.clients), self.joined]

    def reading_of(self, interval: int, name: str) -> Reading | None:
        """Return the reading that a prosumer's interval was settled with, if it was."""
        play = self._market_of.get(name)
        return None if play is None else play.reading_of(interval, name)

    # --- before the first interval ---

    def deposits(self) -> Sequence[Deposit]:
        """Return the deposits of everybody in each market."""
        return [
            deposit._replace(into=part.play.client)
            for part in self.parts
            for deposit in part.play.deposits()
        ]

    def enrol(self) -> Collection[int]:
        """Let members join their markets."""
        return [handle for part in self.parts for handle in part.play.enrol()]

    def enrolled(self) -> Collection[int]:
        """Have noted who is a member of which market."""
        return [
            self.joined.enrol(self._operator, place, accounts[k : k + ENROLLED_AT_ONCE])
            for place, part in enumerate(self.parts)
            for accounts in [[self._accounts[i] for i in part.area.points]]
            for k in range(0, len(accounts), ENROLLED_AT_ONCE)
        ]

    def open(self) -> None:
        """Take over the deposits of every market."""
        for part in self.parts:
            part.play.timer = self.timer
            part.play.open()

    # --- before delivery ---

    def announce(self, interval: int, announced: Extras) -> None:
        """Let the supplier announce prices that change, in every market."""
        for part in self.parts:
            part.play.announce(interval, announced)

    def submit(self, interval: int, bids: BidsMessage) -> None:
        """Send the members' orders, each to its market."""
        for part in self.parts:
            part.play.submit(interval, part.bids(bids))

    def gate_closed(self, interval: int) -> None:
        """Have every market cleared, and clear it once more in the model."""
        for part in self.parts:
            part.play.clear(interval)
        for part in self.parts:
            part.play.cleared(interval)

    def schedule(self, interval: int, schedules: Schedules) -> Schedules:
        """Move schedules by what is filled in each market."""
        contracted_wh, nominated_wh = (
            own.copy() for own in (schedules.contracted_wh, schedules.nominated_wh)
        )
        for part in self.parts:
            at = part.points
            zeros = np.zeros(at.size, dtype=np.int64)
            own = part.play.schedule(interval, Schedules(zeros, nominated_wh[at], zeros, zeros))
            contracted_wh[at], nominated_wh[at] = own.contracted_wh, own.nominated_wh
        return replace(schedules, contracted_wh=contracted_wh, nominated_wh=nominated_wh)

    def price(self, interval: int) -> tuple[IntArray, IntArray]:
        """Return price signal and volume of everybody's market, (n,). [µEUR/kWh, Wh]"""
        price_ueur_per_kwh, volume_wh = np.zeros((2, self._n), dtype=np.int64)
        for part in self.parts:
            at = part.points
            price_ueur_per_kwh[at], volume_wh[at] = part.play.price(interval)
        return price_ueur_per_kwh, volume_wh

    def rows(self, interval: int) -> Mapping[str, Columns]:
        """Return the rows of orders and trades, with their area."""
        return self._joined(lambda part: part.play.rows(interval))

    # --- after delivery ---

    def settle(
        self, interval: int, readings: Readings, statement: Statement
    ) -> Mapping[str, Columns]:
        """Let the meters report to their markets, and settle what follows in each."""
        handles: set[int] = set()
        own = [
            (part, self._own(readings, part), Statement.empty(part.points.size))
            for part in self.parts
        ]
        for part, reported, _ in own:
            handles.update(part.play.report(interval, reported))
        self.parts[0].play.wait(interval, handles)
        for part, reported, stated in own:
            part.play.reported(interval, reported, stated)
            _add(statement, stated, part.points)
        return self._joined(lambda part: part.play.passed_on(interval))

    def forget(self, interval: int) -> None:
        """Drop a settled interval."""
        for part in self.parts:
            part.play.forget(interval)

    def transfers(self) -> Sequence[TokenTransfer]:
        """Return the top-ups since the last call."""
        return [moved for part in self.parts for moved in part.play.transfers()]

    def check_money(self, interval: int, tokens_ueur: Mapping[str, int]) -> None:
        """Require of every market that its contract holds what it owes."""
        for part in self.parts:
            part.play.check_money(interval, tokens_ueur)

    # --- parts ---

    def _joined(self, rows: Callable[[AreaPlay], Mapping[str, Columns]]) -> Mapping[str, Columns]:
        return joined_rows({part.area.name: rows(part) for part in self.parts})

    @staticmethod
    def _own(readings: Readings, part: AreaPlay) -> Readings:
        return replace(
            readings,
            reported_wh=readings.reported_wh[part.points],
            delivered_wh=readings.delivered_wh[part.points],
        )


def _add(statement: Statement, own: Statement, at: IntArray) -> None:
    """Take what a market settled over into the statement of all."""
    for name in _OF_STATEMENT:
        getattr(statement, name)[at] = getattr(own, name)
    for i, fee_wei in zip(at.tolist(), own.fees_wei, strict=True):
        statement.fees_wei[i] += fee_wei
    if own.charges is None:
        return
    if statement.charges is None:
        statement.charges = Charges.empty(len(statement.fees_wei), own.charges.tariff)
    for name in _OF_CHARGES:
        getattr(statement.charges, name)[at] = getattr(own.charges, name)
