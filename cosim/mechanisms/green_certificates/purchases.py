"""Plan of purchases of certificates, which follows from offers, needs, limits and money alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cosim.mechanisms.green_certificates.model import CertificateOffer
from cosim.units import WH_PER_KWH, amount_due_ueur


@dataclass(frozen=True)
class Buyer:
    """Account that wants certificates of an hour.

    Parameters
    ----------
    account : str
    lacking_wh : int
        Consumption of the hour that its own certificates do not cover. [Wh]
    limit_ueur_per_kwh : int
        The most it pays. [µEUR/kWh]
    money_ueur : int
        What it has. [µEUR]
    """

    account: str
    lacking_wh: int
    limit_ueur_per_kwh: int
    money_ueur: int


@dataclass(frozen=True)
class Purchase:
    """Energy that one buyer takes of one offer.

    Parameters
    ----------
    account : str
        The buyer.
    offer : int
        Number of the offer.
    energy_wh : int
        [Wh]
    """

    account: str
    offer: int
    energy_wh: int


def plan_purchases(
    buyers: Sequence[Buyer], offers: Mapping[int, CertificateOffer], turn: int = 0
) -> list[Purchase]:
    """Let buyers choose among the offers of an hour, one after the other.

    Who pays most chooses first. Among equals it is the turn of buyer ``turn`` of the sequence, then
    of those after it, then of those before it. Each takes the cheapest offers first, of one price
    the earliest, until it lacks nothing, has no money, or finds them too dear.

    Parameters
    ----------
    buyers : sequence of Buyer
    offers : mapping of int to CertificateOffer
        By number.
    turn : int
        Whose turn it is, modulo the number of buyers.

    Returns
    -------
    list of Purchase
        In the order of buying; at most one per buyer and offer, and no more of any offer than it
        holds.
    """
    ranked = sorted(
        range(len(buyers)),
        key=lambda k: (-buyers[k].limit_ueur_per_kwh, (k - turn) % len(buyers)),
    )
    cheapest = sorted(offers.items(), key=lambda item: (item[1].price_ueur_per_kwh, item[0]))
    left_wh = {number: offer.energy_wh for number, offer in cheapest}
    purchases = []
    for buyer in (buyers[k] for k in ranked):
        lacking_wh, money_ueur = buyer.lacking_wh, buyer.money_ueur
        for number, offer in cheapest:
            price = offer.price_ueur_per_kwh
            if price > buyer.limit_ueur_per_kwh:
                break
            # the most energy whose price, rounded up, is at hand
            payable_wh = money_ueur * WH_PER_KWH // price if price else lacking_wh
            energy_wh = min(lacking_wh, left_wh[number], payable_wh)
            if energy_wh > 0:
                purchases.append(Purchase(buyer.account, number, energy_wh))
                left_wh[number] -= energy_wh
                lacking_wh -= energy_wh
                money_ueur -= amount_due_ueur(energy_wh, price)
    return purchases
