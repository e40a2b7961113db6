"""Retail tariff of a run: price parts of every interval as the contracts' integers.

The parts are those of European price statistics: energy and supply, network costs, and taxes, fees,
levies and charges (Regulation (EU) 2016/1952, Annex II; Eurostat table ``nrg_pc_204_c``), as the
German BDEW breaks household prices down as well. Here all of them are charged on energy: standing
charges and charges on capacity are left out, and a value-added tax is to be given in EUR/kWh.

What is traded locally may pay a share of network charge and taxes: Directive (EU) 2019/944, Art.
16, wants network charges of citizen energy communities to reflect costs; Austria reduces the
network charge per kWh on energy of a renewable energy community by 57 % where all of it stays in
the low-voltage network (ElWOG 2010 § 52 (2a), Systemnutzungsentgelte-Verordnung 2018 as amended in
2021; docs/tariffs.md has the sources), a share of 0.43, and takes no electricity levy on it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from cosim.units import BoolArray, IntArray

PPM = 1_000_000


@dataclass(frozen=True, slots=True)
class Tariff:
    """The supplier's prices in one interval, which every prosumer can fall back on.

    Parameters
    ----------
    retail_price_ueur_per_kwh : int
        What a prosumer pays the supplier, all parts together. [µEUR/kWh]
    feed_in_price_ueur_per_kwh : int
        What the supplier pays a prosumer. [µEUR/kWh]
    network_ueur_per_kwh, taxes_ueur_per_kwh : int
        Parts of the retail price that the supplier passes on. [µEUR/kWh]
    local_network_ueur_per_kwh, local_taxes_ueur_per_kwh : int
        What a buyer is charged on energy traded locally. [µEUR/kWh]
    """

    retail_price_ueur_per_kwh: int
    feed_in_price_ueur_per_kwh: int
    network_ueur_per_kwh: int = 0
    taxes_ueur_per_kwh: int = 0
    local_network_ueur_per_kwh: int = 0
    local_taxes_ueur_per_kwh: int = 0

    @property
    def local_charge_ueur_per_kwh(self) -> int:
        """Charge on energy bought locally, on top of its price. [µEUR/kWh]"""
        return self.local_network_ueur_per_kwh + self.local_taxes_ueur_per_kwh

    @property
    def local_limit_ueur_per_kwh(self) -> int:
        """Price above which buying locally costs more than buying at retail. [µEUR/kWh]"""
        return self.retail_price_ueur_per_kwh - self.local_charge_ueur_per_kwh

    @property
    def has_charges(self) -> bool:
        """True if the supplier passes anything on."""
        return bool(self.network_ueur_per_kwh or self.taxes_ueur_per_kwh)


@dataclass(frozen=True, eq=False)
class Tariffs:
    """The supplier's prices in every interval of a run.

    Parameters
    ----------
    retail, feed_in, network, taxes : (T,) int64
        As in :class:`Tariff`. [µEUR/kWh]
    local_network_ppm, local_taxes_ppm : int
        Share of network charge and taxes that energy traded locally pays. [millionths]
    """

    retail: IntArray
    feed_in: IntArray
    network: IntArray
    taxes: IntArray
    local_network_ppm: int = 0
    local_taxes_ppm: int = 0

    @classmethod
    def constant(cls, tariff: Tariff, intervals: int = 1) -> Tariffs:
        """Return the same prices of the supplier in every interval, without local charges."""
        retail, feed_in, network, taxes = (
            np.full(intervals, value, dtype=np.int64)
            for value in (
                tariff.retail_price_ueur_per_kwh,
                tariff.feed_in_price_ueur_per_kwh,
                tariff.network_ueur_per_kwh,
                tariff.taxes_ueur_per_kwh,
            )
        )
        return cls(retail, feed_in, network, taxes)

    @property
    def local_network(self) -> IntArray:
        """Network charge on energy traded locally, rounded down, (T,). [µEUR/kWh]"""
        return self.network * self.local_network_ppm // PPM

    @property
    def local_taxes(self) -> IntArray:
        """Taxes on energy traded locally, rounded down, (T,). [µEUR/kWh]"""
        return self.taxes * self.local_taxes_ppm // PPM

    @cached_property
    def local_limit(self) -> IntArray:
        """Price above which buying locally costs more than retail, (T,). [µEUR/kWh]"""
        return self.retail - self.local_network - self.local_taxes

    @cached_property
    def _all(self) -> tuple[Tariff, ...]:
        columns = (
            self.retail,
            self.feed_in,
            self.network,
            self.taxes,
            self.local_network,
            self.local_taxes,
        )
        return tuple(Tariff(*row) for row in zip(*(c.tolist() for c in columns), strict=True))

    def at(self, interval: int) -> Tariff:
        """Return the prices of an interval; after the run, of its last one."""
        return self._all[min(interval, len(self._all) - 1)]

    @property
    def base(self) -> Tariff:
        """Prices of the first interval, which stand from the deployment on."""
        return self._all[0]

    @property
    def highest_retail_ueur_per_kwh(self) -> int:
        """Highest retail price of the run, which the contract holds the supplier to. [µEUR/kWh]"""
        return int(self.retail.max())

    @cached_property
    def changes(self) -> tuple[int, ...]:
        """Intervals whose prices are not those of the interval before."""
        parts = np.stack([self.retail, self.feed_in, self.network, self.taxes])
        changed: BoolArray = (np.diff(parts, axis=1) != 0).any(axis=0)
        return tuple((np.flatnonzero(changed) + 1).tolist())

    @property
    def varies(self) -> bool:
        """True if prices change in the run."""
        return bool(self.changes)

    @property
    def has_charges(self) -> bool:
        """True if the supplier passes on anything in any interval."""
        return bool(self.network.any() or self.taxes.any())

    @property
    def has_local_charges(self) -> bool:
        """True if local trades are charged anything in any interval."""
        return bool((self.retail != self.local_limit).any())

    def after(self, interval: int, intervals: int) -> Tariffs:
        """Return the prices of the intervals after one; at the end of the run, of its last one."""
        return self.ahead(min(interval + 1, len(self.retail) - 1), intervals)

    def ahead(self, interval: int, intervals: int) -> Tariffs:
        """Return the prices from an interval on, as many as asked for or to the end of the run."""
        window = slice(interval, interval + intervals)
        return Tariffs(
            self.retail[window],
            self.feed_in[window],
            self.network[window],
            self.taxes[window],
            self.local_network_ppm,
            self.local_taxes_ppm,
        )
