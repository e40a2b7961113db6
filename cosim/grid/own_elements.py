"""The injections of a network file as devices at connection points.

Each element in service that injects or draws power becomes a row of ``elements.csv`` with its power
as ``pandapower.runpp`` has it (``_calc_pq_elements_and_add_on_ppc`` of pandapower 3.5): a motor by
its mechanical power over its efficiency, an asymmetric element by the sum of its phases, a ward by
its part of constant power (that of constant impedance stays in the network, as a shunt).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandapower as pp
import pandas as pd

from cosim.errors import GridDataError
from cosim.grid.element_checks import numbers
from cosim.grid.element_tables import INJECTIONS, in_service, some
from cosim.grid.validation import ELEMENT_COLUMNS
from cosim.inputs.text import unprintable
from cosim.plugins import DEVICES
from cosim.units import BoolArray, FloatArray

CONSTANT = "constant"  # profile of an element whose power does not vary

LOAD, GENERATOR, UNSPECIFIED, STORAGE = "load", "generator", "pv", "storage"
"""Kinds of what draws, of what feeds in otherwise, of an sgen that says not what it is, and of
storages."""

_CONSUMES = -1.0
_SIGN = {"sgen": 1.0, "asymmetric_sgen": 1.0}
_VOLTAGE_DEPENDENCE = (
    *("const_z_p_percent", "const_i_p_percent"),
    *("const_z_q_percent", "const_i_q_percent"),
)
_NO_TYPE = {"", "wye", "delta", "nan", "None"}


class Injection(NamedTuple):
    """One element of the file, consumption negative. [MW, Mvar, MWh]"""

    table: str
    index: Any
    bus: int
    name: str
    kind: str
    profile: str
    p_mw: float
    q_mvar: float
    capacity_mwh: float


def own_elements(
    net: Any, points: pd.DataFrame, dead: set[int], file: Path, options: Mapping[str, Any]
) -> pd.DataFrame:
    """Return the table of elements of a network's own injections.

    Parameters
    ----------
    net : pandapowerNet
    points : DataFrame
        Columns name, bus.
    dead : set of int
        Buses without supply: what is connected there draws nothing in ``runpp``, and is left out.
    file : Path
        Named in errors.
    options : mapping
        Options stored with the network (``user_pf_options``).

    Returns
    -------
    DataFrame
        Columns as in ``elements.csv``. Consumption is ``load``; generation the kind of device whose
        pattern fits its type or else its name, ``pv`` if it says neither, ``generator`` if it says
        something else. A storage with a power draws or feeds in that power; one without becomes a
        ``storage`` with its capacity and apparent power. What has neither power nor capacity is
        left out.

    Raises
    ------
    GridDataError
        If a load depends on voltage, or an element is at a bus without connection point.
    """
    if options.get("voltage_depend_loads", True):
        _check_voltage_dependence(net.load, dead, file)
    _check_storages(net.storage, dead, file)
    name_of_bus = dict(zip(points.bus[::-1], points.name[::-1], strict=True))
    named: set[tuple[str, str]] = set()
    rows = []
    for one in _injections(net):
        if one.bus in dead or not (one.p_mw or one.q_mvar or one.capacity_mwh):
            continue
        if one.bus not in name_of_bus:
            raise GridDataError(
                f"{one.table} {one.index} is at bus {one.bus}, which has no connection point",
                file=file,
                field=f"{one.table}.bus",
                remedy="add a connection point at that bus, or give a table of elements",
            )
        if problem := unprintable(one.name):
            raise GridDataError(
                f"the name of {one.table} {one.index} holds {problem}",
                file=file,
                field=f"{one.table}.name",
                remedy="name it in printable characters",
            )
        point, sign = name_of_bus[one.bus], 1.0 if one.kind == STORAGE else direction(one.kind)
        is_new = (point, one.name) not in named
        named.add((point, one.name))
        rows.append(
            (
                point,
                one.name if is_new else f"{one.name} ({one.table} {one.index})",
                one.kind,
                one.profile,
                abs(one.p_mw),
                sign * one.q_mvar,
                one.capacity_mwh,
            )
        )
    return pd.DataFrame(rows, columns=list(ELEMENT_COLUMNS))


def direction(kind: str) -> float:
    """Return 1 for a kind of device that feeds in, -1 for one that draws, 0 for a storage."""
    role = DEVICES.load(kind).columns[0].role
    return {"generation": 1.0, "consumption": -1.0}.get(role, 0.0)


def rated_injection(elements: pd.DataFrame, points: pd.DataFrame) -> tuple[FloatArray, FloatArray]:
    """Return what elements inject together at their ratings, (n_points,) each. [MW, Mvar]"""
    position = {name: i for i, name in enumerate(points.name)}
    p_mw, q_mvar = np.zeros(len(position)), np.zeros(len(position))
    columns = (elements[name] for name in ("connection_point", "kind", "p_mw", "q_mvar"))
    for point, kind, p, q in zip(*columns, strict=True):
        p_mw[position[point]] += direction(kind) * p
        q_mvar[position[point]] += direction(kind) * q
    return p_mw, q_mvar


def extreme_injections(
    elements: pd.DataFrame, points: pd.DataFrame, profiles: Mapping[str, Any]
) -> tuple[tuple[FloatArray, FloatArray], tuple[FloatArray, FloatArray]]:
    """Return what elements inject at most and draw at most.

    Parameters
    ----------
    elements, points : DataFrame
        As in a grid folder.
    profiles : mapping of str to (n,) float
        By column, relative to the ratings.

    Returns
    -------
    drawn, fed_in : pair of (n_points,) float
        All consumption at the peak of its profiles while storages charge at their rating; all
        generation at its peak while they discharge. Each p_inject_mw, q_inject_mvar. [MW, Mvar]
    """
    position = {name: i for i, name in enumerate(points.name)}
    states = np.zeros((2, 2, len(position)))
    columns = ("connection_point", "kind", "profile", "p_mw", "q_mvar")
    for point, kind, profile, p, q in zip(*(elements[name] for name in columns), strict=True):
        at, sign = position[point], direction(kind)
        if not sign:
            states[0, 0, at] -= p
            states[1, 0, at] += p
            continue
        state = states[0 if sign < 0.0 else 1]
        for row, (part, rating) in enumerate((("p", p), ("q", q))):
            relative = np.asarray(profiles.get(f"{profile}_{part}", 0.0))
            state[row, at] += sign * rating * float(np.abs(relative).max(initial=0.0))
    drawn, fed_in = ((state[0], state[1]) for state in states)
    return drawn, fed_in


def shunts_of_wards(net: Any) -> Any:
    """Return the network with the constant impedance of each ward as a shunt.

    pandapower adds both to the bus in the same way (``_calc_shunts_and_add_on_ppc``).
    """
    wards = net.ward[in_service(net.ward)]
    columns = (wards[name] for name in ("bus", "pz_mw", "qz_mvar"))
    for index, bus, p_mw, q_mvar in zip(wards.index, *columns, strict=True):
        if p_mw or q_mvar:
            pp.create_shunt(net, bus=int(bus), p_mw=p_mw, q_mvar=q_mvar, name=f"ward {index}")
    return net


def _check_voltage_dependence(load: pd.DataFrame, dead: set[int], file: Path) -> None:
    """Refuse loads that make the power of a bus depend on voltage.

    ``runpp`` takes the mean of the shares of all loads at a bus, also of those that draw nothing:
    a share has no effect only where no load of its bus draws anything.
    """
    load = load[in_service(load) & ~load["bus"].isin(dead).to_numpy()]
    depends: BoolArray = np.zeros(len(load), dtype=np.bool_)
    for column in (column for column in _VOLTAGE_DEPENDENCE if column in load):
        draws = numbers(load["p_mw" if "_p_" in column else "q_mvar"]) * numbers(load["scaling"])
        drawing = load["bus"].isin(load["bus"][draws != 0.0]).to_numpy()
        depends |= (np.nan_to_num(numbers(load[column]), nan=1.0) != 0.0) & drawing
    if depends.any():
        raise GridDataError(
            f"load {some(load.index[depends])} depends on voltage (constant impedance or "
            "current), which the power flow of a run does not cover",
            file=file,
            field="load.const_z_p_percent",
            remedy="set const_z_p_percent, const_i_p_percent, const_z_q_percent and "
            "const_i_q_percent to 0: loads are then of constant power",
        )


def _check_storages(storage: pd.DataFrame, dead: set[int], file: Path) -> None:
    """Refuse sizes that are none; one that is missing is the scenario's (``battery.size``)."""
    live = storage[in_service(storage) & ~storage["bus"].isin(dead).to_numpy()]
    for column in (column for column in ("sn_mva", "max_e_mwh") if column in live):
        values = numbers(live[column])
        wrong = live[column].notna().to_numpy() & ~(np.isfinite(values) & (values >= 0.0))
        if wrong.any():
            raise GridDataError(
                f"storage {some(live.index[wrong])}: {column} is {live[column][wrong].iloc[0]}, "
                "not zero or a positive number",
                file=file,
                field=f"storage.{column}",
                remedy=f"correct net.storage.{column}; leave it empty where it is not known",
            )


