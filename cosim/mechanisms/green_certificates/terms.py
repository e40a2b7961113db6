"""Terms of the certificates of a run: prices, and who buys."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cosim.mechanisms.green_certificates.settings import CertificateSettings
from cosim.scenario import Scenario
from cosim.seeds import assign_shares, child_seed
from cosim.units import ueur_from_eur, ueur_per_kwh_from_eur_per_mwh

_BUYERS_SEED = 16
"""Key among the children of the scenario's seed."""


@dataclass(frozen=True)
class CertificateTerms:
    """Prices and deposits of a run's certificates.

    Parameters
    ----------
    price_ueur_per_kwh : int
        Asked by producers. [µEUR/kWh]
    limits_ueur_per_kwh : tuple of int or None
        By connection point: the most it pays, or None if it buys none. [µEUR/kWh]
    deposit_ueur : int
        Of each buyer at the start. [µEUR]
    eur_per_eth : float
        Price of the native coin, for the fees. [EUR]
    """

    price_ueur_per_kwh: int
    limits_ueur_per_kwh: tuple[int | None, ...]
    deposit_ueur: int
    eur_per_eth: float = 0.0


def certificate_terms(
    scenario: Scenario, settings: CertificateSettings, joined: Sequence[bool]
) -> CertificateTerms:
    """Return the terms; buyers are shares of all prosumers, in random order.

    Parameters
    ----------
    scenario : Scenario
    settings : CertificateSettings
    joined : sequence of bool
        Members of the local market; the others have no certificates.
    """
    shares = [buyers.share for buyers in settings.buyers]
    limits = [ueur_per_kwh_from_eur_per_mwh(buyers.limit_eur_per_mwh) for buyers in settings.buyers]
    seed = child_seed(np.random.SeedSequence(scenario.seed), _BUYERS_SEED)
    group_of = assign_shares(
        len(joined), [*shares, max(0.0, 1.0 - sum(shares))], np.random.default_rng(seed)
    )
    return CertificateTerms(
        price_ueur_per_kwh=ueur_per_kwh_from_eur_per_mwh(settings.price_eur_per_mwh),
        limits_ueur_per_kwh=tuple(
            limits[group] if joins and group < len(limits) else None
            for group, joins in zip(group_of.tolist(), joined, strict=True)
        ),
        deposit_ueur=ueur_from_eur(settings.account_eur),
        eur_per_eth=scenario.ledger.eur_per_eth,
    )
