"""Terms of the local market as the contract's integers: a section's values, converted once."""

from __future__ import annotations

from dataclasses import dataclass

from cosim.mechanisms.local_market.clearing import Book, Clearing, clear
from cosim.mechanisms.local_market.pricing import ClearingForm, PricingRule
from cosim.mechanisms.local_market.settings import MarketSettings
from cosim.units import ueur_from_eur, wh_from_kwh

BONDS = 4
"""Bonds for which the market operator deposits money: an interval's is locked until it is settled,
after later ones were cleared."""


@dataclass(frozen=True)
class MarketTerms:
    """Terms of the local market, and the money that a run starts with.

    Parameters
    ----------
    retail_price_ueur_per_kwh, feed_in_price_ueur_per_kwh : int
        The supplier's prices. [µEUR/kWh]
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
        Bank account of each, if they do. [µEUR]
    binds : bool
        Whether the grid may leave orders to the supplier unserved.
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
    binds: bool = False

    @classmethod
    def of(cls, market: MarketSettings) -> MarketTerms:
        """Convert a scenario's section."""
        account_ueur = ueur_from_eur(market.account_eur)
        return cls(
            retail_price_ueur_per_kwh=ueur_from_eur(market.retail_eur_per_kwh),
            feed_in_price_ueur_per_kwh=ueur_from_eur(market.feed_in_eur_per_kwh),
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
            bank_ueur=ueur_from_eur(market.bank_eur) if market.account == "top_up" else 0,
            binds=market.position == "binding",
        )

    def clear(self, book: Book) -> Clearing:
        """Compute the clearing of an order book under the rule and the supplier's prices."""
        return clear(
            book,
            self.rule,
            retail_price_ueur_per_kwh=self.retail_price_ueur_per_kwh,
            feed_in_price_ueur_per_kwh=self.feed_in_price_ueur_per_kwh,
        )

    @property
    def bonds_ueur(self) -> int:
        """Deposit of the market operator for its bonds. [µEUR]"""
        return BONDS * self.clearing_bond_ueur if self.form is ClearingForm.COMMITTED else 0
