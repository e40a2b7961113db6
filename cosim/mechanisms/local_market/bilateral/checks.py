"""Trading graph, matchings and bilateral trades, recomputed from the replayed chain."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cosim.evm.accounts import account
from cosim.mechanisms.local_market.bilateral.certificate import most_gain_mueur
from cosim.mechanisms.local_market.bilateral.graph import NO_ROOT
from cosim.mechanisms.local_market.bilateral.matching import Matching
from cosim.mechanisms.local_market.bilateral.rows import pair_row
from cosim.mechanisms.local_market.clearing import Book, Clearing
from cosim.mechanisms.local_market.terms import MarketTerms
from cosim.replay.findings import Check
from cosim.replay.history import Event, History

TRADES = "BilateralTrades"


def standing(history: History) -> dict[int, list[Event]]:
    """Return the pairs of the matching that stood in the end, by interval."""
    number = {
        event.arguments["interval"]: event.arguments["matching"]
        for event in history.of(TRADES, "MatchingAccepted")
    }
    found: dict[int, list[Event]] = {}
    for event in history.of(TRADES, "PairMatched"):
        interval = event.arguments["interval"]
        if event.arguments["matching"] == number[interval]:
            found.setdefault(interval, []).append(event)
    return found


def proof_intervals(history: History) -> dict[int, int]:
    """Return the interval that each edge was proven for, by its position on the chain.

    It is the interval whose gate closed last before the block that takes the proof.
    """
    clock = history.scenario.clock()
    return {
        position: (sent.included.included_at_s - clock.gate_closes_s(0)) // clock.step_s
        for position, sent in history.calls(TRADES, "proveEdge")
    }


def check_matchings(
    history: History,
    check: Check,
    order_books: Mapping[int, Book],
    cleared: Mapping[int, Clearing],
) -> None:
    """Compare the graph with the scenario's, and each matching with the model's and with a bound.

    Parameters
    ----------
    history : History
    check : Check
        Takes what differs.
    order_books : mapping of int to sequence of Order or None
        By interval.
    cleared : mapping of int to Clearing
        By the exact model.
    """
    graph = MarketTerms.of(history.scenario).graph
    if graph is None:
        return
    seed, names = history.scenario.seed, history.participants.prosumers
    tree = graph.tree({name: account(seed, f"prosumer {name}").address for name in names})
    root = "0x" + (NO_ROOT if tree is None else tree.root).hex()
    for event in history.of(TRADES, "GraphFixed"):
        check.equal("events", "trading graph", "root", event.arguments["graph"], root)
        everybody = tuple(graph.everybody)
        check.equal("events", "trading graph", "fee and penalty", _terms(event), everybody)
    name_of = history.participants.prosumer_of
    for event in history.of(TRADES, "EdgeProven"):
        pair = _pair(event, name_of)
        terms = graph.terms_of(*pair)
        own = None if terms is None else tuple(terms)
        check.equal("events", " to ".join(pair), "fee and penalty", _terms(event), own)
    accepted = {
        event.arguments["interval"]: event.arguments["gain_mueur"]
        for event in history.of(TRADES, "MatchingAccepted")
    }
    pairs = standing(history)
    for interval, book in sorted(order_books.items()):
        matching, row = cleared[interval], f"interval {interval}"
        if not isinstance(matching, Matching):
            continue
        said_pairs = [
            (*_pair(event, name_of), *(event.arguments[key] for key in _SAID))
            for event in pairs.get(interval, [])
        ]
        own_pairs = [
            (p.seller, p.buyer, p.energy_wh, p.price_ueur_per_kwh, p.terms.fee_ueur_per_kwh)
            for p in matching.pairs
        ]
        check.equal("events", row, "pairs", said_pairs, own_pairs)
        gained = accepted.get(interval, 0)
        check.equal("events", row, "gain_mueur", gained, most_gain_mueur(book, graph))


def check_trades(history: History, cleared: Mapping[int, Clearing]) -> Check:
    """Compare the table of bilateral trades with the model's pairs."""
    frame = history.results.table("bilateral_trades")
    rows: list[dict[str, Any]] = []
    for interval, clearing in sorted(cleared.items()):
        if isinstance(clearing, Matching):
            rows += [
                {"interval": interval, "place": place, **pair_row(pair)}
                for place, pair in enumerate(clearing.pairs)
            ]
    placed = frame.assign(place=frame.groupby("interval").cumcount())
    method = "orders matched again by the exact model"
    return history.compare("bilateral_trades", ("interval", "place"), method, rows, placed)


_SAID = ("energy_wh", "price_ueur_per_kwh", "fee_ueur_per_kwh")


def _terms(event: Event) -> tuple[int, int]:
    said = event.arguments
    return said["fee_ueur_per_kwh"], said["penalty_ueur_per_kwh"]


def _pair(event: Event, name_of: Mapping[str, str]) -> tuple[str, str]:
    addresses = (event.arguments[side] for side in ("seller", "buyer"))
    seller, buyer = (name_of.get(address, address) for address in addresses)
    return seller, buyer
