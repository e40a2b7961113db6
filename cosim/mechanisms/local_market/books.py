"""The market's books beside the ledger: every interval is settled twice and must agree.

The books replay on the Python models what the chain accepted, in the chain's order, and compare
fills, prices, settlements and balances to the integer.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from cosim.mechanisms.flexibility_market.model import FlexibilityMarketModel, FlexibilitySettlement
from cosim.mechanisms.local_market.clearing import Clearing
from cosim.mechanisms.local_market.fill_tree import FillTree, HashFunction
from cosim.mechanisms.local_market.model import LocalMarketModel
from cosim.mechanisms.local_market.orders import Order, Settlement
from cosim.mechanisms.local_market.pricing import ClearingForm, PricingRule
from cosim.mechanisms.local_market.trades import Trade, pair_trades
from cosim.mechanisms.metering.readings import Meters
from cosim.mechanisms.reconciliation import (
    check_equal,
    check_held,
    check_metering,
    check_total,
    check_trades,
)
from cosim.units import IntArray

SUPPLIER = "supplier"
DSO = "DSO"
OPERATOR = "market operator"
MARKETS = ("LocalMarket", "FlexibilityMarket")


@dataclass(frozen=True)
class Terms:
    """What both markets agree on.

    Parameters
    ----------
    retail_price_ueur_per_kwh, feed_in_price_ueur_per_kwh : int
        The supplier's prices. [µEUR/kWh]
    penalty_ueur_per_kwh : int
        For awarded but undelivered flexibility. [µEUR/kWh]
    silent_estimate_wh : int
        Consumption settled for a silent meter. [Wh]
    rule, form, is_sealed, sealed_deposit_ueur, clearing_bond_ueur
        How the local market clears; see :class:`LocalMarketModel`.
    """

    retail_price_ueur_per_kwh: int
    feed_in_price_ueur_per_kwh: int
    penalty_ueur_per_kwh: int
    silent_estimate_wh: int
    rule: PricingRule = PricingRule.MIDPOINT
    form: ClearingForm = ClearingForm.ON_CHAIN
    is_sealed: bool = False
    sealed_deposit_ueur: int = 0
    clearing_bond_ueur: int = 0


@dataclass(frozen=True)
class LedgerBalances:
    """Money on the ledger at one moment. [µEUR]

    Parameters
    ----------
    total_supply_ueur : int
        Tokens issued.
    tokens_ueur : mapping of str to int
        Token balance of every holder; the contracts under their own names.
    local_market_ueur, flexibility_ueur : mapping of str to int
        Free balance of every account inside the two markets.
    """

    total_supply_ueur: int
    tokens_ueur: Mapping[str, int]
    local_market_ueur: Mapping[str, int]
    flexibility_ueur: Mapping[str, int]


@dataclass(frozen=True)
class Arrival:
    """An order that the contract took.

    Parameters
    ----------
    order : Order
        What was ordered, also while it is sealed.
    revealed : bool
        Whether it can be cleared.
    commitment : bytes, optional
        Of a sealed order.
    """

    order: Order
    revealed: bool = True
    commitment: bytes | None = None


class MarketBooks:
    """Models of both markets and the identities that every interval must satisfy.

    Parameters
    ----------
    prosumers : sequence of str
        Names, in connection-point order.
    terms : Terms
    members : sequence of bool, optional
        Who joined the local market; default: everybody.
    keccak : callable, optional
        Hash function of the ledger, which the committed form needs.
    meters : Meters, optional
        What meters report of what was delivered; default: just that.
    """

    def __init__(
        self,
        prosumers: Sequence[str],
        terms: Terms,
        members: Sequence[bool] | None = None,
        keccak: HashFunction | None = None,
        meters: Meters | None = None,
    ) -> None:
        self.prosumers = tuple(prosumers)
        self.meters = meters or Meters()
        self.members = np.array([True] * len(self.prosumers) if members is None else members, bool)
        self.local = LocalMarketModel(
            SUPPLIER,
            terms.retail_price_ueur_per_kwh,
            terms.feed_in_price_ueur_per_kwh,
            terms.silent_estimate_wh,
            terms.rule,
            terms.form,
            is_sealed=terms.is_sealed,
            sealed_deposit_ueur=terms.sealed_deposit_ueur,
            clearing_bond_ueur=terms.clearing_bond_ueur,
            keccak=keccak,
        )
        self._keccak = keccak
        self.flexibility = FlexibilityMarketModel(DSO, terms.penalty_ueur_per_kwh)
        self._supply_ueur = 0
        self._wallets_ueur: dict[str, int] = {}
        self._marked: tuple[LocalMarketModel, FlexibilityMarketModel] | None = None

    def open(self, balances: LedgerBalances) -> None:
        """Take over the deposits with which a run starts, and what is in nobody's market."""
        self._supply_ueur = balances.total_supply_ueur
        self._wallets_ueur = _wallets(balances)
        for account, amount in balances.local_market_ueur.items():
            self.local.deposit(account, amount)
        for account, amount in balances.flexibility_ueur.items():
            self.flexibility.deposit(account, amount)
        self.check_money(-1, balances)

    def mark(self) -> None:
        """Remember both markets as they are, to come back to them once."""
        self._marked = copy.deepcopy((self.local, self.flexibility))

    def rewind(self) -> None:
        """Go back to the mark: what was booked since is not on the ledger.

        Raises
        ------
        ValueError
            If there is no mark.
        """
        if self._marked is None:
            raise ValueError("the books have no mark to go back to")
        self.local, self.flexibility = self._marked
        self._marked = None

    def trade(
        self,
        interval: int,
        arrivals: Sequence[Arrival],
        prices_ueur_per_kwh: tuple[int, int],
        volume_wh: int,
        filled_wh: Mapping[str, int],
    ) -> tuple[Trade, ...]:
        """Clear the accepted orders and compare with the ledger's clearing.

        Parameters
        ----------
        interval : int
        arrivals : sequence of Arrival
            Orders accepted by the contract, in the order of the chain.
        prices_ueur_per_kwh : (int, int)
            What buyers pay and what sellers earn on the ledger. [µEUR/kWh]
        volume_wh : int
            The ledger's. [Wh]
        filled_wh : mapping of str to int
            What the ledger filled, by account; accounts without a fill may be missing. [Wh]

        Returns
        -------
        tuple of Trade
            Who traded with whom.

        Raises
        ------
        ReconciliationError
            If contract and model differ.
        """
        self._take(interval, arrivals)
        clearing = self._clear(interval, prices_ueur_per_kwh, volume_wh)
        buy_price, sell_price = prices_ueur_per_kwh
        check_equal(
            interval,
            {
                "buy price [µEUR/kWh]": buy_price,
                "sell price [µEUR/kWh]": sell_price,
                "volume [Wh]": volume_wh,
            },
            {
                "buy price [µEUR/kWh]": clearing.buy_price_ueur_per_kwh,
                "sell price [µEUR/kWh]": clearing.sell_price_ueur_per_kwh,
                "volume [Wh]": clearing.volume_wh,
            },
            "clearing of the contract",
            "clearing of the model",
        )
        accounts = [arrival.order.account for arrival in arrivals]
        check_equal(
            interval,
            {account: filled_wh.get(account, 0) for account in accounts},
            dict(zip(accounts, clearing.fills_wh, strict=True)),
            "fill of the contract [Wh]",
            "fill of the model [Wh]",
        )
        contracted = [
            filled if arrival.order.is_sell else -filled
            for arrival, filled in zip(arrivals, clearing.fills_wh, strict=True)
        ]
        check_trades(interval, accounts, np.array(contracted, int), volume_wh)
        return pair_trades(self.local.book(interval), clearing)

    def _take(self, interval: int, arrivals: Sequence[Arrival]) -> None:
        """Accept orders as the ledger did: open ones, or all commitments before any revelation."""
        for arrival in arrivals:
            if arrival.commitment is None:
                self.local.place_order(interval, arrival.order)
            else:
                self.local.commit_order(interval, arrival.order.account, arrival.commitment)
        for arrival in arrivals:
            if arrival.commitment is not None and arrival.revealed:
                self.local.reveal_order(interval, arrival.order, arrival.commitment)

    def _clear(self, interval: int, prices: tuple[int, int], volume_wh: int) -> Clearing:
        """Clear the book, or commit to its clearing as the market operator did."""
        local = self.local
        if local.form is not ClearingForm.COMMITTED:
            return local.clear(interval)
        clearing = local.clear_book(interval)
        assert self._keccak is not None
        root = FillTree(clearing.fills_wh, self._keccak).root
        local.commit_clearing(interval, OPERATOR, root, *prices, volume_wh)
        return clearing

    def _claim(self, interval: int, claimed: Sequence[str]) -> None:
        """Claim committed fills in the order in which the ledger was claimed from."""
        if not claimed:
            return
        local = self.local
        tree, fills_wh = local.fill_tree(interval), local.clear_book(interval).fills_wh
        for account in claimed:
            k = local.arrival_index(interval, account)
            local.claim_fill(interval, account, fills_wh[k], tree.proof(k))
        local.release_bond(interval)

    def settle(
        self,
        interval: int,
        delivered_wh: IntArray,
        reported_wh: IntArray,
        estimated: Sequence[bool],
        settlements: Mapping[str, Settlement],
        claimed: Sequence[str] = (),
    ) -> None:
        """Settle an interval by the readings and compare with the contract's settlements.

        Parameters
        ----------
        interval : int
        delivered_wh : (n,) int64
            Energy that the solved grid took from each connection point. [Wh]
        reported_wh : (n,) int64
            Readings on the ledger; agreed estimates of silent meters. [Wh]
        estimated : sequence of bool
            Whether it is an estimate.
        settlements : mapping of str to Settlement
            As the contract logged them.
        claimed : sequence of str
            Who claimed a committed fill before, in this order.

        Raises
        ------
        ReconciliationError
            If a reading is not what meters say of what was delivered, or contract and model differ.
        """
        self._claim(interval, claimed)
        known = self.members & ~np.asarray(estimated, dtype=bool)
        names = [name for name, is_known in zip(self.prosumers, known, strict=True) if is_known]
        delivered_wh = self.meters.reported_wh(interval, delivered_wh)
        check_metering(interval, names, reported_wh[known], delivered_wh[known])
        expected = {}
        for i, name in enumerate(self.prosumers):
            if known[i]:
                expected[name] = self.local.report(interval, name, int(reported_wh[i]))
            elif self.members[i]:
                expected[name] = self.local.settle_silent(interval, name)
        check_equal(
            interval, settlements, expected, "settlement of the contract", "settlement of the model"
        )

    def settle_request(
        self,
        interval: int,
        number: int,
        settlements: Mapping[str, FlexibilitySettlement],
    ) -> None:
        """Settle and close a request and compare with what the contract logged."""
        readings = {
            name: reading
            for name in self.prosumers
            if (reading := self.local.reading_of(interval, name)) is not None
        }
        expected = self.flexibility.settle(number, self.prosumers, readings)
        self.flexibility.close_request(number)
        check_equal(
            interval,
            settlements,
            expected,
            "flexibility settled by the contract",
            "flexibility settled by the model",
        )

    def close(self, interval: int, balances: LedgerBalances) -> None:
        """Check all money after an interval was settled, and forget the interval."""
        self.flexibility.forget(interval)
        self.local.forget(interval)
        self.check_money(interval, balances)

    def transfer(self, sender: str, receiver: str, amount_ueur: int) -> None:
        """Book tokens that leave one holder for another, neither of them a market."""
        for holder, change in ((sender, -amount_ueur), (receiver, amount_ueur)):
            self._wallets_ueur[holder] += change

    def check_money(self, interval: int, balances: LedgerBalances) -> None:
        """Require that no token appeared or vanished, and that both markets hold what they owe.

        Nobody issues or withdraws tokens during a run: money moves inside the markets, and beside
        them as :meth:`transfer` was told.

        Raises
        ------
        ReconciliationError
            Names the accounts.
        """
        tokens = balances.tokens_ueur
        check_equal(
            interval,
            _wallets(balances),
            self._wallets_ueur,
            "tokens outside the markets [µEUR]",
            "what should be there [µEUR]",
        )
        check_total(interval, tokens, self._supply_ueur)
        check_equal(
            interval,
            {"EuroToken": balances.total_supply_ueur},
            {"EuroToken": self._supply_ueur},
            "total supply [µEUR]",
            "what was issued at the start [µEUR]",
        )
        local, flexibility = self.local, self.flexibility
        for name, model, free, held in (
            (
                MARKETS[0],
                local,
                balances.local_market_ueur,
                local.held_total_ueur() - local.free_total_ueur(),
            ),
            (MARKETS[1], flexibility, balances.flexibility_ueur, flexibility.locked_total_ueur()),
        ):
            check_equal(
                interval,
                free,
                {account: model.balance_of(account) for account in free},
                f"balance in {name} [µEUR]",
                "balance of the model [µEUR]",
            )
            check_held(interval, name, tokens[name], model.free_total_ueur(), held)


def _wallets(balances: LedgerBalances) -> dict[str, int]:
    """Tokens of everybody but the markets. [µEUR]"""
    return {name: held for name, held in balances.tokens_ueur.items() if name not in MARKETS}
