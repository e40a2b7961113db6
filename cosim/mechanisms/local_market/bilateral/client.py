"""Client of ``BilateralTrades.vy``: edges of the trading graph, and pairs of an interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from cosim.chain.client import ContractClient
from cosim.chain.functions import Transaction, View
from cosim.evm.engine import Engine
from cosim.evm.hashing import create_address
from cosim.mechanisms.local_market.bilateral.matching import Pair

_BUYER_AT, _ENERGY_AT = 10, 20


def next_bilateral(engine: Engine, deployer: bytes) -> bytes:
    """Return the address of the bilateral trades of a market that an account deploys next.

    It deploys the market, its settlement, and then this contract.
    """
    return create_address(deployer, engine.nonce(deployer) + 2)


def propose_gas(n_pairs: int) -> int:
    """Gas limit that proposing so many pairs needs."""
    return 110_000 + 90_000 * n_pairs


def pair_word(ask: int, bid: int, energy_wh: int) -> int:
    """Return a pair as ``proposeMatching`` takes it: two arrival indexes and an energy."""
    return ask | (bid << _BUYER_AT) | (energy_wh << _ENERGY_AT)


def pair_words(pairs: Sequence[Pair]) -> list[int]:
    """Return pairs as ``proposeMatching`` takes them, by ask, then by bid."""
    return [pair_word(pair.ask, pair.bid, pair.energy_wh) for pair in pairs]


@dataclass(frozen=True, slots=True)
class Traded:
    """Energy and money that an account trades in an interval, on the ledger. [Wh, µEUR]

    Parameters
    ----------
    energy_wh : int
    amount_ueur : int
        Paid or earned.
    kept_ueur : int
        What of a buyer's payment no seller earns.
    """

    energy_wh: int
    amount_ueur: int
    kept_ueur: int


@dataclass(frozen=True, slots=True)
class Standing:
    """Matching of an interval that stands on the ledger; ``number`` 0 for none. [µEUR/1000, Wh]"""

    number: int
    gain_mueur: int
    volume_wh: int


class BilateralTrades(ContractClient):
    """Bilateral trades of the local market. Energy in Wh, prices in µEUR/kWh, accounts 20 bytes."""

    contract: ClassVar[str] = "BilateralTrades"

    prove_edge = Transaction(110_000)
    """Show that an edge is in the graph: seller, buyer, fee, penalty, proof."""
    propose_matching = Transaction(propose_gas)
    """Match orders of an interval, better than before: interval, words of :func:`pair_words`."""

    traded_of = View(Traded)
    """Energy and money that an account trades: interval, account."""
    matching_of = View(Standing)
    """Matching of an interval that stands."""
