"""Batches of a replayed chain, taken apart into the orders and readings that they hold."""

from __future__ import annotations

from collections.abc import Iterator
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
from cosim.mechanisms.local_market.submission.model import NOT_AUTHORISED
from cosim.replay.history import History, Sent
from cosim.replay.replay import Call

SUBMISSIONS, MARKET, SETTLEMENT = "Submissions", "LocalMarket", "MarketSettlement"
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

    Entries without authority are told by their signatures, or by the account that appointed
    somebody else; each of the others has one event, in their order.
    """
    sent = history.sent[position]
    if sent.call.contract != SUBMISSIONS or sent.call.method not in BATCHES:
        return [sent]
    logged = history.logged(position)
    barred = {e.arguments["whose"] for e in logged if e.name == "EntryPassedOver"}
    signed = _signed(sent) if barred and "signatures" in sent.call.arguments else None
    outcomes = iter([e for e in logged if e.name in _OUTCOMES])
    found: list[Sent] = []
    for k, (whose, call) in enumerate(_calls(sent)):
        text = None
        if whose in barred and (signed is None or not signed[k]):
            text = _text(NOT_AUTHORISED)
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


def _signed(sent: Sent) -> list[bool]:
    """Tell of each entry if its owner signed it."""
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
    return [
        2 * k + 1 < len(signatures)
        and signer_of(digest, signatures[2 * k], signatures[2 * k + 1]) == owner
        for k, (owner, digest) in enumerate(zip(owners, digests, strict=True))
    ]


def _text(cause: int) -> str:
    return f"local market: {CAUSES[cause]}"
