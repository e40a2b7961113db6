"""Every contract that moves tokens, with a token that turns on it while they move."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from certificates_world import CertificatesWorld
from eth_abi import encode
from market_world import DSO, GAS_LIMIT, OPERATOR, Contract, MarketWorld, address, double
from registry_world import BENEFICIARY, SECRET, RegistryWorld, word
from storage_world import StorageWorld
from supply_world import DEPOSIT, SUPPLIER, SupplyWorld

from cosim.errors import ContractRevert
from cosim.evm.abi import pack_mixed
from cosim.evm.contracts import compile_contract
from cosim.resources import folder

VICTIM, OTHER = "victim", "other"
Call = tuple[str, str, tuple[object, ...]]
"""Sender, function, arguments; VICTIM stands for whoever does it."""


@dataclass
class Stage:
    """A contract whose token is hostile, and the calls of it that move tokens."""

    contract: Contract
    token: Contract
    moving: dict[str, Callable[[str], Call]]
    unguarded: frozenset[str] = field(default=frozenset())

    @property
    def writing(self) -> list[str]:
        """Functions that change state."""
        return [
            entry["name"]
            for entry in self.contract.artifact.abi
            if entry["type"] == "function" and entry["stateMutability"] == "nonpayable"
        ]

    def root(self) -> bytes:
        return self.contract.engine.storage_root(self.contract.address)

    def do(self, name: str, account: str = VICTIM) -> None:
        sender, function, arguments = self.moving[name](account)
        self.contract.send(sender, function, *arguments)


def deposits(contract: Contract) -> dict[str, Callable[[str], Call]]:
    for account in (VICTIM, OTHER):
        contract.send(account, "deposit", 1_000)
    return {
        "deposit": lambda account: (account, "deposit", (100,)),
        "withdraw": lambda account: (account, "withdraw", (40,)),
    }


def local_market() -> Stage:
    world = MarketWorld("revm")
    token = Contract(world.engine, double("HostileToken"))
    contract = world.deploy_market(token=token.address)
    return Stage(contract, token, deposits(contract))


def flexibility_market() -> Stage:
    world = MarketWorld("revm")
    token = Contract(world.engine, double("HostileToken"))
    kind = compile_contract("FlexibilityMarket")
    contract = Contract(
        world.engine, kind, token.address, world.market.address, address(DSO), 600_000
    )
    return Stage(contract, token, deposits(contract))


def community_storage() -> Stage:
    world = StorageWorld("revm")
    token = Contract(world.engine, double("HostileToken"))
    contract = world.deploy_storage(token=token.address)
    return Stage(contract, token, deposits(contract))


def green_certificates() -> Stage:
    world = CertificatesWorld("revm")
    token = Contract(world.engine, double("HostileToken"))
    contract = world.deploy(token=token.address)
    return Stage(contract, token, deposits(contract))


def name_registry() -> Stage:
    world = RegistryWorld("revm")
    token = Contract(world.engine, double("HostileToken"))
    contract = world.deploy(token.address)
    for account in (VICTIM, OTHER):
        names = [(word(account), bytes(32)), (word(f"new-{account}"), bytes(32))]
        world.commit(account, *names, registry=contract)
        contract.send(account, "registerName", *names[0], SECRET)
    moving = {
        "registerName": lambda account: (
            account,
            "registerName",
            (word(f"new-{account}"), bytes(32), SECRET),
        ),
        "updateValue": lambda account: (account, "updateValue", (word(account), word("new"))),
        "collectFees": lambda account: (BENEFICIARY, "collectFees", ()),
    }
    return Stage(contract, token, moving)


def supplier() -> Stage:
    world = SupplyWorld("revm", token="HostileToken")
    for account in (VICTIM, OTHER):
        for number in (1, 2, 3):
            meter = address(f"meter {number} of {account}")
            world.meters.send(OPERATOR, "registerMeter", meter, address(account))
    world.open()
    for account in (VICTIM, OTHER):
        for number in (1, 2):
            meter = address(f"meter {number} of {account}")
            world.send(account, "subscribeUser", meter, 1, DEPOSIT)
    world.end_payment(0)
    for account in (VICTIM, OTHER):
        meter = address(f"meter {1} of {account}")
        world.send(account, "paymentPeriod", 0, address(account), meter)
    world.send("anyone", "finalize", 0)
    moving = {
        "subscribeUser": lambda account: (
            account,
            "subscribeUser",
            (address(f"meter 3 of {account}"), 1, DEPOSIT),
        ),
        "topUp": lambda account: (account, "topUp", (address(f"meter 2 of {account}"), 7)),
        "withdraw": lambda account: (account, "withdraw", (address(f"meter 1 of {account}"),)),
        "withdrawProceeds": lambda account: (SUPPLIER, "withdrawProceeds", ()),
    }
    # these move no tokens; what they do while tokens move is what they would do afterwards, see
    # tests/contracts/supplier
    unguarded = {"unsubscribeUser", "declarePeriod", "paymentPeriod", "finalize", "setPrice"}
    return Stage(world.contract, world.token, moving, frozenset(unguarded))


STAGES = (
    local_market,
    flexibility_market,
    community_storage,
    green_certificates,
    name_registry,
    supplier,
)
OF_THE_HOUSE = {"collectFees", "withdrawProceeds"}
"""Calls of the account that the contract earns for, of which there is one."""


@pytest.fixture(params=STAGES, ids=lambda stage: stage.__name__)
def stage(request: pytest.FixtureRequest) -> Stage:
    return request.param()


def refusal(action: Callable[[], object]) -> str:
    """Text of the refusal."""
    with pytest.raises(ContractRevert) as caught:
        action()
    return caught.value.text


def test_every_contract_that_moves_tokens_is_on_stage() -> None:
    on_stage = {stage().contract.artifact.name for stage in STAGES}
    paths = folder("contracts").rglob("*.vy")
    sources = {path.stem: path.read_text(encoding="utf-8") for path in paths}
    movers = {
        name
        for name, source in sources.items()
        if "extcall IERC20" in source or "import escrow_accounts" in source
    }
    assert on_stage == {name for name in movers if name[0].isupper()}


def test_nothing_can_be_entered_while_tokens_move(stage: Stage) -> None:
    """Each function that changes state, called back from each call that moves tokens."""
    for name in stage.writing:
        inputs = stage.contract.artifact.inputs[name]
        values = [[] if kind.endswith("[]") else bytes(32) for kind in inputs]
        data = stage.contract.artifact.selectors[name] + pack_mixed(*values)
        load = stage.token.artifact.selectors["load"] + encode(["bytes"], [data])
        source = address("anyone")
        done = stage.contract.engine.transact(source, stage.token.address, load, GAS_LIMIT)
        assert done.status == 1
    engine = stage.contract.engine
    snapshot = engine.snapshot()
    stage.token.send("anyone", "callNow", stage.contract.address)
    for index, name in enumerate(stage.writing):  # else, a refusal below would say nothing
        done, answered = stage.token.get("outcome", index)
        assert done or answered, name
    engine.restore(snapshot)
    for moving in stage.moving:
        snapshot = engine.snapshot()
        stage.do(moving)
        quiet = stage.root()
        engine.restore(snapshot)
        snapshot = engine.snapshot()
        stage.token.send("anyone", "arm")
        stage.do(moving)
        assert stage.token.get("made") == len(stage.writing), moving
        for index, name in enumerate(stage.writing):
            done, answered = stage.token.get("outcome", index)
            if name in stage.unguarded:
                assert not done
                assert answered, f"{name} during {moving}"
            else:  # the guard refuses without a text, the contract itself with one
                assert not done, f"{name} during {moving}"
                assert not answered, f"{name} during {moving}"
        assert stage.root() == quiet, moving
        engine.restore(snapshot)


def test_a_token_that_says_no_changes_nothing(stage: Stage) -> None:
    before = stage.root()
    stage.token.send("anyone", "sayNo")
    for name in stage.moving:
        assert refusal(lambda name=name: stage.do(name)).endswith(": token transfer failed")
        assert stage.root() == before


def test_refusing_one_account_blocks_nobody_else(stage: Stage) -> None:
    stage.token.send("anyone", "refuse", address(VICTIM))
    for name in stage.moving:
        before = stage.root()
        if name not in OF_THE_HOUSE:
            text = refusal(lambda name=name: stage.do(name))
            assert text == "hostile token: account refused"
            assert stage.root() == before
        stage.do(name, OTHER)
        assert stage.root() != before


@pytest.mark.parametrize("house", [BENEFICIARY, SUPPLIER, DSO])
def test_a_token_that_refuses_the_house_blocks_no_customer(stage: Stage, house: str) -> None:
    stage.token.send("anyone", "refuse", address(house))
    for name in stage.moving:
        if name not in OF_THE_HOUSE:
            before = stage.root()
            stage.do(name)
            assert stage.root() != before
