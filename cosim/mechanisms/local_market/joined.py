"""Client of ``JoinedMarkets.vy``: several local markets, asked as one."""

from __future__ import annotations

from typing import ClassVar

from cosim.chain.client import ContractClient
from cosim.chain.functions import Transaction, View

ENROLLED_AT_ONCE = 64


def enrol_gas(n: int) -> int:
    """Gas limit that enrolling so many accounts needs."""
    return 80_000 + 55_000 * n


class JoinedMarkets(ContractClient):
    """Local markets of a run, where members and readings are asked for. Accounts as 20 bytes."""

    contract: ClassVar[str] = "JoinedMarkets"

    enrol = Transaction(enrol_gas)
    """Note that accounts are members of a market: its place, accounts."""
    market_of = View(bytes)
    """Market that an account is enrolled with."""
    is_member = View(bool)
    """Tell if an account is enrolled and a member."""
