"""Client of ``NameRegistry.vy``: names that stand for accounts, or for anything of 32 bytes."""

from __future__ import annotations

from typing import ClassVar, Self

from cosim.chain.chain import Chain
from cosim.chain.client import ContractClient
from cosim.mechanisms.name_registry.names import name_word

# gas limits: what the methods use at most (docs/gas.md), and room for other states
REGISTER_GAS = 190_000
UPDATE_GAS = 120_000
OFFER_GAS = 70_000
ACCEPT_GAS = 60_000
RELEASE_GAS = 60_000
COLLECT_GAS = 90_000

_ADDRESS_BYTES = 20


class NameRegistry(ContractClient):
    """The registry. Names are text, values 32 bytes or an account, accounts 20 bytes.

    Functions that change state take the time of sending as Unix time, or send right after the
    latest block, and return a handle. Any name of up to 32 bytes can be asked for; the contract
    refuses those that are not canonical
    (:func:`cosim.mechanisms.name_registry.names.canonical_name`).
    """

    contract: ClassVar[str] = "NameRegistry"

    @classmethod
    def deploy(
        cls,
        chain: Chain,
        sender: bytes,
        *,
        token: bytes,
        beneficiary: bytes,
        registration_fee_ueur: int,
        update_fee_ueur: int,
    ) -> Self:
        """Deploy in the next block."""
        return cls._deployed(
            chain, sender, token, beneficiary, registration_fee_ueur, update_fee_ueur
        )

    def register_name(
        self, sender: bytes, name: str, value: bytes, sent_at_s: float | None = None
    ) -> int:
        """Own a free name, for the registration fee, which the sender approved before."""
        data = self.calldata("registerName", name_word(name), value)
        return self._send(sender, data, sent_at_s, REGISTER_GAS)

    def update_value(
        self,
        sender: bytes,
        name: str,
        value: bytes,
        sent_at_s: float | None = None,
        interval: int = -1,
    ) -> int:
        """Let an own name stand for something else, for the update fee, approved before."""
        data = self.calldata("updateValue", name_word(name), value)
        return self._send(sender, data, sent_at_s, UPDATE_GAS, interval)

    def offer_name(
        self,
        sender: bytes,
        name: str,
        successor: bytes,
        sent_at_s: float | None = None,
        interval: int = -1,
    ) -> int:
        """Offer an own name to one account; the zero address takes an offer back."""
        data = self.calldata("offerName", name_word(name), successor)
        return self._send(sender, data, sent_at_s, OFFER_GAS, interval)

    def accept_name(
        self, sender: bytes, name: str, sent_at_s: float | None = None, interval: int = -1
    ) -> int:
        """Own a name that its owner offers to the sender."""
        data = self.calldata("acceptName", name_word(name))
        return self._send(sender, data, sent_at_s, ACCEPT_GAS, interval)

    def release_name(self, sender: bytes, name: str, sent_at_s: float | None = None) -> int:
        """Give an own name up."""
        data = self.calldata("releaseName", name_word(name))
        return self._send(sender, data, sent_at_s, RELEASE_GAS)

    def collect_fees(
        self, sender: bytes, sent_at_s: float | None = None, interval: int = -1
    ) -> int:
        """Collect all fees charged so far. Beneficiary only."""
        return self._send(sender, self.calldata("collectFees"), sent_at_s, COLLECT_GAS, interval)

    def resolve(self, name: str) -> bytes:
        """What a name stands for, 32 bytes.

        Raises
        ------
        ContractRevert
            If nobody owns the name.
        """
        return bytes(self._view("resolve", name_word(name))[0])

    def account_of(self, name: str) -> bytes:
        """Account that a name stands for, 20 bytes; see :meth:`resolve`."""
        return self.resolve(name)[-_ADDRESS_BYTES:]

    def owner_of(self, name: str) -> bytes:
        """A name's owner; the zero address when it is free."""
        return bytes(self._view("ownerOf", name_word(name))[0])

    def successor_of(self, name: str) -> bytes:
        """Whom a name is offered to; the zero address when to nobody."""
        return bytes(self._view("successorOf", name_word(name))[0])

    def fees_due(self) -> int:
        """Fees charged and not collected. [µEUR]"""
        return int(self._view("feesDue")[0])

    def is_canonical(self, name: str) -> bool:
        """Whether the contract takes some text for a name."""
        return bool(self._view("isCanonical", name_word(name))[0])
