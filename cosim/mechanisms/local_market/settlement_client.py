"""Client of ``MarketSettlement.vy``: claims, readings and estimates of the local market."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from cosim.chain.client import ContractClient, LogEntries
from cosim.chain.functions import Transaction, View
from cosim.evm.abi import pack
from cosim.evm.engine import Engine
from cosim.evm.hashing import create_address
from cosim.units import IntArray

if TYPE_CHECKING:
    from cosim.chain.blocks import Included
    from cosim.mechanisms.play import Statement

# gas limits: what the methods use at most (docs/ledger.md), with a margin for other states
_REPORT_GAS = 190_000


def next_settlement(engine: Engine, deployer: bytes) -> bytes:
    """Return the address of the settlement of a market that an account deploys next, 20 bytes.

    The same account deploys the settlement right after it: contract addresses follow from sender
    and nonce.
    """
    return create_address(deployer, engine.nonce(deployer) + 1)


@dataclass(frozen=True, slots=True)
class OrderState:
    """An order on the ledger; ``energy_wh`` 0 means that there is none, or that it is sealed."""

    is_sell: bool
    price_ueur_per_kwh: int
    energy_wh: int
    filled_wh: int


class MarketSettlement(ContractClient):
    """The local market's settlement. Energy in Wh, accounts as 20 bytes."""

    contract: ClassVar[str] = "MarketSettlement"

    claim_fill = Transaction(160_000)
    """Prove what a committed clearing filled: interval, account, filled_wh, proof."""
    settle_silent = Transaction(_REPORT_GAS)
    """Settle a member in an interval in which its meter did not report."""

    announce_prices = Transaction(130_000)
    """Change the supplier's prices: first interval, retail, feed-in, network, taxes."""
    pass_on_charges = Transaction(160_000)
    """Pay DSO and state what the supplier collected for them."""

    order_of = View(OrderState)
    """Order in an interval of an account."""
    pot_of = View(int)
    """Pot of an interval between the claims of its buyers and of its sellers. [µEUR]"""

    def report(
        self, meter: bytes, interval: int, net_wh: int, sent_at_s: float | None = None
    ) -> int:
        """Report a reading, net injection positive, and settle it. Sent by the meter."""
        data = self._selectors["report"] + pack(interval, net_wh)
        return self.submit(meter, data, sent_at_s, _REPORT_GAS, interval)


def read_settlements(
    client: MarketSettlement,
    settling: Iterable[Included],
    index: Mapping[bytes, int],
    statement: Statement,
) -> None:
    """Take over into a statement what transactions settled.

    Parameters
    ----------
    client : MarketSettlement
    settling : iterable of Included
        Transactions that settled an account.
    index : mapping of bytes to int
        Positions of accounts.
    statement : Statement
    """
    entries = client.entries(settling)
    if "IntervalSettled" in entries:
        place, said = _by_account(entries["IntervalSettled"], index)
        statement.contracted_wh[place] = said["contracted_wh"]
        statement.metered_wh[place] = said["metered_wh"]
        statement.traded_ueur[place] = said["trade_ueur"]
        statement.supplier_ueur[place] = said["supplier_ueur"]
    if "ChargesSettled" in entries and statement.charges is not None:
        statement.charges.add(*_by_account(entries["ChargesSettled"], index))
    if "MeterReported" in entries:
        place, said = _by_account(entries["MeterReported"], index)
        statement.estimated[place] = said["estimated"]


def _by_account(
    entries: LogEntries, index: Mapping[bytes, int]
) -> tuple[list[int], Mapping[str, IntArray]]:
    """Return the positions of the accounts that events name, and what they say of each."""
    return [index[account] for account in entries.addresses("account")], entries.integers()
