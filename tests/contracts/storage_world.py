"""The community storage deployed beside the markets: a battery of 20 shares, three members."""

from __future__ import annotations

from typing import Any

from market_world import (
    FEED_IN,
    GATE_CLOSURE_S,
    ORDER_LEAD_S,
    RETAIL,
    Contract,
    MarketWorld,
    Outcome,
    address,
)

from cosim.evm.contracts import compile_contract
from cosim.evm.engine import ZERO_ADDRESS
from cosim.mechanisms.community_storage.terms import StorageTerms

OWNER = "battery"
MONEY = 10_000_000
TERMS = StorageTerms(
    owner=OWNER,
    total_shares=20,
    share_price_ueur=1_000_000,
    capacity_wh=100_000,
    power_wh=12_500,
    charge_permille=950,
    discharge_permille=930,
    loss_limit_wh=400,
    retail_price_ueur_per_kwh=RETAIL,
    feed_in_price_ueur_per_kwh=FEED_IN,
)


class StorageWorld(MarketWorld):
    """Token, meters, markets and storage; the battery's account is a member like every other."""

    def __init__(self, engine: str, **changes: Any) -> None:
        super().__init__(engine)
        self.join(OWNER, amount=0)
        self.storage = self.deploy_storage(**changes)

    def deploy_storage(self, **changes: Any) -> Contract:
        """Another storage, with some of its parameters changed."""
        parameters = {
            "token": self.token.address,
            "local_market": self.market.address,
            "meters": self.meters.address,
            "owner": address(OWNER),
            "meter": address(f"meter of {OWNER}"),
            "total_shares": TERMS.total_shares,
            "share_price_ueur": TERMS.share_price_ueur,
            "capacity_wh": TERMS.capacity_wh,
            "power_wh": TERMS.power_wh,
            "charge_permille": TERMS.charge_permille,
            "discharge_permille": TERMS.discharge_permille,
            "loss_limit_wh": TERMS.loss_limit_wh,
            "retail": TERMS.retail_price_ueur_per_kwh,
            "feed_in": TERMS.feed_in_price_ueur_per_kwh,
            "prices": ZERO_ADDRESS,
            "order_lead_s": ORDER_LEAD_S,
            "gate_closure_s": GATE_CLOSURE_S,
        }
        assert changes.keys() <= parameters.keys()
        parameters |= changes
        return Contract(self.engine, compile_contract("CommunityStorage"), *parameters.values())

    def enter(self, account: str, shares: int, amount: int) -> None:
        """Make an account a member with shares, and with so much money left in the storage."""
        self.join(account, amount=0)
        self.fund(account, self.storage, amount + shares * TERMS.share_price_ueur)
        if shares:
            self.storage.send(account, "buyShares", shares)

    def nominate(self, account: str, energy: int, interval: int = 0) -> Outcome:
        """Nominate in the order window."""
        return self.storage.send(account, "nominate", interval, energy)

    def report_storage(self, net: int, interval: int = 0) -> Outcome:
        """Report by the battery's meter."""
        return self.storage.send(f"meter of {OWNER}", "reportStorage", interval, net)

    def settle_losses(self, *accounts: str) -> Outcome:
        """Settle accounts."""
        return self.storage.send("anyone", "settle", [address(name) for name in accounts])

    def money(self, account: str) -> int:
        """Free balance in the storage."""
        return int(self.storage.get("balanceOf", address(account)))

    def shares(self, account: str) -> int:
        """Shares of an account."""
        return int(self.storage.get("accountOf", address(account))[0])

    def energy(self, account: str) -> int:
        """Stored energy of an account."""
        return int(self.storage.get("accountOf", address(account))[1])

    def storage_backed(self) -> bool:
        """Whether the storage holds exactly what it owes to the named accounts."""
        owed = sum(self.storage.get("balanceOf", account) for account in self.names)
        return self.held(self.storage) == owed + self.storage.get("setAside")
