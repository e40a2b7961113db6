"""Client of ``SmartMeters.vy``: which meter is valid, and whose it is."""

from __future__ import annotations

from typing import ClassVar

from cosim.chain.client import ContractClient
from cosim.chain.functions import Transaction, View


class SmartMeters(ContractClient):
    """The registry of meters. Who deploys it is the metering operator; addresses have 20 bytes."""

    contract: ClassVar[str] = "SmartMeters"

    register_meter = Transaction(80_000)
    """Make a meter valid and bind it to a customer. Operator only."""
    unregister_meter = Transaction(60_000)
    """Make a meter invalid. Operator only."""

    is_valid = View(bool)
    """A meter is registered now."""
