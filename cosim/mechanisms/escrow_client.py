"""What the clients of contracts with ``escrow_accounts.vy`` share: money in, money out, balance."""

from __future__ import annotations

from typing import ClassVar

from cosim.chain.client import ContractClient


class EscrowClient(ContractClient):
    """Client of a contract that keeps free balances for its accounts. Money in µEUR."""

    deposit_gas: ClassVar[int]
    withdraw_gas: ClassVar[int]

    def deposit(self, sender: bytes, amount_ueur: int, sent_at_s: float | None = None) -> int:
        """Move approved tokens into the contract."""
        return self._send(
            sender, self.calldata("deposit", amount_ueur), sent_at_s, self.deposit_gas
        )

    def withdraw(self, sender: bytes, amount_ueur: int, sent_at_s: float | None = None) -> int:
        """Move tokens of the free balance out of the contract."""
        return self._send(
            sender, self.calldata("withdraw", amount_ueur), sent_at_s, self.withdraw_gas
        )

    def balance_of(self, account: bytes) -> int:
        """Free balance. [µEUR]"""
        return int(self._view("balanceOf", account)[0])
