"""Balances and allowances of the money: model of ``contracts/EuroToken.vy``.

Accounts are text, and ``""`` is the zero address. All amounts are whole micro-euros.
"""

from __future__ import annotations

from cosim.errors import ContractRevert

NOBODY = ""
MAX_UINT256 = 2**256 - 1


class EuroTokenModel:
    """State of the token.

    Parameters
    ----------
    issuer : str
        Account that may mint.
    """

    def __init__(self, issuer: str) -> None:
        self.issuer = issuer
        self.total_supply_ueur = 0
        self._balances: dict[str, int] = {}
        self._allowances: dict[tuple[str, str], int] = {}

    def balance_of(self, account: str) -> int:
        """Tokens of an account. [µEUR]"""
        return self._balances.get(account, 0)

    def allowance(self, owner: str, spender: str) -> int:
        """What the spender may still send of the owner's tokens. [µEUR]"""
        return self._allowances.get((owner, spender), 0)

    def mint(self, account: str, to: str, amount_ueur: int) -> None:
        """Issue new tokens.

        Raises
        ------
        ContractRevert
            As every method here, if the contract would refuse; without a text when the supply
            would outgrow 256 bits.
        """
        if account != self.issuer:
            raise ContractRevert("euro token: not the issuer")
        if to == NOBODY:
            raise ContractRevert("euro token: to the zero address")
        if self.total_supply_ueur + amount_ueur > MAX_UINT256:
            raise ContractRevert("")
        self.total_supply_ueur += amount_ueur
        self._balances[to] = self.balance_of(to) + amount_ueur

    def transfer(self, account: str, to: str, amount_ueur: int) -> None:
        """Send own tokens."""
        if to == NOBODY:
            raise ContractRevert("euro token: to the zero address")
        if self.balance_of(account) < amount_ueur:
            raise ContractRevert("euro token: balance too low")
        self._balances[account] = self.balance_of(account) - amount_ueur
        self._balances[to] = self.balance_of(to) + amount_ueur

    def transfer_from(self, account: str, owner: str, to: str, amount_ueur: int) -> None:
        """Send tokens that their owner allowed the account to send."""
        allowed = self.allowance(owner, account)
        if allowed < amount_ueur:
            raise ContractRevert("euro token: allowance too low")
        self.transfer(owner, to, amount_ueur)
        if allowed != MAX_UINT256:
            self._allowances[owner, account] = allowed - amount_ueur

    def approve(self, account: str, spender: str, amount_ueur: int) -> None:
        """Allow a spender to send up to an amount of the account's tokens."""
        self._allowances[account, spender] = amount_ueur
