"""The green certificates deployed on an engine, with a token, meters, roles and a clock."""

from __future__ import annotations

from typing import Any

from market_world import GAS_LIMIT, GENESIS_S, ISSUER, OPERATOR, Contract, Outcome, address

from cosim.evm.contracts import compile_contract
from cosim.evm.engine import create_engine

STEP_S, METERING_S = 900, 240
FIRST_DELIVERY_S = (GENESIS_S // 3_600 + 3) * 3_600 + 2 * STEP_S
"""The third quarter of an hour: intervals 0 and 1 lie in one hour, 2 to 5 in the next."""
HOUR = FIRST_DELIVERY_S // 3_600
RICH = 10**9
PRICE = 2_001


class CertificatesWorld:
    """Token, meters and certificates; accounts are named, amounts are µEUR."""

    def __init__(self, engine: str) -> None:
        self.engine = create_engine(engine)
        self._block = 0
        self.at(GENESIS_S)
        self.token = Contract(self.engine, compile_contract("EuroToken"), deployer=ISSUER)
        self.meters = Contract(self.engine, compile_contract("SmartMeters"), deployer=OPERATOR)
        self.certificates = self.deploy()
        self.names: set[str] = set()

    def deploy(self, **overrides: Any) -> Contract:
        """Another contract, with some of its parameters changed."""
        parameters = {
            "token": self.token.address,
            "meters": self.meters.address,
            "first_delivery_s": FIRST_DELIVERY_S,
            "step_s": STEP_S,
            "metering_s": METERING_S,
        } | overrides
        return Contract(self.engine, compile_contract("GreenCertificates"), *parameters.values())

    # --- clock ---

    def at(self, timestamp_s: int) -> None:
        """Next block, at a time."""
        self._block += 1
        self.engine.set_block(self._block, timestamp_s, GAS_LIMIT)

    def deliver(self, interval: int, late_s: int = 0) -> None:
        """End of delivery: meters may record; or so long after it."""
        self.at(FIRST_DELIVERY_S + (interval + 1) * STEP_S + late_s)

    # --- accounts ---

    def fund(self, account: str, amount: int = RICH) -> None:
        """Mint, approve and deposit."""
        self.names.add(account)
        self.token.send(ISSUER, "mint", address(account), amount)
        self.token.send(account, "approve", self.certificates.address, amount)
        self.certificates.send(account, "deposit", amount)

    def register(self, account: str, meter: str = "") -> str:
        """Register a meter of an account; its name."""
        self.names.add(account)
        name = meter or f"meter of {account}"
        self.meters.send(OPERATOR, "registerMeter", address(name), address(account))
        return name

    # --- certificates ---

    def send(self, account: str, function: str, *arguments: Any) -> Outcome:
        """Transact with the certificates."""
        return self.certificates.send(account, function, *arguments)

    def record(self, account: str, produced: int, consumed: int, interval: int = 0) -> Outcome:
        """Record by the account's meter."""
        return self.send(f"meter of {account}", "record", interval, produced, consumed)

    def held(self, account: str, hour: int = HOUR) -> int:
        """Certificates that an account holds."""
        return int(self.certificates.get("heldOf", hour, address(account)))

    def consumption(self, account: str, hour: int = HOUR) -> tuple[int, int, int]:
        """Consumed, retired and residual energy of an account."""
        consumed, retired, residual = self.certificates.get("consumptionOf", hour, address(account))
        return consumed, retired, residual

    def totals(self, hour: int = HOUR) -> tuple[int, int, int]:
        """Issued, consumed and retired energy of an hour."""
        issued, consumed, retired = self.certificates.get("totalsOf", hour)
        return issued, consumed, retired

    def free(self, account: str) -> int:
        """Free balance."""
        return int(self.certificates.get("balanceOf", address(account)))

    def root(self) -> bytes:
        """Storage root of the contract."""
        return self.engine.storage_root(self.certificates.address)

    def backed(self) -> bool:
        """Whether the contract holds exactly the balances of the named accounts."""
        held = self.token.get("balanceOf", self.certificates.address)
        return bool(held == sum(self.free(name) for name in self.names))

    def balances(self, *hours: int) -> bool:
        """Whether every certificate issued is held, for sale or retired, by views alone."""
        offers = [
            self.certificates.get("offerOf", number)
            for number in range(1, self.certificates.get("offerCount") + 1)
        ]
        for hour in hours:
            issued, _, retired = self.totals(hour)
            held = sum(self.held(name, hour) for name in self.names)
            offered = sum(energy for _, at, energy, _ in offers if at == hour)
            if issued != held + offered + retired:
                return False
        return True
