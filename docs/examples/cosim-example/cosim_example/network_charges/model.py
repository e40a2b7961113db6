"""Exact Python model of ``NetworkCharges.vy``."""

from __future__ import annotations

from dataclasses import dataclass, field

from cosim.errors import ContractRevert
from cosim.units import amount_due_ueur


@dataclass(frozen=True)
class Charged:
    """Charge of one account for one interval. [Wh, µEUR]"""

    drawn_wh: int
    charged_ueur: int
    paid_ueur: int


@dataclass
class NetworkChargesModel:
    """State of the contract, accounts by name.

    Parameters
    ----------
    dso : str
        Who is paid.
    """

    dso: str
    free_ueur: dict[str, int] = field(default_factory=dict)
    debt_ueur: dict[str, int] = field(default_factory=dict)
    charge_of: dict[int, int] = field(default_factory=dict)
    charged: set[tuple[int, str]] = field(default_factory=set)

    def deposit(self, account: str, amount_ueur: int) -> None:
        """Add to a free balance."""
        self.free_ueur[account] = self.free_ueur.get(account, 0) + amount_ueur

    def announce(self, interval: int, charge_ueur_per_kwh: int) -> None:
        """Set the charge of an interval, once."""
        if interval in self.charge_of:
            raise ContractRevert("network charges: announced already")
        self.charge_of[interval] = charge_ueur_per_kwh

    def charge(self, interval: int, account: str, net_wh: int) -> Charged:
        """Charge an account for what it drew.

        Parameters
        ----------
        interval : int
        account : str
        net_wh : int
            Its reading, net injection. [Wh]

        Raises
        ------
        ContractRevert
            If no charge is announced, or the account was charged already.
        """
        if interval not in self.charge_of:
            raise ContractRevert("network charges: no charge announced")
        if (interval, account) in self.charged:
            raise ContractRevert("network charges: charged already")
        self.charged.add((interval, account))
        drawn_wh = max(-net_wh, 0)
        charged_ueur = amount_due_ueur(drawn_wh, self.charge_of[interval])
        due_ueur = charged_ueur + self.debt_ueur.get(account, 0)
        paid_ueur = min(due_ueur, self.free_ueur.get(account, 0))
        self.deposit(account, -paid_ueur)
        self.deposit(self.dso, paid_ueur)
        self.debt_ueur[account] = due_ueur - paid_ueur
        return Charged(drawn_wh, charged_ueur, paid_ueur)

    def forget(self, interval: int) -> None:
        """Drop what is no longer asked for of an interval."""
        self.charged = {key for key in self.charged if key[0] != interval}
