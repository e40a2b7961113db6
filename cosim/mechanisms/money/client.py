"""Client of ``EuroToken.vy``: the money of the markets, an ERC-20 in µEUR."""

from __future__ import annotations

from typing import ClassVar

from cosim.chain.client import ContractClient
from cosim.chain.functions import Transaction, View

UNLIMITED = 2**256 - 1
"""Allowance that is not used up."""


def _allowance(spender: bytes, amount_ueur: int = UNLIMITED) -> tuple[bytes, int]:
    return spender, amount_ueur


class EuroToken(ContractClient):
    """The token. Amounts are integer µEUR, accounts 20-byte addresses; who deploys it issues it."""

    contract: ClassVar[str] = "EuroToken"

    mint = Transaction(100_000)
    """Create tokens of an account. Issuer only."""
    transfer = Transaction(80_000)
    """Send tokens to an account."""
    transfer_from = Transaction(80_000)
    """Send tokens of an owner, who approved the sender, to an account."""
    approve = Transaction(60_000, _allowance)
    """Allow a spender to take an amount; without one, all that there ever is."""

    balance_of = View(int)
    """Tokens of an account."""
    total_supply = View(int)
    """All tokens."""