def _injections(net: Any) -> Iterator[Injection]:
    """Yield what injects or draws power in service, table by table."""
    for table in sorted(INJECTIONS, key=_order):
        frame = net[table][in_service(net[table])]
        p_mw, q_mvar = _power(frame, table)
        sign = _SIGN.get(table, _CONSUMES)
        for i, (index, row) in enumerate(frame.iterrows()):
            p, q = float(p_mw[i]) * sign, float(q_mvar[i]) * sign
            kind, capacity_mwh = _kind(table, row, p, q), 0.0
            if table == "storage" and "max_e_mwh" in frame:
                capacity_mwh = float(np.nan_to_num(numbers(frame["max_e_mwh"])[i]))
            profile = row.get("profile")
            if kind == STORAGE:
                p, q, profile = float(np.nan_to_num(numbers(frame["sn_mva"])[i])), 0.0, ""
            elif not (isinstance(profile, str) and profile):
                profile = CONSTANT
            name = row.get("name")
            yield Injection(
                table,
                index,
                int(row["bus"]),
                name if isinstance(name, str) and name else f"{table} {index}",
                kind,
                profile,
                p,
                q,
                capacity_mwh,
            )


def _order(table: str) -> tuple[bool, int]:
    first = ("load", "sgen", "storage")
    return (table not in first, first.index(table) if table in first else INJECTIONS.index(table))


