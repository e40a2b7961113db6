"""Orders, clearing and trades, recomputed from the replayed chain."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import cached_property, partial
from typing import Any, ClassVar

import pandas as pd

from cosim.evm.abi import pack
from cosim.evm.accounts import account
from cosim.evm.hashing import keccak
from cosim.mechanisms.local_market.account_checks import check_accounts
from cosim.mechanisms.local_market.bilateral.checks import check_matchings, proof_intervals
from cosim.mechanisms.local_market.bilateral.checks import check_trades as check_bilateral_trades
from cosim.mechanisms.local_market.clearing import Clearing
from cosim.mechanisms.local_market.fill_tree import FillTree
from cosim.mechanisms.local_market.orders import LATE, Order
from cosim.mechanisms.local_market.settings import MarketSettings
from cosim.mechanisms.local_market.settlement_checks import (
    KEY,
    MARKET,
    SETTLEMENT,
    announcement_intervals,
    check_debts,
    check_metering,
    check_schedules,
    check_settlement,
    order_fees_wei,
    top_up_intervals,
)
from cosim.mechanisms.local_market.submission import entries
from cosim.mechanisms.local_market.submission.batch_checks import check_batches
from cosim.mechanisms.local_market.terms import MarketTerms
from cosim.mechanisms.local_market.trades import pair_trades
from cosim.replay.checks import Amounts, MechanismChecks, Recompute
from cosim.replay.findings import Check
from cosim.replay.history import History, Sent
from cosim.results.reader import Results, rows_of

NOT_INCLUDED = "not included before gate closure"
NOT_REVEALED = "not revealed in time"
_TERMS = ("side", "energy_wh", "price_ueur_per_kwh")


class LocalMarketChecks(MechanismChecks[MarketSettings]):
    """Checks of the local market."""

    varying_gas: ClassVar[tuple[str, ...]] = ("clearVerified", "challengeClearing")

    def checks(self, history: History) -> Mapping[str, Recompute]:
        """Return the checks of clearing, orders, trades, schedules, settlement, readings, debts.

        Where orders or readings come in batches, of these as well.
        """
        parts = [history.part(name) if name else history for name in history.instances(MARKET)]
        of_each = [OrderChecks(part, self.settings) for part in parts or [history]]
        orders = of_each[0]

        def every(check: Callable[[OrderChecks], Check]) -> Recompute:
            return partial(_of_every, check, of_each)

        batched = {"batches": every(lambda one: check_batches(one.history))}
        return (batched if MarketTerms.of(history.scenario).batched else {}) | {
            "clearing": every(OrderChecks.check_clearing),
            "orders": every(OrderChecks.check_orders),
            "trades": every(OrderChecks.check_trades),
            "bilateral_trades": lambda: check_bilateral_trades(history, orders.cleared),
            "schedules": lambda: check_schedules(history),
            "settlement": lambda: check_settlement(history, parts),
            "metering": lambda: check_metering(history),
            "debts": every(lambda one: check_debts(one.history)),
            "accounts": every(lambda one: check_accounts(one.history)),
        }

    def intervals(self, history: History) -> Mapping[int, int]:
        """Return the intervals of top-ups, announcements of prices, and proofs of edges."""
        announced = announcement_intervals(history)
        return top_up_intervals(history) | announced | proof_intervals(history)

    def compare_sums(self, check: Check, results: Results) -> None:
        """Compare energy sold with energy bought, interval by interval."""
        orders = results.table("orders")
        sides = orders.groupby(["interval", "side"])["filled_wh"].sum().unstack(fill_value=0)
        for interval, row in sides.reindex(columns=["sell", "buy"], fill_value=0).iterrows():
            check.equal(
                "orders", f"interval {interval}", "sold and bought", int(row.sell), int(row.buy)
            )

    def fees_wei(self, history: History) -> Amounts:
        """Return the fees of orders and of meters' reports. [wei]"""
        return order_fees_wei(history)


def _of_every(check: Callable[[OrderChecks], Check], markets: Sequence[OrderChecks]) -> Check:
    """Return one check of every local market."""
    first, *others = markets
    done = check(first)
    for market in others:
        done.add(check(market))
    return done


