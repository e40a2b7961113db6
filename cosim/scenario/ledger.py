"""Section ``ledger``: the chain that runs the contracts."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from cosim.scenario.fields import Model, NonNegative


class LedgerSettings(Model):
    """The chain that runs the contracts."""

    engine: Literal["revm", "py-evm"] = Field(
        "revm", description="EVM; both give the same result, py-evm is the slow reference"
    )
    block_time_s: Annotated[int, Field(gt=0)] = Field(12, description="seconds between blocks [s]")
    block_gas_limit: Annotated[int, Field(ge=7_000_000)] = Field(
        30_000_000, description="most gas of a block"
    )
    initial_base_fee_gwei: NonNegative = Field(
        0.0, description="0: a consortium chain without fees; else EIP-1559 moves it [gwei]"
    )
    tip_gwei: NonNegative = Field(0.0, description="priority fee of every transaction [gwei]")
    eur_per_eth: NonNegative = Field(2_000.0, description="price of the native coin [EUR]")
