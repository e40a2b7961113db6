"""Terms that a community storage is deployed with."""

from __future__ import annotations

from dataclasses import dataclass

from cosim.scenario.tariff import Tariff, Tariffs


@dataclass(frozen=True, slots=True)
class StorageTerms:
    """Terms of a community storage, under the names of the contract's constructor.

    Parameters
    ----------
    owner : str
        Account of the battery.
    total_shares, share_price_ueur : int
        How many shares there are, and what the owner sells one for. [1], [µEUR]
    capacity_wh, power_wh : int
        What the accounts hold together; what is charged, or discharged, in one interval. [Wh]
    charge_permille, discharge_permille : int
        Efficiencies. [‰]
    loss_limit_wh : int
        Most loss of one interval that is billed. [Wh]
    retail_price_ueur_per_kwh, feed_in_price_ueur_per_kwh : int
        Of the supplier. [µEUR/kWh]
    tariffs : Tariffs, optional
        Its prices by interval, where they change; the contract then asks the settlement.
    """

    owner: str
    total_shares: int
    share_price_ueur: int
    capacity_wh: int
    power_wh: int
    charge_permille: int
    discharge_permille: int
    loss_limit_wh: int
    retail_price_ueur_per_kwh: int
    feed_in_price_ueur_per_kwh: int
    tariffs: Tariffs | None = None

    def prices_at(self, interval: int) -> Tariff:
        """Return the supplier's prices of an interval."""
        if self.tariffs is None:
            return Tariff(self.retail_price_ueur_per_kwh, self.feed_in_price_ueur_per_kwh)
        return self.tariffs.at(interval)
