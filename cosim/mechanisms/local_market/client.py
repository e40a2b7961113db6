"""Client of ``LocalMarket.vy``: accounts, orders and clearing of the community's auction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from cosim.chain.functions import Transaction, View
from cosim.evm.abi import pack
from cosim.evm.hashing import keccak
from cosim.mechanisms.escrow_client import EscrowClient

_ORDER_GAS, _COMMIT_GAS, _REVEAL_GAS = 125_000, 130_000, 90_000
CREDIT_GAS = 60_000
"""Gas that an order may use on top where the supplier lends."""
_CLEAR_GAS = 120_000

INDEXES_PER_WORD = 16
INDEX_BITS = 16


# gas limits: what the methods use at most (docs/ledger.md), with a margin for other states
def clear_gas(n_orders: int) -> int:
    """Gas limit that clearing so many orders on chain needs."""
    return _CLEAR_GAS + 13_000 * n_orders


def verify_gas(n_orders: int) -> int:
    """Gas limit that checking the clearing of so many orders needs."""
    return _CLEAR_GAS + 9_000 * n_orders


def challenge_gas(n_orders: int) -> int:
    """Gas limit that challenging the clearing of so many orders needs."""
    return _CLEAR_GAS + 12_000 * n_orders


def pack_ranking(indexes: Sequence[int]) -> list[int]:
    """Arrival indexes in merit order as ``clearVerified`` and ``challengeClearing`` take them.

    Parameters
    ----------
    indexes : sequence of int
        Bids by falling, then asks by rising price, ties by arrival.

    Returns
    -------
    list of int
        Sixteen indexes of 16 bits a word, lowest bits first.
    """
    return [
        sum(
            index << (INDEX_BITS * place)
            for place, index in enumerate(indexes[k : k + INDEXES_PER_WORD])
        )
        for k in range(0, len(indexes), INDEXES_PER_WORD)
    ]


@dataclass(frozen=True, slots=True)
class Reading:
    """Metered net injection of an interval; ``estimated`` when the meter stayed silent."""

    known: bool
    estimated: bool
    net_wh: int


class LocalMarket(EscrowClient):
    """The local market. Energy in Wh, money in µEUR, prices in µEUR/kWh, accounts as 20 bytes."""

    contract: ClassVar[str] = "LocalMarket"

    order_spare_gas: int = 0
    """Added to the gas limits of orders; :data:`CREDIT_GAS` where the supplier lends."""

    deposit = Transaction(170_000)
    withdraw = Transaction(120_000)
    announce_withdrawal = Transaction(80_000)
    """Say what the supplier will withdraw, once all that is open now is metered."""
    collect_claim = Transaction(120_000)
    """Collect what the supplier owes the sender."""
    grant_credit = Transaction(80_000)
    """Agree to the debt up to which an account may promise money that it has not: supplier only."""
    join = Transaction(80_000)
    """Take part with a meter of one's own."""
    commit_clearing = Transaction(150_000)
    """Clear an interval by the root of its fills, both prices and the volume; locks a bond."""
    release_bond = Transaction(120_000)
    """Give the committer of an interval's clearing its bond back."""

    reading_of = View(Reading)
    """Reading in an interval of an account's meter."""

    def place_order(
        self,
        sender: bytes,
        interval: int,
        is_sell: bool,
        energy_wh: int,
        price_ueur_per_kwh: int,
        sent_at_s: float | None = None,
    ) -> int:
        """Offer or ask for energy of an interval."""
        data = self._selectors["placeOrder"] + pack(
            interval, is_sell, energy_wh, price_ueur_per_kwh
        )
        return self.submit(sender, data, sent_at_s, _ORDER_GAS + self.order_spare_gas, interval)

    def commit_order(
        self, sender: bytes, interval: int, commitment: bytes, sent_at_s: float | None = None
    ) -> int:
        """Commit to an order of an interval without showing it, by :meth:`sealed`."""
        limit = _COMMIT_GAS + self.order_spare_gas
        return self.send(
            sender, "commitOrder", interval, commitment, gas=limit, sent_at_s=sent_at_s
        )

    def reveal_order(
        self,
        sender: bytes,
        interval: int,
        is_sell: bool,
        energy_wh: int,
        price_ueur_per_kwh: int,
        salt: bytes,
        sent_at_s: float | None = None,
    ) -> int:
        """Show the order that the sender committed to."""
        shown, limit = (is_sell, energy_wh, price_ueur_per_kwh), _REVEAL_GAS + self.order_spare_gas
        return self.send(
            sender, "revealOrder", interval, *shown, salt, gas=limit, sent_at_s=sent_at_s
        )

    def clear(
        self, sender: bytes, interval: int, n_orders: int, sent_at_s: float | None = None
    ) -> int:
        """Clear an interval; ``n_orders`` sets the gas limit."""
        return self.send(sender, "clear", interval, gas=clear_gas(n_orders), sent_at_s=sent_at_s)

    def sealed(
        self,
        account: bytes,
        interval: int,
        is_sell: bool,
        energy_wh: int,
        price_ueur_per_kwh: int,
        salt: bytes,
    ) -> bytes:
        """Commitment to an order, 32 bytes; the salt, 32 bytes too, is what nobody can guess."""
        return keccak(pack(interval, account, is_sell, energy_wh, price_ueur_per_kwh, salt))

    def clear_verified(
        self,
        sender: bytes,
        interval: int,
        ranking: Sequence[int],
        buy_price_ueur_per_kwh: int,
        sell_price_ueur_per_kwh: int,
        volume_wh: int,
        sent_at_s: float | None = None,
    ) -> int:
        """Clear an interval with a result that the contract checks.

        ``ranking`` holds the arrival indexes of all known orders in merit order, bids first; of a
        book that does not cross it may be empty.
        """
        prices = buy_price_ueur_per_kwh, sell_price_ueur_per_kwh
        arguments = interval, pack_ranking(ranking), *prices, volume_wh
        limit = verify_gas(len(ranking))
        return self.send(sender, "clearVerified", *arguments, gas=limit, sent_at_s=sent_at_s)

    def challenge_clearing(
        self,
        sender: bytes,
        interval: int,
        ranking: Sequence[int],
        sent_at_s: float | None = None,
    ) -> int:
        """Show that a committed clearing is wrong; ``ranking`` as in :meth:`clear_verified`."""
        arguments, limit = (interval, pack_ranking(ranking)), challenge_gas(len(ranking))
        return self.send(sender, "challengeClearing", *arguments, gas=limit, sent_at_s=sent_at_s)
