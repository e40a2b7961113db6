"""Members' accounts in a run: what the supplier lends them, and when they pay money in."""

from __future__ import annotations

from collections.abc import Mapping

from cosim.mechanisms.accounts import MAX_CREDIT_UEUR
from cosim.mechanisms.deployment import Deployment
from cosim.mechanisms.local_market.client import CREDIT_GAS, LocalMarket
from cosim.mechanisms.local_market.outcomes import Orders
from cosim.mechanisms.local_market.terms import MarketTerms
from cosim.mechanisms.local_market.top_ups import TopUps, order_escrows_ueur

NEXT_AT = 104
"""Bit of the contract's word at which the limit begins that holds from some time on."""


class MemberAccounts:
    """Accounts by the scenario's rule: topped up, prepaid, or with a credit line.

    Parameters
    ----------
    deployment : Deployment
    client : LocalMarket
        Takes orders with more gas from now on where the supplier lends.
    terms : MarketTerms

    Attributes
    ----------
    top_ups : TopUps
        What members pay in.
    """

    def __init__(self, deployment: Deployment, client: LocalMarket, terms: MarketTerms) -> None:
        self._deployment = deployment
        self._client = client
        self._terms = terms
        self._lends = terms.credit_limit_ueur is not None
        client.order_spare_gas = CREDIT_GAS if self._lends else 0
        # who has a credit line pays its debt and no more
        full_ueur = 0 if self._lends else terms.local_deposit_ueur
        self.top_ups = TopUps(deployment, client, full_ueur, -(-full_ueur // 2))

    def grant(self) -> list[int]:
        """Let the supplier agree to the members' credit lines; return the handles."""
        limit_ueur = self._terms.credit_limit_ueur
        if limit_ueur is None:
            return []
        supplier = self._deployment.supplier.address
        return [
            self._client.grant_credit(supplier, one.address, limit_ueur)
            for one in self._deployment.joined
        ]

    def granted(self, addresses: Mapping[str, bytes]) -> Mapping[str, int]:
        """Return the credit lines on the ledger, by name; none where nothing is lent. [µEUR]"""
        if not self._lends:
            return {}
        words = self._deployment.read(self._client, "credit._credit_limit_of", addresses)
        # granted before the first order window opened: the limit after a time that is over
        return {name: (word >> NEXT_AT) & MAX_CREDIT_UEUR for name, word in words.items()}

    def pay_in(
        self,
        interval: int,
        orders: Orders,
        free_ueur: Mapping[str, int],
        debts_ueur: Mapping[str, int],
    ) -> None:
        """Send what members pay in before the orders of an interval leave.

        Parameters
        ----------
        interval : int
        orders : Orders
            That leave next.
        free_ueur, debts_ueur : mapping of str to int
            Free balances and debts in the market, by name. [µEUR]
        """
        needed_ueur = order_escrows_ueur(self._deployment, self._terms, orders)
        if self._lends:
            needed_ueur = dict.fromkeys(needed_ueur, 0)  # debts alone
        self.top_ups.send(interval, needed_ueur, free_ueur, debts_ueur)

    def pays_in(self, interval: int) -> bool:
        """Tell if members may pay in before the orders of an interval."""
        every = self._terms.credit_intervals
        return self._terms.tops_up or (every > 0 and interval > 0 and interval % every == 0)
