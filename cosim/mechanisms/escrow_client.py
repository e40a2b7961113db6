"""Base of the clients of contracts with ``escrow_accounts.vy``: money in, money out, balance."""

from __future__ import annotations

from typing import ClassVar

from cosim.chain.client import ContractClient
from cosim.chain.functions import Transaction, View


class EscrowClient(ContractClient):
    """Client of a contract that keeps free balances for its accounts. Money in µEUR."""

    deposit: ClassVar[Transaction]
    """Move approved tokens into the contract."""
    withdraw: ClassVar[Transaction]
    """Move tokens of the free balance out of the contract."""
    balance_of = View(int)
    """Free balance of an account."""
