"""Terms of the local market as the contract's integers: a section's values, converted once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from cosim.mechanisms.local_market.bilateral.graph import TradingGraph
from cosim.mechanisms.local_market.bilateral.matching import match
from cosim.mechanisms.local_market.bilateral.settings import BilateralSettings
from cosim.mechanisms.local_market.clearing import Book, Clearing, clear
from cosim.mechanisms.local_market.pricing import ClearingForm, PricingRule
from cosim.mechanisms.local_market.submission.terms import EACH, SubmissionTerms
from cosim.mechanisms.local_market.tariffs import tariffs_of
from cosim.scenario.tariff import Tariff, Tariffs
from cosim.units import ueur_from_eur, wh_from_kwh

if TYPE_CHECKING:
    from cosim.scenario import Scenario

BONDS = 4
"""Bonds for which the market operator deposits money: an interval's is locked until it is settled,
after later ones were cleared."""

DAY_S = 86_400

INTERVALS_AHEAD = 4
"""Intervals by which changes of prices are announced ahead."""


@dataclass(frozen=True)
class MarketTerms:
    """Terms of the local market, and the money that a run starts with.

    Parameters
    ----------
    retail_price_ueur_per_kwh, feed_in_price_ueur_per_kwh : int
        The supplier's prices; where they change, the highest retail price, which escrow covers and
        price takers name, and the first feed-in price. [µEUR/kWh]
    silent_estimate_wh : int
        Consumption settled for a silent meter. [Wh]
    rule : PricingRule
    form : ClearingForm
    reveal_s, challenge_s : int
        How long sealed orders are revealed, 0 for open ones; how long a committed clearing can be
        challenged. [s]
    sealed_deposit_ueur, clearing_bond_ueur : int
        Locked by a sealed order, and by who commits to a clearing. [µEUR]
    account_ueur, local_deposit_ueur, supplier_deposit_ueur : int
        Tokens of each prosumer, what of them it deposits here, and the supplier's deposit. [µEUR]
    tops_up : bool
        Members refill their balance out of their bank accounts.
    bank_ueur : int
        Bank account of each, if they do or if they have a credit line. [µEUR]
    credit_limit_ueur : int or None
        Debt up to which the supplier lends to a member; None without credit lines. [µEUR]
    credit_intervals : int
        Intervals after which members pay their debts, with credit lines.
    binds : bool
        Whether the grid may leave orders to the supplier unserved.
    tariffs : Tariffs, optional
        Prices by interval, and their parts; default: the two prices above.
    has_parts : bool
        Whether the scenario gives the retail price by parts, or a price as a series.
    ring : int
        Intervals after which the contracts use the storage of orders and readings again; 0 never.
    graph : TradingGraph, optional
        Of a market that pairs clear.
    sends_orders, sends_readings : SubmissionTerms
        Who sends them.
    """

    retail_price_ueur_per_kwh: int
    feed_in_price_ueur_per_kwh: int
    silent_estimate_wh: int
    rule: PricingRule = PricingRule.MIDPOINT
    form: ClearingForm = ClearingForm.ON_CHAIN
    reveal_s: int = 0
    challenge_s: int = 0
    sealed_deposit_ueur: int = 0
    clearing_bond_ueur: int = 0
    account_ueur: int = 0
    local_deposit_ueur: int = 0
    supplier_deposit_ueur: int = 0
    tops_up: bool = False
    bank_ueur: int = 0
    credit_limit_ueur: int | None = None
    credit_intervals: int = 0
    binds: bool = False
    tariffs: Tariffs | None = None
    has_parts: bool = False
    ring: int = 0
    graph: TradingGraph | None = None
    sends_orders: SubmissionTerms = EACH
    sends_readings: SubmissionTerms = EACH

    @classmethod
    def of(cls, scenario: Scenario) -> MarketTerms:
        """Convert a scenario's section.

        Raises
        ------
        UserError
            As :func:`cosim.mechanisms.local_market.tariffs.tariffs_of`.
        """
        market, tariffs = scenario.market, tariffs_of(scenario)
        account_ueur, lends = ueur_from_eur(market.account_eur), market.account == "credit_line"
        return cls(
            retail_price_ueur_per_kwh=tariffs.highest_retail_ueur_per_kwh,
            feed_in_price_ueur_per_kwh=tariffs.base.feed_in_price_ueur_per_kwh,
            silent_estimate_wh=wh_from_kwh(market.silent_estimate_kwh),
            rule=PricingRule(market.pricing),
            form=ClearingForm(market.clearing),
            reveal_s=market.reveal_s,
            challenge_s=market.challenge_s,
            sealed_deposit_ueur=ueur_from_eur(market.sealed_deposit_eur),
            clearing_bond_ueur=ueur_from_eur(market.clearing_bond_eur),
            account_ueur=account_ueur,
            local_deposit_ueur=round(account_ueur * market.deposit_share),
            supplier_deposit_ueur=ueur_from_eur(market.supplier_eur),
            tops_up=market.account == "top_up",
            bank_ueur=0 if market.account == "prepaid" else ueur_from_eur(market.bank_eur),
            credit_limit_ueur=ueur_from_eur(market.credit_limit_eur) if lends else None,
            credit_intervals=market.credit_days * DAY_S // scenario.time.step_s if lends else 0,
            binds=market.position == "binding",
            tariffs=tariffs,
            has_parts=market.retail is not None or market.feed_in is not None,
            ring=market.ring_intervals,
            graph=TradingGraph.of(market.bilateral or BilateralSettings())
            if market.clearing == "bilateral"
            else None,
            sends_orders=SubmissionTerms.of(market),
            sends_readings=SubmissionTerms.of(scenario.metering),
        )

    def at(self, interval: int) -> Tariff:
        """Return the supplier's prices in an interval."""
        return self._unchanging if self.tariffs is None else self.tariffs.at(interval)

    @cached_property
    def _unchanging(self) -> Tariff:
        return Tariff(self.retail_price_ueur_per_kwh, self.feed_in_price_ueur_per_kwh)

    def clear(self, book: Book, interval: int) -> Clearing:
        """Compute the clearing of an interval's order book by the rule and the supplier's prices.

        Price takers share what buying locally spares them: the retail price counts without what
        local trades are charged as well.
        """
        if self.graph is not None:
            return match(book, self.graph)
        prices = self.at(interval)
        return clear(
            book,
            self.rule,
            retail_price_ueur_per_kwh=prices.local_limit_ueur_per_kwh,
            feed_in_price_ueur_per_kwh=prices.feed_in_price_ueur_per_kwh,
            taken_price_ueur_per_kwh=self.retail_price_ueur_per_kwh,
        )

    @property
    def lowest_ask_ueur_per_kwh(self) -> int:
        """Lowest price that a seller needs: feed-in, or 0 of price takers. [µEUR/kWh]"""
        if self.rule.sets_price:
            return 0
        if self.tariffs is None:
            return self.feed_in_price_ueur_per_kwh
        return int(self.tariffs.feed_in.min())

    @property
    def batched(self) -> bool:
        """True if orders or readings come in batches."""
        return self.sends_orders.batched or self.sends_readings.batched

    @property
    def has_charges(self) -> bool:
        """True if the supplier passes on network charges or taxes."""
        return self.tariffs is not None and self.tariffs.has_charges

    # --- arguments of the settlement's constructor ---

    @property
    def base_retail_ueur_per_kwh(self) -> int:
        """Retail price until prices change. [µEUR/kWh]"""
        return self.at(0).retail_price_ueur_per_kwh

    @property
    def base_feed_in_ueur_per_kwh(self) -> int:
        """Feed-in price until prices change. [µEUR/kWh]"""
        return self.at(0).feed_in_price_ueur_per_kwh

    @property
    def base_network_ueur_per_kwh(self) -> int:
        """Network charge until prices change. [µEUR/kWh]"""
        return self.at(0).network_ueur_per_kwh

    @property
    def base_taxes_ueur_per_kwh(self) -> int:
        """Taxes until prices change. [µEUR/kWh]"""
        return self.at(0).taxes_ueur_per_kwh

    @property
    def local_network_ppm(self) -> int:
        """Share of the network charge on local trades. [millionths]"""
        return 0 if self.tariffs is None else self.tariffs.local_network_ppm

    @property
    def local_taxes_ppm(self) -> int:
        """Share of the taxes on local trades. [millionths]"""
        return 0 if self.tariffs is None else self.tariffs.local_taxes_ppm

    @property
    def prices_change(self) -> bool:
        """True if the supplier announces other prices."""
        return self.tariffs is not None and self.tariffs.varies

    @property
    def bonds_ueur(self) -> int:
        """Deposit of the market operator for its bonds. [µEUR]"""
        return BONDS * self.clearing_bond_ueur if self.form is ClearingForm.COMMITTED else 0
