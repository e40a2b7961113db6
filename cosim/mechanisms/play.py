"""What a service may do in an interval; the default of every step is to do nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from cosim.chain.client import ContractClient
from cosim.units import IntArray

Columns = dict[str, Any]


class TokenTransfer(NamedTuple):
    """Tokens that left one holder for another, as a model expects. [µEUR]

    Holders are named as in :meth:`cosim.mechanisms.deployment.Deployment.balances`: contracts by
    the name of the contract, accounts by their own.
    """

    sender: str
    receiver: str
    amount_ueur: int


class Service:
    """One contract beside the local market.

    The steps of an interval, in the order in which the market simulator calls them: ``submit``,
    ``gate_closed``, ``scheduled_wh``, ``known``; after delivery ``reported_wh``, ``settle``,
    ``token_transfers``.
    """

    @property
    def clients(self) -> Sequence[ContractClient]:
        """Its contracts, which the manifest names."""
        return ()

    def submit(self, interval: int, bids: Mapping[str, Any]) -> None:
        """Send transactions of the order window, each at its own time.

        Parameters
        ----------
        interval : int
            Delivery interval, whose order window has not opened yet.
        bids : mapping
            The bids message of the interval.
        """

    def gate_closed(self, interval: int) -> None:
        """Read what the chain included of ``submit`` by gate closure."""

    def scheduled_wh(self, interval: int, nominated_wh: IntArray) -> IntArray:
        """Nominations of the interval with what the service decides of them.

        Parameters
        ----------
        nominated_wh : (n,) int64
            Net injection by connection point. [Wh]

        Returns
        -------
        (n,) int64
        """
        return nominated_wh

    def known(self) -> dict[str, IntArray]:
        """What its users know when they bid for the next interval, as keys of ``prices``."""
        return {}

    def reported_wh(self, interval: int, metered_wh: IntArray) -> IntArray:
        """What the meters report to the local market of what they measured.

        Parameters
        ----------
        metered_wh : (n,) int64
            Net injection by connection point. [Wh]

        Returns
        -------
        (n,) int64
            Of the same sum.
        """
        return metered_wh

    def settle(self, interval: int, delivery: Mapping[str, Any]) -> dict[str, Columns]:
        """Settle an interval on the ledger and in the model after the local market did.

        Parameters
        ----------
        interval : int
            A delivered interval.
        delivery : mapping
            Its delivery message, with the devices' parts.

        Returns
        -------
        dict of str to dict
            Rows by table.

        Raises
        ------
        ReconciliationError
            If contract and model, or energy and meters, differ by an integer.
        """
        return {}

    def token_transfers(self) -> Sequence[TokenTransfer]:
        """Tokens that its users moved since the last call, as its model expects."""
        return ()
