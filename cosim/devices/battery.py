"""Home batteries: who has one, and its size, from the scenario.

By default a ``storage`` in ``elements.csv`` only says who is the first to get one; with ``size:
network`` the batteries are those storages, each with its own rating and capacity.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from cosim.devices.device import DeviceColumn, Equipment, own_values
from cosim.devices.pv import Photovoltaics
from cosim.devices.storage import Storage
from cosim.settings import Fraction, Model, NonNegative, Positive
from cosim.units import MWH_PER_KWH, BoolArray, FloatArray, ueur_from_eur


class BatterySettings(Model):
    """Home batteries: who has one and what it can do."""

    share_of_pv_owners: Fraction = Field(0.5, description="share of PV owners with a battery")
    size: Literal["scenario", "network"] = Field(
        "scenario",
        description="owners and sizes: drawn and given here, or those of the network's storages; "
        "of a storage without rating or capacity, the one given here",
    )
    capacity_kwh: Positive = Field(8.0, description="usable energy [kWh]")
    p_max_kw: Positive = Field(4.0, description="rating, both ways [kW]")
    charge_efficiency: Annotated[float, Field(gt=0, le=1)] = Field(0.96, description="one way [-]")
    discharge_efficiency: Annotated[float, Field(gt=0, le=1)] = Field(
        0.96, description="one way [-]"
    )
    soc_initial: Fraction = Field(0.5, description="state of charge at the start [-]")
    soc_min: Fraction = Field(0.05, description="least state of charge [-]")
    soc_end: Fraction | None = Field(
        None,
        description="state of charge that is wanted at the end of the run (docs/prosumers.md); "
        "default: none [-]",
    )
    wear_eur_per_kwh: NonNegative = Field(
        0.03, description="wear of each kWh charged, and again of each discharged [EUR/kWh]"
    )
    mode: Literal["self_consumption", "arbitrage", "keep_headroom"] = Field(
        "self_consumption",
        description="store one's own surplus at once, or also trade on a price forecast, or store "
        "it when it is expected to be worth least and keep headroom for relief until then",
    )

    @model_validator(mode="after")
    def _initial_above_minimum(self) -> BatterySettings:
        if self.soc_initial < self.soc_min:
            raise ValueError("soc_initial must not be below soc_min")
        if self.soc_end is not None and self.soc_end < self.soc_min:
            raise ValueError("soc_end must not be below soc_min")
        return self


class Battery(Storage):
    """Home batteries."""

    kind = "storage"
    title = "batteries"
    columns = (
        DeviceColumn("battery_p_mw", "MW", "battery, charging positive", "storage"),
        DeviceColumn("soc_mwh", "MWh", "energy in the battery at the interval's end"),
    )
    rank = 40
    is_default = True
    section = "battery"
    settings_type = BatterySettings

    @classmethod
    def build(cls, equipment: Equipment) -> Self:
        """Return batteries of the scenario's size at owners of PV, or those of the network."""
        settings = equipment.settings
        if not isinstance(settings, BatterySettings):
            raise TypeError("batteries need their section")
        pv = equipment.before[Photovoltaics.kind]
        if not isinstance(pv, Photovoltaics):
            raise TypeError("batteries need to know who has PV")
        n = len(equipment.rated_mw)
        named = {i: getattr(prosumer, cls.section) for i, prosumer in equipment.named.items()}
        own = {i: battery for i, battery in named.items() if isinstance(battery, Model)}
        capacity_mwh = own_values(n, "capacity_kwh", settings, own) * MWH_PER_KWH
        p_max_mw = own_values(n, "p_max_kw", settings, own) * MWH_PER_KWH
        if settings.size == "network":
            owners = equipment.is_there.copy()
            _take_published(capacity_mwh, equipment.capacity_mwh, "capacity_kwh", own)
            _take_published(p_max_mw, equipment.rated_mw, "p_max_kw", own)
        else:
            owners = draw_battery_owners(
                pv.rated_mw > 0,
                equipment.is_there,
                settings.share_of_pv_owners,
                np.random.default_rng(equipment.seed),
            )
        for i, battery in named.items():
            if battery is not None:
                owners[i] = battery is not False
        capacity_mwh = np.where(owners, capacity_mwh, 0.0)
        return cls(
            capacity_mwh=capacity_mwh,
            soc_min_mwh=capacity_mwh * own_values(n, "soc_min", settings, own),
            soc_initial_mwh=capacity_mwh * own_values(n, "soc_initial", settings, own),
            p_max_mw=np.where(owners, p_max_mw, 0.0),
            charge_efficiency=own_values(n, "charge_efficiency", settings, own),
            discharge_efficiency=own_values(n, "discharge_efficiency", settings, own),
            trades=settings.mode == "arbitrage",
            keeps_headroom=settings.mode == "keep_headroom",
            wear_ueur_per_kwh=ueur_from_eur(settings.wear_eur_per_kwh),
            soc_end_mwh=_wanted_at_end(capacity_mwh, settings, own),
        )


def _wanted_at_end(
    capacity_mwh: FloatArray, settings: BatterySettings, own: Mapping[int, Model]
) -> FloatArray | None:
    """Return the stored energy wanted at the end of the run, NaN where none is. [MWh]"""
    share = np.full(len(capacity_mwh), np.nan if settings.soc_end is None else settings.soc_end)
    for i, battery in own.items():
        if (given := getattr(battery, "soc_end", None)) is not None:
            share[i] = given
    wanted_mwh = np.where(capacity_mwh > 0, capacity_mwh * share, np.nan)
    return None if np.isnan(wanted_mwh).all() else wanted_mwh


def _take_published(
    values: FloatArray, published: FloatArray, field: str, own: Mapping[int, Model]
) -> None:
    """Replace values by those of the network's storages, but where a point names its own."""
    replaced = published > 0
    replaced[[i for i, battery in own.items() if getattr(battery, field) is not None]] = False
    values[replaced] = published[replaced]


def draw_battery_owners(
    is_pv_owner: BoolArray, has_storage: BoolArray, share: float, rng: np.random.Generator
) -> BoolArray:
    """Draw which prosumers have a battery.

    ``share`` of the PV owners, rounded half to even, have one: first those for whom the network
    has a storage, then others, each group in random order.

    Parameters
    ----------
    is_pv_owner, has_storage : (n,) bool
        Who qualifies, and who comes first.
    share : float
        Share of the PV owners. [-]
    rng : numpy.random.Generator
        Source of the random order.

    Returns
    -------
    (n,) bool
        Owners.
    """
    candidates = rng.permutation(np.flatnonzero(is_pv_owner))
    ranked = candidates[np.argsort(~has_storage[candidates], kind="stable")]
    owners = np.zeros(len(is_pv_owner), dtype=bool)
    owners[ranked[: round(share * len(ranked))]] = True
    return owners
