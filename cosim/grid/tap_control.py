"""Tap changers that keep a voltage within a dead band, by the rule of ``DiscreteTapControl``.

pandapower's controller looks at a bus after a power flow and moves the tap by one position while
the voltage is outside its band and the tap not at its end; then the power flow is solved again. All
controllers of a network step together. So the tap of an interval depends on where it stood before.

A network file holds controllers as Python objects; here they are a plain table ``tap_control`` of
the network, one row for each transformer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandapower.control
import pandas as pd

from cosim.errors import GridDataError
from cosim.grid.element_tables import in_service
from cosim.units import BoolArray, FloatArray, IntArray

TABLE = "tap_control"
MOST_STATES = 31
"""Power flows in which ``pandapower.run_control`` lets taps come to rest (``max_iter`` 30)."""

_REMEDY = (
    "correct the controller and its transformer, or solve the network with run_control=True and "
    "put the controller out of service"
)


@dataclass(frozen=True)
class TapControls:
    """Controllers of a network, those that have nothing to do left out; arrays are (k,).

    Parameters
    ----------
    trafo_idx, trafo_row : int64
        Index in the network, and row of its table.
    bus_row : int64
        Row of the bus whose voltage is kept.
    vm_lower_pu, vm_upper_pu : float
        Dead band. [pu]
    tap_min, tap_max, start : float
        Ends of the tap changer, and where the network has it.
    lowers : bool
        Whether a higher position lowers the voltage.
    """

    trafo_idx: IntArray
    trafo_row: IntArray
    bus_row: IntArray
    vm_lower_pu: FloatArray
    vm_upper_pu: FloatArray
    tap_min: FloatArray
    tap_max: FloatArray
    start: FloatArray
    lowers: BoolArray

    @classmethod
    def of(cls, net: Any) -> Self:
        """Return the controllers of a network that was checked by :func:`check_tap_control`."""
        table = table_of(net)
        trafo = net.trafo.loc[table.trafo]
        buses = np.where(table.side == "hv", trafo.hv_bus, trafo.lv_bus)
        fed = set(net.ext_grid.bus[in_service(net.ext_grid)])
        acts = in_service(trafo) & ~np.isin(buses, list(fed))
        table, trafo, buses = table[acts], trafo[acts], buses[acts]
        row_of_bus = {bus: row for row, bus in enumerate(net.bus.index)}
        row_of_trafo = {idx: row for row, idx in enumerate(net.trafo.index)}
        sign = np.where(trafo.tap_side == "hv", 1, -1) * np.where(table.side == "hv", -1, 1)
        sign = sign * np.where(trafo.tap_step_percent < 0.0, -1, 1) * _turned(trafo)
        return cls(
            trafo_idx=table.trafo.to_numpy(np.int64),
            trafo_row=np.array([row_of_trafo[idx] for idx in table.trafo], dtype=np.int64),
            bus_row=np.array([row_of_bus[bus] for bus in buses], dtype=np.int64),
            vm_lower_pu=table.vm_lower_pu.to_numpy(np.float64),
            vm_upper_pu=table.vm_upper_pu.to_numpy(np.float64),
            tap_min=trafo.tap_min.to_numpy(np.float64),
            tap_max=trafo.tap_max.to_numpy(np.float64),
            start=trafo.tap_pos.fillna(trafo.tap_neutral).to_numpy(np.float64),
            lowers=np.asarray(sign == 1),
        )

    def outside(self, vm_pu: FloatArray) -> BoolArray:
        """Return which voltages are outside of their bands, (k,); of a state with (n_bus,)."""
        vm = vm_pu[self.bus_row]
        return np.asarray((vm < self.vm_lower_pu) | (vm > self.vm_upper_pu))

    def step(
        self, vm_pu: FloatArray, tap_pos: FloatArray, acts: BoolArray
    ) -> tuple[FloatArray, BoolArray]:
        """Return the next tap positions, and where all controllers are at rest.

        Parameters
        ----------
        vm_pu : (..., n_bus) float
            Of power flows with these taps.
        tap_pos : (..., k) float
        acts : (k,) bool
            Those that do not wait; a controller that waits is at rest.

        Returns
        -------
        tap_pos : (..., k) float
        at_rest : (...) bool
        """
        vm = vm_pu[..., self.bus_row]
        low, high = vm < self.vm_lower_pu, vm > self.vm_upper_pu
        down = np.where(self.lowers, low, high) & (tap_pos > self.tap_min)
        up = np.where(self.lowers, high, low) & (tap_pos < self.tap_max)
        within = (self.vm_lower_pu < vm) & (vm < self.vm_upper_pu)
        at_end = (low | high) & ~down & ~up
        rests = (within | at_end | np.isnan(vm) | ~acts).all(axis=-1)
        return tap_pos + (up & acts).astype(np.float64) - (down & acts), np.asarray(rests)


class Waiting:
    """Time that voltages have been outside of their bands, and the controllers that act by now.

    An on-load tap changer first waits for some time, so that it does not follow every cloud; once
    it moves, further steps take seconds. A delay that is shorter than an interval ends within it,
    and the interval counts with the tap moved.

    Parameters
    ----------
    controls : TapControls
    intervals : int
        Whole intervals of the delay: a voltage has to be outside for as many before the tap moves.
    """

    def __init__(self, controls: TapControls, intervals: int) -> None:
        self._controls, self._intervals = controls, intervals
        self.waited = np.zeros(controls.trafo_idx.size, dtype=np.int64)

    @property
    def acts(self) -> BoolArray:
        """Which controllers move their taps in this interval, (k,)."""
        return np.asarray(self.waited >= self._intervals)

    def settle(self, vm_pu: FloatArray) -> None:
        """Count an interval with these voltages as delivered, (n_bus,). [pu]"""
        self.waited = np.where(self._controls.outside(vm_pu), self.waited + 1, 0)


def table_of(net: Any) -> pd.DataFrame:
    """Return the table of controllers of a network; an empty one where it has none."""
    table = net.get(TABLE)
    if isinstance(table, pd.DataFrame):
        return table
    return pd.DataFrame({"trafo": [], "side": [], "vm_lower_pu": [], "vm_upper_pu": []}).astype(
        {"trafo": np.int64, "side": object}
    )


def _turned(trafo: pd.DataFrame) -> IntArray:
    """Return -1 where the step's angle turns its direction, as pandapower has it."""
    if "tap_step_degree" not in trafo:
        return np.ones(len(trafo), dtype=np.int64)
    degree = pd.to_numeric(trafo.tap_step_degree).fillna(0.0).to_numpy(np.float64)
    turned: IntArray = np.where(np.sign(np.cos(np.radians(degree))) < 0.0, -1, 1)
    return turned


