"""The four contracts deployed on an engine, with roles, a clock and calls by name."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cosim.errors import ContractRevert
from cosim.evm.abi import pack_mixed, revert_text, unpack_values
from cosim.evm.contracts import Artifact, compile_contract, compile_source
from cosim.evm.engine import Engine, create_engine
from cosim.evm.hashing import keccak
from cosim.mechanisms.flexibility_market.baselines import BaselineTerms
from cosim.mechanisms.flexibility_market.calling import CallingTerms
from cosim.mechanisms.local_market.settlement_client import next_settlement
from cosim.mechanisms.local_market.submission.client import next_submissions

GAS_LIMIT = 30_000_000
GENESIS_S = 1_700_000_000
FIRST_DELIVERY_S = GENESIS_S + 10_000
STEP_S, ORDER_LEAD_S, GATE_CLOSURE_S, METERING_S = 900, 600, 180, 240
RETAIL, FEED_IN, PENALTY = 300_000, 80_000, 600_000
SILENT_ESTIMATE_WH = 2_000
RICH = 10**12

ISSUER, OPERATOR, SUPPLIER, DSO = "issuer", "metering_operator", "supplier", "dso"
AGGREGATOR, HEAD_END = "aggregator", "head_end"


def address(name: str) -> bytes:
    """Address of a role or account."""
    return keccak(f"account: {name}".encode())[12:]


@functools.cache
def double(name: str) -> Artifact:
    """A compiled contract of the tests themselves."""
    return compile_source(Path(__file__).parent / "doubles" / f"{name}.vy")


@dataclass
class Outcome:
    """What a successful transaction did."""

    output: bytes
    gas_used: int
    events: list[tuple[str, dict[str, Any]]]


class Contract:
    """A deployed contract whose functions are called by name."""

    def __init__(
        self, engine: Engine, artifact: Artifact, *arguments: Any, deployer: str = "deployer"
    ) -> None:
        self.engine, self.artifact = engine, artifact
        self.logging: tuple[Contract, ...] = (self,)
        self.hears: Callable[[list[tuple[str, dict[str, Any]]]], None] | None = None
        self.told: list[list[tuple[str, dict[str, Any]]]] = []
        """Events of each successful transaction with it."""
        receipt = engine.transact(
            address(deployer), None, artifact.init_code(*arguments), GAS_LIMIT
        )
        if receipt.status == 0:
            raise ContractRevert(revert_text(receipt.output), artifact.name, "__init__")
        assert receipt.contract_address is not None
        self.address = receipt.contract_address

    def send(self, sender: str | bytes, function: str, *arguments: Any) -> Outcome:
        """Transact; raise ContractRevert if refused."""
        data = self.artifact.selectors[function] + pack_mixed(*arguments)
        source = address(sender) if isinstance(sender, str) else sender
        receipt = self.engine.transact(source, self.address, data, GAS_LIMIT)
        if receipt.status == 0:
            raise ContractRevert(revert_text(receipt.output), self.artifact.name, function)
        events = []
        for log in receipt.logs:
            for contract in self.logging:
                decoder = contract.artifact.events.get(log.topics[0])
                if log.address == contract.address and decoder is not None:
                    events.append((decoder.name, decoder.decode(log.topics, log.data)))
        if self.hears is not None:
            self.hears(events)
        self.told.append(events)
        return Outcome(receipt.output, receipt.gas_used, events)

    def get(self, function: str, *arguments: Any) -> Any:
        """Call a view; one value, or a tuple of them."""
        data = self.artifact.selectors[function] + pack_mixed(*arguments)
        output = self.engine.call(address("reader"), self.address, data)
        entry = self.artifact.functions[self.artifact.selectors[function]]
        values = unpack_values([item["type"] for item in entry["outputs"]], output)
        return values[0] if len(values) == 1 else tuple(values)


class Market(Contract):
    """The local market with its settlement: each function is called on the contract that has it."""

    def __init__(self, engine: Engine, parameters: Sequence[Any], settling: Sequence[Any]) -> None:
        super().__init__(engine, compile_contract("LocalMarket"), *parameters)
        self.settlement = Contract(
            engine, compile_contract("MarketSettlement"), self.address, *settling
        )
        self.logging = self.settlement.logging = (self, self.settlement)

    def of(self, function: str) -> Contract:
        """The contract that has a function."""
        return self.settlement if function in self.settlement.artifact.selectors else self

    def send(self, sender: str | bytes, function: str, *arguments: Any) -> Outcome:
        """Transact with the contract that has the function."""
        if self.of(function) is self:
            return super().send(sender, function, *arguments)
        return self.settlement.send(sender, function, *arguments)

    def get(self, function: str, *arguments: Any) -> Any:
        """Call a view of the contract that has it."""
        if self.of(function) is self:
            return super().get(function, *arguments)
        return self.settlement.get(function, *arguments)


class MarketWorld:
    """Token, meters and both markets; accounts are named, amounts are µEUR."""

    def __init__(self, engine: str, **overrides: Any) -> None:
        self.engine = create_engine(engine)
        self._block = 0
        self.at(GENESIS_S)
        self.token = Contract(self.engine, compile_contract("EuroToken"), deployer=ISSUER)
        self.meters = Contract(self.engine, compile_contract("SmartMeters"), deployer=OPERATOR)
        self.market = self.deploy_market(**overrides)
        self.flexibility = self.deploy_flexibility(**overrides)
        self.names: dict[bytes, str] = {address(n): n for n in (SUPPLIER, DSO)}
        if overrides.get("notice", True):  # so long before delivery that the supplier may withdraw
            self.market.send(SUPPLIER, "announceWithdrawal", 2**256 - 1)

    def deploy_market(self, **overrides: Any) -> Market:
        """Another local market, with some of its parameters changed."""
        settlement = next_settlement(self.engine, address("deployer"))
        if overrides.get("batched", False):
            overrides["submissions"] = next_submissions(self.engine, address("deployer"), 0)
        terms = self._parameters(settlement, **overrides)
        market = Market(self.engine, terms, self._settling(**overrides))
        if overrides.get("batched", False):
            self.submissions = Contract(
                self.engine, compile_contract("Submissions"), market.address, address(HEAD_END)
            )
            self.submissions.logging = (market, market.settlement, self.submissions)
        return market

    def deploy_flexibility(self, **overrides: Any) -> Contract:
        """Another flexibility market, with some of its parameters changed."""
        terms = overrides.get("baselines", BaselineTerms())
        calling = overrides.get("calling", CallingTerms())
        return Contract(
            self.engine,
            compile_contract("FlexibilityMarket"),
            self.token.address,
            self.market.address,
            address(DSO),
            overrides.get("penalty", PENALTY),
            overrides.get("is_uncapped", False),
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

    def deploy_unsettled(self, settler: str) -> Contract:
        """Another local market, whose settlement is an account."""
        parameters = self._parameters(address(settler))
        return Contract(self.engine, compile_contract("LocalMarket"), *parameters)

    def _parameters(self, settlement: bytes, **overrides: Any) -> list[Any]:
        parameters = {
            "token": self.token.address,
            "meters": self.meters.address,
            "supplier": address(SUPPLIER),
            "settlement": settlement,
            "submissions": bytes(20),
            "retail": RETAIL,
            "first_delivery_s": FIRST_DELIVERY_S,
            "step_s": STEP_S,
            "order_lead_s": ORDER_LEAD_S,
            "gate_closure_s": GATE_CLOSURE_S,
            "metering_s": METERING_S,
            "rule": 0,
            "form": 0,
            "reveal_s": 0,
            "sealed_deposit": 0,
            "challenge_s": 0,
            "clearing_bond": 0,
            "ring": 0,
        }
        parameters |= {key: value for key, value in overrides.items() if key in parameters}
        return list(parameters.values())

    def _settling(self, **overrides: Any) -> list[Any]:
        parameters = {
            "silent_estimate_wh": SILENT_ESTIMATE_WH,
            "base_retail": overrides.get("retail", RETAIL),
            "feed_in": FEED_IN,
            "network": 0,
            "taxes": 0,
            "local_network_ppm": 0,
            "local_taxes_ppm": 0,
            "prices_change": False,
            "dso": bytes(20),
            "state": bytes(20),
            "bilateral": bytes(20),
        }
        parameters |= {key: value for key, value in overrides.items() if key in parameters}
        return list(parameters.values())

    # --- clock ---

    def at(self, timestamp_s: int) -> None:
        """Next block, at a time."""
        self._block += 1
        self.engine.set_block(self._block, timestamp_s, GAS_LIMIT)

    def open_window(self, interval: int) -> None:
        """First second of the order window."""
        self.at(FIRST_DELIVERY_S + interval * STEP_S - ORDER_LEAD_S)

    def close_gate(self, interval: int) -> None:
        """Gate closure."""
        self.at(FIRST_DELIVERY_S + interval * STEP_S - GATE_CLOSURE_S)

    def start(self, interval: int) -> None:
        """Start of delivery."""
        self.at(FIRST_DELIVERY_S + interval * STEP_S)

    def deliver(self, interval: int) -> None:
        """End of delivery: meters may report."""
        self.at(FIRST_DELIVERY_S + (interval + 1) * STEP_S)

    def end_metering(self, interval: int) -> None:
        """First second after the report deadline."""
        self.at(FIRST_DELIVERY_S + (interval + 1) * STEP_S + METERING_S + 1)

    # --- accounts ---

    def fund(self, account: str, contract: Contract, amount: int) -> None:
        """Mint, approve and deposit."""
        self.names[address(account)] = account
        self.token.send(ISSUER, "mint", address(account), amount)
        self.token.send(account, "approve", contract.address, amount)
        contract.send(account, "deposit", amount)

    def register(self, account: str, meter: str = "") -> str:
        """Register a meter of an account; its name."""
        name = meter or f"meter of {account}"
        self.meters.send(OPERATOR, "registerMeter", address(name), address(account))
        return name

    def join(self, account: str, amount: int = RICH) -> None:
        """Make an account a member with money in both markets."""
        self.names[address(account)] = account
        self.market.send(account, "join", address(self.register(account)))
        if amount:
            self.fund(account, self.market, amount)
            self.fund(account, self.flexibility, amount)

    # --- local market ---

    def order(
        self, account: str, is_sell: bool, energy: int, price: int, interval: int = 0
    ) -> Outcome:
        """Place an order."""
        return self.market.send(account, "placeOrder", interval, is_sell, energy, price)

    def report(self, account: str, net: int, interval: int = 0) -> Outcome:
        """Report by the account's meter."""
        return self.market.send(f"meter of {account}", "report", interval, net)

    def free(self, account: str) -> int:
        """Free balance in the local market."""
        return int(self.market.get("balanceOf", address(account)))

    def locked(self, account: str, interval: int = 0) -> int:
        """Locked for an order."""
        return int(self.market.get("lockedOf", interval, address(account)))

    def held(self, contract: Contract) -> int:
        """Tokens that a contract holds."""
        return int(self.token.get("balanceOf", contract.address))

    def backed(self, intervals: Sequence[int] = range(1)) -> bool:
        """Whether the local market holds exactly what it owes to the named accounts."""
        owed = sum(self.free(name) for name in self.names.values())
        owed += self.market.get("balanceOf", bytes(20))  # burned bonds
        owed += sum(self.locked(name, k) for name in self.names.values() for k in intervals)
        owed += sum(self.market.get("potOf", k) + self.market.get("bondOf", k) for k in intervals)
        return self.held(self.market) == owed

    def flexibility_backed(self) -> bool:
        """Whether the flexibility market holds exactly what it owes to the named accounts."""
        contract = self.flexibility
        ids = range(1, contract.get("requestCount") + 1)
        owed = sum(contract.get("balanceOf", account) for account in self.names)
        owed += sum(contract.get("escrowOf", k) for k in ids)
        owed += sum(contract.get("lockedOf", k, account) for k in ids for account in self.names)
        return self.held(contract) == owed
