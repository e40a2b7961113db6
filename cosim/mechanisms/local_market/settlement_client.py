"""Client of ``MarketSettlement.vy``: claims, readings and estimates of the local market."""

from __future__ import annotations

from typing import ClassVar

from cosim.chain.client import ContractClient
from cosim.chain.functions import Transaction, View
from cosim.evm.abi import pack
from cosim.evm.engine import Engine
from cosim.evm.hashing import create_address

# gas limits: what the methods use at most (docs/ledger.md), with a margin for other states
_REPORT_GAS = 190_000


def next_settlement(engine: Engine, deployer: bytes) -> bytes:
    """Return the address of the settlement of a market that an account deploys next, 20 bytes.

    The same account deploys the settlement right after it: contract addresses follow from sender
    and nonce.
    """
    return create_address(deployer, engine.nonce(deployer) + 1)


class MarketSettlement(ContractClient):
    """The local market's settlement. Energy in Wh, accounts as 20 bytes."""

    contract: ClassVar[str] = "MarketSettlement"

    claim_fill = Transaction(160_000)
    """Prove what a committed clearing filled: interval, account, filled_wh, proof."""
    settle_silent = Transaction(_REPORT_GAS)
    """Settle a member in an interval in which its meter did not report."""

    pot_of = View(int)
    """Pot of an interval between the claims of its buyers and of its sellers. [µEUR]"""

    def report(
        self, meter: bytes, interval: int, net_wh: int, sent_at_s: float | None = None
    ) -> int:
        """Report a reading, net injection positive, and settle it. Sent by the meter."""
        data = self._selectors["report"] + pack(interval, net_wh)
        return self.submit(meter, data, sent_at_s, _REPORT_GAS, interval)