def controller_rows(name: str, controller: Mapping[str, Any]) -> Iterable[dict[str, Any]]:
    """Return the rows of ``tap_control`` that one controller of a file stands for.

    Parameters
    ----------
    name : str
        For errors.
    controller : mapping
        Attributes of a ``DiscreteTapControl``, as its JSON has them.

    Raises
    ------
    GridDataError
        If it controls something else than a two-winding transformer, or has no band.
    """
    if controller.get("element") != "trafo":
        raise GridDataError(
            f"{name} controls {controller.get('element')!r}, and a run two-winding transformers",
            field="controller",
            remedy="solve the network with run_control=True and put it out of service",
        )
    given = _plain(controller.get("element_index"))
    for trafo in given if isinstance(given, list) else [given]:
        yield {
            "trafo": _plain(trafo),
            "side": controller.get("side"),
            "vm_lower_pu": _plain(controller.get("vm_lower_pu")),
            "vm_upper_pu": _plain(controller.get("vm_upper_pu")),
        }


def _plain(value: Any) -> Any:
    """Return a number, or an array, of what pandapower writes as an object of NumPy."""
    return value.get("_object") if isinstance(value, dict) else value


def check_tap_control(net: Any) -> None:
    """Refuse controllers that cannot do what they are to.

    Raises
    ------
    GridDataError
        Naming the transformer, if it is not there or controlled twice; if the band is none; or if
        the transformer has no tap changer, its numbers are missing, or the tap stands beyond its
        ends.
    """
    table = table_of(net)
    for trafo, side, lower, upper in zip(
        *(table[name] for name in ("trafo", "side", "vm_lower_pu", "vm_upper_pu")), strict=True
    ):
        if problem := _problem(net, table, trafo, side, (lower, upper)):
            raise GridDataError(
                f"the tap controller of trafo {trafo} {problem}", field=TABLE, remedy=_REMEDY
            )


def _problem(
    net: Any, table: pd.DataFrame, trafo: Any, side: Any, band: tuple[Any, Any]
) -> str | None:
    """Return what is wrong with a controller."""
    if not isinstance(trafo, (int, np.integer)) or isinstance(trafo, bool):
        return "is of no transformer of the network"
    if trafo not in net.trafo.index:
        return "is of no transformer of the network"
    if (table.trafo == trafo).sum() > 1:
        return "is one of two"
    if side not in ("hv", "lv"):
        return f"looks at the side {side!r}, neither hv nor lv"
    numeric = [isinstance(one, (int, float)) and np.isfinite(one) for one in band]
    if not all(numeric) or not 0.0 < band[0] < band[1]:
        return f"keeps the voltage between {band[0]} and {band[1]} pu, which is no band"
    row = net.trafo.loc[trafo]
    needed = ("tap_min", "tap_max", "tap_neutral", "tap_step_percent")
    values = {name: pd.to_numeric(row.get(name), errors="coerce") for name in needed}
    if missing := [name for name, value in values.items() if not np.isfinite(value)]:
        return f"lacks the transformer's {missing[0]}"
    if row.get("tap_side") not in ("hv", "lv"):
        return f"moves a tap on the side {row.get('tap_side')!r}, neither hv nor lv"
    if row.get("tap_changer_type") not in ("Ratio", "Symmetrical"):
        return f"moves a tap changer of the type {row.get('tap_changer_type')!r}"
    position = pd.to_numeric(row.get("tap_pos"), errors="coerce")
    position = values["tap_neutral"] if np.isnan(position) else position
    if not values["tap_min"] <= position <= values["tap_max"]:
        return f"begins at {position:g}, beyond tap_min or tap_max"
    return "has no step" if values["tap_step_percent"] == 0.0 else None


def add_controllers(net: Any) -> None:
    """Give a network pandapower's own controllers, as its table says; for comparison."""
    table = table_of(net)
    for trafo, side, lower, upper in zip(
        *(table[name] for name in ("trafo", "side", "vm_lower_pu", "vm_upper_pu")), strict=True
    ):
        pandapower.control.DiscreteTapControl(net, int(trafo), lower, upper, side=side)
