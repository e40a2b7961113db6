"""Section ``ledger``: the chain that runs the contracts."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, ModelWrapValidatorHandler, model_validator
from pydantic_core import PydanticCustomError

from cosim.plugins.evm_engine import AUTO, engine_names
from cosim.settings import Fraction, Gwei, Model, NonNegative

CONFIRMATIONS = {"proof_of_authority": 0, "pbft": 0, "proof_of_stake": 1, "proof_of_work": 6}
"""Blocks that users wait for where the scenario does not say."""

TRANSACTION_GAS_LIMITS = {"prague": None, "osaka": 16_777_216}
"""Most gas of a transaction by the rules of the chain: 2**24 from Osaka on (EIP-7825)."""

FINAL_AT_ONCE = ("proof_of_authority", "pbft")


def _known_engine(name: str) -> str:
    known = [repr(one) for one in engine_names()]
    if name not in engine_names():
        raise PydanticCustomError(
            "engine",
            "Input should be {known}",
            {"known": f"{', '.join(known[:-1])} or {known[-1]}"},
        )
    return name


_Engine = Annotated[str, AfterValidator(_known_engine)]
_Count = Annotated[int, Field(ge=0)]


class FeeStrategySettings(Model):
    """Fees that some prosumers offer for their transactions."""

    share: Fraction = Field(1.0, description="of all prosumers, drawn at random [-]")
    tip_gwei: Gwei = Field(0.0, description="priority fee [gwei]")
    rise_percent_per_block: Annotated[float, Field(ge=0, le=1000)] = Field(
        0.0,
        description="both fees are raised by it with every block that leaves a transaction waiting "
        "(a node takes a replacement from 10 % on) [%]",
    )
    base_fee_factor: Annotated[int, Field(ge=1, le=100)] = Field(
        2, description="the most they pay is so many times the base fee at sending, plus the tip"
    )


class LedgerSettings(Model):
    """The chain that runs the contracts."""

    engine: _Engine = Field(
        AUTO,
        description="EVM; all give the same result: auto is the fastest that is installed, revm "
        "fast, py-evm the slow reference, rpc a node (docs/nodes.md), or a plug-in",
    )
    rules: Literal["prague", "osaka"] = Field(
        "prague",
        description="of the chain; osaka: those of prague, and no transaction of more than "
        "16 777 216 gas (docs/ledger.md)",
    )
    consensus: Literal["proof_of_authority", "pbft", "proof_of_stake", "proof_of_work"] = Field(
        "proof_of_authority", description="who proposes blocks, and when (docs/ledger.md)"
    )
    block_time_s: Annotated[int, Field(gt=0)] = Field(
        12,
        description="seconds between blocks; length of a turn or slot; the mean under proof of "
        "work [s]",
    )
    block_gas_limit: Annotated[int, Field(ge=500_000, lt=2**63)] = Field(
        30_000_000,
        description="most gas of a block; the set-up has blocks of 30 000 000 at least",
    )
    confirmations: _Count = Field(
        0,
        description="blocks on top of a transaction before anybody acts on it; default: 0, "
        "1 under proof of stake, 6 under proof of work",
    )
    validators: Annotated[int, Field(ge=1, le=10_000)] = Field(
        4, description="how many propose blocks (not under proof of work)"
    )
    failed_validators: _Count = Field(0, description="of them, drawn at random, never do")
    missed_slot_probability: Annotated[float, Field(ge=0, le=0.9)] = Field(
        0.0, description="that a working validator misses its turn or slot [-]"
    )
    round_timeout_s: Annotated[int, Field(gt=0)] = Field(
        10, description="pbft: wait for a proposer, doubled with every further one [s]"
    )
    propagation_delay_s: NonNegative = Field(
        0.0,
        description="proof of work: until everybody knows a block or a transaction; makes miners "
        "find blocks at once, of which one is left behind [s]",
    )
    initial_base_fee_gwei: Gwei = Field(
        0.0, description="0: a consortium chain without fees; else EIP-1559 moves it [gwei]"
    )
    others_gas_share: Annotated[float, Field(ge=0, le=0.95)] = Field(
        0.0,
        description="of every block that other users of the chain take while the base fee is "
        "initial_base_fee_gwei, less in proportion when it is higher; default: 0.5 where there is "
        "a base fee, which keeps it there, else 0 [-]",
    )
    tip_gwei: Gwei = Field(
        0.0, description="priority fee of every transaction without a strategy [gwei]"
    )
    fee_strategies: tuple[FeeStrategySettings, ...] = Field(
        (), description="of prosumers' orders and offers; meters and operators pay tip_gwei"
    )
    eur_per_eth: Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False)] = Field(
        2_000.0, description="price of the native coin [EUR]"
    )

    @model_validator(mode="wrap")
    @classmethod
    def _defaults_by_kind(cls, data: Any, validate: ModelWrapValidatorHandler[Self]) -> Self:
        """Write out what depends on other fields where the scenario does not say it."""
        if not isinstance(data, dict):
            return validate(data)
        written = dict(data)
        if written.get("confirmations") is None:
            kind = str(written.get("consensus", "proof_of_authority"))
            written["confirmations"] = CONFIRMATIONS.get(kind, 0)
        if written.get("others_gas_share") is None:
            written["others_gas_share"] = 0.5 if written.get("initial_base_fee_gwei") else 0.0
        ledger = validate(written)
        # what the scenario does not say follows again when a field it depends on is replaced
        ledger.model_fields_set.difference_update(
            name for name in written if data.get(name) is None
        )
        return ledger

    @model_validator(mode="after")
    def _validators_agree(self) -> LedgerSettings:
        if self.consensus == "proof_of_work":
            if self.failed_validators or self.missed_slot_probability:
                raise ValueError(
                    "failed_validators and missed_slot_probability: nobody has a turn under "
                    "proof_of_work"
                )
            return self
        if self.propagation_delay_s:
            raise ValueError("propagation_delay_s: only proof_of_work has forks by itself")
        working, n = self.validators - self.failed_validators, self.validators
        if self.consensus == "pbft" and self.failed_validators > (n - 1) // 3:
            raise ValueError(
                f"failed_validators ({self.failed_validators}) must not exceed {(n - 1) // 3}: "
                f"pbft with {n} validators stands still beyond a third"
            )
        if working * 2 <= n:
            raise ValueError(
                f"failed_validators ({self.failed_validators}) must be fewer than half of the "
                f"{n} validators: without a majority nothing is final"
            )
        return self

    @model_validator(mode="after")
    def _strategies_fit(self) -> LedgerSettings:
        total = sum(strategy.share for strategy in self.fee_strategies)
        if total > 1.0 + 1e-9:
            raise ValueError(f"shares of fee_strategies add up to {total:g}, more than 1")
        return self

    @property
    def transaction_gas_limit(self) -> int | None:
        """Most gas of a transaction; None where only a block's limit holds."""
        return TRANSACTION_GAS_LIMITS[self.rules]

    @property
    def is_regular(self) -> bool:
        """True if every block comes one block time after the one before it."""
        return self.consensus != "proof_of_work" and not (
            self.failed_validators or self.missed_slot_probability
        )
