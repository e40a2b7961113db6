"""Model of ``contracts/LocalMarket.vy`` and its modules.

Membership and time are the contract's to check; the model is told what was accepted, keeps the same
balances, and refuses with the contract's own text what its money and state do not allow. It builds
on accounts with dues to the supplier, orders and their clearing, in ``accounts``,
``interval_orders`` and ``clearing_forms``.
"""

from __future__ import annotations

from collections.abc import Sequence

from cosim.mechanisms.local_market.clearing_forms import ClearedIntervals
from cosim.mechanisms.local_market.interval_orders import Interval, escrow_ueur
from cosim.mechanisms.local_market.orders import MAX_ENERGY_WH, Order, Reading, Settlement
from cosim.mechanisms.local_market.terms import MarketTerms
from cosim.scenario.tariff import Tariff
from cosim.units import amount_due_ueur, amount_earned_ueur

MAX_COVERED_UEUR = 2**64 - 1
"""Most of the charges owed that bills can cover at a time. [µEUR]"""


def settle_reading(
    order: Order | None,
    filled_wh: int,
    price_ueur_per_kwh: int,
    reading: Reading,
    prices: Tariff,
    proceeds_ueur: int | None = None,
) -> Settlement:
    """Settle one account's interval: the amounts due, even if nobody can pay them.

    Parameters
    ----------
    order : Order or None
        The account's order of the interval.
    filled_wh : int
        How much of it was filled. [Wh]
    price_ueur_per_kwh : int
        At which the order trades. [µEUR/kWh]
    reading : Reading
        Of the account's meter.
    prices : Tariff
        The supplier's in the interval. It passes on the charges in the price of what it supplies,
        and what is charged on energy that was bought locally, as far as it was drawn.
    proceeds_ueur : int, optional
        Of the fill, where its parts have prices of their own; default: by the price. [µEUR]

    Returns
    -------
    Settlement
    """
    contracted_wh = trade_ueur = 0
    if order is not None:
        contracted_wh = filled_wh if order.is_sell else -filled_wh
        if proceeds_ueur is None:
            proceeds_ueur = order.proceeds_ueur(filled_wh, price_ueur_per_kwh)
        trade_ueur = proceeds_ueur
    residual_wh = reading.net_wh - contracted_wh
    if residual_wh < 0:
        supplier_ueur = -amount_due_ueur(-residual_wh, prices.retail_price_ueur_per_kwh)
    else:
        supplier_ueur = amount_earned_ueur(residual_wh, prices.feed_in_price_ueur_per_kwh)
    supplied_wh, local_wh = max(-residual_wh, 0), max(min(-contracted_wh, -reading.net_wh), 0)
    charges = charges_ueur(prices, supplied_wh, local_wh)
    return Settlement(
        contracted_wh, reading.net_wh, trade_ueur, supplier_ueur, reading.estimated, *charges
    )


def charges_ueur(prices: Tariff, supplied_wh: int, local_wh: int) -> tuple[int, int, int]:
    """Return what is charged on local trades, and what the supplier owes DSO and state. [µEUR]

    Parameters
    ----------
    prices : Tariff
    supplied_wh, local_wh : int
        Energy bought from the supplier, and energy bought locally and drawn. [Wh]
    """
    local_network, local_taxes = prices.local_network_ueur_per_kwh, prices.local_taxes_ueur_per_kwh
    return (
        amount_due_ueur(local_wh, local_network + local_taxes),
        amount_earned_ueur(supplied_wh, prices.network_ueur_per_kwh)
        + amount_earned_ueur(local_wh, local_network),
        amount_earned_ueur(supplied_wh, prices.taxes_ueur_per_kwh)
        + amount_earned_ueur(local_wh, local_taxes),
    )


