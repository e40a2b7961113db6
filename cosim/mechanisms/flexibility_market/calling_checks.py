"""Draws of who may be awarded, recomputed from offers and links of the replayed chain."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from cosim.mechanisms.flexibility_market.calling import (
    NO_LINK,
    CallingTerms,
    digest_with,
    hashed,
    is_called,
    seed_of,
)
from cosim.mechanisms.flexibility_market.curves import Block
from cosim.mechanisms.flexibility_market.settings import DsoSettings
from cosim.replay.findings import Check
from cosim.replay.history import History
from cosim.results.reader import rows_of
from cosim.units import ueur_from_eur

FLEXIBILITY = "FlexibilityMarket"


@dataclass
class _Offer:
    """An offer as events tell it, block by block."""

    interval: int
    request: int
    account: str
    baseline_wh: int
    blocks: list[Block] = field(default_factory=list)


@dataclass(frozen=True)
class Draws:
    """Draws of a run by interval, and who offered in it.

    Parameters
    ----------
    terms : CallingTerms
    seeds : mapping of int to bytes
    sellers : mapping of int to set of str
        Addresses as 0x hex.
    """

    terms: CallingTerms
    seeds: Mapping[int, bytes]
    sellers: Mapping[int, set[str]]

    def is_called(self, interval: int, account: str) -> bool:
        """Return True if an account (0x hex) may be awarded."""
        seed = self.seeds.get(interval)
        address = bytes.fromhex(account[2:])
        return seed is not None and is_called(seed, address, self.terms.calling_ppm)

    def called(self, interval: int) -> int:
        """Return how many of those that offered may be awarded."""
        return sum(self.is_called(interval, one) for one in self.sellers.get(interval, ()))


def terms_of(settings: DsoSettings) -> CallingTerms:
    """Return the terms of random calling of a scenario."""
    return CallingTerms.of(settings.baseline, ueur_from_eur(settings.price_cap_eur_per_kwh))


def draws_of(history: History, settings: DsoSettings, check: Check | None = None) -> Draws:
    """Return the draws of a run, recomputed from what was offered and the links that were shown.

    Parameters
    ----------
    history : History
    settings : DsoSettings
    check : Check, optional
        Told of every digest, link and seed that the contract has otherwise.
    """
    check = Check("draws", "") if check is None else check
    interval_of = {
        event.arguments["request"]: event.arguments["interval"]
        for event in history.of(FLEXIBILITY, "RequestOpened")
    }
    offers: dict[tuple[int, str], _Offer] = {}
    seeds: dict[int, bytes] = {}
    sellers: dict[int, set[str]] = defaultdict(set)
    link, drawn = None, 0
    for event in history.of(FLEXIBILITY, "OfferPlaced", "OffersClosed", "CallsDrawn"):
        said = event.arguments
        if event.name == "OfferPlaced":
            request, account = said["request"], said["account"]
            own = offers.setdefault(
                (request, account),
                _Offer(interval_of[request], request, account, said["baseline_wh"]),
            )
            own.blocks.append(Block(said["energy_wh"], said["price_ueur_per_kwh"]))
            sellers[own.interval].add(account)
            continue
        interval = said["interval"]
        row, digest = f"interval {interval}", _digest(offers, interval)
        if event.name == "OffersClosed":
            check.equal("events", row, "digest", said["digest"], "0x" + digest.hex())
            continue
        shown = bytes.fromhex(said["link"][2:])
        if link is not None:
            check.equal("events", row, "hash of the link", hashed(shown, interval - drawn), link)
        link, drawn = shown, interval
        seeds[interval] = seed_of(shown, digest, interval)
        check.equal("events", row, "seed", said["seed"], "0x" + seeds[interval].hex())
    return Draws(terms_of(settings), seeds, sellers)


def _digest(offers: Mapping[tuple[int, str], _Offer], interval: int) -> bytes:
    digest = NO_LINK
    for own in offers.values():
        if own.interval == interval:
            address = bytes.fromhex(own.account[2:])
            digest = digest_with(digest, own.request, address, own.baseline_wh, tuple(own.blocks))
    return digest


def check_draws(history: History, settings: DsoSettings) -> Check:
    """Draw once more from offers and links; compare seeds, and who was called in each round."""
    check = Check("draws", "from the links that the DSO showed and the offers before them")
    draws = draws_of(history, settings, check)
    if len(history.results.table("reorganisations")):
        check.note("rounds not compared: reorganisations changed draws after the DSO's decision")
        return check
    for row in rows_of(history.results.table("margins")):
        interval = int(row.interval)
        name = f"interval {interval}"
        seed = draws.seeds.get(interval)
        recorded = row.seed if isinstance(row.seed, str) else None
        check.equal("margins", name, "seed", recorded, None if seed is None else seed.hex())
        sellers = draws.sellers.get(interval, set())
        check.equal("margins", name, "sellers", int(row.sellers), len(sellers))
        check.equal("margins", name, "called", int(row.called), draws.called(interval))
    return check
