"""Client of ``Submissions.vy``: batches of orders and readings, and what their owners sign."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from cosim.chain.client import ContractClient
from cosim.chain.functions import Transaction, View
from cosim.evm.abi import pack
from cosim.evm.accounts import CURVE_ORDER
from cosim.evm.engine import CHAIN_ID, Engine
from cosim.evm.hashing import address_of, create_address, keccak
from cosim.evm.secp256k1 import SIGNER, Signature
from cosim.mechanisms.local_market.orders import Order

ENERGY_AT, PRICE_AT, SIDE_AT = 160, 202, 233
NET_OFFSET_WH = 2**32
PARITY = 1 << 255

CAUSES: Mapping[int, str] = {
    1: "not authorised",
    2: "not a member",
    3: "order exists",
    4: "book full",
    5: "energy out of range",
    6: "price out of range",
    7: "price is set by the rule",
    8: "balance too low",
    9: "credit limit reached",
    10: "supplier cannot lend",
    11: "unknown meter",
    12: "meter changed hands",
    13: "already reported",
    14: "slot is in use",
    15: "beyond the appointment",
}
"""Causes for which an entry of a batch is passed over, by the number in the event: in the words
that refuse a single one, but for the first."""

PASSED_OVER = ("OrderPassedOver", "ReadingPassedOver", "EntryPassedOver")
"""Events that tell it, of the market, of its settlement, and of the submissions."""

DOMAIN_TYPE = "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
NAME, VERSION = "Local market", "1"
ORDER_TYPE = (
    "Order(uint256 interval,address account,bool is_sell,uint256 energy_wh,"
    "uint256 price_ueur_per_kwh)"
)
READING_TYPE = "Reading(uint256 interval,address meter,int256 net_wh)"


# gas limits: what the methods use at most (docs/ledger.md), with a margin for other states
def order_batch_gas(n: int, spare_gas: int = 0) -> int:
    """Gas limit of a batch of orders; ``spare_gas`` more for each where the supplier lends."""
    return 80_000 + (100_000 + spare_gas) * n


def signed_order_batch_gas(n: int, spare_gas: int = 0) -> int:
    """Gas limit of a batch of signed orders."""
    return order_batch_gas(n, spare_gas + 10_000)


def reading_batch_gas(n: int) -> int:
    """Gas limit of a batch of readings."""
    return 150_000 + 100_000 * n


def signed_reading_batch_gas(n: int) -> int:
    """Gas limit of a batch of signed readings."""
    return reading_batch_gas(n) + 10_000 * n


def next_submissions(engine: Engine, deployer: bytes, n_between: int) -> bytes:
    """Return the address of the submissions of a market that an account deploys next, 20 bytes.

    It deploys the market, its settlement, ``n_between`` more contracts, and then this one.
    """
    return create_address(deployer, engine.nonce(deployer) + 2 + n_between)


def order_word(account: bytes, is_sell: bool, energy_wh: int, price_ueur_per_kwh: int) -> int:
    """Return an order as a batch takes it."""
    return (
        int.from_bytes(account, "big")
        | (energy_wh << ENERGY_AT)
        | (price_ueur_per_kwh << PRICE_AT)
        | (is_sell << SIDE_AT)
    )


def reading_word(meter: bytes, net_wh: int) -> int:
    """Return a reading as a batch takes it."""
    return int.from_bytes(meter, "big") | ((net_wh + NET_OFFSET_WH) << ENERGY_AT)


def order_of_word(word: int) -> tuple[bytes, bool, int, int]:
    """Return account, side, energy and price of an order in a batch. [Wh, µEUR/kWh]"""
    return (
        _address(word),
        bool((word >> SIDE_AT) & 1),
        (word >> ENERGY_AT) & (2**32 - 1),
        (word >> PRICE_AT) & (2**31 - 1),
    )


def reading_of_word(word: int) -> tuple[bytes, int]:
    """Return meter and net injection of a reading in a batch. [Wh]"""
    return _address(word), ((word >> ENERGY_AT) & (2**33 - 1)) - NET_OFFSET_WH


def _address(word: int) -> bytes:
    return (word & (2**160 - 1)).to_bytes(20, "big")


def domain_separator(contract: bytes, chain_id: int = CHAIN_ID) -> bytes:
    """Return what binds signatures to one contract on one chain (EIP-712), 32 bytes."""
    name, version = (keccak(text.encode()) for text in (NAME, VERSION))
    return keccak(pack(keccak(DOMAIN_TYPE.encode()), name, version, chain_id, contract))


def order_digest(
    domain: bytes,
    interval: int,
    account: bytes,
    is_sell: bool,
    energy_wh: int,
    price_ueur_per_kwh: int,
) -> bytes:
    """Return what an account signs of an order, 32 bytes."""
    fields = interval, account, is_sell, energy_wh, price_ueur_per_kwh
    return _digest(domain, keccak(pack(keccak(ORDER_TYPE.encode()), *fields)))


def reading_digest(domain: bytes, interval: int, meter: bytes, net_wh: int) -> bytes:
    """Return what a meter signs of a reading, 32 bytes."""
    content = pack(keccak(READING_TYPE.encode()), interval, meter, net_wh)
    return _digest(domain, keccak(content))


def _digest(domain: bytes, content: bytes) -> bytes:
    return keccak(b"\x19\x01" + domain + content)


def compact_signature(key: bytes, digest: bytes) -> tuple[bytes, bytes]:
    """Sign a digest; return r, and s with the parity in its highest bit (EIP-2098), 32 bytes each.

    Parameters
    ----------
    key, digest : bytes
        32 bytes each.
    """
    r, s, parity = SIGNER.sign(key, digest)
    return r.to_bytes(32, "big"), (s | (PARITY * parity)).to_bytes(32, "big")


def signer_of(digest: bytes, r: bytes, parity_and_s: bytes) -> bytes | None:
    """Return the account, 20 bytes, that signed a digest so; None where the contract knows none.

    Parameters
    ----------
    digest : bytes
        As :func:`order_digest` or :func:`reading_digest`.
    r, parity_and_s : bytes
        As :func:`compact_signature`; of the two s that fit only the lower one counts.
    """
    word = int.from_bytes(parity_and_s, "big")
    signature = Signature(int.from_bytes(r, "big"), word & (PARITY - 1), word // PARITY)
    if signature.s > CURVE_ORDER // 2:
        return None
    try:
        return address_of(SIGNER.recover(digest, signature))
    except ValueError:
        return None


@dataclass(frozen=True, slots=True)
class Appointment:
    """Appointment of an aggregator, 20 bytes, with its limits. [µEUR/kWh]"""

    aggregator: bytes
    highest_bid_ueur_per_kwh: int
    lowest_ask_ueur_per_kwh: int


class Submissions(ContractClient):
    """Batches for the local market. Energy in Wh, prices in µEUR/kWh, accounts as 20 bytes."""

    contract: ClassVar[str] = "Submissions"

    appoint = Transaction(70_000)
    """Let an account, or nobody, send the own orders, up to a highest and from a lowest price."""
    appointment_of = View(Appointment)
    """Appointment by an account."""

    def send_orders(
        self,
        sender: bytes,
        interval: int,
        orders: Sequence[Order],
        accounts: Mapping[str, bytes],
        sent_at_s: float | None = None,
        spare_gas: int = 0,
    ) -> int:
        """Place orders of several accounts that appointed the sender, in this order.

        Parameters
        ----------
        sender : bytes
        interval : int
        orders : sequence of Order
        accounts : mapping of str to bytes
            Addresses by the names in the orders.
        sent_at_s : float, optional
            Unix time; default: right after the latest block. [s]
        spare_gas : int
            Added to the gas limit for each order, where the supplier lends.

        Returns
        -------
        int
            Handle of the transaction.
        """
        words = [order_word(accounts[order.account], *order[1:]) for order in orders]
        limit = order_batch_gas(len(words), spare_gas)
        return self.send(sender, "sendOrders", interval, words, gas=limit, sent_at_s=sent_at_s)

    def send_signed_orders(
        self,
        sender: bytes,
        interval: int,
        orders: Sequence[Order],
        accounts: Mapping[str, bytes],
        keys: Mapping[str, bytes],
        sent_at_s: float | None = None,
        spare_gas: int = 0,
    ) -> int:
        """Place orders that their accounts sign, as :meth:`send_orders`; anybody may send them.

        ``keys`` holds what the accounts sign with by the names in the orders.
        """
        domain, words, signed = domain_separator(self.address), list[int](), list[bytes]()
        for order in orders:
            fields = (accounts[order.account], *order[1:])
            words.append(order_word(*fields))
            digest = order_digest(domain, interval, *fields)
            signed += compact_signature(keys[order.account], digest)
        limit = signed_order_batch_gas(len(words), spare_gas)
        arguments = (interval, words, signed)
        return self.send(sender, "sendSignedOrders", *arguments, gas=limit, sent_at_s=sent_at_s)

    def send_readings(
        self,
        sender: bytes,
        interval: int,
        readings: Sequence[tuple[bytes, int]],
        sent_at_s: float | None = None,
    ) -> int:
        """Report readings of several meters. Sent by the head end.

        Parameters
        ----------
        sender : bytes
        interval : int
        readings : sequence of (bytes, int)
            Meters and net injections. [Wh]
        sent_at_s : float, optional
            Unix time; default: right after the latest block. [s]

        Returns
        -------
        int
            Handle of the transaction.
        """
        words = [reading_word(*each) for each in readings]
        limit = reading_batch_gas(len(words))
        return self.send(sender, "sendReadings", interval, words, gas=limit, sent_at_s=sent_at_s)

    def send_signed_readings(
        self,
        sender: bytes,
        interval: int,
        readings: Sequence[tuple[bytes, int]],
        keys: Mapping[bytes, bytes],
        sent_at_s: float | None = None,
    ) -> int:
        """Report readings that their meters sign, as :meth:`send_readings`; anybody may send them.

        ``keys`` holds what the meters sign with by their addresses.
        """
        domain, signed = domain_separator(self.address), list[bytes]()
        for meter, net_wh in readings:
            digest = reading_digest(domain, interval, meter, net_wh)
            signed += compact_signature(keys[meter], digest)
        words = [reading_word(*each) for each in readings]
        limit = signed_reading_batch_gas(len(words))
        arguments = (interval, words, signed)
        return self.send(sender, "sendSignedReadings", *arguments, gas=limit, sent_at_s=sent_at_s)
