"""mosaik simulator of the market: the ledger session, and the books beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cosim.mechanisms.local_market.books import Arrival, MarketBooks
from cosim.mechanisms.local_market.clearing import ranking
from cosim.mechanisms.local_market.orders import Order
from cosim.mechanisms.local_market.outcomes import OffChainClearing, OrderBook, Request, Rewritten
from cosim.mechanisms.local_market.pricing import taker_price_ueur_per_kwh
from cosim.mechanisms.local_market.schedule import schedule_wh
from cosim.mechanisms.local_market.session import MarketSession
from cosim.mechanisms.local_market.trades import Trade
from cosim.mechanisms.play import Service
from cosim.simulators.base import PopulationSimulator
from cosim.simulators.market_tables import (
    flexibility_columns,
    ledger_tables,
    orders_columns,
    settlement_columns,
    trades_columns,
)
from cosim.simulators.messages import frozen
from cosim.simulators.settling import settle_interval
from cosim.units import IntArray


@dataclass
class _Interval:
    """State of one interval between its clearing and the DSO's acceptance."""

    number: int
    bids: dict[str, Any]
    orders: OrderBook
    nominated_wh: IntArray
    activated_wh: IntArray
    curtailed_wh: IntArray
    round: int = 0
    offers: list[tuple[Request, int]] = field(default_factory=list)
    tables: dict[str, Any] = field(default_factory=dict)


