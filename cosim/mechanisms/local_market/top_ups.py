"""Top-ups: what members move from their bank accounts into the local market before orders leave.

A member's bank account is its wallet, which the market may take from. Each top-up is a transaction.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from cosim.evm.accounts import Account
from cosim.mechanisms.deployment import Deployment
from cosim.mechanisms.local_market.client import LocalMarket
from cosim.mechanisms.local_market.interval_orders import escrow_ueur
from cosim.mechanisms.local_market.orders import Order
from cosim.mechanisms.local_market.outcomes import Orders
from cosim.mechanisms.local_market.terms import MarketTerms


@dataclass(frozen=True)
class _Sent:
    """A top-up on its way: transaction, prosumer by position, and amount. [µEUR]"""

    handle: int
    i: int
    account: Account
    amount_ueur: int


def top_up_ueur(
    free_ueur: int, debt_ueur: int, needed_ueur: int, full_ueur: int, bank_ueur: int
) -> int:
    """Return what a member moves into the market. [µEUR]

    Where the next order's escrow would leave less than half of the first deposit, the balance is
    brought to the first deposit and that escrow on top. A debt, which is repaid first, is covered
    as well; all at most with what the bank account holds.

    Parameters
    ----------
    free_ueur, debt_ueur : int
        Free balance in the market, and debt to the supplier. [µEUR]
    needed_ueur : int
        Locked by the next order. [µEUR]
    full_ueur : int
        First deposit. [µEUR]
    bank_ueur : int
        Bank account. [µEUR]
    """
    if 2 * (free_ueur - needed_ueur) >= full_ueur and not debt_ueur:
        return 0
    return min(full_ueur + needed_ueur + debt_ueur - free_ueur, bank_ueur)


class TopUps:
    """Top-ups of a run, interval by interval.

    Parameters
    ----------
    deployment : Deployment
    terms : MarketTerms
    """

    def __init__(self, deployment: Deployment, terms: MarketTerms) -> None:
        self._chain = deployment.chain
        self._market = deployment.client(LocalMarket)
        self._deployment = deployment
        self._terms = terms
        self._members = [
            (i, account) for i, account in enumerate(deployment.prosumers) if deployment.members[i]
        ]
        self._wallets = {account.name: account.address for _, account in self._members}
        self._sent: dict[int, list[_Sent]] = {}

    def send(
        self,
        interval: int,
        orders: Orders,
        free_ueur: Mapping[str, int],
        debts_ueur: Mapping[str, int],
    ) -> None:
        """Send the top-ups before an order window.

        Parameters
        ----------
        interval : int
            Whose order window opens next.
        orders : Orders
            That are sent then.
        free_ueur, debts_ueur : mapping of str to int
            Free balances and debts in the market, by name. [µEUR]
        """
        self._sent[interval] = []
        deployment = self._deployment
        banks = deployment.read(deployment.token, "_balance_of", self._wallets)
        for i, account in self._members:
            name = account.name
            amount = top_up_ueur(
                free_ueur[name],
                debts_ueur[name],
                self._needed_ueur(orders, i),
                self._terms.local_deposit_ueur,
                banks[name],
            )
            if amount:
                handle = self._market.deposit(account.address, amount, interval=interval)
                self._sent[interval].append(_Sent(handle, i, account, amount))

    def _needed_ueur(self, orders: Orders, i: int) -> int:
        """Return what a prosumer's order locks, by position. [µEUR]"""
        terms, energy_wh = self._terms, int(orders.energy_wh[i])
        if not energy_wh:
            return 0
        price = int(orders.price_ueur_per_kwh[i])
        order = Order("", bool(orders.is_sell[i]), energy_wh, price)
        sealed_ueur = terms.sealed_deposit_ueur if terms.reveal_s else 0
        return max(escrow_ueur(order, terms.retail_price_ueur_per_kwh), sealed_ueur)

    def close(self, interval: int) -> None:
        """Withdraw what no block took before the gate closed."""
        sent = self._sent.get(interval, ())
        self._chain.drop([one.handle for one in sent if self._chain.included(one.handle) is None])

    def taken(self, interval: int) -> list[tuple[str, int]]:
        """Return name and amount of the top-ups that the chain holds, in its order. [µEUR]"""
        found = [
            (included.block, included.index, one)
            for one in self._sent.get(interval, ())
            if (included := self._chain.included(one.handle)) is not None
            and included.receipt.status
        ]
        found.sort(key=lambda row: row[:2])
        return [(one.account.name, one.amount_ueur) for *_, one in found]

    def paid_by(self, interval: int) -> Iterator[tuple[int, int]]:
        """Yield prosumer, by position, and handle of every top-up of an interval."""
        for one in self._sent.get(interval, ()):
            yield one.i, one.handle

    def forget(self, interval: int) -> None:
        """Forget what was sent for an interval."""
        self._sent.pop(interval, None)
