"""mosaik simulator of the market: the session of the mechanisms on the ledger."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from cosim.mechanisms.session import Session
from cosim.messages import (
    BidsMessage,
    DecisionMessage,
    DeliveryMessage,
    FlowMessage,
    SessionMessage,
)
from cosim.simulators.base import Children, Inbox, PopulationSimulator


@dataclass(frozen=True)
class MarketParts:
    """Domain object of the market: the session of a run's mechanisms."""

    session: Session


class MarketSimulator(PopulationSimulator[MarketParts]):
    """Takes turns with the DSO within an interval, then settles the interval before."""

    role: ClassVar[str] = "market"
    stage: ClassVar[str] = "ledger"

    def set_up(self, parts: MarketParts) -> None:
        """Take the session."""
        self.session = parts.session

    def play(self, interval: int, inbox: Inbox, children: Children) -> Iterable[object]:
        """Open an interval, answer the DSO, or close the interval."""
        session, bids = self.session, inbox.of(BidsMessage)
        delivery, flow = inbox.of(DeliveryMessage), inbox.of(FlowMessage)
        if session.is_open(interval):
            decision = inbox.need(DecisionMessage)
            if not decision.accepted:
                return (session.relieve(decision),)
            return session.close(decision, delivery, flow)
        if bids is not None and bids.interval == interval:
            return (session.open(bids),)
        return (SessionMessage(session.settle(interval - 1, delivery, flow), interval - 1),)
