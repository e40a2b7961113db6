"""The other side of a DSO's rounds, in a few lines.

It offers what it is told to and carries out what the DSO decides, as far as a contract would.
"""

from __future__ import annotations

import numpy as np

from cosim.dso.operator import GridOperator
from cosim.dso.procurement import DsoNetwork
from cosim.grid.limits import Limits
from cosim.mechanisms.flexibility_market.settings import DsoSettings
from cosim.messages import OffersMessage, ScheduleMessage

STEP_S = 900


def operator_of(engine, network=DsoNetwork, **settings):
    instruments = DsoSettings(**settings).made_instruments()
    names = tuple(f"home {i}" for i in range(engine.model.n_points))
    return GridOperator(network(engine, Limits(), 10.0, 0.003), STEP_S, instruments, names)


class MarketSide:
    """Offers a share of every injection; awards change schedules as the contract allows."""

    def __init__(self, village, share=0.6, price=None, *, carries_out=True, up_too=False):
        _, self.nominated_wh, self.q_mvar = village
        n = self.nominated_wh.size
        self.share, self.carries_out, self.up_too = share, carries_out, up_too
        self.price = np.full(n, 100_000) if price is None else np.asarray(price)
        self.activated_wh = np.zeros(n, dtype=np.int64)
        self.curtailed_wh = np.zeros(n, dtype=np.int64)
        self.round = 0
        self.offers = None
        self.requests = []
        self.awards = []

    def schedule(self):
        injected = np.maximum(self.nominated_wh, 0)
        return ScheduleMessage(
            interval=0,
            round=self.round,
            nominated_wh=self.nominated_wh,
            activated_wh=self.activated_wh,
            curtailed_wh=self.curtailed_wh,
            forecast_q_mvar=self.q_mvar,
            curtailable_down_wh=injected,
            curtailable_up_wh=np.maximum(-self.nominated_wh, 0),
            offers=self.offers,
        )

    def carry_out(self, decision):
        self.round += 1
        self.curtailed_wh = decision.curtailed_wh
        if decision.awarded_wh.size:
            requested_wh = dict(zip((-1, 1), self.requests[-1], strict=True))
            self.awards.append(decision.awarded_wh)
            for sign in (-1, 1):
                own = self.offers.direction == sign
                assert decision.awarded_wh[own].sum() <= requested_wh[sign]
                if self.carries_out:
                    prosumer = self.offers.prosumer[own]
                    np.add.at(self.activated_wh, prosumer, sign * decision.awarded_wh[own])
        self.offers = None
        if decision.request_down_wh or decision.request_up_wh:
            self.requests.append((decision.request_down_wh, decision.request_up_wh))
            left = (self.share * np.maximum(self.nominated_wh, 0)).astype(np.int64)
            left += self.activated_wh
            prosumer = np.flatnonzero((left > 0) & (self.curtailed_wh == 0))
            if prosumer.size:
                both = 2 if self.up_too else 1
                self.offers = OffersMessage(
                    request=np.zeros(both * prosumer.size, dtype=np.int64),
                    prosumer=np.tile(prosumer, both),
                    direction=np.repeat([-1, 1][:both], prosumer.size),
                    energy_wh=np.tile(left[prosumer], both),
                    price_ueur_per_kwh=np.tile(self.price[prosumer], both),
                )

    def play(self, operator):
        for _ in range(30):
            decision = operator.decide(self.schedule())
            if decision.accepted:
                return decision
            self.carry_out(decision)
        raise AssertionError("the DSO never accepts")


def stages(operator):
    return [(check.stage, check.round) for check in operator.checks]


def loading(operator):
    return [float(check.assessment.state.trafo_loading_percent.max()) for check in operator.checks]
