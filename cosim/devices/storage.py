"""Storage physics: what one step can charge and discharge, and what it leaves behind.

Power is measured at the grid side and is positive when charging (pandapower ``storage``). One step
changes the stored energy by ``charge_efficiency * p`` when charging and by
``p / discharge_efficiency`` when discharging, times the step length.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from cosim.devices.device import Device, Equipment, Role
from cosim.units import FloatArray


@dataclass(frozen=True)
class Storage(Device):
    """Storages of a population; a capacity of 0 means none.

    Parameters
    ----------
    capacity_mwh, soc_min_mwh, soc_initial_mwh : (n,) float
        Most, least and first stored energy. [MWh]
    soc_end_mwh : (n,) float, optional
        Stored energy that is wanted at the end of the run, NaN where none is; default: nowhere.
        [MWh]
    p_max_mw : (n,) float
        Rating in both directions. [MW]
    charge_efficiency, discharge_efficiency : (n,) float
        One-way efficiencies in (0, 1]. [-]
    trades : bool
        Whether it trades on a price forecast, on top of storing its owner's surplus.
    keeps_headroom : bool
        Whether it stores the owner's surplus only when that is expected to be worth least.
    wear_ueur_per_kwh : int
        Wear per kWh charged, and again per kWh discharged. The default of 0.03 EUR/kWh is a battery
        of 360 EUR per kWh of capacity that lasts 6 000 full cycles. [µEUR/kWh]

    Attributes
    ----------
    one_way_efficiency : float
        Of storages built from the network's elements, which start empty. [-]
    """

    capacity_mwh: FloatArray
    soc_min_mwh: FloatArray
    soc_initial_mwh: FloatArray
    p_max_mw: FloatArray
    charge_efficiency: FloatArray
    discharge_efficiency: FloatArray
    trades: bool = False
    keeps_headroom: bool = False
    wear_ueur_per_kwh: int = 30_000
    soc_end_mwh: FloatArray | None = None

    column_roles: ClassVar[tuple[Role, ...]] = ("storage", "")
    has_profile: ClassVar[bool] = False
    network_table: ClassVar[str] = "storage"
    one_way_efficiency: ClassVar[float] = 0.96

    @classmethod
    def build(cls, equipment: Equipment) -> Self:
        """Return storages of the elements' ratings and capacities, empty at the start."""
        empty = np.zeros_like(equipment.rated_mw)
        efficiency = np.full_like(equipment.rated_mw, cls.one_way_efficiency)
        return cls(equipment.capacity_mwh, empty, empty, equipment.rated_mw, efficiency, efficiency)

    @classmethod
    def soc_column(cls) -> str:
        """Return the name of the column of its stored energy."""
        return cls.columns[1].name

    @property
    def round_trip_efficiency(self) -> FloatArray:
        """Share of charged energy that comes back. [-]"""
        return self.charge_efficiency * self.discharge_efficiency

    def charge_limit_mw(self, soc_mwh: FloatArray, step_h: float) -> FloatArray:
        """Return the most power that a step can charge: the rating, or what fills it.

        Parameters
        ----------
        soc_mwh : (n,) float
            Stored energy at the start of the step. [MWh]
        step_h : float
            Step length. [h]

        Returns
        -------
        (n,) float
            Power, not negative. [MW]
        """
        headroom_mwh = np.maximum(self.capacity_mwh - soc_mwh, 0.0)
        return np.minimum(self.p_max_mw, headroom_mwh / (self.charge_efficiency * step_h))

    def discharge_limit_mw(self, soc_mwh: FloatArray, step_h: float) -> FloatArray:
        """Return the most power that a step can discharge: the rating, or what empties it.

        Parameters
        ----------
        soc_mwh, step_h
            As in :meth:`charge_limit_mw`.

        Returns
        -------
        (n,) float
            Power as a magnitude, not negative. [MW]
        """
        stock_mwh = np.maximum(soc_mwh - self.soc_min_mwh, 0.0)
        return np.minimum(self.p_max_mw, stock_mwh * (self.discharge_efficiency / step_h))

    def limit_power_mw(
        self, soc_mwh: FloatArray, p_request_mw: FloatArray, step_h: float
    ) -> FloatArray:
        """Return the nearest power to a request that one step can deliver.

        Parameters
        ----------
        soc_mwh, step_h
            As in :meth:`charge_limit_mw`.
        p_request_mw : (n,) float
            Wanted power, positive when charging. [MW]

        Returns
        -------
        (n,) float
            Feasible power, positive when charging. [MW]
        """
        limited = np.maximum(p_request_mw, -self.discharge_limit_mw(soc_mwh, step_h))
        return np.minimum(limited, self.charge_limit_mw(soc_mwh, step_h))

    def next_soc_mwh(self, soc_mwh: FloatArray, p_mw: FloatArray, step_h: float) -> FloatArray:
        """Return the stored energy at the end of a step of constant, feasible power.

        The result is clipped to the bounds, which removes rounding errors of the last bit only when
        ``p_mw`` comes from :meth:`limit_power_mw`.

        Parameters
        ----------
        soc_mwh, step_h
            As in :meth:`charge_limit_mw`.
        p_mw : (n,) float
            Feasible power, positive when charging. [MW]

        Returns
        -------
        (n,) float
            Stored energy. [MWh]
        """
        stored_mw = np.where(
            p_mw > 0, p_mw * self.charge_efficiency, p_mw / self.discharge_efficiency
        )
        reached = np.maximum(soc_mwh + stored_mw * step_h, self.soc_min_mwh)
        return np.minimum(reached, self.capacity_mwh)
