"""Any sequence of calls leaves the token and its model with the same balances, and none is lost."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from euro_token_model import MAX_UINT256, NOBODY, EuroTokenModel
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from market_world import GENESIS_S, ISSUER, Contract, address
from profiles import machine_settings

from cosim.errors import ContractRevert
from cosim.evm.abi import NO_REASON
from cosim.evm.contracts import compile_contract
from cosim.evm.engine import create_engine

ACCOUNTS = ("ann", "bob", "cem", ISSUER)

accounts = st.sampled_from(ACCOUNTS)
receivers = st.sampled_from((*ACCOUNTS, NOBODY))
amounts = st.sampled_from((0, 1, 2, 99, 100, 2**128, MAX_UINT256 - 1, MAX_UINT256)) | st.integers(
    0, 200
)


@functools.cache
def deployed() -> Contract:
    engine = create_engine("revm")
    engine.set_block(1, GENESIS_S, 30_000_000)
    return Contract(engine, compile_contract("EuroToken"), deployer=ISSUER)


def word(account: str) -> bytes:
    return address(account) if account else bytes(20)


def moved(sender: str, receiver: str, amount: int) -> tuple[str, dict[str, Any]]:
    return "Transfer", {"sender": word(sender), "receiver": word(receiver), "value": amount}


class EuroTokenMachine(RuleBasedStateMachine):
    """Contract and model side by side."""

    def __init__(self) -> None:
        super().__init__()
        self.token = deployed()
        self.snapshot = self.token.engine.snapshot()
        self.model = EuroTokenModel(ISSUER)

    def teardown(self) -> None:
        self.token.engine.restore(self.snapshot)

    def both(
        self,
        account: str,
        function: str,
        event: tuple[str, dict[str, Any]],
        model: Callable[[], object],
        *arguments: Any,
    ) -> None:
        """Do a thing on chain and off chain; both do it, or refuse it with one text."""
        refusal = None
        try:
            model()
        except ContractRevert as error:
            refusal = error.text or NO_REASON
        root = self.token.engine.storage_root(self.token.address)
        try:
            done = self.token.send(account, function, *arguments)
            said = None
            assert done.events == [event]
            assert done.output == (b"" if function == "mint" else (1).to_bytes(32, "big"))
        except ContractRevert as error:
            said = error.text
            assert self.token.engine.storage_root(self.token.address) == root
        assert said == refusal

    @rule(account=st.sampled_from((ISSUER, ISSUER, "ann")), to=receivers, amount=amounts)
    def mint(self, account: str, to: str, amount: int) -> None:
        def model() -> None:
            self.model.mint(account, to, amount)

        self.both(account, "mint", moved("", to, amount), model, word(to), amount)

    @rule(account=accounts, to=receivers, amount=amounts)
    def transfer(self, account: str, to: str, amount: int) -> None:
        def model() -> None:
            self.model.transfer(account, to, amount)

        self.both(account, "transfer", moved(account, to, amount), model, word(to), amount)

    @rule(account=accounts, to=receivers)
    def transfer_all(self, account: str, to: str) -> None:
        self.transfer(account, to, self.model.balance_of(account))

    @rule(account=accounts, owner=accounts, to=receivers, amount=amounts)
    def transfer_from(self, account: str, owner: str, to: str, amount: int) -> None:
        def model() -> None:
            self.model.transfer_from(account, owner, to, amount)

        event = moved(owner, to, amount)
        self.both(account, "transferFrom", event, model, word(owner), word(to), amount)

    @rule(account=accounts, spender=receivers, amount=amounts)
    def approve(self, account: str, spender: str, amount: int) -> None:
        def model() -> None:
            self.model.approve(account, spender, amount)

        approval = {"owner": word(account), "spender": word(spender), "value": amount}
        self.both(account, "approve", ("Approval", approval), model, word(spender), amount)

    @invariant()
    def same_state(self) -> None:
        assert self.token.get("totalSupply") == self.model.total_supply_ueur
        for owner in ACCOUNTS:
            assert self.token.get("balanceOf", word(owner)) == self.model.balance_of(owner)
            for spender in ACCOUNTS:
                on_chain = self.token.get("allowance", word(owner), word(spender))
                assert on_chain == self.model.allowance(owner, spender)

    @invariant()
    def supply_is_what_the_accounts_hold(self) -> None:
        held = [self.token.get("balanceOf", word(account)) for account in ACCOUNTS]
        assert sum(held) == self.token.get("totalSupply")
        assert self.token.get("balanceOf", bytes(20)) == 0


TestEuroToken = EuroTokenMachine.TestCase
TestEuroToken.settings = machine_settings()
