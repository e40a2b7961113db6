"""The supply contract with its token and meters on an engine; the clock counts blocks."""

from __future__ import annotations

from dataclasses import astuple
from typing import Any

from market_world import GAS_LIMIT, GENESIS_S, ISSUER, OPERATOR, Contract, Outcome, address, double

from cosim.evm.contracts import Artifact, compile_contract
from cosim.evm.engine import create_engine
from cosim.mechanisms.supply_contract.model import Subscription
from cosim.mechanisms.supply_contract.terms import SupplyTerms

SUPPLIER = "supplier"
FIRST_BLOCK = 100
TERMS = SupplyTerms(
    first_block=FIRST_BLOCK,
    period_blocks=20,
    subscription_blocks=10,
    declaration_blocks=5,
    payment_blocks=5,
    price_ueur_per_kwh=300_001,
    price_cap_ueur_per_kwh=500_000,
    silent_estimate_wh=2_000,
    least_deposit_ueur=1_000_000,
    credit_limit_ueur=2_000_000,
)
DEPOSIT = 1_500_000
TOKENS = 10**12


class SupplyWorld:
    """Token, meters and a supply contract; accounts are named, amounts are µEUR."""

    def __init__(
        self,
        engine: str,
        terms: SupplyTerms = TERMS,
        artifact: Artifact | None = None,
        token: str = "EuroToken",
    ) -> None:
        self.engine = create_engine(engine)
        self.terms = terms
        self.goto(1)
        kind = compile_contract(token) if token == "EuroToken" else double(token)
        self.token = Contract(self.engine, kind, deployer=ISSUER)
        self.meters = Contract(self.engine, compile_contract("SmartMeters"), deployer=OPERATOR)
        self.contract = Contract(
            self.engine,
            artifact or compile_contract("Supplier"),
            self.token.address,
            self.meters.address,
            *astuple(terms),
            deployer=SUPPLIER,
        )

    # --- clock ---

    def goto(self, block: int) -> None:
        """Next transactions run in this block."""
        self.block = block
        self.engine.set_block(block, GENESIS_S + 12 * block, GAS_LIMIT)

    def open(self) -> None:
        """First block in which customers may subscribe."""
        self.goto(self.terms.opens_at(0))

    def start(self, period: int) -> None:
        """First block of a period."""
        self.goto(self.terms.starts_at(period))

    def end(self, period: int) -> None:
        """First block after a period: its meters declare."""
        self.goto(self.terms.declaration_at(period))

    def ask_payment(self, period: int) -> None:
        """First block of the payment phase."""
        self.goto(self.terms.payment_at(period))

    def end_payment(self, period: int) -> None:
        """First block after the payment phase."""
        self.goto(self.terms.over_at(period))

    # --- accounts ---

    def settle_in(self, account: str, amount: int = TOKENS) -> None:
        """Give an account a meter and tokens that the contract may take."""
        self.register(account)
        self.token.send(ISSUER, "mint", address(account), amount)
        self.token.send(account, "approve", self.contract.address, 2**256 - 1)

    def register(self, account: str, meter: str = "") -> None:
        """Register a meter of an account."""
        meter = meter or meter_of(account)
        self.meters.send(OPERATOR, "registerMeter", address(meter), address(account))

    def unregister(self, account: str) -> None:
        """Unregister the account's meter."""
        self.meters.send(OPERATOR, "unregisterMeter", address(meter_of(account)))

    def tokens(self, account: str) -> int:
        """Tokens of an account."""
        return int(self.token.get("balanceOf", address(account)))

    def held(self) -> int:
        """Tokens of the contract."""
        return int(self.token.get("balanceOf", self.contract.address))

    # --- contract ---

    def send(self, sender: str, function: str, *arguments: Any) -> Outcome:
        """Transact with the supply contract."""
        return self.contract.send(sender, function, *arguments)

    def subscribe(self, account: str, n_periods: int = 0, deposit: int = DEPOSIT) -> Outcome:
        """Subscribe with the account's meter."""
        return self.send(account, "subscribeUser", address(meter_of(account)), n_periods, deposit)

    def unsubscribe(self, account: str, sender: str = "") -> Outcome:
        """End the subscription of an account with its meter."""
        meter = address(meter_of(account))
        return self.send(sender or account, "unsubscribeUser", address(account), meter)

    def declare(self, account: str, period: int, energy_wh: int) -> Outcome:
        """Declare by the account's meter."""
        return self.send(meter_of(account), "declarePeriod", period, energy_wh)

    def pay(self, account: str, period: int, sender: str = "") -> Outcome:
        """Pay a period of the account."""
        return self.send(
            sender or account, "paymentPeriod", period, address(account), address(meter_of(account))
        )

    def finalize(self, period: int) -> Outcome:
        """Finalise a period."""
        return self.send("anyone", "finalize", period)

    def state(self, account: str) -> Subscription:
        """Subscription of an account with its meter."""
        word = self.contract.get("subscriptionOf", address(account), address(meter_of(account)))
        return Subscription.unpacked(word)

    def owed(self, *accounts: str) -> int:
        """What the views promise to the accounts and the supplier."""
        proceeds, takings, _ = self.contract.get("accountsOf")
        return int(proceeds + takings + sum(self.state(name).deposit_ueur for name in accounts))


def meter_of(account: str) -> str:
    """Name of the account's meter."""
    return f"meter of {account}"
