"""Model of ``contracts/GreenCertificates.vy``.

Guarantees of origin (EN 16325) by the hour, as the EnergyTag standard for granular certificates
has them: what a meter records as renewable production is certified once, and a certificate is
retired against consumption of its own hour. The registry of meters and the metering window are
the contract's to check; the model is told what was accepted, keeps the same balances, and refuses
with the contract's own text what they do not allow.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from cosim.mechanisms.accounts import EscrowAccounts
from cosim.mechanisms.local_market.orders import MAX_ENERGY_WH, MAX_PRICE_UEUR_PER_KWH
from cosim.units import SECONDS_PER_HOUR, amount_due_ueur

MAX_HOUR = 2**33 - 1


@dataclass(frozen=True, slots=True)
class Holding:
    """Certificates and consumption of an account in one hour.

    Parameters
    ----------
    held_wh : int
        Certificates that it holds: neither offered nor retired. [Wh]
    consumed_wh : int
        Consumption of the hour that its meters recorded. [Wh]
    retired_wh : int
        Certificates that it retired for that consumption. [Wh]
    """

    held_wh: int = 0
    consumed_wh: int = 0
    retired_wh: int = 0

    @property
    def residual_wh(self) -> int:
        """Consumption of no proven origin. [Wh]"""
        return self.consumed_wh - self.retired_wh

    @property
    def retirable_wh(self) -> int:
        """Certificates that the account could retire now. [Wh]"""
        return min(self.held_wh, self.residual_wh)


@dataclass(frozen=True, slots=True)
class HourTotals:
    """Certificates and consumption of one hour over all accounts.

    Parameters
    ----------
    issued_wh, consumed_wh, retired_wh : int
        [Wh]
    """

    issued_wh: int = 0
    consumed_wh: int = 0
    retired_wh: int = 0


@dataclass(frozen=True, slots=True)
class CertificateOffer:
    """Certificates of an hour that are for sale.

    Parameters
    ----------
    seller : str
        Who offers them.
    hour : int
        Delivery hour, Unix time / 3600.
    energy_wh : int
        What is not sold yet. [Wh]
    price_ueur_per_kwh : int
        [µEUR/kWh]
    """

    seller: str
    hour: int
    energy_wh: int
    price_ueur_per_kwh: int


class GreenCertificatesModel(EscrowAccounts):
    """State of the green certificates.

    Parameters
    ----------
    first_delivery_s : int
        Start of interval 0, Unix time. [s]
    step_s : int
        Length of an interval. [s]

    Raises
    ------
    ContractRevert
        If intervals would not lie within one clock hour each.
    """

    subject: ClassVar[str] = "green certificates"

    def __init__(self, first_delivery_s: int, step_s: int) -> None:
        whole = step_s > 0 and SECONDS_PER_HOUR % step_s == 0
        self._require(whole, "step does not divide the hour")
        self._require(first_delivery_s % step_s == 0, "first delivery not at a whole step")
        super().__init__()
        self.first_delivery_s = first_delivery_s
        self.step_s = step_s
        self._recorded: dict[int, set[tuple[int, str]]] = {}
        self._holdings: dict[int, dict[str, Holding]] = {}
        self._totals: dict[int, HourTotals] = {}
        self._offers: dict[int, CertificateOffer] = {}
        self._n_offers = 0

    # --- views ---

    def hour_of(self, interval: int) -> int:
        """Hour that an interval lies in, by Unix time. [h]"""
        return (self.first_delivery_s + interval * self.step_s) // SECONDS_PER_HOUR

    def holding_of(self, hour: int, account: str) -> Holding:
        """Certificates and consumption of an account in an hour."""
        return self._holdings.get(hour, {}).get(account, Holding())

    def totals_of(self, hour: int) -> HourTotals:
        """Issued, consumed and retired over all accounts in an hour."""
        return self._totals.get(hour, HourTotals())

    def held_total_wh(self, hour: int) -> int:
        """Certificates of an hour in the accounts. [Wh]"""
        return sum(holding.held_wh for holding in self._holdings.get(hour, {}).values())

    def offered_total_wh(self, hour: int) -> int:
        """Certificates of an hour for sale. [Wh]"""
        return sum(offer.energy_wh for offer in self._offers.values() if offer.hour == hour)

    def is_recorded(self, interval: int, meter: str) -> bool:
        """A meter recorded an interval."""
        return (interval, meter) in self._recorded.get(self.hour_of(interval), ())

    def offer_of(self, offer_id: int) -> CertificateOffer | None:
        """An offer with something left, or None."""
        return self._offers.get(offer_id)

    def offers_of(self, hour: int) -> dict[int, CertificateOffer]:
        """Offers of an hour with something left, by number, in the order they were made."""
        return {number: offer for number, offer in self._offers.items() if offer.hour == hour}

    @property
    def offer_count(self) -> int:
        """Number of offers made; they are numbered from 1."""
        return self._n_offers

    # --- certificates ---

    def record(
        self, interval: int, meter: str, account: str, produced_wh: int, consumed_wh: int
    ) -> None:
        """Issue what a meter produced to its customer, and count what it consumed.

        Parameters
        ----------
        interval : int
            Delivery interval.
        meter, account : str
            The meter, and its customer now.
        produced_wh, consumed_wh : int
            Gross renewable production and gross consumption. [Wh]

        Raises
        ------
        ContractRevert
            If an energy is out of range, or the meter recorded the interval before.
        """
        in_range = 0 <= produced_wh <= MAX_ENERGY_WH and 0 <= consumed_wh <= MAX_ENERGY_WH
        self._require(in_range, "energy out of range")
        self._require(not self.is_recorded(interval, meter), "already recorded")
        hour = self.hour_of(interval)
        holding, totals = self.holding_of(hour, account), self.totals_of(hour)
        self._recorded.setdefault(hour, set()).add((interval, meter))
        self._put(
            hour,
            account,
            replace(
                holding,
                held_wh=holding.held_wh + produced_wh,
                consumed_wh=holding.consumed_wh + consumed_wh,
            ),
        )
        self._totals[hour] = replace(
            totals,
            issued_wh=totals.issued_wh + produced_wh,
            consumed_wh=totals.consumed_wh + consumed_wh,
        )

    def transfer(self, hour: int, sender: str, to: str, energy_wh: int) -> None:
        """Give certificates away.

        Raises
        ------
        ContractRevert
            If the sender holds too few.
        """
        self._move(hour, sender, -energy_wh)
        self._move(hour, to, energy_wh)

    def offer(self, hour: int, account: str, energy_wh: int, price_ueur_per_kwh: int) -> int:
        """Offer certificates for sale; return the number of the offer.

        Raises
        ------
        ContractRevert
            If a field is out of range, or the account holds too few.
        """
        self._require(0 <= hour <= MAX_HOUR, "hour out of range")
        self._require(energy_wh <= MAX_ENERGY_WH, "energy out of range")
        self._require(0 <= price_ueur_per_kwh <= MAX_PRICE_UEUR_PER_KWH, "price out of range")
        self._move(hour, account, -energy_wh)
        self._n_offers += 1
        self._offers[self._n_offers] = CertificateOffer(
            account, hour, energy_wh, price_ueur_per_kwh
        )
        return self._n_offers

    def buy(self, offer_id: int, buyer: str, energy_wh: int) -> int:
        """Buy of an offer; return the amount paid, all of it to the seller. [µEUR]

        Raises
        ------
        ContractRevert
            If there is no such offer, less is left of it, or the buyer's free balance is too low.
        """
        offer = self._existing(offer_id)
        self._require(energy_wh > 0, "energy out of range")
        self._require(energy_wh <= offer.energy_wh, "more than offered")
        amount_ueur = amount_due_ueur(energy_wh, offer.price_ueur_per_kwh)
        self._take(buyer, amount_ueur)
        self._add(offer.seller, amount_ueur)
        if energy_wh == offer.energy_wh:
            del self._offers[offer_id]
        else:
            self._offers[offer_id] = replace(offer, energy_wh=offer.energy_wh - energy_wh)
        self._move(offer.hour, buyer, energy_wh)
        return amount_ueur

    def cancel_offer(self, offer_id: int, account: str) -> int:
        """Give back what of an offer is not sold; return how much. [Wh]

        Raises
        ------
        ContractRevert
            If there is no such offer, or it is somebody else's.
        """
        offer = self._existing(offer_id)
        self._require(account == offer.seller, "not your offer")
        del self._offers[offer_id]
        self._move(offer.hour, account, offer.energy_wh)
        return offer.energy_wh

    def retire(self, hour: int, account: str, energy_wh: int) -> None:
        """Use certificates up against consumption of their hour.

        Raises
        ------
        ContractRevert
            If the account holds too few, or consumed less that is not covered yet.
        """
        before, totals = self.holding_of(hour, account), self.totals_of(hour)
        self._require(energy_wh > 0, "energy out of range")
        self._require(energy_wh <= before.held_wh, "too few certificates")
        self._require(energy_wh <= before.residual_wh, "more than consumed")
        self._put(
            hour,
            account,
            replace(
                before,
                held_wh=before.held_wh - energy_wh,
                retired_wh=before.retired_wh + energy_wh,
            ),
        )
        self._totals[hour] = replace(totals, retired_wh=totals.retired_wh + energy_wh)

    def forget(self, hour: int) -> None:
        """Drop what is known of an hour that nobody will trade any more.

        Raises
        ------
        ValueError
            If certificates of it are still for sale: a sale of them could not be followed.
        """
        if self.offers_of(hour):
            raise ValueError(f"hour {hour}: certificates are for sale")
        self._holdings.pop(hour, None)
        self._totals.pop(hour, None)
        self._recorded.pop(hour, None)

    # --- internal ---

    def _existing(self, offer_id: int) -> CertificateOffer:
        self._require(offer_id in self._offers, "no such offer")
        return self._offers[offer_id]

    def _move(self, hour: int, account: str, change_wh: int) -> None:
        """Change what an account holds."""
        before = self.holding_of(hour, account)
        self._require(change_wh != 0, "energy out of range")
        self._require(before.held_wh + change_wh >= 0, "too few certificates")
        self._put(hour, account, replace(before, held_wh=before.held_wh + change_wh))

    def _put(self, hour: int, account: str, holding: Holding) -> None:
        self._holdings.setdefault(hour, {})[account] = holding
