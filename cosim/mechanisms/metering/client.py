"""Client of ``SmartMeters.vy``: which meter is valid, and whose it is."""

from __future__ import annotations

from typing import ClassVar, Self

from cosim.chain.chain import Chain
from cosim.chain.client import ContractClient

REGISTER_GAS = 80_000
UNREGISTER_GAS = 60_000


class SmartMeters(ContractClient):
    """The registry of meters. Meters and customers are 20-byte addresses."""

    contract: ClassVar[str] = "SmartMeters"

    @classmethod
    def deploy(cls, chain: Chain, operator: bytes) -> Self:
        """Deploy in the next block; the deploying account becomes the metering operator."""
        return cls._deployed(chain, operator)

    def register_meter(
        self, operator: bytes, meter: bytes, customer: bytes, sent_at_s: float | None = None
    ) -> int:
        """Make a meter valid and bind it to a customer. Operator only. Returns a handle."""
        data = self.calldata("registerMeter", meter, customer)
        return self._send(operator, data, sent_at_s, REGISTER_GAS)

    def unregister_meter(
        self, operator: bytes, meter: bytes, sent_at_s: float | None = None
    ) -> int:
        """Make a meter invalid. Operator only. Returns a handle."""
        return self._send(
            operator, self.calldata("unregisterMeter", meter), sent_at_s, UNREGISTER_GAS
        )

    def is_valid(self, meter: bytes) -> bool:
        """Whether a meter is registered now."""
        return bool(self._view("isValid", meter)[0])

    def customer_of(self, meter: bytes) -> bytes:
        """Customer of a meter; the zero address when it is not registered."""
        return bytes(self._view("customerOf", meter)[0])
