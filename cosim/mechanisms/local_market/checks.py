"""Orders, clearing and trades, recomputed from the replayed chain."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from cosim.evm.abi import pack
from cosim.evm.accounts import account
from cosim.evm.hashing import keccak
from cosim.mechanisms.local_market.clearing import Clearing, clear
from cosim.mechanisms.local_market.fill_tree import FillTree
from cosim.mechanisms.local_market.orders import Order
from cosim.mechanisms.local_market.pricing import PricingRule
from cosim.mechanisms.local_market.trades import pair_trades
from cosim.mechanisms.local_market.trading import LATE
from cosim.replay.findings import Check
from cosim.replay.history import History, Sent
from cosim.replay.recorded import Recorded, rows_of
from cosim.units import ueur_from_eur

MARKET = "LocalMarket"
NOT_INCLUDED = "not included before gate closure"
NOT_REVEALED = "not revealed in time"
_TERMS = ("side", "energy_wh", "price_ueur_per_kwh")


@dataclass
class Book:
    """Orders of one interval as the contract took them, by arrival."""

    accounts: list[str] = field(default_factory=list)
    orders: dict[str, Order] = field(default_factory=dict)

    @property
    def arrived(self) -> list[Order | None]:
        """Orders by arrival; None where one was never revealed."""
        return [self.orders.get(name) for name in self.accounts]


def books(history: History) -> dict[int, Book]:
    """Order books by interval, from the events of the local market."""
    found: dict[int, Book] = {}
    names = history.recorded.prosumer_of
    for event in history.of(MARKET, "OrderCommitted", "OrderPlaced"):
        book = found.setdefault(event.arguments["interval"], Book())
        name = names.get(event.arguments["account"], event.arguments["account"])
        if name not in book.accounts:
            book.accounts.append(name)
        if event.name == "OrderPlaced":
            book.orders[name] = Order(
                name,
                event.arguments["is_sell"],
                event.arguments["energy_wh"],
                event.arguments["price_ueur_per_kwh"],
            )
    return found


def clearings(history: History) -> dict[int, Clearing]:
    """What each interval's book clears to, computed here."""
    market = history.recorded.scenario.market
    return {
        interval: clear(
            book.arrived,
            PricingRule(market.pricing),
            retail_price_ueur_per_kwh=ueur_from_eur(market.retail_eur_per_kwh),
            feed_in_price_ueur_per_kwh=ueur_from_eur(market.feed_in_eur_per_kwh),
        )
        for interval, book in books(history).items()
    }


def check_clearing(history: History, cleared: dict[int, Clearing]) -> Check:
    """Prices, volume and fills on the chain against a clearing by the Python model."""
    check = Check("clearing", "every order book cleared again by the Python model")
    in_book = books(history)
    prices = ("buy_price_ueur_per_kwh", "sell_price_ueur_per_kwh", "volume_wh")
    for event in history.of(MARKET, "IntervalCleared", "ClearingCommitted"):
        interval = event.arguments["interval"]
        own = cleared.get(interval)
        for key in prices:
            stated = event.arguments[key]
            check.equal("events", f"interval {interval}", key, stated, getattr(own, key, 0))
        if event.name == "ClearingCommitted" and own is not None:
            root = "0x" + FillTree(own.fills_wh, keccak).root.hex()
            check.equal("events", f"interval {interval}", "root", event.arguments["root"], root)
    for event in history.of(MARKET, "OrderFilled", "FillClaimed"):
        interval = event.arguments["interval"]
        name = history.recorded.prosumer_of.get(event.arguments["account"], "")
        fills = dict(zip(in_book[interval].accounts, cleared[interval].fills_wh, strict=True))
        row = f"interval {interval}, prosumer {name}"
        check.equal("events", row, "energy_wh", event.arguments["energy_wh"], fills.get(name))
    return check


def check_orders(history: History, cleared: dict[int, Clearing]) -> Check:
    """Every order against its transaction, and its fill against the clearing."""
    check = Check("orders", "calldata of the transactions, commitments, and the clearing")
    frame = history.recorded.frame("orders")
    own = _orders(history, cleared)
    key = ["interval", "prosumer"]
    on_chain = frame["block"].notna().to_numpy()
    kept = own[own["block"].notna()]
    names = [name for name in frame.columns if name not in key]
    check.keyed("orders", key, frame[on_chain], kept, names)
    late = frame[~on_chain]
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
        check.note(f"not derivable from the chain: what {len(late)} orders said that no block has")
    _check_commitments(check, history)
    return check


