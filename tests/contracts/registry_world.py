"""The name registry deployed on an engine, with a token, roles and calls by name."""

from __future__ import annotations

from market_world import GAS_LIMIT, GENESIS_S, ISSUER, Contract, address

from cosim.evm.contracts import compile_contract
from cosim.evm.engine import create_engine
from cosim.evm.hashing import keccak
from cosim.mechanisms.name_registry.names import commitment_of

BENEFICIARY = "beneficiary"
REGISTRATION_FEE, UPDATE_FEE = 1_000_000, 250_000
RICH = 10**9
MIN_AGE_S, MAX_AGE_S = 60, 600
SECRET = keccak(b"nobody guesses this")


def word(text: str | bytes) -> bytes:
    """A name, or what claims to be one, as 32 bytes."""
    return (text.encode() if isinstance(text, str) else text).ljust(32, b"\0")


def account_word(account: str) -> bytes:
    """An account as a value: left-padded."""
    return address(account).rjust(32, b"\0")


class RegistryWorld:
    """Token and registry; accounts are named, amounts are µEUR."""

    def __init__(
        self, engine: str, registration_fee: int = REGISTRATION_FEE, update_fee: int = UPDATE_FEE
    ) -> None:
        self.engine = create_engine(engine)
        self.block, self.now_s = 1, GENESIS_S
        self.engine.set_block(self.block, self.now_s, GAS_LIMIT)
        self.token = Contract(self.engine, compile_contract("EuroToken"), deployer=ISSUER)
        self.registry = self.deploy(self.token.address, registration_fee, update_fee)

    def deploy(
        self,
        token: bytes,
        registration_fee: int = REGISTRATION_FEE,
        update_fee: int = UPDATE_FEE,
        beneficiary: bytes = address(BENEFICIARY),
        min_age_s: int = MIN_AGE_S,
        max_age_s: int = MAX_AGE_S,
    ) -> Contract:
        """Another registry."""
        artifact = compile_contract("NameRegistry")
        fees, ages = (registration_fee, update_fee), (min_age_s, max_age_s)
        return Contract(self.engine, artifact, token, beneficiary, *fees, *ages)

    def wait(self, seconds: int = MIN_AGE_S) -> None:
        """Let the next block come after a time."""
        self.block, self.now_s = self.block + 1, self.now_s + seconds
        self.engine.set_block(self.block, self.now_s, GAS_LIMIT)

    def commitment(
        self,
        account: str,
        name: bytes,
        value: bytes,
        secret: bytes = SECRET,
        registry: Contract | None = None,
    ) -> bytes:
        """Commitment of an account to a name."""
        where = self.registry if registry is None else registry
        return commitment_of(where.address, address(account), name, value, secret)

    def commit(
        self, account: str, *names: tuple[bytes, bytes], registry: Contract | None = None
    ) -> None:
        """Commit to names and values, and wait until they may be registered."""
        where = self.registry if registry is None else registry
        for name, value in names:
            where.send(account, "commitName", self.commitment(account, name, value, registry=where))
        self.wait()

    def fund(self, account: str, amount: int = RICH) -> None:
        """Mint, and approve the registry without limit."""
        self.token.send(ISSUER, "mint", address(account), amount)
        self.token.send(account, "approve", self.registry.address, 2**256 - 1)

    def register(self, account: str, name: str, value: bytes | None = None) -> None:
        """Commit to a name and register it; its value is the account unless another is given."""
        new_value = account_word(account) if value is None else value
        self.commit(account, (word(name), new_value))
        self.registry.send(account, "registerName", word(name), new_value, SECRET)

    def tokens(self, account: str | bytes) -> int:
        """Tokens of an account."""
        holder = address(account) if isinstance(account, str) else account
        return int(self.token.get("balanceOf", holder))

    def root(self) -> bytes:
        """Storage of the registry."""
        return self.engine.storage_root(self.registry.address)
