"""mosaik simulator of the prosumers' agents: forecast, plan, order, offer."""

from __future__ import annotations

from typing import Any

import numpy as np

from cosim.attacks.deviations import Deviation
from cosim.prosumers.bidding import Bidders, Bids
from cosim.simulators.base import PopulationSimulator
from cosim.simulators.messages import frozen


class BiddersSimulator(PopulationSimulator):
    """Steps once per interval, before the market.

    Inputs, both of the interval before: ``delivery`` (states of charge, energy owed) and ``prices``
    (what cleared). Output ``bids``.
    """

    stage = "bidding"

    def __init__(self) -> None:
        super().__init__("Bidders", ("delivery", "prices"), ("bids",))

    def set_up(self, **domain: Any) -> None:
        """Take the bidders, what some of them do otherwise, and the number of intervals."""
        self.bidders: Bidders = domain["bidders"]
        self.deviation: Deviation = domain["deviation"]
        self.n_intervals: int = domain["n_intervals"]

    def play(
        self, interval: int, messages: dict[str, Any], children: dict[str, dict[str, float]]
    ) -> dict[str, Any]:
        """Bid for one interval; after the last one there is nothing to bid for."""
        if interval >= self.n_intervals:
            return {}
        delivery = messages["delivery"]
        cleared = messages["prices"]
        traded = cleared["volume_wh"] > 0
        external = delivery["external_p_mw"]
        bids = self.bidders.bid(
            interval,
            delivery["soc_mwh"],
            delivery["owed_mwh"],
            int(cleared["price_ueur_per_kwh"]) if traded else None,
            None if np.isnan(external).all() else external,
            cleared.get("storage_wh"),
        )
        return {"bids": frozen(_message(interval, self.deviation.bids(interval, bids)))}


def _message(interval: int, bids: Bids) -> dict[str, Any]:
    potentials = bids.potentials
    return {
        "interval": interval,
        "planned_wh": bids.planned_wh,
        "firm_wh": bids.firm_wh,
        "order_wh": bids.order_wh,
        "is_sell": bids.is_sell,
        "order_price_ueur_per_kwh": bids.price_ueur_per_kwh,
        "sent_fraction": bids.sent_at,
        "forecast_q_mvar": bids.q_inject_mvar,
        "flex_down_wh": potentials.flex_down_wh,
        "flex_up_wh": potentials.flex_up_wh,
        "flex_down_price_ueur_per_kwh": potentials.flex_down_price_ueur_per_kwh,
        "flex_down_price_if_sold_ueur_per_kwh": potentials.flex_down_price_if_sold_ueur_per_kwh,
        "flex_up_price_ueur_per_kwh": potentials.flex_up_price_ueur_per_kwh,
        "curtailable_down_wh": potentials.curtailable_down_wh,
        "curtailable_up_wh": potentials.curtailable_up_wh,
        "storage_wh": bids.storage_wh,
    }
