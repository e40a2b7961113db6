"""Any sequence of calls leaves the registry of meters and its model with the same meters."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from market_world import GENESIS_S, OPERATOR, Contract, address
from profiles import machine_settings
from smart_meters_model import NOBODY, SmartMetersModel

from cosim.errors import ContractRevert
from cosim.evm.contracts import compile_contract
from cosim.evm.engine import create_engine

METERS = ("meter 1", "meter 2", "meter 3")
CUSTOMERS = ("ann", "bob", OPERATOR)

callers = st.sampled_from((OPERATOR, OPERATOR, OPERATOR, "ann", "meter 1"))
meters = st.sampled_from((*METERS, "ann", NOBODY))
customers = st.sampled_from((*CUSTOMERS, "meter 1", NOBODY))


@functools.cache
def deployed() -> Contract:
    engine = create_engine("revm")
    engine.set_block(1, GENESIS_S, 30_000_000)
    return Contract(engine, compile_contract("SmartMeters"), deployer=OPERATOR)


def word(account: str) -> bytes:
    return address(account) if account else bytes(20)


class SmartMetersMachine(RuleBasedStateMachine):
    """Contract and model side by side."""

    def __init__(self) -> None:
        super().__init__()
        self.registry = deployed()
        self.snapshot = self.registry.engine.snapshot()
        self.model = SmartMetersModel(OPERATOR)
        self.registered = 0
        self.unregistered = 0

    def teardown(self) -> None:
        self.registry.engine.restore(self.snapshot)

    def both(
        self,
        account: str,
        function: str,
        event: tuple[str, dict[str, Any]],
        model: Callable[[], object],
        *arguments: Any,
    ) -> bool:
        """Do a thing on chain and off chain; both do it, or refuse it with one text."""
        refusal = None
        try:
            model()
        except ContractRevert as error:
            refusal = error.text
        root = self.registry.engine.storage_root(self.registry.address)
        try:
            assert self.registry.send(account, function, *arguments).events == [event]
            said = None
        except ContractRevert as error:
            said = error.text
            assert self.registry.engine.storage_root(self.registry.address) == root
        assert said == refusal
        return said is None

    @rule(account=callers, meter=meters, customer=customers)
    def register(self, account: str, meter: str, customer: str) -> None:
        def model() -> None:
            self.model.register_meter(account, meter, customer)

        said = ("MeterRegistered", {"meter": word(meter), "customer": word(customer)})
        done = self.both(account, "registerMeter", said, model, word(meter), word(customer))
        self.registered += done

    @rule(account=callers, meter=meters)
    def unregister(self, account: str, meter: str) -> None:
        def model() -> None:
            self.model.unregister_meter(account, meter)

        customer = self.model.customer_of(meter)
        said = ("MeterUnregistered", {"meter": word(meter), "customer": word(customer)})
        self.unregistered += self.both(account, "unregisterMeter", said, model, word(meter))

    @invariant()
    def same_meters(self) -> None:
        valid = 0
        for meter in (*METERS, "ann", "bob", NOBODY):
            customer = self.model.customer_of(meter)
            assert self.registry.get("customerOf", word(meter)) == word(customer)
            assert self.registry.get("isValid", word(meter)) == (customer != NOBODY)
            valid += customer != NOBODY
        assert valid == self.registered - self.unregistered


TestSmartMeters = SmartMetersMachine.TestCase
TestSmartMeters.settings = machine_settings()
