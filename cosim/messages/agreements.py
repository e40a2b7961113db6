"""Terms of mechanisms that bidders go by, known before the first interval."""

from __future__ import annotations

from dataclasses import dataclass

from cosim.units import IntArray


@dataclass(frozen=True, slots=True)
class SharedBattery:
    """A battery that members of the population share.

    Parameters
    ----------
    point : int
        Position of its connection point in the population.
    capacity_wh, power_wh : int
        What it holds, and what it charges or discharges in one interval. [Wh]
    charge_permille, discharge_permille : int
        Efficiencies. [‰]
    standby_wh : int
        What it consumes in every interval. [Wh]
    capacity_of_wh, power_of_wh : (n,) int64
        Each member's part of capacity and power; 0 without shares. [Wh]
    is_used : bool
        Whether members nominate at all.
    """

    point: int
    capacity_wh: int
    power_wh: int
    charge_permille: int
    discharge_permille: int
    standby_wh: int
    capacity_of_wh: IntArray
    power_of_wh: IntArray
    is_used: bool = True