def _orders(history: History, cleared: dict[int, Clearing]) -> pd.DataFrame:
    """The table of orders as the chain tells it."""
    revealed: dict[tuple[int, str], Sent] = {}
    for _, sent in history.calls(MARKET, "revealOrder"):
        revealed[_argument(sent, "interval"), sent.sender] = sent
    recorded_orders = _by_key(history.recorded.frame("orders"))
    in_book = books(history)
    rows = []
    for (interval, name), sent in _first_orders(history).items():
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
            fields = {
                "side": "sell" if terms.call.arguments["is_sell"] else "buy",
                "energy_wh": terms.call.arguments["energy_wh"],
                "price_ueur_per_kwh": terms.call.arguments["price_ueur_per_kwh"],
            }
        else:  # sealed, and never shown: only the hash is on the chain
            said = recorded_orders.get((interval, name))
            fields = {key: getattr(said, key, None) for key in _TERMS}
        filled, price = 0, None
        book = in_book.get(interval)
        if status == "unmatched" and book is not None and name in book.orders:
            own = cleared[interval]
            filled = own.fills_wh[book.accounts.index(name)]
            if filled:
                price = own.price_of(book.orders[name])
                status = "cleared" if filled == fields["energy_wh"] else "partial"
        rows.append(
            {
                "interval": interval,
                "prosumer": name,
                **fields,
                "sent_at_s": sent.included.transaction.sent_at_s,
                "block": sent.included.block,
                "status": status,
                "filled_wh": filled,
                "clearing_price_ueur_per_kwh": price,
                "reason": reason,
            }
        )
    columns = list(history.recorded.frame("orders").columns)
    return pd.DataFrame(rows, columns=columns).astype({"clearing_price_ueur_per_kwh": object})


def _first_orders(history: History) -> dict[tuple[int, str], Sent]:
    """What each prosumer ordered: what the contract took, or else what it refused first.

    Others than prosumers may call the contract, and prosumers more than once; neither is an order.
    """
    found: dict[tuple[int, str], Sent] = {}
    names = history.recorded.prosumer_of
    for _, sent in history.calls(MARKET, "placeOrder", "commitOrder"):
        if sent.sender not in names:
            continue
        key = (_argument(sent, "interval"), names[sent.sender])
        if key not in found or (found[key].refused_with is not None and sent.refused_with is None):
            found[key] = sent
    return found


def _by_key(frame: pd.DataFrame) -> dict[tuple[int, str], Any]:
    """Rows by interval and prosumer."""
    return {(row.interval, row.prosumer): row for row in rows_of(frame)}


def _check_commitments(check: Check, history: History) -> None:
    """Revealed orders hash to what was committed; others to what their table says."""
    first = _first_orders(history)
    committed = {k: sent for k, sent in first.items() if sent.call.method == "commitOrder"}
    table = _by_key(history.recorded.frame("orders"))
    seed = history.recorded.scenario.seed
    for (interval, name), sent in committed.items():
        said = table.get((interval, name))
        if said is None:
            continue  # the row is missing, which is a difference of its own
        # the salt is the sender's secret, and follows from the test key
        key = account(seed, f"prosumer {name}")
        salt = keccak(key.private_key + interval.to_bytes(32, "big"))
        packed = pack(
            interval,
            key.address,
            said.side == "sell",
            int(said.energy_wh),
            int(said.price_ueur_per_kwh),
            salt,
        )
        row = f"interval {interval}, prosumer {name}"
        commitment = sent.call.arguments["commitment"]
        check.equal("orders", row, "commitment", commitment, keccak(packed))


def _argument(sent: Sent, name: str) -> int:
    value = sent.call.arguments[name]
    assert isinstance(value, int)
    return value


def check_trades(history: History, cleared: dict[int, Clearing]) -> Check:
    """Who bought of whom: fills paired again, to the µEUR."""
    check = Check("trades", "fills of the clearing paired again in merit order")
    rows = []
    for interval, book in sorted(books(history).items()):
        for place, trade in enumerate(pair_trades(book.arrived, cleared[interval])):
            rows.append(
                {
                    "interval": interval,
                    "place": place,
                    "buyer": trade.buyer,
                    "seller": trade.seller,
                    "energy_wh": trade.energy_wh,
                    "price_ueur_per_kwh": trade.price_ueur_per_kwh,
                    "amount_ueur": trade.amount_ueur,
                    "sell_price_ueur_per_kwh": trade.sell_price_ueur_per_kwh,
                    "earned_ueur": trade.earned_ueur,
                }
            )
    frame = history.recorded.frame("trades")
    names = list(frame.columns)
    own = pd.DataFrame(rows, columns=["place", *names])
    frame = frame.assign(place=frame.groupby("interval").cumcount())
    check.keyed("trades", ["interval", "place"], frame, own, names)
    return check


def contracted_wh(recorded: Recorded) -> pd.Series:
    """Cleared energy by interval and prosumer, sales positive. [Wh]"""
    orders = recorded.frame("orders")
    signed = np.where(orders["side"] == "sell", orders["filled_wh"], -orders["filled_wh"])
    keys = [orders["interval"], orders["prosumer"]]
    return pd.Series(signed, index=orders.index).groupby(keys).sum()
