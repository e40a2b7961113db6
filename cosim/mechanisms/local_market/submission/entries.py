"""Batches of a replayed chain, taken apart into the orders and readings that they hold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from cosim.mechanisms.local_market.submission.client import (
    CAUSES,
    domain_separator,
    order_digest,
    order_of_word,
    reading_digest,
    reading_of_word,
    signer_of,
)
from cosim.mechanisms.local_market.submission.model import (
    BEYOND_APPOINTMENT,
    NOT_AUTHORISED,
    TAKEN,
)
from cosim.replay.history import History, Sent
from cosim.replay.replay import Call

SUBMISSIONS, MARKET, SETTLEMENT = "Submissions", "LocalMarket", "MarketSettlement"
NOBODY = "0x" + "00" * 20
BATCHES = ("sendOrders", "sendSignedOrders", "sendReadings", "sendSignedReadings")
_OUTCOMES = ("OrderPlaced", "OrderPassedOver", "MeterReported", "ReadingPassedOver")


@dataclass(frozen=True)
class Entry(Sent):
    """An order or a reading in a batch, as if its owner had sent it.

    Parameters
    ----------
    passed_over : str or None
        Why the contracts passed it over, in the words that refuse a single one.
    """

    passed_over: str | None = None

    @property
    def refused_with(self) -> str | None:
        """Reason why it was passed over, or the whole batch refused; None if it was taken."""
        return super().refused_with or self.passed_over


def entries(history: History, position: int) -> list[Sent]:
    """Return what a transaction asks for: of a batch its entries in their order, else itself.

    Entries without authority are told by their signatures, or by appointments; each of the others
    has one event, in their order.
    """
    sent = history.sent[position]
    if sent.call.contract != SUBMISSIONS or sent.call.method not in BATCHES:
        return [sent]
    logged = history.logged(position)
    asked = list(_calls(sent))
    causes = [TAKEN] * len(asked)
    if any(event.name == "EntryPassedOver" for event in logged):
        causes = (
            _signed(sent)
            if "signatures" in sent.call.arguments
            else _sent_by_role(history, position)
        )
    outcomes = iter([e for e in logged if e.name in _OUTCOMES])
    found: list[Sent] = []
    for (whose, call), cause in zip(asked, causes, strict=True):
        text = None
        if cause != TAKEN:
            text = _text(cause)
        elif (outcome := next(outcomes, None)) is not None and "cause" in outcome.arguments:
            text = _text(outcome.arguments["cause"])
        found.append(Entry(sent.included, call, whose, text))
    return found


def orders(history: History) -> Iterator[Sent]:
    """Yield orders and commitments to orders as they were sent, alone or in batches."""
    for position, sent in enumerate(history.sent):
        if sent.call.contract == MARKET and sent.call.method in ("placeOrder", "commitOrder"):
            yield sent
        elif sent.call.contract == SUBMISSIONS and "Orders" in sent.call.method:
            yield from entries(history, position)


def _calls(sent: Sent) -> Iterator[tuple[str, Call]]:
    """Yield whose an entry is, as 0x hex, and the call that would do the same alone."""
    said: dict[str, Any] = sent.call.arguments
    interval = {"interval": said["interval"]}
    for word in said.get("orders", ()):
        account, is_sell, energy_wh, price = order_of_word(word)
        terms = {"is_sell": is_sell, "energy_wh": energy_wh, "price_ueur_per_kwh": price}
        yield (
            "0x" + account.hex(),
            Call(sent.call.position, MARKET, "placeOrder", interval | terms),
        )
    for word in said.get("readings", ()):
        meter, net_wh = reading_of_word(word)
        arguments = interval | {"net_wh": net_wh}
        yield "0x" + meter.hex(), Call(sent.call.position, SETTLEMENT, "report", arguments)


def _sent_by_role(history: History, position: int) -> list[int]:
    """Return of each order the cause for which its appointment does not let the sender send it."""
    sent, appointed = history.sent[position], dict[str, Mapping[str, Any]]()
    for event in history.of(SUBMISSIONS, "AggregatorAppointed"):
        if event.position < position:
            appointed[event.arguments["account"]] = event.arguments
    causes = []
    for whose, call in _calls(sent):
        said, order = appointed.get(whose), call.arguments
        if said is None or said["aggregator"] != sent.sender or sent.sender == NOBODY:
            causes.append(NOT_AUTHORISED)
            continue
        price = order["price_ueur_per_kwh"]
        highest, lowest = said["highest_bid_ueur_per_kwh"], said["lowest_ask_ueur_per_kwh"]
        within = price >= lowest if order["is_sell"] else price <= highest
        causes.append(TAKEN if within else BEYOND_APPOINTMENT)
    return causes


def _signed(sent: Sent) -> list[int]:
    """Return of each entry the cause that its owner did not sign it, or that it did."""
    said: dict[str, Any] = sent.call.arguments
    contract = sent.included.transaction.to
    assert contract is not None
    domain, interval, signatures = domain_separator(contract), said["interval"], said["signatures"]
    owners, digests = [], []
    for word in said.get("orders", ()):
        order = order_of_word(word)
        owners.append(order[0])
        digests.append(order_digest(domain, interval, *order))
    for word in said.get("readings", ()):
        meter, net_wh = reading_of_word(word)
        owners.append(meter)
        digests.append(reading_digest(domain, interval, meter, net_wh))
    pairs = zip(signatures[::2], signatures[1::2], strict=True)
    return [
        TAKEN if signer_of(digest, *pair) == owner else NOT_AUTHORISED
        for owner, digest, pair in zip(owners, digests, pairs, strict=True)
    ]


def _text(cause: int) -> str:
    return f"local market: {CAUSES[cause]}"
