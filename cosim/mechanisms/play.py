"""A mechanism's part of a delivery interval; the default of every stage does nothing."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from cosim.chain.client import ContractClient
from cosim.mechanisms.escrow_client import EscrowClient
from cosim.messages import (
    BidsMessage,
    Columns,
    DecisionMessage,
    DeliveryMessage,
    Extras,
    OffersMessage,
)
from cosim.scenario.tariff import Tariff
from cosim.timing import StageTimer
from cosim.units import BoolArray, IntArray


class TokenTransfer(NamedTuple):
    """Tokens that left one holder for another, as a model expects. [µEUR]

    Holders are named as in :meth:`cosim.mechanisms.deployment.Deployment.holders`: contracts by the
    name of the contract, accounts by their own.
    """

    sender: str
    receiver: str
    amount_ueur: int


class Deposit(NamedTuple):
    """Tokens that an account holds inside a contract when a run begins. [µEUR]

    Those in its bank account stay outside; the contract may take them later. ``into`` is the client
    of the contract, where the mechanism has several that take deposits.
    """

    account: bytes
    amount_ueur: int
    bank_ueur: int = 0
    into: EscrowClient | None = None


@dataclass(frozen=True)
class Schedules:
    """Schedules of one interval, (n,) each; net injection positive. [Wh]

    Parameters
    ----------
    contracted_wh : (n,) int64
        Cleared in the local market.
    nominated_wh : (n,) int64
        Before flexibility, with the supplier's part.
    activated_wh : (n,) int64
        Change by awarded flexibility, raising positive.
    curtailed_wh : (n,) int64
        Cut by the DSO; positive cuts injection.
    unserved_wh : (n,) int64 or None
        Orders to the supplier that the grid does not carry, where positions bind; positive lowers
        injection.
    allocated_wh : (n,) int64 or None
        Added to what meters count, as between members and a battery that they share.
    """

    contracted_wh: IntArray
    nominated_wh: IntArray
    activated_wh: IntArray
    curtailed_wh: IntArray
    unserved_wh: IntArray | None = None
    allocated_wh: IntArray | None = None

    @property
    def unserved_sales_wh(self) -> IntArray:
        """Injection that is not sold, (n,). [Wh]"""
        sales: IntArray = np.maximum(self.nominated_wh - self.position_wh, 0)
        return sales

    @property
    def unserved_purchases_wh(self) -> IntArray:
        """Consumption that is not bought, (n,). [Wh]"""
        purchases: IntArray = np.maximum(self.position_wh - self.nominated_wh, 0)
        return purchases

    @property
    def position_wh(self) -> IntArray:
        """Nominated less unserved, as it is injected, (n,). [Wh]"""
        return (
            self.nominated_wh if self.unserved_wh is None else self.nominated_wh - self.unserved_wh
        )

    @property
    def reported_wh(self) -> IntArray:
        """The same as meters report it, which trades and flexibility are settled by, (n,). [Wh]"""
        return (
            self.position_wh if self.allocated_wh is None else self.position_wh + self.allocated_wh
        )


@dataclass(frozen=True)
class Readings:
    """Delivery and readings of an interval, when it is settled.

    Parameters
    ----------
    delivery : DeliveryMessage
        What devices delivered and meters counted.
    reported_wh : (n,) int64
        What meters report to the local market of it. [Wh]
    delivered_wh : (n,) int64
        The same of what the solved grid took. [Wh]
    """

    delivery: DeliveryMessage
    reported_wh: IntArray
    delivered_wh: IntArray


@dataclass
class Charges:
    """Charges of one interval, (n,) each, where the retail price has parts or changes.

    Parameters
    ----------
    tariff : Tariff
        The supplier's prices in the interval.
    local_ueur : (n,) int64
        Paid for energy bought locally, positive. [µEUR]
    network_ueur, taxes_ueur : (n,) int64
        What the supplier owes DSO and state because of each. [µEUR]
    """

    tariff: Tariff
    local_ueur: IntArray
    network_ueur: IntArray
    taxes_ueur: IntArray

    @classmethod
    def empty(cls, n: int, tariff: Tariff) -> Charges:
        """Return the charges of an interval of which nothing is settled yet."""
        return cls(tariff, *(np.zeros(n, dtype=np.int64) for _ in range(3)))

    def add(self, i: Sequence[int], said: Mapping[str, IntArray]) -> None:
        """Take over what events say of accounts, by position."""
        self.local_ueur[i] = said["local_ueur"]
        self.network_ueur[i] = said["network_ueur"]
        self.taxes_ueur[i] = said["taxes_ueur"]


@dataclass
class Statement:
    """Accounts of one interval, (n,) each, to which every mechanism adds what it settled.

    Money is positive when the prosumer receives it. [Wh, µEUR, wei]
    """

    contracted_wh: IntArray
    metered_wh: IntArray
    traded_ueur: IntArray
    supplier_ueur: IntArray
    flexibility_ueur: IntArray
    estimated: BoolArray
    fees_wei: list[int]
    charges: Charges | None = None

    @property
    def billed_ueur(self) -> IntArray:
        """Received from the supplier, less its charges on local trades, (n,). [µEUR]"""
        if self.charges is None:
            return self.supplier_ueur
        billed: IntArray = self.supplier_ueur - self.charges.local_ueur
        return billed

    @classmethod
    def empty(cls, n: int) -> Statement:
        """Return the statement of an interval of which nothing is settled yet."""
        return cls(
            contracted_wh=np.zeros(n, dtype=np.int64),
            metered_wh=np.zeros(n, dtype=np.int64),
            traded_ueur=np.zeros(n, dtype=np.int64),
            supplier_ueur=np.zeros(n, dtype=np.int64),
            flexibility_ueur=np.zeros(n, dtype=np.int64),
            estimated=np.zeros(n, dtype=np.bool_),
            fees_wei=[0] * n,
        )


class Play:
    """A mechanism's part of a run.

    The stages of an interval, in the order in which a session calls them: ``mark``, ``announce``,
    ``submit`` (the highest rank first; the others by rank), ``gate_closed``, ``schedule``,
    ``asked``, ``relieve`` and ``offers`` once a round, ``reread`` after a reorganisation, ``rows``;
    after delivery ``reported_wh``, ``settle``, ``transfers``, ``check_money``, ``forget``.
    """

    timer = StageTimer()
    """Of the run; a session sets it."""
    answers_for: tuple[str, ...] = ()
    """Holders whose tokens :meth:`check_money` checks; a transfer to or from others is listed."""

    @property
    def clients(self) -> Sequence[ContractClient]:
        """Its contracts, which the manifest names."""
        return ()

    # --- before the first interval ---

    def deposits(self) -> Sequence[Deposit]:
        """Return deposits in its contract at the start, where it is always deployed; 0 for none."""
        return ()

    def enrol(self) -> Collection[int]:
        """Send what accounts do right after their deposits; return the handles."""
        return ()

    def enrolled(self) -> Collection[int]:
        """Send what needs everybody enrolled; return the handles."""
        return ()

    def open(self) -> None:
        """Take over into the model what the contract holds when the set-up is done."""

    # --- before delivery ---

    def mark(self) -> None:
        """Remember the model as it is, to come back to it once in :meth:`reread`."""

    def announce(self, interval: int, announced: Extras) -> None:
        """Make known what holds for an interval, before its order window opens.

        Parameters
        ----------
        interval : int
        announced : Extras
            By the DSO's instruments.
        """

    def submit(self, interval: int, bids: BidsMessage) -> None:
        """Send transactions of the order window, each at its own time.

        Parameters
        ----------
        interval : int
            Delivery interval, whose order window has not opened yet.
        bids : BidsMessage
        """

    def gate_closed(self, interval: int) -> None:
        """Read what the chain included of ``submit`` by gate closure, and clear."""

    def schedule(self, interval: int, schedules: Schedules) -> Schedules:
        """Return the schedules with what it decides of them."""
        return schedules

    def asked(self, interval: int, schedules: Schedules) -> Extras:
        """Return what the DSO's instruments learn of it with the schedules."""
        return Extras()

    def relieve(self, interval: int, decision: DecisionMessage, schedules: Schedules) -> Schedules:
        """Carry out what the DSO decided; return the schedules as they stand on the ledger."""
        return schedules

    def offers(self, interval: int) -> OffersMessage | None:
        """Return offers that answer the last decision; None for none."""
        return None

    def reread(self, interval: int, schedules: Schedules) -> Schedules:
        """Go by what the chain says after blocks were replaced; from then on nothing is undone."""
        return schedules

    def price(self, interval: int) -> tuple[IntArray | int, IntArray | int] | None:
        """Return price signal and volume of the interval; None if it has none. [µEUR/kWh, Wh]

        One of each, or (n,) of the market that each connection point is in.
        """
        return None

    def known(self) -> Extras:
        """Return what bidders know of it when they bid for the next interval."""
        return Extras()

    def rows(self, interval: int) -> Mapping[str, Columns]:
        """Return rows of its tables about an interval whose schedules stand."""
        return {}

    # --- after delivery ---

    def reported_wh(self, interval: int, metered_wh: IntArray) -> IntArray:
        """Return what meters report to the local market of what they measured.

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

    def settle(
        self, interval: int, readings: Readings, statement: Statement
    ) -> Mapping[str, Columns]:
        """Settle a delivered interval on the ledger and in the model.

        Parameters
        ----------
        interval : int
        readings : Readings
        statement : Statement
            Takes its part of the accounts.

        Returns
        -------
        mapping of str to columns
            Rows by table.

        Raises
        ------
        ReconciliationError
            If contract and model, or energy and meters, differ by an integer.
        """
        return {}

    def transfers(self) -> Sequence[TokenTransfer]:
        """Return tokens that moved since the last call between holders, as its model expects."""
        return ()

    def check_money(self, interval: int, tokens_ueur: Mapping[str, int]) -> None:
        """Require that its contract holds what it owes.

        Parameters
        ----------
        interval : int
        tokens_ueur : mapping of str to int
            Tokens by holder on the ledger. [µEUR]

        Raises
        ------
        ReconciliationError
            Names the accounts.
        """

    def forget(self, interval: int) -> None:
        """Drop what is no longer needed of a settled interval."""
