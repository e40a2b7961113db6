"""mosaik simulator of the prosumers' agents: forecast, plan, order, offer."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from cosim.attacks.deviations import Deviation
from cosim.messages import DeliveryMessage, Extras, PricesMessage
from cosim.messages.extras import FlexibilityOutcomes, OwnOutcomes, StorageAccounts
from cosim.prosumers.bidding import Bidders
from cosim.prosumers.flexibility import Outcomes
from cosim.simulators.base import Children, Inbox, PopulationSimulator


@dataclass(frozen=True)
class BiddersParts:
    """Domain objects of the bidders.

    Parameters
    ----------
    bidders : Bidders
    deviation : Deviation
        In which some do not bid honestly.
    n_intervals : int
        Intervals of the run.
    """

    bidders: Bidders
    deviation: Deviation
    n_intervals: int


class BiddersSimulator(PopulationSimulator[BiddersParts]):
    """Steps once per interval, before the market."""

    role: ClassVar[str] = "bidders"
    stage: ClassVar[str] = "bidding"

    def set_up(self, parts: BiddersParts) -> None:
        """Take the bidders."""
        self.parts = parts

    def play(self, interval: int, inbox: Inbox, children: Children) -> Iterable[object]:
        """Bid for one interval; after the last one there is nothing to bid for."""
        if interval >= self.parts.n_intervals:
            return ()
        delivery, cleared = inbox.need(DeliveryMessage), inbox.need(PricesMessage)
        external, accounts = delivery.external_p_mw, cleared.extras.of(StorageAccounts)
        bids = self.parts.bidders.bid(
            interval,
            delivery.soc_mwh,
            delivery.owed_mwh,
            cleared,
            None if np.isnan(external).all() else external,
            None if accounts is None else accounts.energy_wh,
            delivery.parts,
            self._outcomes(cleared.extras, delivery.soc_mwh.size),
        )
        return (self.parts.deviation.bids(interval, bids),)

    @staticmethod
    def _outcomes(extras: Extras, n: int) -> Outcomes:
        """Return what became of everybody's last orders and offers, as far as it is told."""
        known = (extras.of(OwnOutcomes), extras.of(FlexibilityOutcomes))
        given = {
            name: value for own in known if own is not None for name, value in vars(own).items()
        }
        return replace(Outcomes.none(n), **given)
