"""Batches of a replayed chain, taken apart into the orders and readings that they hold."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from cosim.mechanisms.local_market.submission.client import (
    CAUSES,
    order_of_word,
    reading_of_word,
)
from cosim.replay.history import Event, History, Sent
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
    """Return what a transaction asks for: of a batch its entries in their order, else itself."""
    sent = history.sent[position]
    if sent.call.contract != SUBMISSIONS or sent.call.method not in BATCHES:
        return [sent]
    logged = history.logged(position)
    unauthorised = iter([e for e in logged if e.name == "EntryPassedOver"])
    outcomes = iter([e for e in logged if e.name in _OUTCOMES])
    waiting, coming = next(unauthorised, None), next(outcomes, None)
    found: list[Sent] = []
    for whose, call in _calls(sent):
        text = None
        # every entry has one event; of one account's several the taken is told by what it says
        is_next = waiting is not None and waiting.arguments["whose"] == whose
        if waiting is not None and is_next and (coming is None or not _tells(coming, whose, call)):
            text, waiting = _text(waiting), next(unauthorised, None)
        elif coming is not None:
            text = _text(coming) if "cause" in coming.arguments else None
            coming = next(outcomes, None)
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


def _tells(event: Event, whose: str, call: Call) -> bool:
    """Tell if an event is of an entry: it names the owner, or the energy that was read."""
    said = event.arguments
    if event.name == "MeterReported":
        return bool(said["net_wh"] == call.arguments["net_wh"])
    if whose not in (said.get("account"), said.get("meter")):
        return False
    return event.name != "OrderPlaced" or all(
        said[key] == call.arguments[key] for key in ("is_sell", "energy_wh", "price_ueur_per_kwh")
    )


def _text(event: Event) -> str:
    return f"local market: {CAUSES[event.arguments['cause']]}"