class OrderChecks:
    """Order books of a replayed chain, cleared again by the exact model.

    Parameters
    ----------
    history : History
    settings : MarketSettings
    """

    def __init__(self, history: History, settings: MarketSettings) -> None:
        self.history = history
        self.settings = settings

    @cached_property
    def names(self) -> dict[str, str]:
        """Connection points by the address of their account."""
        return self.history.participants.prosumer_of

    @cached_property
    def order_books(self) -> dict[int, dict[str, Order | None]]:
        """Orders that the contract took: by interval, then by account in the order of arrival.

        None where a sealed order was never revealed.
        """
        found: dict[int, dict[str, Order | None]] = {}
        for event in self.history.of(MARKET, "OrderCommitted", "OrderPlaced"):
            said = event.arguments
            book = found.setdefault(said["interval"], {})
            name = self.names.get(said["account"], said["account"])
            book.setdefault(name, None)
            if event.name == "OrderPlaced":
                book[name] = Order(
                    name, said["is_sell"], said["energy_wh"], said["price_ueur_per_kwh"]
                )
        return found

    @cached_property
    def cleared(self) -> dict[int, Clearing]:
        """Clearing of each interval's orders."""
        terms = MarketTerms.of(self.history.scenario)
        return {
            interval: terms.clear(list(book.values()), interval)
            for interval, book in self.order_books.items()
        }

    def filled_wh(self, interval: int) -> dict[str, int]:
        """Fills of an interval by account. [Wh]"""
        return dict(zip(self.order_books[interval], self.cleared[interval].fills_wh, strict=True))

    def check_clearing(self) -> Check:
        """Compare prices, volume and fills on the chain with a clearing by the exact model."""
        check = Check("clearing", "every order book cleared again by the exact model")
        prices = ("buy_price_ueur_per_kwh", "sell_price_ueur_per_kwh", "volume_wh")
        for event in self.history.of(MARKET, "IntervalCleared", "ClearingCommitted"):
            interval = event.arguments["interval"]
            own, row = self.cleared.get(interval), f"interval {interval}"
            for key in prices:
                check.equal("events", row, key, event.arguments[key], getattr(own, key, 0))
        for _, sent in self.history.calls(MARKET, "commitClearing"):
            if sent.refused_with is None:  # also where nothing crossed, and the contract ignores it
                own = self.cleared.get(sent.argument("interval"))
                root = FillTree(() if own is None else own.fills_wh).root
                row = f"interval {sent.argument('interval')}"
                check.equal("transactions", row, "root", sent.call.arguments["root"], root)
        fills = (
            *self.history.of(MARKET, "OrderFilled"),
            *self.history.of(SETTLEMENT, "FillClaimed"),
        )
        for event in fills:
            interval = event.arguments["interval"]
            name = self.names.get(event.arguments["account"], "")
            row, filled = f"interval {interval}, prosumer {name}", self.filled_wh(interval)
            check.equal("events", row, "energy_wh", event.arguments["energy_wh"], filled.get(name))
        orders = {interval: list(book.values()) for interval, book in self.order_books.items()}
        check_matchings(self.history, check, orders, self.cleared)
        return check

    def check_orders(self) -> Check:
        """Compare every order with its transaction, and its fill with the clearing."""
        method = "calldata of the transactions, commitments, and the clearing"
        frame = self.history.results.table("orders")
        late, on_chain = frame[frame["block"].isna()], frame[frame["block"].notna()]
        check = self.history.compare("orders", KEY, method, self._orders(), on_chain)
        check.compared += 3 * len(late)
        for row in rows_of(late):
            name = f"interval {row.interval}, prosumer {row.prosumer}"
            if row.filled_wh or row.status != "late" or row.reason != NOT_INCLUDED:
                found = (row.status, row.filled_wh, row.reason)
                check.differ(
                    "orders", name, "status, filled_wh, reason", found, ("late", 0, NOT_INCLUDED)
                )
            if not pd.isna(row.clearing_price_ueur_per_kwh):
                check.differ("orders", name, "clearing_price_ueur_per_kwh", "a price", None)
        if len(late):
            check.note(
                f"not derivable from the chain: what {len(late)} orders said that no block has",
                detail=True,
            )
        if self.history.scenario.market.submission == "batched":
            check.note(
                "not derivable from the chain: when members handed their orders to the aggregator, "
                "beyond that the window was open and the batch had not left",
                detail=True,
            )
        self._check_commitments(check)
        return check

    def _orders(self) -> Iterator[dict[str, Any]]:
        """Rows of the table of orders as the chain tells them."""
        revealed = {
            (sent.argument("interval"), sent.sender): sent
            for _, sent in self.history.calls(MARKET, "revealOrder")
        }
        for (interval, name), sent in self._first_orders.items():
            terms, status, reason = sent, "unmatched", sent.refused_with
            if reason is not None:
                status = "late" if reason in LATE else "rejected"
            is_sealed = sent.call.method == "commitOrder"
            reveal = revealed.get((interval, sent.sender)) if is_sealed else None
            if is_sealed and reason is None:
                reason = NOT_REVEALED if reveal is None else reveal.refused_with
                status = "unmatched" if reason is None else "unrevealed"
            if reveal is not None:
                terms = reveal
            fields: dict[str, Any]
            if "energy_wh" in terms.call.arguments:
                said = terms.call.arguments
                fields = {key: said[key] for key in _TERMS[1:]}
                fields["side"] = "sell" if said["is_sell"] else "buy"
            else:  # sealed, and never shown: only the hash is on the chain
                row = self._recorded.get((interval, name))
                fields = {key: getattr(row, key, None) for key in _TERMS}
            filled_wh, price = 0, None
            order = self.order_books.get(interval, {}).get(name)
            if status == "unmatched" and order is not None:
                filled_wh = self.filled_wh(interval)[name]
                if filled_wh:
                    price = self.cleared[interval].price_of(order)
                    status = "cleared" if filled_wh == fields["energy_wh"] else "partial"
            yield {
                "interval": interval,
                "prosumer": name,
                **fields,
                "sent_at_s": self._sent_at_s(interval, name, sent),
                "block": sent.included.block,
                "status": status,
                "filled_wh": filled_wh,
                "clearing_price_ueur_per_kwh": price,
                "reason": reason,
            }

    def _sent_at_s(self, interval: int, name: str, sent: Sent) -> float:
        """Time of an order: its transaction's, or before it as recorded where it is in a batch."""
        left_s = sent.included.transaction.sent_at_s
        row = self._recorded.get((interval, name))
        if isinstance(sent, entries.Entry) and row is not None:
            opens_s = self.history.scenario.clock().window_opens_s(interval)
            if opens_s <= row.sent_at_s <= left_s:
                return float(row.sent_at_s)
        return left_s

    @cached_property
    def _first_orders(self) -> dict[tuple[int, str], Sent]:
        """Order of each prosumer: the one that the contract took, or else the first it refused.

        Others than prosumers may call the contract, and prosumers more than once; neither is an
        order.
        """
        found: dict[tuple[int, str], Sent] = {}
        for sent in entries.orders(self.history):
            if sent.sender not in self.names:
                continue
            key = (sent.argument("interval"), self.names[sent.sender])
            before = found.get(key)
            if before is None or (before.refused_with is not None and sent.refused_with is None):
                found[key] = sent
        return found

    @cached_property
    def _recorded(self) -> dict[tuple[int, str], Any]:
        """Rows of the table of orders by interval and prosumer."""
        rows = rows_of(self.history.results.table("orders"))
        return {(row.interval, row.prosumer): row for row in rows}

    def _check_commitments(self, check: Check) -> None:
        """Compare commitments with revealed orders, and others with the table's."""
        seed = self.history.scenario.seed
        for (interval, name), sent in self._first_orders.items():
            said = self._recorded.get((interval, name))
            if said is None or sent.call.method != "commitOrder":
                continue  # a missing row is a difference of its own
            # the salt is the sender's secret, and follows from the test key
            key = account(seed, f"prosumer {name}")
            packed = pack(
                interval,
                key.address,
                said.side == "sell",
                int(said.energy_wh),
                int(said.price_ueur_per_kwh),
                keccak(key.private_key + interval.to_bytes(32, "big")),
            )
            row, commitment = f"interval {interval}, prosumer {name}", keccak(packed)
            check.equal("orders", row, "commitment", sent.call.arguments["commitment"], commitment)

    def check_trades(self) -> Check:
        """Pair the fills again, to the µEUR, and compare who bought of whom."""
        frame = self.history.results.table("trades")
        rows: list[dict[str, Any]] = []
        for interval, book in sorted(self.order_books.items()):
            trades = pair_trades(list(book.values()), self.cleared[interval])
            rows += [
                {"interval": interval, "place": place, **asdict(trade)}
                for place, trade in enumerate(trades)
            ]
        placed = frame.assign(place=frame.groupby("interval").cumcount())
        method = "fills of the clearing paired again in merit order"
        return self.history.compare("trades", ("interval", "place"), method, rows, placed)
