"""Model of ``contracts/NameRegistry.vy``.

Names are 32-byte words (:mod:`cosim.mechanisms.name_registry.names`), accounts are text and ``""``
is nobody. Whether an account can pay a fee is the token's to say; the model is told what was paid.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from cosim.mechanisms.accounts import ContractModel
from cosim.mechanisms.name_registry.names import is_canonical

NOBODY = ""


@dataclass
class _Entry:
    owner: str
    value: bytes
    successor: str = NOBODY


class NameRegistryModel(ContractModel):
    """State of the name registry.

    Parameters
    ----------
    beneficiary : str
        Account that may collect the fees.
    registration_fee_ueur, update_fee_ueur : int
        What a name costs, and what changing its value costs. [µEUR]
    min_commitment_age_s, max_commitment_age_s : int
        How old a commitment is when its name is registered. [s]

    Raises
    ------
    ContractRevert
        If an update costs as much as a registration, or more, or the ages are none.
    """

    subject: ClassVar[str] = "name registry"

    def __init__(
        self,
        beneficiary: str,
        registration_fee_ueur: int,
        update_fee_ueur: int,
        min_commitment_age_s: int,
        max_commitment_age_s: int,
    ) -> None:
        self._require(bool(beneficiary), "zero address")
        self._require(update_fee_ueur < registration_fee_ueur, "an update must cost less")
        self._require(0 < min_commitment_age_s < max_commitment_age_s < 2**64, "ages out of range")
        self.beneficiary = beneficiary
        self.registration_fee_ueur = registration_fee_ueur
        self.update_fee_ueur = update_fee_ueur
        self.min_commitment_age_s = min_commitment_age_s
        self.max_commitment_age_s = max_commitment_age_s
        self.fees_due_ueur = 0
        self._committed_at_s: dict[tuple[str, bytes], int] = {}
        self._entries: dict[bytes, _Entry] = {}

    def commit_name(self, account: str, commitment: bytes, now_s: int) -> None:
        """Commit to a name.

        Parameters
        ----------
        account : str
        commitment : bytes
            As of :func:`cosim.mechanisms.name_registry.names.commitment_of`, 32 bytes.
        now_s : int
            Time of the block, as in every method that takes it. [s]
        """
        made_s = self.committed_at(account, commitment)
        self._require(not made_s or now_s > made_s + self.max_commitment_age_s, "already committed")
        self._committed_at_s[account, commitment] = now_s

    def committed_at(self, account: str, commitment: bytes) -> int:
        """Time at which an account made a commitment that it has not used; 0 for none. [s]"""
        return self._committed_at_s.get((account, commitment), 0)

    def register_name(
        self, account: str, name: bytes, value: bytes, commitment: bytes, now_s: int
    ) -> int:
        """Own a free name that the account committed to.

        Parameters
        ----------
        account : str
        name, value : bytes
        commitment : bytes
            What name, value and the secret that is shown make for this account.
        now_s : int

        Returns
        -------
        int
            The fee. [µEUR]

        Raises
        ------
        ContractRevert
            As every method here, if the contract would refuse.
        """
        self._require(bool(is_canonical(name)), "not a canonical name")
        self._require(name not in self._entries, "name taken")
        made_s = self.committed_at(account, commitment)
        self._require(bool(made_s), "not committed")
        self._require(now_s >= made_s + self.min_commitment_age_s, "commitment too new")
        self._require(now_s <= made_s + self.max_commitment_age_s, "commitment too old")
        del self._committed_at_s[account, commitment]
        self._entries[name] = _Entry(account, value)
        return self._charged(self.registration_fee_ueur)

    def update_value(self, account: str, name: bytes, value: bytes) -> int:
        """Let an own name stand for something else. Returns the fee. [µEUR]"""
        self._owned(account, name).value = value
        return self._charged(self.update_fee_ueur)

    def offer_name(self, account: str, name: bytes, successor: str) -> None:
        """Offer an own name to one account, or to nobody any more."""
        self._owned(account, name).successor = successor

    def accept_name(self, account: str, name: bytes) -> None:
        """Own a name that was offered."""
        entry = self._entries.get(name)
        self._require(entry is not None and entry.successor == account, "not offered to you")
        assert entry is not None
        entry.owner, entry.successor = account, NOBODY

    def release_name(self, account: str, name: bytes) -> None:
        """Give an own name up."""
        self._owned(account, name)
        del self._entries[name]

    def collect_fees(self, account: str) -> int:
        """Pay out what was charged so far. Returns it. [µEUR]"""
        self._require(account == self.beneficiary, "not the beneficiary")
        self._require(bool(self.fees_due_ueur), "no fees")
        amount_ueur, self.fees_due_ueur = self.fees_due_ueur, 0
        return amount_ueur

    def resolve(self, name: bytes) -> bytes:
        """Value of a name."""
        self._require(name in self._entries, "not registered")
        return self._entries[name].value

    def owner_of(self, name: bytes) -> str:
        """A name's owner, or nobody."""
        return self._entries[name].owner if name in self._entries else NOBODY

    def successor_of(self, name: bytes) -> str:
        """Account that a name is offered to, or nobody."""
        return self._entries[name].successor if name in self._entries else NOBODY

    @property
    def names(self) -> tuple[bytes, ...]:
        """Names that have an owner, sorted."""
        return tuple(sorted(self._entries))

    def _owned(self, account: str, name: bytes) -> _Entry:
        entry = self._entries.get(name)
        self._require(entry is not None and entry.owner == account, "not the owner")
        assert entry is not None
        return entry

    def _charged(self, fee_ueur: int) -> int:
        self.fees_due_ueur += fee_ueur
        return fee_ueur
