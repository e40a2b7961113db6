"""Terms of the name registry of a run: fees, and who moves when."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cosim.mechanisms.deployment import Deployment
from cosim.mechanisms.name_registry.settings import NameRegistrySettings
from cosim.scenario import Scenario
from cosim.units import ueur_from_eur


@dataclass(frozen=True)
class NameTerms:
    """Fees of a run's name registry, and its moves.

    Parameters
    ----------
    registration_fee_ueur, update_fee_ueur : int
        [µEUR]
    min_commitment_age_s, max_commitment_age_s : int
        How old a commitment is when its name is registered. [s]
    account_ueur : int
        What each household has for fees. [µEUR]
    moves : mapping of int to int
        Interval after which the name is handed on, by position of the connection point.
    seed : int
        Of the keys of those who move in.
    eur_per_eth : float
        Price of the native coin, for the transaction fees. [EUR]
    """

    registration_fee_ueur: int
    update_fee_ueur: int
    min_commitment_age_s: int
    max_commitment_age_s: int
    account_ueur: int
    moves: Mapping[int, int]
    seed: int
    eur_per_eth: float = 0.0


def name_terms(
    scenario: Scenario, settings: NameRegistrySettings, deployment: Deployment
) -> NameTerms:
    """Return the terms that a scenario's section becomes. [µEUR]"""
    names = [account.name for account in deployment.prosumers]
    return NameTerms(
        registration_fee_ueur=ueur_from_eur(settings.registration_fee_eur),
        update_fee_ueur=ueur_from_eur(settings.update_fee_eur),
        min_commitment_age_s=settings.min_commitment_age_s,
        max_commitment_age_s=settings.max_commitment_age_s,
        account_ueur=ueur_from_eur(settings.account_eur),
        moves={names.index(move.name): move.interval for move in settings.moves},
        seed=scenario.seed,
        eur_per_eth=scenario.ledger.eur_per_eth,
    )