def _power(frame: pd.DataFrame, table: str) -> tuple[FloatArray, FloatArray]:
    """Return power as runpp has it, in the sign of the table. [MW, Mvar]"""

    def of(*names: str) -> FloatArray:
        added: FloatArray = np.sum([numbers(frame[name]) for name in names], axis=0)
        return added

    if table == "ward":
        return of("ps_mw"), of("qs_mvar")
    if table == "motor":
        share = of("loading_percent") / 100.0 * of("scaling")
        p_mw = of("pn_mech_mw") / of("efficiency_percent") * 100.0 * share
        return p_mw, np.sqrt((p_mw / of("cos_phi")) ** 2 - p_mw**2)
    scaling = of("scaling")
    if table in ("asymmetric_load", "asymmetric_sgen"):
        p, q = ([f"{name}_{phase}_{unit}" for phase in "abc"] for name, unit in _UNITS)
        return of(*p) * scaling, of(*q) * scaling
    return of("p_mw") * scaling, of("q_mvar") * scaling


_UNITS = (("p", "mw"), ("q", "mvar"))


def _kind(table: str, row: Any, p_mw: float, q_mvar: float) -> str:
    if table == "storage" and p_mw == 0.0 and q_mvar == 0.0:
        return STORAGE
    if p_mw < 0.0 or (p_mw == 0.0 and table not in _SIGN):
        return LOAD
    if table not in _SIGN:
        return GENERATOR
    stated = [str(row.get(column) or "").strip() for column in ("type", "name")]
    stated = ["" if text in _NO_TYPE else text for text in stated]
    for text in stated[:1] if stated[0] else stated[1:]:
        found = [
            kind
            for kind, device in DEVICES.every().items()
            if text and device.network_type and re.search(device.network_type, text, re.IGNORECASE)
        ]
        if found:
            return min(found)
    return GENERATOR if stated[0] else UNSPECIFIED
