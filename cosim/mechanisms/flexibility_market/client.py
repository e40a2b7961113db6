"""Client of ``FlexibilityMarket.vy``: the DSO's requests and what prosumers offer."""

from __future__ import annotations

from typing import ClassVar

from cosim.chain.functions import Transaction
from cosim.mechanisms.escrow_client import EscrowClient
from cosim.mechanisms.flexibility_market.baselines import BaselineTerms

MAX_BATCH = 256
MAX_BLOCKS = 4


# gas limits: what the methods use at most (docs/ledger.md), with a margin for other states
def award_gas(n_offers: int, marks: bool = False) -> int:
    """Gas limit that awarding so many offers needs; more where intervals with awards are noted."""
    return 80_000 + (40_000 + 25_000 * marks) * n_offers


def settle_gas(n_offers: int, most_readings: int = 0) -> int:
    """Gas limit that settling so many offers needs, each by readings of so many other intervals."""
    return 100_000 + (45_000 + 9_000 * most_readings) * n_offers


def register_gas(n_accounts: int) -> int:
    """Gas limit that registering the ranges of so many accounts needs."""
    return 60_000 + 30_000 * n_accounts


def offer_gas(n_blocks: int) -> int:
    """Gas limit that an offer of so many blocks needs."""
    return 87_000 + 3_000 * n_blocks + (25_000 if n_blocks > 1 else 0)


def admission_gas(terms: BaselineTerms) -> int:
    """Gas that an offer needs beyond that, for what its baseline is checked against."""
    match terms.kind:
        case "meter_before":
            return 10_000 + 600 * terms.look_back
        case "high_x_of_y":
            return 20_000 + 9_000 * terms.look_back
        case "bounded_nomination" | "capacity_limit":
            return 15_000
    return 0


def cuts_gas(n_accounts: int) -> int:
    """Gas limit that noting cuts of so many accounts needs."""
    return 60_000 + 30_000 * n_accounts


CALLING_GAS = 35_000
"""Gas that an offer needs beyond, for the digest, and its settlement for the draw."""


_DRAW_GAS, _HASH_GAS = 110_000, 250
_SPARE_HASHES = 64
"""Draws that a reorganisation may have removed before one."""


class FlexibilityMarket(EscrowClient):
    """The flexibility market. Energy in Wh, money in µEUR, prices in µEUR/kWh, 20-byte accounts."""

    contract: ClassVar[str] = "FlexibilityMarket"

    deposit = Transaction(110_000)
    withdraw = Transaction(100_000)
    register_ranges = Transaction(register_gas)
    """Register ranges of net injection of at most 256 accounts: accounts, lows, highs. DSO only."""
    open_request = Transaction(110_000)
    """Ask for a change of net injection: interval, is_up, quantity_wh, price cap. DSO only."""
    offer = Transaction(offer_gas)
    """Offer to a request: its number, baseline_wh, energies_wh and prices of at most 4 blocks."""
    close_offers = Transaction(80_000)
    """Take no further offers for an interval. DSO only."""
    order_cuts = Transaction(cuts_gas)
    """Note what the DSO orders accounts to cut: interval, accounts, cuts_wh. DSO only."""
    award = Transaction(award_gas)
    """Award offers to a request, all or none, at most 256: accounts, energies_wh. DSO only."""
    settle = Transaction(settle_gas)
    """Settle the offers of at most 256 accounts to a request."""
    close_request = Transaction(70_000)
    """Return to the DSO the escrow of a request that no award holds."""

    def draw_calls(self, sender: bytes, interval: int, link: bytes, skipped: int) -> int:
        """Draw who of an interval's sellers may be awarded, with its link. DSO only.

        ``skipped`` intervals before it have had no draw; the contract hashes once for each.
        """
        gas = _DRAW_GAS + _HASH_GAS * (skipped + _SPARE_HASHES)
        return self.send(sender, "drawCalls", interval, link, gas=gas)
