"""Client of ``EuroToken.vy``: the money of the markets, an ERC-20 in µEUR."""

from __future__ import annotations

from typing import ClassVar, Self

from cosim.chain.chain import Chain
from cosim.chain.client import ContractClient

MINT_GAS = 100_000
TRANSFER_GAS = 80_000
APPROVE_GAS = 60_000

UNLIMITED = 2**256 - 1
"""Allowance that is not used up."""


class EuroToken(ContractClient):
    """The token. Amounts are integer µEUR, accounts 20-byte addresses."""

    contract: ClassVar[str] = "EuroToken"

    @classmethod
    def deploy(cls, chain: Chain, issuer: bytes) -> Self:
        """Deploy in the next block; the deploying account becomes the issuer."""
        return cls._deployed(chain, issuer)

    def mint(
        self, issuer: bytes, to: bytes, amount_ueur: int, sent_at_s: float | None = None
    ) -> int:
        """Create tokens. Issuer only. Returns a handle."""
        return self._send(issuer, self.calldata("mint", to, amount_ueur), sent_at_s, MINT_GAS)

    def transfer(
        self, sender: bytes, to: bytes, amount_ueur: int, sent_at_s: float | None = None
    ) -> int:
        """Send tokens. Returns a handle."""
        return self._send(
            sender, self.calldata("transfer", to, amount_ueur), sent_at_s, TRANSFER_GAS
        )

    def transfer_from(
        self,
        spender: bytes,
        owner: bytes,
        to: bytes,
        amount_ueur: int,
        sent_at_s: float | None = None,
    ) -> int:
        """Send tokens of an owner who approved the spender. Returns a handle."""
        data = self.calldata("transferFrom", owner, to, amount_ueur)
        return self._send(spender, data, sent_at_s, TRANSFER_GAS)

    def approve(
        self,
        owner: bytes,
        spender: bytes,
        amount_ueur: int = UNLIMITED,
        sent_at_s: float | None = None,
    ) -> int:
        """Allow a spender to take tokens. Returns a handle."""
        data = self.calldata("approve", spender, amount_ueur)
        return self._send(owner, data, sent_at_s, APPROVE_GAS)

    def balance_of(self, account: bytes) -> int:
        """Tokens of an account. [µEUR]"""
        return int(self._view("balanceOf", account)[0])

    def allowance(self, owner: bytes, spender: bytes) -> int:
        """What a spender may still take. [µEUR]"""
        return int(self._view("allowance", owner, spender)[0])

    def total_supply(self) -> int:
        """All tokens. [µEUR]"""
        return int(self._view("totalSupply")[0])
