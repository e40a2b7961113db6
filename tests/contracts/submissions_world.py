"""A market that takes batches, and what its accounts and meters sign."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from market_world import (
    AGGREGATOR,
    HEAD_END,
    OPERATOR,
    RICH,
    SUPPLIER,
    MarketWorld,
    Outcome,
    address,
)

from cosim.evm.accounts import Account, account
from cosim.mechanisms.local_market.orders import MAX_PRICE_UEUR_PER_KWH
from cosim.mechanisms.local_market.submission.client import (
    compact_signature,
    domain_separator,
    order_digest,
    order_word,
    reading_digest,
    reading_word,
)

Terms = tuple[bool, int, int]
"""Side (True sells), energy and price of an order. [Wh, µEUR/kWh]"""


def batched(
    members: Sequence[str] = ("buyer", "seller", "neighbour"),
    engine: str = "revm",
    balance: int = RICH,
    **overrides: object,
) -> MarketWorld:
    """A market that takes batches, whose members appointed the aggregator."""
    world = MarketWorld(engine, batched=True, **overrides)
    for name in members:
        world.join(name, balance)
        appoint(world, name)
    world.fund(SUPPLIER, world.market, RICH)
    return world


def appoint(
    world: MarketWorld,
    name: str,
    aggregator: bytes = address(AGGREGATOR),
    highest_bid: int = MAX_PRICE_UEUR_PER_KWH,
    lowest_ask: int = 0,
) -> Outcome:
    """Let an aggregator send an account's orders, within limits. [µEUR/kWh]"""
    return world.submissions.send(name, "appoint", aggregator, highest_bid, lowest_ask)


def words(orders: Sequence[tuple[str, Terms]]) -> list[int]:
    """Orders of named accounts as a batch takes them."""
    return [order_word(address(name), *terms) for name, terms in orders]


def send(
    world: MarketWorld,
    orders: Sequence[tuple[str, Terms]],
    sender: str = AGGREGATOR,
    interval: int = 0,
) -> Outcome:
    """Send orders by a role."""
    return world.submissions.send(sender, "sendOrders", interval, words(orders))


def read(
    world: MarketWorld,
    readings: Sequence[tuple[str, int]],
    sender: str = HEAD_END,
    interval: int = 0,
) -> Outcome:
    """Send readings of meters, by the names of the meters, by a role."""
    packed = [reading_word(address(meter), net_wh) for meter, net_wh in readings]
    return world.submissions.send(sender, "sendReadings", interval, packed)


def passed_over(done: Outcome) -> list[tuple[bytes, int]]:
    """Whose entries were passed over, and why, by events of all three contracts."""
    return [
        (said.get("account") or said.get("meter") or said["whose"], said["cause"])
        for name, said in done.events
        if name.endswith("PassedOver")
    ]


@dataclass
class Signing:
    """Members with keys of their own in a market that takes batches."""

    world: MarketWorld
    keyed: dict[str, Account]
    meters: dict[str, Account]

    @classmethod
    def of(cls, *names: str) -> Signing:
        """Let accounts join that can sign; nobody is appointed."""
        world = MarketWorld("revm", batched=True)
        keyed = {name: account(1, name) for name in names}
        meters = {name: account(1, f"meter of {name}") for name in names}
        for name, own in keyed.items():
            meter = meters[name].address
            world.meters.send(OPERATOR, "registerMeter", meter, own.address)
            world.market.send(own.address, "join", meter)
            world.token.send("issuer", "mint", own.address, RICH)
            world.token.send(own.address, "approve", world.market.address, RICH)
            world.market.send(own.address, "deposit", RICH)
        world.fund(SUPPLIER, world.market, RICH)
        return cls(world, keyed, meters)

    @property
    def domain(self) -> bytes:
        """What signatures are bound to."""
        return domain_separator(self.world.submissions.address)

    def order(
        self, name: str, terms: Terms, interval: int = 0, domain: bytes | None = None
    ) -> tuple[bytes, bytes]:
        """Sign an order."""
        own = self.keyed[name]
        digest = order_digest(domain or self.domain, interval, own.address, *terms)
        return compact_signature(own.private_key, digest)

    def reading(
        self, name: str, net_wh: int, interval: int = 0, domain: bytes | None = None
    ) -> tuple[bytes, bytes]:
        """Sign a reading."""
        own = self.meters[name]
        digest = reading_digest(domain or self.domain, interval, own.address, net_wh)
        return compact_signature(own.private_key, digest)

    def send(
        self,
        orders: Sequence[tuple[str, Terms]],
        signatures: Sequence[tuple[bytes, bytes]],
        sender: str = "anybody",
        interval: int = 0,
    ) -> Outcome:
        """Send signed orders."""
        packed = [order_word(self.keyed[name].address, *terms) for name, terms in orders]
        flat = [word for pair in signatures for word in pair]
        return self.world.submissions.send(sender, "sendSignedOrders", interval, packed, flat)

    def read(
        self,
        readings: Sequence[tuple[str, int]],
        signatures: Sequence[tuple[bytes, bytes]],
        sender: str = "anybody",
        interval: int = 0,
    ) -> Outcome:
        """Send signed readings of members' meters."""
        packed = [reading_word(self.meters[name].address, net_wh) for name, net_wh in readings]
        flat = [word for pair in signatures for word in pair]
        return self.world.submissions.send(sender, "sendSignedReadings", interval, packed, flat)

    def ordered(self, name: str, interval: int = 0) -> int:
        """Energy of an account's order, 0 where there is none. [Wh]"""
        return int(self.world.market.get("orderOf", interval, self.keyed[name].address)[2])
