"""Markets with sealed orders and other forms of clearing, and what their callers must compute."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from market_world import FEED_IN, RETAIL, RICH, SUPPLIER, MarketWorld, Outcome, address

from cosim.evm.abi import pack
from cosim.evm.hashing import keccak
from cosim.mechanisms.local_market.clearing import Clearing, clear, ranking
from cosim.mechanisms.local_market.client import pack_ranking
from cosim.mechanisms.local_market.fill_tree import FillTree
from cosim.mechanisms.local_market.orders import Order
from cosim.mechanisms.local_market.pricing import ClearingForm, PricingRule

REVEAL_S, CHALLENGE_S = 60, 300
DEPOSIT, BOND = 30_000, 50_000
SALT = keccak(b"salt")


def opened(
    engine: str = "revm",
    *,
    rule: PricingRule = PricingRule.MIDPOINT,
    form: ClearingForm = ClearingForm.ON_CHAIN,
    sealed: bool = False,
    members: tuple[str, ...] = ("buyer", "seller", "neighbour"),
    ring: int = 0,
) -> MarketWorld:
    """A market with members, a supplier and a market operator who all have money."""
    world = MarketWorld(
        engine,
        rule=rule.number,
        form=form.number,
        reveal_s=REVEAL_S if sealed else 0,
        sealed_deposit=DEPOSIT,
        challenge_s=CHALLENGE_S,
        clearing_bond=BOND,
        ring=ring,
    )
    for account in members:
        world.join(account)
    world.fund(SUPPLIER, world.market, RICH)
    world.fund("operator", world.market, RICH)
    return world


def seal(order: Order, interval: int = 0, salt: bytes = SALT) -> bytes:
    """Commitment to an order."""
    return keccak(
        pack(
            interval,
            address(order.account),
            order.is_sell,
            order.energy_wh,
            order.price_ueur_per_kwh,
            salt,
        )
    )


def commit(world: MarketWorld, order: Order, interval: int = 0) -> Outcome:
    """Commit to an order."""
    return world.market.send(order.account, "commitOrder", interval, seal(order, interval))


def reveal(world: MarketWorld, order: Order, interval: int = 0, salt: bytes = SALT) -> Outcome:
    """Reveal an order."""
    fields = (order.is_sell, order.energy_wh, order.price_ueur_per_kwh)
    return world.market.send(order.account, "revealOrder", interval, *fields, salt)


@dataclass
class Cleared:
    """A book with its clearing, and what the calls of every form take."""

    orders: list[Order]
    clearing: Clearing

    @classmethod
    def of(cls, orders: list[Order], rule: PricingRule = PricingRule.MIDPOINT) -> Cleared:
        """Clear a book with the model."""
        prices = {"retail_price_ueur_per_kwh": RETAIL, "feed_in_price_ueur_per_kwh": FEED_IN}
        return cls(orders, clear(orders, rule, **prices))

    @property
    def result(self) -> tuple[int, int, int]:
        """Prices of buyers and sellers, and the volume."""
        clearing = self.clearing
        return (
            clearing.buy_price_ueur_per_kwh,
            clearing.sell_price_ueur_per_kwh,
            clearing.volume_wh,
        )

    @property
    def ranking(self) -> list[int]:
        """Packed merit order."""
        return pack_ranking(ranking(self.orders))

    @property
    def tree(self) -> FillTree:
        """Tree of the fills."""
        return FillTree(self.clearing.fills_wh)

    def place(self, world: MarketWorld) -> None:
        """Place the orders in interval 0, and close its gate."""
        world.open_window(0)
        for order in self.orders:
            world.order(order.account, order.is_sell, order.energy_wh, order.price_ueur_per_kwh)
        world.close_gate(0)

    def commit(self, world: MarketWorld, root: bytes | None = None, *result: int) -> Outcome:
        """Commit to the clearing, or to something else."""
        arguments: Any = result or self.result
        return world.market.send(
            "operator", "commitClearing", 0, self.tree.root if root is None else root, *arguments
        )

    def claim(self, world: MarketWorld, index: int, more_wh: int = 0) -> Outcome:
        """Claim an order's fill."""
        filled_wh = self.clearing.fills_wh[index] + more_wh
        account = address(self.orders[index].account)
        proof = list(self.tree.proof(index))
        return world.market.send("anyone", "claimFill", 0, account, filled_wh, proof)


def three() -> Cleared:
    """Two bids that share what one ask offers: 1 000 of 1 500 Wh, at 0.15 EUR/kWh."""
    return Cleared.of(
        [
            Order("buyer", False, 1_000, 200_001),
            Order("seller", True, 1_000, 100_000),
            Order("neighbour", False, 500, 200_001),
        ]
    )