class MarketSimulator(PopulationSimulator):
    """Takes turns with the DSO within an interval, then settles the interval before.

    Inputs ``bids``, ``decision`` and, of the interval before, ``delivery`` and ``flow``. Outputs
    ``schedule`` (to the DSO) until the DSO accepts, then ``dispatch`` (to the devices), ``prices``
    (to the bidders) and ``session`` (to the recorder).
    """

    stage = "ledger"

    def __init__(self) -> None:
        super().__init__(
            "Market",
            ("bids", "decision", "delivery", "flow"),
            ("schedule", "dispatch", "prices", "session"),
            triggers=("bids", "decision"),
        )

    def set_up(self, **domain: Any) -> None:
        """Take the session, the books, the services, the price cap and what converts fees."""
        self.session: MarketSession = domain["session"]
        self.books: MarketBooks = domain["books"]
        self.services: tuple[Service, ...] = domain["services"]
        self.price_cap_ueur_per_kwh: int = domain["price_cap_ueur_per_kwh"]
        self.eur_per_eth: float = domain["eur_per_eth"]
        self.names: np.ndarray[Any, Any] = np.array(self.books.prosumers, dtype=object)
        self._open: _Interval | None = None

    def play(
        self, interval: int, messages: dict[str, Any], children: dict[str, dict[str, float]]
    ) -> dict[str, Any]:
        """Open an interval, answer the DSO, or close the interval."""
        if self._open is not None and self._open.number == interval:
            decision = messages["decision"]
            if not decision["accepted"]:
                self._carry_out(self._open, decision)
                return {"schedule": self._schedule(self._open)}
            return self._finish(self._open, messages)
        if "bids" in messages and messages["bids"]["interval"] == interval:
            self._open = self._trade(interval, messages["bids"])
            return {"schedule": self._schedule(self._open)}
        return {
            "session": {"tables": self._settle(interval - 1, messages), "settled": interval - 1}
        }

    def _trade(self, interval: int, bids: dict[str, Any]) -> _Interval:
        """Send the orders, clear, and derive the schedules."""
        bids = self._price_takers(self._of_members(bids))
        prices = np.array(bids["order_price_ueur_per_kwh"])  # an attacker names its price later
        bids = bids | {"order_price_ueur_per_kwh": prices}
        for service in self.services:
            service.submit(interval, bids)
        if self.session.chain.can_reorganise:
            self.books.mark()
        orders = self.session.trade(
            interval,
            bids["is_sell"],
            bids["order_wh"],
            bids["order_price_ueur_per_kwh"],
            bids["sent_fraction"],
            lambda arrived, revealed: self._clear_off_chain(bids, arrived, revealed),
        )
        trades = self._book_trade(interval, bids, orders)
        nominated = schedule_wh(
            bids["firm_wh"], bids["planned_wh"], orders.scheduled_wh, bids["order_wh"]
        )
        for service in self.services:
            service.gate_closed(interval)
            nominated = service.scheduled_wh(interval, nominated)
        zeros = np.zeros(len(self.names), dtype=np.int64)
        return _Interval(
            interval,
            bids,
            orders,
            nominated,
            zeros,
            zeros,
            tables=self._trade_tables(interval, bids, orders, trades),
        )

    def _trade_tables(
        self, interval: int, bids: dict[str, Any], orders: OrderBook, trades: tuple[Trade, ...]
    ) -> dict[str, Any]:
        return {
            "orders": orders_columns(interval, self.names, bids, orders, self.books.local.rule),
            "trades": trades_columns(interval, trades),
        }

    def _book_trade(
        self, interval: int, bids: dict[str, Any], orders: OrderBook
    ) -> tuple[Trade, ...]:
        """Clear what the chain took once more in the books."""
        with self.timer.measure("books"):
            sealed = orders.commitments or (None,) * len(orders.arrived)
            arrivals = [
                Arrival(self._order(bids, i), revealed, commitment)
                for i, revealed, commitment in zip(
                    orders.arrived, orders.revealed, sealed, strict=True
                )
            ]
            return self.books.trade(
                interval,
                arrivals,
                (orders.buy_price_ueur_per_kwh, orders.sell_price_ueur_per_kwh),
                orders.volume_wh,
                {str(self.names[i]): int(orders.filled_wh[i]) for i in orders.arrived},
            )

    def _of_members(self, bids: dict[str, Any]) -> dict[str, Any]:
        """Bids without orders and offers of who did not join the local market."""
        members = self.books.members
        if members.all():
            return bids
        own = ("order_wh", "flex_down_wh", "flex_up_wh", "storage_wh")
        return bids | {key: np.where(members, bids[key], 0) for key in own if key in bids}

    def _price_takers(self, bids: dict[str, Any]) -> dict[str, Any]:
        """Bids with the prices that orders must name where the rule sets the price."""
        local = self.books.local
        if not local.rule.sets_price:
            return bids
        prices = [
            taker_price_ueur_per_kwh(is_sell, local.retail_price_ueur_per_kwh)
            for is_sell in (False, True)
        ]
        return bids | {"order_price_ueur_per_kwh": np.where(bids["is_sell"], *reversed(prices))}

    def _order(self, bids: dict[str, Any], i: int) -> Order:
        return Order(
            str(self.names[i]),
            bool(bids["is_sell"][i]),
            int(bids["order_wh"][i]),
            int(bids["order_price_ueur_per_kwh"][i]),
        )

    def _clear_off_chain(
        self, bids: dict[str, Any], arrived: Sequence[int], revealed: Sequence[bool]
    ) -> OffChainClearing:
        """What the market operator clears by itself and then submits or commits to."""
        book = [
            self._order(bids, i) if known else None
            for i, known in zip(arrived, revealed, strict=True)
        ]
        clearing = self.books.local.clear_orders(book)
        return OffChainClearing(
            tuple(ranking(book)),
            clearing.buy_price_ueur_per_kwh,
            clearing.sell_price_ueur_per_kwh,
            clearing.volume_wh,
            clearing.fills_wh,
        )

    def _carry_out(self, state: _Interval, decision: dict[str, Any]) -> None:
        """Open the DSO's requests and collect offers, or award and curtail."""
        state.round += 1
        state.curtailed_wh = decision["curtailed_wh"]
        if len(decision["awarded_wh"]):
            self._award(state, decision["awarded_wh"])
        state.offers = []
        for direction, key in ((-1, "request_down_wh"), (1, "request_up_wh")):
            if decision[key]:
                self._request(state, direction, int(decision[key]))

    def _request(self, state: _Interval, direction: int, quantity_wh: int) -> None:
        """Ask for flexibility; every prosumer offers what it has left at its own price."""
        request = self.session.request(
            state.number, direction, quantity_wh, self.price_cap_ueur_per_kwh
        )
        if request is None:
            return
        self._book_request(request)
        bids = state.bids
        if direction > 0:
            price = bids["flex_up_price_ueur_per_kwh"]
            energy = bids["flex_up_wh"] - state.activated_wh
            other_way = state.activated_wh < 0
        else:
            price = np.where(
                state.orders.contracted_wh > 0,
                bids["flex_down_price_if_sold_ueur_per_kwh"],
                bids["flex_down_price_ueur_per_kwh"],
            )
            energy = bids["flex_down_wh"] + state.activated_wh
            other_way = state.activated_wh > 0
        refused = other_way | (state.curtailed_wh != 0) | (price > self.price_cap_ueur_per_kwh)
        energy = np.where(refused, 0, np.maximum(energy, 0))
        self.session.offer(request, energy, price, state.nominated_wh)
        for o in range(len(request.prosumers)):
            self._book_offer(request, o)
            state.offers.append((request, o))

    def _award(self, state: _Interval, awarded_wh: IntArray) -> None:
        """Award offers on the ledger; only what the ledger took changes a schedule."""
        activated = state.activated_wh.copy()
        for request in dict.fromkeys(request for request, _ in state.offers):
            energy = np.zeros(len(request.prosumers), dtype=np.int64)
            for (own, o), wh in zip(state.offers, awarded_wh, strict=True):
                if own is request:
                    energy[o] = wh
            for batch in self.session.award(request, energy):
                self._book_awards(request, {o: int(energy[o]) for o in batch})
                for o in batch:
                    activated[request.prosumers[o]] += request.direction * energy[o]
        state.activated_wh = activated

    def _schedule(self, state: _Interval) -> dict[str, Any]:
        offers = None
        if state.offers:
            rows = [
                (
                    request.number,
                    request.prosumers[o],
                    request.direction,
                    request.offered_wh[o],
                    request.prices_ueur_per_kwh[o],
                )
                for request, o in state.offers
            ]
            keys = ("request", "prosumer", "direction", "energy_wh", "price_ueur_per_kwh")
            columns = np.array(rows, dtype=np.int64).T
            offers = dict(zip(keys, columns, strict=True))
        return frozen(
            {
                "interval": state.number,
                "round": state.round,
                "nominated_wh": state.nominated_wh,
                "activated_wh": state.activated_wh,
                "curtailed_wh": state.curtailed_wh,
                "forecast_q_mvar": state.bids["forecast_q_mvar"],
                "curtailable_down_wh": state.bids["curtailable_down_wh"],
                "curtailable_up_wh": state.bids["curtailable_up_wh"],
                "offers": offers,
            }
        )

    def _finish(self, state: _Interval, messages: dict[str, Any]) -> dict[str, Any]:
        """Dispatch what the DSO accepted, and settle the interval before."""
        self._open = None
        rewritten = self.session.at_delivery(state.number)
        if rewritten is not None:
            self._follow(state, rewritten)
        schedule = frozen(
            {
                "interval": state.number,
                "contracted_wh": state.orders.contracted_wh,
                "nominated_wh": state.nominated_wh,
                "activated_wh": state.activated_wh,
                "curtailed_wh": state.curtailed_wh,
            }
        )
        settled = state.number - 1 if state.number > 0 else None
        tables = state.tables | self._settle(state.number - 1, messages)
        return {
            "dispatch": schedule,
            "prices": {
                "interval": state.number,
                "price_ueur_per_kwh": state.orders.price_ueur_per_kwh,
                "volume_wh": state.orders.volume_wh,
                **{key: known for s in self.services for key, known in s.known().items()},
            },
            "session": {"tables": tables, "settled": settled, "schedule": schedule},
        }

    def _follow(self, state: _Interval, rewritten: Rewritten) -> None:
        """Go by what the chain says after a reorganisation; there is no time for another check.

        What the DSO curtails stays in force: its order is none of the ledger's.
        """
        orders, bids = rewritten.orders, state.bids
        self.books.rewind()
        trades = self._book_trade(state.number, bids, orders)
        activated = np.zeros(len(self.names), dtype=np.int64)
        for step in rewritten.steps:
            request = step.request
            if step.offer is not None:
                self._book_offer(request, step.offer)
            elif step.awarded_wh is not None:
                self._book_awards(request, step.awarded_wh)
                for o, energy_wh in step.awarded_wh.items():
                    activated[request.prosumers[o]] += request.direction * energy_wh
            else:
                self._book_request(request)
        state.orders, state.activated_wh = orders, activated
        state.nominated_wh = schedule_wh(
            bids["firm_wh"], bids["planned_wh"], orders.scheduled_wh, bids["order_wh"]
        )
        state.tables = self._trade_tables(state.number, bids, orders, trades)

    def _book_request(self, request: Request) -> None:
        self.books.flexibility.open_request(
            request.interval,
            request.direction > 0,
            request.quantity_wh,
            self.price_cap_ueur_per_kwh,
        )

    def _book_offer(self, request: Request, o: int) -> None:
        self.books.flexibility.offer(
            request.number,
            str(self.names[request.prosumers[o]]),
            request.offered_wh[o],
            request.prices_ueur_per_kwh[o],
            request.baselines_wh[o],
        )

    def _book_awards(self, request: Request, awarded_wh: Mapping[int, int]) -> None:
        self.books.flexibility.award(
            request.number,
            [str(self.names[request.prosumers[o]]) for o in awarded_wh],
            list(awarded_wh.values()),
        )

    def _settle(self, interval: int, messages: dict[str, Any]) -> dict[str, Any]:
        """Settle an interval that was delivered, reconcile it, and drain the ledger's records."""
        tables: dict[str, Any] = {}
        if interval >= 0:
            settled, tables = settle_interval(
                self.session,
                self.books,
                self.services,
                interval,
                delivery=messages["delivery"],
                delivered_wh=messages["flow"]["delivered_wh"],
                timer=self.timer,
            )
            tables["settlement"] = settlement_columns(
                interval, self.names, self.books.members, settled, self.eur_per_eth
            )
            tables["flexibility"] = flexibility_columns(interval, self.names, settled.requests)
        return tables | ledger_tables(self.session.chain.drain_records())