class LocalMarketModel(ClearedIntervals):
    """State of the local market.

    Parameters
    ----------
    supplier : str
        Account that buys and sells the residual, and collects network charges and taxes.
    terms : MarketTerms

    Attributes
    ----------
    owed_network_ueur, owed_taxes_ueur, covered_ueur : int
        Charges that were not passed on yet, and what of both together customers were billed for
        since they are owed: as much can be passed on. [µEUR]
    """

    def __init__(self, supplier: str, terms: MarketTerms) -> None:
        super().__init__(supplier, terms)
        self.owed_network_ueur = self.owed_taxes_ueur = self.covered_ueur = 0

    def pass_on_charges(self, dso: str, state: str) -> tuple[int, int]:
        """Pay DSO and state what the supplier billed for them, as far as it can. [µEUR]

        Raises
        ------
        ContractRevert
            If nothing is owed that customers were billed for.
        """
        self._require(self.covered_ueur > 0, "no charges to pass on")
        network_ueur = min(self.owed_network_ueur, self.covered_ueur)
        taxes_ueur = min(self.owed_taxes_ueur, self.covered_ueur - network_ueur)
        paid = self._pass_on(dso, network_ueur), self._pass_on(state, taxes_ueur)
        self.owed_network_ueur -= paid[0]
        self.owed_taxes_ueur -= paid[1]
        self.covered_ueur -= sum(paid)
        return paid

    def _owe_charges(self, settlement: Settlement) -> None:
        """Let the supplier owe the charges of a reading, and its bill cover what is owed by now."""
        bill_ueur = max(-settlement.supplier_ueur, 0) + settlement.local_charge_ueur
        self.owed_network_ueur += settlement.network_ueur
        self.owed_taxes_ueur += settlement.taxes_ueur
        owed_ueur = self.owed_network_ueur + self.owed_taxes_ueur
        self.covered_ueur = min(self.covered_ueur + bill_ueur, owed_ueur, MAX_COVERED_UEUR)

    def _pass_on(self, account: str, amount_ueur: int) -> int:
        balance = self.balance_of(self.supplier)
        paid = min(amount_ueur, balance - min(balance, self.claims_total_ueur))
        self._add(self.supplier, -paid)
        self._add(account, paid)
        return paid

    def reading_of(self, interval: int, account: str) -> Reading | None:
        """Return the reading that the account's interval was settled with, if it was."""
        return self._interval(interval).readings.get(account)

    def locked_of(self, interval: int, account: str) -> int:
        """Amount held for an account's order until it is settled. [µEUR]

        The deposit of a sealed order; the escrow of an order, once its fill is known with its
        proceeds or less its cost.
        """
        state = self._interval(interval)
        return self._locked_ueur(state, account) if account in state.index_of else 0

    def locked_total_ueur(self) -> int:
        """Sum of ``locked_of`` over all orders of all intervals kept. [µEUR]"""
        return sum(
            self._locked_ueur(state, account)
            for state in self._intervals.values()
            for account in state.accounts
            if account not in state.settled
        )

    def held_total_ueur(self) -> int:
        """Tokens that the market must hold: free, locked, in pots and as bonds. [µEUR]"""
        committed = sum(self.pot_of(k) + self.bond_of(k) for k in self._intervals)
        return self.free_total_ueur() + self.locked_total_ueur() + committed

    def report(self, interval: int, account: str, net_wh: int) -> Settlement | None:
        """Take an account's reading, and settle its interval.

        What was not cleared was not traded. An order whose committed fill nobody claimed yet waits
        for its claim, or for ``settle_silent``.

        Returns
        -------
        Settlement or None
            None if it waits.

        Raises
        ------
        ContractRevert
            If the reading is out of range, or not the first, or another interval needs the
            account's slot.
        """
        self._require(abs(net_wh) <= MAX_ENERGY_WH, "energy out of range")
        state = self._interval(interval)
        self._check_slot(interval, account)
        self._require(account not in state.readings, "already reported")
        state.readings[account] = Reading(net_wh)
        self._keep(interval, account)
        return None if state.is_unclaimed(account) else self._settle(interval, account)

    def claim_fill(
        self, interval: int, account: str, filled_wh: int, proof: Sequence[bytes]
    ) -> Settlement | None:
        """Prove the fill of an account's order, and settle its interval if its reading is known.

        Returns
        -------
        Settlement or None
            None if the reading is not known.

        Raises
        ------
        ContractRevert
            If there is no such fill to be claimed, or the pot is too low.
        """
        self._claim_fill(interval, account, filled_wh, proof)
        if account in self._interval(interval).readings:
            return self._settle(interval, account)
        return None

    def settle_silent(self, interval: int, account: str, is_metered: bool = True) -> Settlement:
        """Settle an account's interval after the last moment for readings and claims.

        By its reading, or the agreed estimate if there is none. An order whose fill nobody claimed
        counts as not filled.

        Parameters
        ----------
        interval : int
        account : str
        is_metered : bool
            Took part with a meter that has been its own since before the interval began. An order
            of whoever has no such meter is settled as if nothing had been metered.

        Raises
        ------
        ContractRevert
            If the interval is settled already, or another one needs the account's slot.
        """
        state = self._interval(interval)
        self._check_slot(interval, account)
        self._require(account not in state.settled, "already reported")
        self._keep(interval, account)
        estimate_wh = self.terms.silent_estimate_wh if is_metered else 0
        state.readings.setdefault(account, Reading(-estimate_wh, estimated=True))
        if state.committed is not None and state.is_unclaimed(account):
            self._add(self.supplier, state.committed.give_up())
        return self._settle(interval, account)

    def forget(self, interval: int) -> None:
        """Drop the orders and readings of an interval that is settled.

        Raises
        ------
        ValueError
            If one of its orders is not settled, or a bond is held: money would be lost.
        """
        state = self._interval(interval)
        open_accounts = [account for account in state.accounts if state.is_open(account)]
        if open_accounts:
            raise ValueError(f"interval {interval} is not settled for {', '.join(open_accounts)}")
        if self.bond_of(interval):
            raise ValueError(f"interval {interval} still holds a bond")
        self._intervals.pop(interval, None)

    def _settle(self, interval: int, account: str) -> Settlement:
        state = self._interval(interval)
        reading, order = state.readings[account], state.order_of(account)
        filled_wh = price = proceeds_ueur = 0
        if order is not None:
            filled_wh = self._filled_wh(state, state.index_of[account])
            price = self._price_ueur_per_kwh(state, order)
            proceeds_ueur = self._proceeds_ueur(state, order)
        settlement = settle_reading(
            order,
            filled_wh,
            price,
            reading,
            self.terms.at(interval),
            proceeds_ueur,
        )
        if order is not None:
            self._add(account, self._escrow_ueur(order) + proceeds_ueur)
            if kept_ueur := self._kept_ueur(state, account):
                self._add(self.supplier, kept_ueur)
        elif account in state.index_of:
            self._add(self.supplier, self.terms.sealed_deposit_ueur)
        state.settled.add(account)
        self._owe_charges(settlement)
        self._settle_dues(account, settlement.local_charge_ueur - settlement.supplier_ueur)
        return settlement

    def _locked_ueur(self, state: Interval, account: str) -> int:
        if account in state.settled:
            return 0
        order = state.order_of(account)
        if order is None:
            return self.terms.sealed_deposit_ueur
        released_ueur = self._escrow_ueur(order) + self._proceeds_ueur(state, order)
        return released_ueur + self._kept_ueur(state, account)

    def _escrow_ueur(self, order: Order) -> int:
        return escrow_ueur(order, self.terms.retail_price_ueur_per_kwh)
