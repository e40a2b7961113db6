"""Top-ups: what members move from their bank accounts into a market before they promise money.

A member's bank account is its wallet. Each top-up is a transaction, or two where the market may not
take from the wallet yet. The local market's members top up before orders leave, those of the
flexibility market before offers do.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from cosim.evm.accounts import Account
from cosim.mechanisms.deployment import Deployment
from cosim.mechanisms.escrow_client import EscrowClient
from cosim.mechanisms.local_market.interval_orders import escrow_ueur
from cosim.mechanisms.local_market.orders import Order
from cosim.mechanisms.local_market.outcomes import Orders
from cosim.mechanisms.local_market.terms import MarketTerms
from cosim.mechanisms.play import TokenTransfer


@dataclass(frozen=True)
class _Sent:
    """A top-up on its way: transactions, prosumer by position, and amount. [µEUR]"""

    handles: tuple[int, ...]
    i: int
    account: Account
    amount_ueur: int


def top_up_ueur(
    free_ueur: int,
    debt_ueur: int,
    needed_ueur: int,
    full_ueur: int,
    bank_ueur: int,
    least_ueur: int,
) -> int:
    """Return what a member moves into a market. [µEUR]

    Where the escrow or bond of the next order or offer would leave less than a least balance, it is
    brought to the first deposit and that escrow on top. A debt, which is repaid first, is covered
    as well; all at most with what the bank account holds.

    Parameters
    ----------
    free_ueur, debt_ueur : int
        Free balance in the market, and debt that a deposit repays first. [µEUR]
    needed_ueur : int
        Locked by the next order or offer. [µEUR]
    full_ueur : int
        First deposit. [µEUR]
    bank_ueur : int
        Bank account. [µEUR]
    least_ueur : int
        What the next order or offer should leave. [µEUR]
    """
    if free_ueur - needed_ueur >= least_ueur and not debt_ueur:
        return 0
    return min(full_ueur + needed_ueur + debt_ueur - free_ueur, bank_ueur)


def order_escrows_ueur(
    deployment: Deployment, terms: MarketTerms, orders: Orders
) -> dict[int, int]:
    """Return what the order of each member locks, by position; 0 where it has none. [µEUR]"""
    sealed_ueur = terms.sealed_deposit_ueur if terms.reveal_s else 0
    found = {}
    for i in (i for i, joins in enumerate(deployment.members) if joins):
        energy_wh, price = int(orders.energy_wh[i]), int(orders.price_ueur_per_kwh[i])
        order = Order("", bool(orders.is_sell[i]), energy_wh, price)
        escrow = escrow_ueur(order, terms.retail_price_ueur_per_kwh) if energy_wh else 0
        found[i] = max(escrow, sealed_ueur) if energy_wh else 0
    return found


class Topped(Protocol):
    """Interval of a mechanism whose members top up.

    ``top_ups`` has name and amount of those that no transfer was listed for yet. [µEUR]
    """

    top_ups: list[tuple[str, int]]


def listed_transfers(intervals: Iterable[Topped], market: str) -> list[TokenTransfer]:
    """Return the top-ups of intervals into a market that were not listed yet; now they are."""
    moved = []
    for interval in intervals:
        moved += [TokenTransfer(name, market, amount) for name, amount in interval.top_ups]
        interval.top_ups = []
    return moved


class TopUps:
    """Top-ups of a run into one market, interval by interval.

    Parameters
    ----------
    deployment : Deployment
    client : EscrowClient
        The market.
    full_ueur : int
        First deposit of each member. [µEUR]
    least_ueur : int
        What orders or offers should leave of it. [µEUR]
    approves : bool
        The market may not take from bank accounts yet: each top-up is approved first.
    """

    def __init__(
        self,
        deployment: Deployment,
        client: EscrowClient,
        full_ueur: int,
        least_ueur: int,
        *,
        approves: bool = False,
    ) -> None:
        self._chain = deployment.chain
        self._market = client
        self._deployment = deployment
        self._full_ueur = full_ueur
        self._least_ueur = least_ueur
        self._approves = approves
        self._sent: dict[int, list[_Sent]] = {}

    def send(
        self,
        interval: int,
        needed_ueur: Mapping[int, int],
        free_ueur: Mapping[str, int],
        debts_ueur: Mapping[str, int] | None = None,
    ) -> int:
        """Send the top-ups before orders or offers, which leave later than these.

        Parameters
        ----------
        interval : int
            For whose orders or offers.
        needed_ueur : mapping of int to int
            Locked by the next order or offer of each member, by position. [µEUR]
        free_ueur, debts_ueur : mapping of str to int
            Free balances and debts in the market, by name. [µEUR]

        Returns
        -------
        int
            Number of top-ups sent for the interval before.
        """
        sent = self._sent.setdefault(interval, [])
        before, prosumers = len(sent), self._deployment.prosumers
        wanted, full, least = [], self._full_ueur, self._least_ueur
        for i, needed in needed_ueur.items():
            name = prosumers[i].name
            debt = (debts_ueur or {}).get(name, 0)
            # all that it would take; bank accounts are read of these only
            if amount := top_up_ueur(free_ueur[name], debt, needed, full, _ANY, least):
                wanted.append((i, amount))
        wallets = {prosumers[i].name: prosumers[i].address for i, _ in wanted}
        banks = self._deployment.read(self._deployment.token, "_balance_of", wallets)
        for i, amount in wanted:
            account = prosumers[i]
            moved = min(amount, banks[account.name])
            if moved:
                sent.append(_Sent(self._send(interval, account, moved), i, account, moved))
        return before

    def _send(self, interval: int, account: Account, amount_ueur: int) -> tuple[int, ...]:
        market, handles = self._market, []
        if self._approves:
            handles.append(
                self._deployment.token.approve(
                    account.address, market.address, amount_ueur, interval=interval
                )
            )
        handles.append(market.deposit(account.address, amount_ueur, interval=interval))
        return tuple(handles)

    def close(self, interval: int) -> None:
        """Withdraw what no block took in time."""
        handles = [handle for one in self._sent.get(interval, ()) for handle in one.handles]
        self._chain.drop([handle for handle in handles if self._chain.included(handle) is None])

    def taken(self, interval: int, after: int = 0) -> list[tuple[str, int]]:
        """Return name and amount of the top-ups that the chain holds, in its order. [µEUR]

        Parameters
        ----------
        interval : int
        after : int
            How many, of those that were sent first, are left out.
        """
        found = [
            (included.block, included.index, one)
            for one in self._sent.get(interval, ())[after:]
            if (included := self._chain.included(one.handles[-1])) is not None
            and included.receipt.status
        ]
        found.sort(key=lambda row: row[:2])
        return [(one.account.name, one.amount_ueur) for *_, one in found]

    def paid_by(self, interval: int) -> Iterator[tuple[int, int]]:
        """Yield prosumer, by position, and handle of every transaction of an interval."""
        for one in self._sent.get(interval, ()):
            for handle in one.handles:
                yield one.i, handle

    def forget(self, interval: int) -> None:
        """Forget what was sent for an interval."""
        self._sent.pop(interval, None)


_ANY = 2**255
"""More than any bank account holds. [µEUR]"""
