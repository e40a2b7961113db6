"""Client of ``FlexibilityMarket.vy``: the DSO's requests and what prosumers offer."""

from __future__ import annotations

from typing import ClassVar

from cosim.chain.functions import Transaction
from cosim.mechanisms.escrow_client import EscrowClient

MAX_BATCH = 256
MAX_BLOCKS = 4


# gas limits: what the methods use at most (docs/ledger.md), with a margin for other states
def award_gas(n_offers: int) -> int:
    """Gas limit that awarding so many offers needs."""
    return 80_000 + 40_000 * n_offers


def settle_gas(n_offers: int) -> int:
    """Gas limit that settling so many offers needs."""
    return 100_000 + 45_000 * n_offers


def offer_gas(n_blocks: int) -> int:
    """Gas limit that an offer of so many blocks needs."""
    return 87_000 + 3_000 * n_blocks + (25_000 if n_blocks > 1 else 0)


class FlexibilityMarket(EscrowClient):
    """The flexibility market. Energy in Wh, money in µEUR, prices in µEUR/kWh, 20-byte accounts."""

    contract: ClassVar[str] = "FlexibilityMarket"

    deposit = Transaction(110_000)
    withdraw = Transaction(100_000)
    open_request = Transaction(110_000)
    """Ask for a change of net injection: interval, is_up, quantity_wh, price cap. DSO only."""
    offer = Transaction(offer_gas)
    """Offer to a request: its number, baseline_wh, energies_wh and prices of at most 4 blocks."""
    award = Transaction(award_gas)
    """Award offers to a request, all or none, at most 256: accounts, energies_wh. DSO only."""
    settle = Transaction(settle_gas)
    """Settle the offers of at most 256 accounts to a request."""
    close_request = Transaction(70_000)
    """Return to the DSO the escrow of a request that no award holds."""
