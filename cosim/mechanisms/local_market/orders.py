"""Value types of the market, and the limits that the contracts' packed fields set."""

from __future__ import annotations

from typing import NamedTuple

from cosim.units import amount_due_ueur, amount_earned_ueur

MAX_ORDERS = 512
MAX_ENERGY_WH = 2**32 - 1
MAX_VOLUME_WH = 2**41 - 1  # of 512 orders
MAX_PRICE_UEUR_PER_KWH = 2**31 - 1

LATE = ("local market: gate closed", "local market: not in the reveal window")
"""Revert texts of an order that came too late."""


class Order(NamedTuple):
    """An order of one account for one delivery interval.

    Parameters
    ----------
    account : str
        Who placed it.
    is_sell : bool
        An ask, or else a bid.
    energy_wh : int
        Energy, above 0. [Wh]
    price_ueur_per_kwh : int
        Lowest price of an ask, highest price of a bid. [µEUR/kWh]
    """

    account: str
    is_sell: bool
    energy_wh: int
    price_ueur_per_kwh: int

    def proceeds_ueur(self, filled_wh: int, price_ueur_per_kwh: int) -> int:
        """Return the proceeds of a fill at a price, negative for a buyer. [µEUR]"""
        if self.is_sell:
            return amount_earned_ueur(filled_wh, price_ueur_per_kwh)
        return -amount_due_ueur(filled_wh, price_ueur_per_kwh)


class Reading(NamedTuple):
    """Reading of an account's meter in one interval.

    Parameters
    ----------
    net_wh : int
        Net injection; consumption is negative. [Wh]
    estimated : bool
        The meter was silent, and this is the agreed estimate.
    """

    net_wh: int
    estimated: bool = False


class Settlement(NamedTuple):
    """Settlement of one account's interval in the local market.

    Parameters
    ----------
    contracted_wh : int
        Energy sold, or minus the energy bought. [Wh]
    metered_wh : int
        Net injection by the meter, or by estimate. [Wh]
    trade_ueur : int
        Received for the trade; negative is paid. [µEUR]
    supplier_ueur : int
        Due from the supplier for the residual; negative is due to it. [µEUR]
    estimated : bool
        The meter was silent.
    local_charge_ueur : int
        Due to the supplier for network charge and taxes on energy bought locally. [µEUR]
    network_ueur, taxes_ueur : int
        What the supplier owes DSO and state because of it. [µEUR]
    """

    contracted_wh: int
    metered_wh: int
    trade_ueur: int
    supplier_ueur: int
    estimated: bool = False
    local_charge_ueur: int = 0
    network_ueur: int = 0
    taxes_ueur: int = 0

    @property
    def residual_wh(self) -> int:
        """Metered less contracted energy, settled with the supplier. [Wh]"""
        return self.metered_wh - self.contracted_wh
