"""Client of ``LocalMarket.vy``: the community's double auction and its settlement."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

from cosim.chain.chain import Chain
from cosim.evm.abi import pack, pack_mixed
from cosim.evm.hashing import keccak
from cosim.mechanisms.escrow_client import EscrowClient
from cosim.mechanisms.local_market.fill_tree import FillTree

# gas limits: what the methods use at most (docs/ledger.md), and room for other states
DEPOSIT_GAS = 170_000
WITHDRAW_GAS = 120_000
COLLECT_CLAIM_GAS = 120_000
JOIN_GAS = 80_000
ORDER_GAS = 125_000
REPORT_GAS = 180_000
COMMIT_ORDER_GAS = 130_000
REVEAL_ORDER_GAS = 90_000
CLEAR_GAS = 120_000
CLEAR_GAS_PER_ORDER = 13_000
VERIFY_GAS_PER_ORDER = 9_000
COMMIT_CLEARING_GAS = 150_000
CHALLENGE_GAS_PER_ORDER = 12_000
CLAIM_GAS = 150_000
RELEASE_BOND_GAS = 120_000

MAX_ORDERS = 512
INDEXES_PER_WORD = 16
INDEX_BITS = 16


def clear_gas(n_orders: int) -> int:
    """Gas limit that clearing so many orders on chain needs."""
    return CLEAR_GAS + CLEAR_GAS_PER_ORDER * n_orders


def verify_gas(n_orders: int) -> int:
    """Gas limit that checking the clearing of so many orders needs."""
    return CLEAR_GAS + VERIFY_GAS_PER_ORDER * n_orders


def challenge_gas(n_orders: int) -> int:
    """Gas limit that challenging the clearing of so many orders needs."""
    return CLEAR_GAS + CHALLENGE_GAS_PER_ORDER * n_orders


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
class OrderState:
    """An order on the ledger; ``energy_wh`` 0 means that there is none, or that it is sealed."""

    is_sell: bool
    price_ueur_per_kwh: int
    energy_wh: int
    filled_wh: int


@dataclass(frozen=True, slots=True)
class ClearingState:
    """Outcome of an interval's clearing; prices and volume 0 when nothing crossed.

    By the rule pay-as-bid the prices are the lowest that a buyer pays and the highest that a
    seller gets.
    """

    cleared: bool
    buy_price_ueur_per_kwh: int
    sell_price_ueur_per_kwh: int
    volume_wh: int
    n_orders: int


@dataclass(frozen=True, slots=True)
class Reading:
    """Metered net injection of an interval; ``estimated`` when the meter stayed silent."""

    known: bool
    estimated: bool
    net_wh: int


class LocalMarket(EscrowClient):
    """The local market. Energy in Wh, money in µEUR, prices in µEUR/kWh, accounts as 20 bytes.

    Functions that change state take the time of sending as Unix time, or send right after the
    latest block, and return a handle.
    """

    contract: ClassVar[str] = "LocalMarket"
    deposit_gas: ClassVar[int] = DEPOSIT_GAS
    withdraw_gas: ClassVar[int] = WITHDRAW_GAS

    @classmethod
    def deploy(
        cls,
        chain: Chain,
        sender: bytes,
        *,
        token: bytes,
        meters: bytes,
        supplier: bytes,
        retail_price_ueur_per_kwh: int,
        feed_in_price_ueur_per_kwh: int,
        first_delivery_s: int,
        step_s: int,
        order_lead_s: int,
        gate_closure_s: int,
        metering_s: int,
        silent_estimate_wh: int,
        rule: int = 0,
        form: int = 0,
        reveal_s: int = 0,
        sealed_deposit_ueur: int = 0,
        challenge_s: int = 0,
        clearing_bond_ueur: int = 0,
    ) -> Self:
        """Deploy in the next block.

        ``rule`` and ``form`` are the numbers of
        :class:`cosim.mechanisms.local_market.pricing.PricingRule` and
        :class:`cosim.mechanisms.local_market.pricing.ClearingForm`; orders are open when
        ``reveal_s`` is 0.
        """
        return cls._deployed(
            chain,
            sender,
            token,
            meters,
            supplier,
            retail_price_ueur_per_kwh,
            feed_in_price_ueur_per_kwh,
            first_delivery_s,
            step_s,
            order_lead_s,
            gate_closure_s,
            metering_s,
            silent_estimate_wh,
            rule,
            form,
            reveal_s,
            sealed_deposit_ueur,
            challenge_s,
            clearing_bond_ueur,
        )

    def collect_claim(self, sender: bytes, sent_at_s: float | None = None) -> int:
        """Collect what the supplier owes the sender."""
        return self._send(sender, self.calldata("collectClaim"), sent_at_s, COLLECT_CLAIM_GAS)

    def join(self, sender: bytes, meter: bytes, sent_at_s: float | None = None) -> int:
        """Take part with a meter of one's own."""
        return self._send(sender, self.calldata("join", meter), sent_at_s, JOIN_GAS)

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
        return self._send(sender, data, sent_at_s, ORDER_GAS, interval)

    def clear(
        self, sender: bytes, interval: int, n_orders: int, sent_at_s: float | None = None
    ) -> int:
        """Clear an interval; ``n_orders`` sets the gas limit."""
        data = self.calldata("clear", interval)
        return self._send(sender, data, sent_at_s, clear_gas(n_orders), interval)

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

    def commit_order(
        self, sender: bytes, interval: int, commitment: bytes, sent_at_s: float | None = None
    ) -> int:
        """Commit to an order without showing it."""
        data = self.calldata("commitOrder", interval, commitment)
        return self._send(sender, data, sent_at_s, COMMIT_ORDER_GAS, interval)

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
        data = self.calldata("revealOrder", interval, is_sell, energy_wh, price_ueur_per_kwh, salt)
        return self._send(sender, data, sent_at_s, REVEAL_ORDER_GAS, interval)

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
        data = self._selectors["clearVerified"] + pack_mixed(
            interval,
            pack_ranking(ranking),
            buy_price_ueur_per_kwh,
            sell_price_ueur_per_kwh,
            volume_wh,
        )
        return self._send(sender, data, sent_at_s, verify_gas(len(ranking)), interval)

    def commit_clearing(
        self,
        sender: bytes,
        interval: int,
        root: bytes,
        buy_price_ueur_per_kwh: int,
        sell_price_ueur_per_kwh: int,
        volume_wh: int,
        sent_at_s: float | None = None,
    ) -> int:
        """Clear an interval by the root of its fills; locks the sender's bond."""
        data = self.calldata(
            "commitClearing",
            interval,
            root,
            buy_price_ueur_per_kwh,
            sell_price_ueur_per_kwh,
            volume_wh,
        )
        return self._send(sender, data, sent_at_s, COMMIT_CLEARING_GAS, interval)

    def challenge_clearing(
        self,
        sender: bytes,
        interval: int,
        ranking: Sequence[int],
        sent_at_s: float | None = None,
    ) -> int:
        """Show that a committed clearing is wrong; ``ranking`` as in :meth:`clear_verified`."""
        data = self._selectors["challengeClearing"] + pack_mixed(interval, pack_ranking(ranking))
        return self._send(sender, data, sent_at_s, challenge_gas(len(ranking)), interval)

    def fill_root(self, fills_wh: Sequence[int]) -> bytes:
        """Root of the fills of all orders by arrival, 32 bytes."""
        return FillTree(fills_wh, keccak).root

    def fill_proof(self, fills_wh: Sequence[int], index: int) -> tuple[bytes, ...]:
        """Proof of one order's fill, as :meth:`claim_fill` takes it."""
        return FillTree(fills_wh, keccak).proof(index)

    def claim_fill(
        self,
        sender: bytes,
        interval: int,
        account: bytes,
        filled_wh: int,
        proof: Sequence[bytes],
        sent_at_s: float | None = None,
    ) -> int:
        """Prove what a committed clearing filled of an account's order."""
        data = self._selectors["claimFill"] + pack_mixed(interval, account, filled_wh, proof)
        return self._send(sender, data, sent_at_s, CLAIM_GAS, interval)

    def release_bond(self, sender: bytes, interval: int, sent_at_s: float | None = None) -> int:
        """Give the committer of an interval's clearing its bond back."""
        data = self.calldata("releaseBond", interval)
        return self._send(sender, data, sent_at_s, RELEASE_BOND_GAS, interval)

    def report(
        self, meter: bytes, interval: int, net_wh: int, sent_at_s: float | None = None
    ) -> int:
        """Report a reading, net injection positive, and settle it. Sent by the meter."""
        data = self._selectors["report"] + pack(interval, net_wh)
        return self._send(meter, data, sent_at_s, REPORT_GAS, interval)

    def settle_silent(
        self, sender: bytes, interval: int, account: bytes, sent_at_s: float | None = None
    ) -> int:
        """Settle a member whose meter did not report."""
        data = self.calldata("settleSilent", interval, account)
        return self._send(sender, data, sent_at_s, REPORT_GAS, interval)

    def locked_of(self, interval: int, account: bytes) -> int:
        """What the market holds for an order until it is settled. [µEUR]"""
        return int(self._view("lockedOf", interval, account)[0])

    def is_member(self, account: bytes) -> bool:
        """Whether an account joined with a meter that is valid now."""
        return bool(self._view("isMember", account)[0])

    def order_of(self, interval: int, account: bytes) -> OrderState:
        """Order of an account in an interval."""
        return OrderState(*self._view("orderOf", interval, account))

    def clearing_of(self, interval: int) -> ClearingState:
        """Clearing of an interval."""
        return ClearingState(*self._view("clearingOf", interval))

    def reading_of(self, interval: int, account: bytes) -> Reading:
        """Reading of an account's meter in an interval."""
        return Reading(*self._view("readingOf", interval, account))

    def debt_of(self, account: bytes) -> int:
        """What an account owes the supplier. [µEUR]"""
        return int(self._view("debtOf", account)[0])

    def claim_of(self, account: bytes) -> int:
        """What the supplier owes an account. [µEUR]"""
        return int(self._view("claimOf", account)[0])

    def is_sealed(self, interval: int, account: bytes) -> bool:
        """Whether an account committed to an order that it has not revealed."""
        return bool(self._view("isSealed", interval, account)[0])

    def is_claimed(self, interval: int, account: bytes) -> bool:
        """Whether an order's fill of a committed clearing was claimed."""
        return bool(self._view("isClaimed", interval, account)[0])

    def root_of(self, interval: int) -> bytes:
        """Root that an interval was cleared by; zero if none stands."""
        return bytes(self._view("rootOf", interval)[0])

    def commitment_of(self, interval: int) -> tuple[bytes, int]:
        """Who committed to a clearing, and when as Unix time; zeros if none stands."""
        committer, time_s = self._view("commitmentOf", interval)
        return bytes(committer), int(time_s)

    def pot_of(self, interval: int) -> int:
        """What buyers' claims paid in and sellers' claims have not taken out. [µEUR]"""
        return int(self._view("potOf", interval)[0])

    def bond_of(self, interval: int) -> int:
        """Bond held for a committed clearing. [µEUR]"""
        return int(self._view("bondOf", interval)[0])
