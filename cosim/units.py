"""Conversion of physical units to the ledger's integers, and back.

On chain, energy is integer Wh, money integer µEUR (a token with 6 decimals) and a price integer
µEUR per kWh. The rounding rule, stated once:

* a measured or forecast quantity becomes an integer by rounding half to even (``numpy.rint``);
* an amount of money is ``energy_wh * price_ueur_per_kwh / 1000``; who pays rounds up, who is paid
  rounds down, and the contract credits the difference (less than 1 µEUR per order) to the supplier.

No other module multiplies by 1e6.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

WH_PER_MWH = 1_000_000
WH_PER_KWH = 1_000
MWH_PER_KWH = WH_PER_KWH / WH_PER_MWH
UEUR_PER_EUR = 1_000_000
SECONDS_PER_HOUR = 3_600
WEI_PER_GWEI = 10**9
WEI_PER_ETH = 10**18


def energy_wh_from_mw(p_mw: npt.ArrayLike, step_s: int) -> IntArray:
    """Energy of a constant power over one step, rounded half to even.

    Parameters
    ----------
    p_mw : (n,) float
        Power. [MW]
    step_s : int
        Step length. [s]

    Returns
    -------
    (n,) int64
        Energy with the sign of the power. [Wh]
    """
    energy = np.asarray(p_mw, dtype=np.float64) * (WH_PER_MWH * step_s / SECONDS_PER_HOUR)
    return np.rint(energy).astype(np.int64)


def p_mw_from_wh(energy_wh: npt.ArrayLike, step_s: int) -> FloatArray:
    """Constant power that carries an energy in one step. Wh to MW, shape kept."""
    energy = np.asarray(energy_wh, dtype=np.float64)
    return np.asarray(energy * (SECONDS_PER_HOUR / step_s / WH_PER_MWH), dtype=np.float64)


def ueur_series_from_eur(amounts_eur: npt.ArrayLike) -> IntArray:
    """EUR to integer µEUR, rounded half to even, shape kept."""
    return np.rint(np.asarray(amounts_eur, dtype=np.float64) * UEUR_PER_EUR).astype(np.int64)


def wh_from_kwh(energy_kwh: float) -> int:
    """kWh to integer Wh, rounded half to even."""
    return round(energy_kwh * WH_PER_KWH)


def ueur_from_eur(amount_eur: float) -> int:
    """EUR to integer µEUR, rounded half to even. Also EUR/kWh to µEUR/kWh."""
    return round(amount_eur * UEUR_PER_EUR)


def ueur_per_kwh_from_eur_per_mwh(price_eur_per_mwh: float) -> int:
    """EUR/MWh to integer µEUR/kWh, rounded half to even."""
    return round(price_eur_per_mwh * (UEUR_PER_EUR // (WH_PER_MWH // WH_PER_KWH)))


def eur_from_ueur(amount_ueur: Any) -> Any:
    """Convert µEUR to EUR, for reports; scalars and arrays alike. [EUR]"""
    return amount_ueur / UEUR_PER_EUR


def amount_due_ueur(energy_wh: int, price_ueur_per_kwh: int) -> int:
    """Return what the payer owes: rounded up. [µEUR]"""
    return -(-energy_wh * price_ueur_per_kwh // WH_PER_KWH)


def amount_earned_ueur(energy_wh: int, price_ueur_per_kwh: int) -> int:
    """Return what the payee receives: rounded down. [µEUR]"""
    return energy_wh * price_ueur_per_kwh // WH_PER_KWH


def wei_from_gwei(amount_gwei: float) -> int:
    """Gwei to integer wei, rounded half to even."""
    return round(amount_gwei * WEI_PER_GWEI)


def fee_ueur(fee_wei: int, eur_per_eth: float) -> int:
    """Transaction fee at a price of the native coin, rounded half to even. [µEUR]"""
    return round(fee_wei / WEI_PER_ETH * eur_per_eth * UEUR_PER_EUR)
