"""The name registry through its client, on both engines."""

from __future__ import annotations

import functools

import pytest
from receipts import receipts_of

from cosim.chain.chain import Chain
from cosim.errors import ContractRevert
from cosim.evm.accounts import accounts
from cosim.evm.engine import create_engine
from cosim.mechanisms.money.client import EuroToken
from cosim.mechanisms.name_registry.client import NameRegistry
from cosim.mechanisms.name_registry.names import name_word

ISSUER, DSO, ANN, BOB = (
    known.address for known in accounts(5, ("issuer", "dso", "ann", "bob")).values()
)
FEE, UPDATE = 1_000_000, 250_000
AGE_S, SECRET = 60, bytes(range(32))
NAME = "lv1.101-bus-4"


class World:
    def __init__(self, engine: str) -> None:
        self.chain = Chain(create_engine(engine), 1_700_000_000, 12, 30_000_000)
        self.token = EuroToken.deploy(self.chain, ISSUER)
        self.registry = NameRegistry.deploy(
            self.chain,
            DSO,
            token=self.token.address,
            beneficiary=DSO,
            registration_fee_ueur=FEE,
            update_fee_ueur=UPDATE,
            min_commitment_age_s=AGE_S,
            max_commitment_age_s=86_400,
        )
        for account in (ANN, BOB):
            self.done(
                self.token.mint(ISSUER, account, 10 * FEE),
                self.token.approve(account, self.registry.address),
            )

    def done(self, *handles: int) -> None:
        receipts_of(self.registry, handles)

    def commit(self, account: bytes, name: str, value: bytes) -> None:
        """Commit to a name, and let the commitment become old enough."""
        self.done(
            self.registry.commit_name(
                account, self.registry.commitment(account, name, value, SECRET)
            )
        )
        self.chain.mine_until(self.chain.now_s + AGE_S)


@pytest.fixture(params=["revm", "py-evm"])
def world(request: pytest.FixtureRequest) -> World:
    return World(request.param)


def test_a_name_from_registration_to_release(world: World) -> None:
    registry = world.registry
    assert registry.owner_of(NAME) == bytes(20)
    world.commit(ANN, NAME, ANN)
    commitment = registry.commitment(ANN, NAME, ANN, SECRET)
    value = ANN.rjust(32, b"\0")
    assert [commitment] == registry.view("commitmentOf", ANN, name_word(NAME), value, SECRET)
    assert 0 < registry.committed_at(ANN, commitment) <= world.chain.now_s - AGE_S
    world.done(registry.register_name(ANN, NAME, ANN, SECRET))
    assert (registry.account_of(NAME), registry.owner_of(NAME)) == (ANN, ANN)
    assert registry.resolve(NAME) == bytes(12) + ANN
    world.done(registry.offer_name(ANN, NAME, BOB))
    assert registry.view("successorOf", name_word(NAME)) == [BOB]
    world.done(registry.accept_name(BOB, NAME))
    assert (registry.account_of(NAME), registry.owner_of(NAME)) == (ANN, BOB)
    world.done(registry.update_value(BOB, NAME, BOB))
    assert registry.account_of(NAME) == BOB
    assert registry.fees_due() == FEE + UPDATE
    assert world.token.balance_of(BOB) == 10 * FEE - UPDATE
    world.done(registry.collect_fees(DSO))
    assert (registry.fees_due(), world.token.balance_of(DSO)) == (0, FEE + UPDATE)
    world.done(registry.release_name(BOB, NAME))
    assert registry.owner_of(NAME) == bytes(20)


def test_refusals_carry_text_function_and_arguments(world: World) -> None:
    registry = world.registry
    assert registry.view("isCanonical", name_word(NAME)) == [True]
    assert registry.view("isCanonical", name_word("LV1.101 Bus 4")) == [False]
    handle = registry.register_name(ANN, "LV1.101 Bus 4", ANN, SECRET)
    with pytest.raises(ContractRevert) as refusal:
        world.done(handle)
    assert refusal.value.text == "name registry: not a canonical name"
    assert refusal.value.function == "registerName"
    assert refusal.value.arguments == {
        "name": "0x" + name_word("LV1.101 Bus 4").hex(),
        "new_value": "0x" + (bytes(12) + ANN).hex(),
        "secret": "0x" + SECRET.hex(),
    }
    with pytest.raises(ContractRevert, match="name registry: not registered"):
        registry.resolve(NAME)


def test_who_copies_a_pending_reveal_and_pays_more_is_first_and_gets_nothing(
    world: World,
) -> None:
    registry, chain = world.registry, world.chain
    world.commit(ANN, NAME, ANN)
    reveal = registry.register_name(ANN, NAME, ANN, SECRET)
    (pending,) = chain.pending_transactions()
    copied = chain.submit(
        BOB, registry.address, pending.data, chain.now_s, pending.gas_limit, tip_wei=10**10
    )
    bobs = pending.data.replace(ANN, BOB)  # the name for himself
    own = chain.submit(BOB, registry.address, bobs, chain.now_s, pending.gas_limit, tip_wei=10**10)
    chain.mine_blocks()
    places = [(one.block, one.index) for one in map(chain.included, (copied, own, reveal)) if one]
    assert places == [(chain.block, 0), (chain.block, 1), (chain.block, 2)]
    for handle in (copied, own):
        with pytest.raises(ContractRevert, match="name registry: not committed"):
            registry.check(handle)
    registry.check(reveal)
    assert registry.owner_of(NAME) == registry.account_of(NAME) == ANN


@functools.cache
def storage_root(engine: str) -> bytes:
    world = World(engine)
    test_a_name_from_registration_to_release(world)
    world.commit(BOB, "flat-1", ANN)
    world.done(world.registry.register_name(BOB, "flat-1", ANN, SECRET))
    return world.chain.engine.storage_root(world.registry.address)


def test_engines_end_in_one_state() -> None:
    assert storage_root("revm") == storage_root("py-evm")
