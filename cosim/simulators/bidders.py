"""mosaik simulator of the prosumers' agents: forecast, plan, order, offer."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from cosim.attacks.deviations import Deviation
from cosim.messages import BidsMessage, DeliveryMessage, Extras, PricesMessage
from cosim.messages.extras import StorageAccounts, StorageNominations
from cosim.prosumers.bidding import Bidders, Bids
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
            int(cleared.price_ueur_per_kwh) if cleared.volume_wh > 0 else None,
            None if np.isnan(external).all() else external,
            None if accounts is None else accounts.energy_wh,
        )
        return (_message(interval, self.parts.deviation.bids(interval, bids)),)


def _message(interval: int, bids: Bids) -> BidsMessage:
    potentials = bids.potentials
    return BidsMessage(
        interval=interval,
        planned_wh=bids.planned_wh,
        firm_wh=bids.firm_wh,
        order_wh=bids.order_wh,
        is_sell=bids.is_sell,
        order_price_ueur_per_kwh=bids.price_ueur_per_kwh,
        sent_fraction=bids.sent_at,
        forecast_q_mvar=bids.q_inject_mvar,
        flex_down_wh=potentials.flex_down_wh,
        flex_up_wh=potentials.flex_up_wh,
        flex_down_price_ueur_per_kwh=potentials.flex_down_price_ueur_per_kwh,
        flex_down_price_if_sold_ueur_per_kwh=potentials.flex_down_price_if_sold_ueur_per_kwh,
        flex_up_price_ueur_per_kwh=potentials.flex_up_price_ueur_per_kwh,
        curtailable_down_wh=potentials.curtailable_down_wh,
        curtailable_up_wh=potentials.curtailable_up_wh,
        extras=Extras(StorageNominations(bids.storage_wh)),
    )
