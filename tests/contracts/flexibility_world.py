"""A flexibility market on a local market whose readings a test sets."""

from __future__ import annotations

from dataclasses import dataclass

from market_world import DSO, ISSUER, PENALTY, Contract, Outcome, address, double

from cosim.errors import ContractRevert
from cosim.evm.contracts import compile_contract
from cosim.evm.engine import create_engine
from cosim.mechanisms.flexibility_market.baselines import BaselineTerms
from cosim.mechanisms.flexibility_market.calling import CallingTerms

GAS_LIMIT = 30_000_000
CAP = 500_000


@dataclass(frozen=True)
class Times:
    """First delivery, length of an interval and of the time in which meters report. [s]"""

    first_delivery_s: int = 1_700_000_000
    step_s: int = 900
    metering_s: int = 240


class FlexibilityWorld:
    """Token, settable local market and flexibility market; accounts are named."""

    def __init__(
        self,
        terms: BaselineTerms,
        *,
        engine: str = "revm",
        is_uncapped: bool = False,
        penalty: int = PENALTY,
        times: Times | None = None,
        calling: CallingTerms | None = None,
    ) -> None:
        self.times = times or Times()
        calling = calling or CallingTerms()
        self.engine = create_engine(engine)
        self._block = 0
        self.at(self.times.first_delivery_s - 10 * self.times.step_s)
        self.token = Contract(self.engine, compile_contract("EuroToken"), deployer=ISSUER)
        self.market = Contract(
            self.engine,
            double("SettableMarket"),
            self.times.first_delivery_s,
            self.times.step_s,
            self.times.metering_s,
        )
        self.flexibility = Contract(
            self.engine,
            compile_contract("FlexibilityMarket"),
            self.token.address,
            self.market.address,
            address(DSO),
            penalty,
            is_uncapped,
            terms.baseline,
            terms.look_back,
            terms.high_days,
            terms.of_days,
            terms.adjusting,
            terms.adjusting_gap,
            calling.calling_ppm,
            calling.uncalled_penalty_ueur_per_kwh,
            calling.last_link,
        )

    def at(self, timestamp_s: int) -> None:
        """Next block, at a time."""
        self._block += 1
        self.engine.set_block(self._block, timestamp_s, GAS_LIMIT)

    def before(self, interval: int) -> None:
        """Last moment before delivery."""
        self.at(self.times.first_delivery_s + interval * self.times.step_s - 1)

    def after(self, interval: int) -> None:
        """First second after the report deadline."""
        self.at(
            self.times.first_delivery_s
            + (interval + 1) * self.times.step_s
            + self.times.metering_s
            + 1
        )

    def fund(self, account: str, amount: int) -> None:
        """Mint, approve and deposit."""
        self.token.send(ISSUER, "mint", address(account), amount)
        self.token.send(account, "approve", self.flexibility.address, amount)
        self.flexibility.send(account, "deposit", amount)

    def register(self, account: str, low_wh: int, high_wh: int) -> None:
        """Register the range of an account."""
        self.flexibility.send(DSO, "registerRanges", [address(account)], [low_wh], [high_wh])

    def open(self, interval: int, is_up: bool, quantity_wh: int) -> int:
        """Open a request of the DSO; its number."""
        self.flexibility.send(DSO, "openRequest", interval, is_up, quantity_wh, CAP)
        return int(self.flexibility.get("requestCount"))

    def offer(
        self, account: str, request: int, energy_wh: int, price: int, baseline_wh: int = 0
    ) -> None:
        """Offer one block."""
        self.flexibility.send(account, "offer", request, baseline_wh, [energy_wh], [price])

    def award(self, account: str, request: int, energy_wh: int) -> None:
        """Award an offer."""
        self.flexibility.send(DSO, "award", request, [address(account)], [energy_wh])

    def read(self, interval: int, account: str, net_wh: int, estimated: bool = False) -> None:
        """Note a reading in the local market."""
        self.market.send("meter", "read", interval, address(account), estimated, net_wh)

    def settle(self, request: int, *accounts: str) -> Outcome:
        """Settle offers of a request."""
        names = [address(account) for account in accounts]
        return self.flexibility.send("anyone", "settle", request, names)

    def balance(self, account: str) -> int:
        """Free balance in the flexibility market."""
        return int(self.flexibility.get("balanceOf", address(account)))

    def debt(self, account: str) -> int:
        """Debt to the DSO."""
        return int(self.flexibility.get("debtOf", address(account)))


def refusal(act: object, *arguments: object) -> str | None:
    """Text with which a call is refused; None if it is not."""
    assert callable(act)
    try:
        act(*arguments)
    except ContractRevert as error:
        return error.text
    return None
