"""A community with its contracts on a chain, set up as in a run, and its markets by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import numpy.typing as npt

from cosim.chain.chain import Chain
from cosim.evm.engine import create_engine
from cosim.mechanisms.deployment import Deployment, found, genesis_s
from cosim.mechanisms.flexibility_market.curves import Block
from cosim.mechanisms.flexibility_market.outcomes import FlexibilityStep, Request
from cosim.mechanisms.flexibility_market.play import FlexibilityMarketPlay
from cosim.mechanisms.local_market.areas import MarketArea
from cosim.mechanisms.local_market.interference import LedgerAttack
from cosim.mechanisms.local_market.outcomes import OrderBook
from cosim.mechanisms.local_market.play import LocalMarketPlay
from cosim.mechanisms.metering.readings import Meters
from cosim.mechanisms.play import Readings, Schedules, Statement
from cosim.messages import BidsMessage, BlocksMessage, Columns, DeliveryMessage, Extras, FlowMessage
from cosim.messages.declaration import field_types
from cosim.runs.preparation import deploy_mechanisms
from cosim.scenario import Scenario
from cosim.units import BoolArray, FloatArray, IntArray

START = datetime(2024, 6, 1, 12, tzinfo=UTC)
RETAIL, FEED_IN, PENALTY, CAP = 300_000, 80_000, 600_000, 500_000
ESTIMATE_WH = 2_000
MARKET = {
    "retail_eur_per_kwh": RETAIL / 1e6,
    "feed_in_eur_per_kwh": FEED_IN / 1e6,
    "silent_estimate_kwh": ESTIMATE_WH / 1e3,
    "account": "prepaid",
    "account_eur": 100.0,
    "deposit_share": 0.6,
    "supplier_eur": 1_000.0,
}
DSO = {
    "penalty_eur_per_kwh": PENALTY / 1e6,
    "price_cap_eur_per_kwh": CAP / 1e6,
    "budget_eur": 1_000.0,
}
GAS_LIMIT = 30_000_000


def scenario_of(
    start: datetime = START,
    intervals: int = 4,
    *,
    market: Mapping[str, Any] | None = None,
    dso: Mapping[str, Any] | None = None,
    **sections: Any,
) -> Scenario:
    """Return a scenario with the terms above; market and dso as changed, however odd."""
    built = Scenario.model_validate(
        {
            "name": "deployed",
            "seed": 7,
            "time": {"start": start.replace(tzinfo=None), "intervals": intervals},
            "grid": {"network": "1-LV-rural1--1-sw"},
            "market": MARKET,
            "dso": DSO,
        }
        | sections
    )
    # unchecked: tests also ask for what the section of a scenario refuses
    changes = {
        "market": built.market.model_copy(update=dict(market or {})),
        "dso": built.dso.model_copy(update=dict(dso or {})),
    }
    return built.model_copy(update=changes)


def deployed(
    scenario: Scenario,
    names: Sequence[str],
    *,
    meters: Sequence[str] | None = None,
    members: Sequence[bool] | None = None,
    engine: str = "revm",
    n_mechanisms: int = 1,
    genesis: int | None = None,
    gas_limit: int = GAS_LIMIT,
    tip_wei: int = 0,
    base_fee_wei: int = 0,
    attack: LedgerAttack | None = None,
    readings: Meters | None = None,
    areas: Sequence[MarketArea] = (),
) -> Deployment:
    """Return what a scenario's mechanisms deploy and everybody deposits.

    Parameters
    ----------
    n_mechanisms : int
        Mechanisms besides the two markets, for which there must be time.
    genesis : int, optional
        Timestamp of block 0; default: early enough. [s]
    areas : sequence of MarketArea
        Each with a local market of its own; default: one for all.
    """
    opens_s = scenario.clock().window_opens_s(0)
    if genesis is None:
        n_markets = max(len(areas), 1)
        genesis = genesis_s(opens_s, 12, gas_limit, len(names), n_mechanisms, n_markets=n_markets)
    chain = Chain(
        create_engine(engine),
        genesis,
        12,
        gas_limit,
        initial_base_fee_wei=base_fee_wei,
        tip_wei=tip_wei,
    )
    meters = [f"meter {name}" for name in names] if meters is None else meters
    deployment = found(chain, scenario.seed, names, meters, members)
    deployment = replace(
        deployment,
        attack=attack or LedgerAttack(),
        readings=readings or Meters(),
        areas=tuple(areas),
    )
    deploy_mechanisms(scenario, deployment)
    return deployment


def bids_of(interval: int, n: int, *extras: object, **arrays: npt.ArrayLike) -> BidsMessage:
    """Return bids in which only the given arrays are not zero."""
    return BidsMessage(
        interval=interval,
        flexibility=BlocksMessage.none(),
        extras=Extras(*extras),
        **_arrays(BidsMessage, n, arrays),
    )


def delivery_of(
    interval: int,
    metered_wh: npt.ArrayLike,
    parts: Mapping[str, FloatArray] | None = None,
    **arrays: npt.ArrayLike,
) -> DeliveryMessage:
    """Return a delivery in which only the given arrays are not zero."""
    metered = np.asarray(metered_wh, dtype=np.int64)
    filled = _arrays(DeliveryMessage, len(metered), arrays | {"metered_wh": metered})
    return DeliveryMessage(interval=interval, parts=parts or {}, **filled)


def flow_of(interval: int, delivered_wh: npt.ArrayLike) -> FlowMessage:
    """Return the flow of a grid of which only the connection points count."""
    none = np.zeros(0)
    return FlowMessage(
        interval=interval,
        converged=True,
        delivered_wh=np.asarray(delivered_wh, dtype=np.int64),
        vm_pu=none,
        va_degree=none,
        line_loading_percent=none,
        trafo_loading_percent=none,
        losses_mw=0.0,
        p_slack_mw=0.0,
        q_slack_mvar=0.0,
    )


def readings_of(
    interval: int,
    metered_wh: npt.ArrayLike,
    parts: Mapping[str, FloatArray] | None = None,
    **arrays: npt.ArrayLike,
) -> Readings:
    """Return readings that are what was delivered."""
    delivery = delivery_of(interval, metered_wh, parts, **arrays)
    return Readings(delivery, delivery.metered_wh, delivery.metered_wh)


def _arrays(kind: type[Any], n: int, given: Mapping[str, npt.ArrayLike]) -> dict[str, Any]:
    """Every array of a message by connection point: the given ones, and zeros."""
    known = {each.name: each.dtype for each in field_types(kind) if each.dtype is not None}
    assert given.keys() <= known.keys()
    return {
        name: np.broadcast_to(np.asarray(given.get(name, 0), dtype=dtype), n).copy()
        for name, dtype in known.items()
    }


@dataclass(frozen=True)
class Rewritten:
    """What the markets read after a reorganisation."""

    orders: OrderBook
    steps: tuple[FlexibilityStep, ...]
    schedules: Schedules


class Markets:
    """The two markets of a deployed community, stage after stage, with orders given by hand."""

    def __init__(self, deployment: Deployment, scenario: Scenario) -> None:
        self.deployment = deployment
        self.chain = deployment.chain
        self.clock = scenario.clock()
        self.n = len(deployment.prosumers)
        self.market = deployment.play(LocalMarketPlay)
        self.flexibility = deployment.play(FlexibilityMarketPlay)
        self.requests = self.flexibility._requests
        self._n_reorganisations = 0
        for play in deployment.plays:
            play.open()

    def trade(
        self,
        interval: int,
        is_sell: BoolArray,
        energy_wh: IntArray,
        price_ueur_per_kwh: IntArray,
        sent_fraction: FloatArray,
    ) -> OrderBook:
        """Send orders, wait for gate closure, clear."""
        bids = bids_of(
            interval,
            self.n,
            is_sell=is_sell,
            order_wh=energy_wh,
            order_price_ueur_per_kwh=price_ueur_per_kwh,
            sent_fraction=sent_fraction,
        )
        self._n_reorganisations = self.chain.n_reorganisations
        for play in (self.flexibility, self.market):
            play.mark()
            play.submit(interval, bids)
        self.chain.mine_until(self.clock.gate_closes_s(interval))
        self.chain.mine_blocks(self.chain.confirmations)
        self.market.gate_closed(interval)
        return self.market._orders(interval)

    def request(self, interval: int, direction: int, quantity_wh: int) -> Request | None:
        """Open a request of the DSO; None if it was not let in."""
        request = self.requests.open(interval, direction, quantity_wh, CAP)
        if request is not None:
            self.flexibility._open_in_model(request)
        return request

    def offer(
        self, request: Request, energy_wh: IntArray, price: IntArray, baseline_wh: IntArray
    ) -> None:
        """Answer a request by offers of one block, where there is energy."""
        offers = {
            i: (Block(int(energy_wh[i]), int(price[i])),)
            for i in np.flatnonzero(energy_wh).tolist()
        }
        self.requests.offer(request, offers, baseline_wh)
        for o in range(len(request.prosumers)):
            self.flexibility._offer_in_model(request, o)

    def award(self, request: Request, energy_wh: IntArray) -> list[list[int]]:
        """Award offers; positions that the ledger took, by transaction."""
        batches = self.requests.award(request, energy_wh)
        for batch in batches:
            awarded = {o: int(energy_wh[o]) for o in batch}
            self.flexibility._award_in_model(request, awarded)
        return batches

    def at_delivery(self, interval: int) -> Rewritten | None:
        """Mine until delivery starts; what the chain says then if blocks were replaced."""
        self.chain.mine_until(self.clock.delivery_start_s(interval))
        rewritten = None
        if self.chain.n_reorganisations != self._n_reorganisations:
            none = np.zeros(self.n, dtype=np.int64)
            schedules = self.market.reread(interval, Schedules(none, none, none, none))
            schedules = self.flexibility.reread(interval, schedules)
            steps = self.requests.reread(interval)
            rewritten = Rewritten(self.market._orders(interval), steps, schedules)
        self.chain.checkpoint()
        return rewritten

    def settle(self, interval: int, metered_wh: npt.ArrayLike) -> tuple[Statement, Columns]:
        """Settle what was delivered as metered; the statement, and rows of ``flexibility``."""
        return self.settle_readings(interval, readings_of(interval, metered_wh))

    def settle_readings(self, interval: int, readings: Readings) -> tuple[Statement, Columns]:
        """Settle by readings that need not be what was delivered."""
        self.chain.mine_until(self.clock.delivery_start_s(interval + 1))
        statement = Statement.empty(self.n)
        self.market.settle(interval, readings, statement)
        tables = self.flexibility.settle(interval, readings, statement)
        self.chain.checkpoint()
        return statement, tables["flexibility"]
