"""Any sequence of calls leaves the name registry and its model with the same names and fees."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from market_world import GAS_LIMIT, address
from money_told import NamesTold
from profiles import machine_settings
from registry_world import (
    BENEFICIARY,
    MAX_AGE_S,
    MIN_AGE_S,
    REGISTRATION_FEE,
    RICH,
    SECRET,
    UPDATE_FEE,
    RegistryWorld,
    account_word,
    word,
)

from cosim.errors import ContractRevert
from cosim.mechanisms.name_registry.model import NOBODY, NameRegistryModel

PEOPLE = ("ann", "bob", "cem")
POOR = "dee"
ACCOUNTS = (*PEOPLE, POOR, BENEFICIARY)
POOR_UEUR = REGISTRATION_FEE + UPDATE_FEE
NAMES = tuple(word(name) for name in ("flat-1", "flat-2", "flat.2"))
STRANGE = (word(""), word("Flat-1"), word("flat--2"), word(b"flat\0-1"), word("flat-1-"))
SECRETS = (SECRET, bytes(32))
NO_MONEY = "euro token: balance too low"

accounts = st.sampled_from(ACCOUNTS)
names = st.sampled_from(NAMES)
secrets = st.sampled_from(SECRETS)
values = st.sampled_from([account_word(account) for account in PEOPLE] + [bytes(32)])


@functools.cache
def deployed() -> RegistryWorld:
    world = RegistryWorld("revm")
    for account in PEOPLE:
        world.fund(account)
    world.fund(POOR, POOR_UEUR)
    world.fund(BENEFICIARY)
    return world


class NameRegistryMachine(RuleBasedStateMachine):
    """Contract and model side by side; the machine itself keeps the wallets."""

    def __init__(self) -> None:
        super().__init__()
        self.world = deployed()
        self.snapshot = self.world.engine.snapshot()
        self.model = NameRegistryModel(
            BENEFICIARY, REGISTRATION_FEE, UPDATE_FEE, MIN_AGE_S, MAX_AGE_S
        )
        self.told = NamesTold(self.world.registry)
        self.n_told = len(self.world.registry.told)
        self.now = (self.world.block, self.world.now_s)
        # by account, name, value and secret: the last commitment that was not used
        self.committed_s: dict[tuple[str, bytes, bytes, bytes], int] = {}
        self.wallets = dict.fromkeys(ACCOUNTS, RICH) | {POOR: POOR_UEUR}
        self.owners: dict[bytes, str] = {}

    def teardown(self) -> None:
        if self.model.fees_due_ueur:
            assert self.world.registry.send(BENEFICIARY, "collectFees").gas_used <= 90_000
        assert self.world.tokens(self.world.registry.address) == 0
        self.world.engine.restore(self.snapshot)
        del self.world.registry.told[self.n_told :]
        self.world.block, self.world.now_s = self.now
        self.world.engine.set_block(*self.now, GAS_LIMIT)

    def both(
        self, account: str, function: str, arguments: tuple[bytes, ...], model: Callable[[], object]
    ) -> bool:
        """Do a thing on chain and off chain; both do it, or refuse it with one text."""
        refusal = None
        try:
            model()
        except ContractRevert as error:
            refusal = error.text
        root = self.world.root()
        try:
            self.world.registry.send(account, function, *arguments)
            said = None
        except ContractRevert as error:
            said = error.text
            assert self.world.root() == root
        assert said == refusal
        return said is None

    def pay(self, account: str, fee_ueur: int, act: Callable[[], object]) -> None:
        """The model's call, undone if the account cannot pay for it."""
        before = copy.deepcopy(self.model)
        act()
        if self.wallets[account] < fee_ueur:
            self.model = before
            raise ContractRevert(NO_MONEY)
        self.wallets[account] -= fee_ueur

    @rule(seconds=st.sampled_from([1, MIN_AGE_S - 1, MIN_AGE_S, MAX_AGE_S - MIN_AGE_S, MAX_AGE_S]))
    def time_passes(self, seconds: int) -> None:
        self.world.wait(seconds)

    @rule(
        account=accounts,
        claimed=accounts,
        name=names | st.sampled_from(STRANGE),
        value=values,
        secret=secrets,
    )
    def commit(self, account: str, claimed: str, name: bytes, value: bytes, secret: bytes) -> None:
        """Commit in one's own name, or copy the commitment of another account."""
        commitment, now_s = self.world.commitment(claimed, name, value, secret), self.world.now_s
        if (
            self.both(
                account,
                "commitName",
                (commitment,),
                lambda: self.model.commit_name(account, commitment, now_s),
            )
            and account == claimed
        ):
            self.committed_s[account, name, value, secret] = now_s

    @rule(account=accounts, name=names | st.sampled_from(STRANGE), value=values, secret=secrets)
    def register(self, account: str, name: bytes, value: bytes, secret: bytes) -> None:
        commitment, now_s = self.world.commitment(account, name, value, secret), self.world.now_s
        if self.both(
            account,
            "registerName",
            (name, value, secret),
            lambda: self.pay(
                account,
                REGISTRATION_FEE,
                lambda: self.model.register_name(account, name, value, commitment, now_s),
            ),
        ):
            assert name not in self.owners
            assert name in NAMES
            made_s = self.committed_s.pop((account, name, value, secret))
            assert MIN_AGE_S <= now_s - made_s <= MAX_AGE_S
            self.owners[name] = account

    @rule(account=accounts, name=names, value=values)
    def commit_and_register(self, account: str, name: bytes, value: bytes) -> None:
        """The usual way, which random calls seldom find."""
        self.commit(account, account, name, value, SECRETS[0])
        self.time_passes(MIN_AGE_S)
        self.register(account, name, value, SECRETS[0])

    @rule(account=accounts, name=names, value=values)
    def update(self, account: str, name: bytes, value: bytes) -> None:
        if self.both(
            account,
            "updateValue",
            (name, value),
            lambda: self.pay(
                account, UPDATE_FEE, lambda: self.model.update_value(account, name, value)
            ),
        ):
            assert self.owners[name] == account

    @rule(account=accounts, name=names, successor=st.sampled_from((*ACCOUNTS, NOBODY)))
    def offer(self, account: str, name: bytes, successor: str) -> None:
        to = address(successor) if successor else bytes(20)
        if self.both(
            account,
            "offerName",
            (name, to),
            lambda: self.model.offer_name(account, name, successor),
        ):
            assert self.owners[name] == account

    @rule(account=accounts, name=names)
    def accept(self, account: str, name: bytes) -> None:
        offered = self.model.successor_of(name)
        if self.both(account, "acceptName", (name,), lambda: self.model.accept_name(account, name)):
            assert offered == account
            self.owners[name] = account

    @rule(account=accounts, name=names)
    def release(self, account: str, name: bytes) -> None:
        if self.both(
            account, "releaseName", (name,), lambda: self.model.release_name(account, name)
        ):
            assert self.owners.pop(name) == account

    @rule(account=accounts)
    def collect(self, account: str) -> None:
        due = self.model.fees_due_ueur
        if self.both(account, "collectFees", (), lambda: self.model.collect_fees(account)):
            self.wallets[BENEFICIARY] += due

    @invariant()
    def same_names(self) -> None:
        get = self.world.registry.get
        for name in NAMES:
            owner, successor = self.model.owner_of(name), self.model.successor_of(name)
            assert self.owners.get(name, NOBODY) == owner
            assert get("ownerOf", name) == (address(owner) if owner else bytes(20))
            assert get("successorOf", name) == (address(successor) if successor else bytes(20))
            if owner:
                assert get("resolve", name) == self.model.resolve(name)

    @invariant()
    def every_fee_is_owed_to_the_beneficiary(self) -> None:
        due = self.world.registry.get("feesDue")
        assert due == self.model.fees_due_ueur
        self.told.read()
        assert due == self.told.held
        assert due == self.world.tokens(self.world.registry.address)
        assert sum(self.wallets.values()) + due == RICH * (len(ACCOUNTS) - 1) + POOR_UEUR
        for account in ACCOUNTS:
            assert self.world.tokens(account) == self.wallets[account]


TestNameRegistry = NameRegistryMachine.TestCase
TestNameRegistry.settings = machine_settings()
