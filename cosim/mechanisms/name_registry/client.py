"""Client of ``NameRegistry.vy``: names that stand for accounts, or for anything of 32 bytes."""

from __future__ import annotations

from typing import ClassVar

from cosim.chain.client import ContractClient
from cosim.chain.functions import Static, Transaction, View
from cosim.mechanisms.name_registry.names import commitment_of, name_word

_ADDRESS_BYTES = 20


def _named(name: str, *others: Static) -> tuple[Static, ...]:
    """Arguments of the contract whose first is a name."""
    return name_word(name), *others


class NameRegistry(ContractClient):
    """The registry. Names are text, values 32 bytes or an account, accounts 20 bytes.

    Any name of up to 32 bytes can be asked for; the contract refuses those that are not canonical
    (:func:`cosim.mechanisms.name_registry.names.canonical_name`).
    """

    contract: ClassVar[str] = "NameRegistry"

    # gas limits: what the methods use at most (docs/gas.md), and space for other states
    commit_name = Transaction(60_000)
    """Commit to a name; see :meth:`commitment`."""
    register_name = Transaction(200_000, _named)
    """Own a free name that the sender committed to: its value and the secret, for the registration
    fee, which was approved before."""
    update_value = Transaction(120_000, _named)
    """Let an own name stand for another value, for the update fee, approved before."""
    offer_name = Transaction(70_000, _named)
    """Offer an own name to one account; the zero address takes an offer back."""
    accept_name = Transaction(60_000, _named)
    """Own a name that its owner offers to the sender."""
    release_name = Transaction(60_000, _named)
    """Give an own name up."""
    collect_fees = Transaction(90_000)
    """Collect all fees charged so far. Beneficiary only."""

    resolve = View(bytes, _named)
    """Value of a name, 32 bytes; the contract refuses a name that nobody owns."""
    owner_of = View(bytes, _named)
    """A name's owner; the zero address when it is free."""
    fees_due = View(int)
    """Fees charged and not collected. [µEUR]"""

    committed_at = View(int)
    """Unix time at which an account made a commitment that it has not used; 0 for none. [s]"""

    def commitment(self, account: bytes, name: str, value: bytes, secret: bytes) -> bytes:
        """Commitment of an account to a name, its value and a secret of 32 bytes; not asked of a
        node, which would learn the name."""
        value = value.rjust(32, b"\0")
        return commitment_of(self.address, account, name_word(name), value, secret)

    def account_of(self, name: str) -> bytes:
        """Account that a name stands for, 20 bytes; see :attr:`resolve`."""
        return self.resolve(name)[-_ADDRESS_BYTES:]
