"""The numbers of a network's elements: each must be one that a power flow can take.

Rules are declared by table and column. pandapower computes with what it finds: a line without
rating has the loading NaN, one of negative resistance generates, and both pass unnoticed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from cosim.errors import GridDataError
from cosim.grid.element_tables import ELEMENT_TABLES, in_service, some
from cosim.units import BoolArray, FloatArray

FINITE, NOT_NEGATIVE, POSITIVE = "a finite number", "zero or a positive number", "a positive number"
SHARE = "above 0 and at most 1"

_ENDS = {"from_bus": FINITE, "to_bus": FINITE}
COLUMNS: dict[str, dict[str, str]] = {
    "bus": {"vn_kv": POSITIVE},
    "ext_grid": {"bus": FINITE, "vm_pu": POSITIVE, "va_degree": FINITE},
    "line": {
        **_ENDS,
        **dict.fromkeys(("length_km", "max_i_ka", "df", "parallel"), POSITIVE),
        **dict.fromkeys(("r_ohm_per_km", "x_ohm_per_km"), NOT_NEGATIVE),
        **dict.fromkeys(("c_nf_per_km", "g_us_per_km"), NOT_NEGATIVE),
    },
    "trafo": {
        "hv_bus": FINITE,
        "lv_bus": FINITE,
        **dict.fromkeys(("sn_mva", "vn_hv_kv", "vn_lv_kv", "vk_percent"), POSITIVE),
        **dict.fromkeys(("df", "parallel"), POSITIVE),
        **dict.fromkeys(("vkr_percent", "pfe_kw", "i0_percent"), NOT_NEGATIVE),
        "shift_degree": FINITE,
    },
    "impedance": {
        **_ENDS,
        "sn_mva": POSITIVE,
        **dict.fromkeys(("rft_pu", "xft_pu", "rtf_pu", "xtf_pu"), FINITE),
    },
    "shunt": {
        "bus": FINITE,
        "vn_kv": POSITIVE,
        **dict.fromkeys(("p_mw", "q_mvar", "step"), FINITE),
    },
    "switch": {"bus": FINITE, "element": FINITE, "z_ohm": NOT_NEGATIVE},
    "load": dict.fromkeys(("bus", "p_mw", "q_mvar", "scaling"), FINITE),
    "sgen": dict.fromkeys(("bus", "p_mw", "q_mvar", "scaling"), FINITE),
    "storage": dict.fromkeys(("bus", "p_mw", "q_mvar", "scaling"), FINITE),
    "ward": dict.fromkeys(("bus", "ps_mw", "qs_mvar", "pz_mw", "qz_mvar"), FINITE),
    "motor": {
        "bus": FINITE,
        "pn_mech_mw": NOT_NEGATIVE,
        **dict.fromkeys(("loading_percent", "scaling"), FINITE),
        "cos_phi": SHARE,
        "efficiency_percent": POSITIVE,
    },
    **{
        table: {
            "bus": FINITE,
            **{f"{q}_{phase}_{unit}": FINITE for phase in "abc" for q, unit in (("p", "mw"),)},
            **{f"{q}_{phase}_{unit}": FINITE for phase in "abc" for q, unit in (("q", "mvar"),)},
            "scaling": FINITE,
        }
        for table in ("asymmetric_load", "asymmetric_sgen")
    },
}
"""Columns that every element in service of a table needs, and the numbers that they may hold."""

_ALWAYS = {
    "trafo": ("sn_mva", "vn_hv_kv", "vn_lv_kv", "vk_percent", "vkr_percent"),
}
"""Columns that ``pandapower.runpp`` divides by out of service too, and fails of."""

_BUSES = ("bus", "from_bus", "to_bus", "hv_bus", "lv_bus")
_TAP_TYPES = ("Ratio", "Symmetrical", "Ideal", "Tabular")
_OWN_LIMITS = {"bus": ("min_vm_pu", "max_vm_pu"), "line": ("max_loading_percent",)}
_OWN_LIMITS["trafo"] = _OWN_LIMITS["line"]


def check_elements_of(net: Any, tables: Iterable[str] = tuple(COLUMNS)) -> None:
    """Refuse elements with a number that no power flow can take.

    Of what is out of service, buses must be there all the same, and the impedances of transformers
    be given: ``pandapower.runpp`` computes with them, and fails.

    Parameters
    ----------
    net : pandapowerNet
    tables : iterable of str
        Which tables to look at.

    Raises
    ------
    GridDataError
        Naming table, index, column and value.
    """
    buses = set(net.bus.index)
    for table in tables:
        frame = net.get(table)
        if frame is None or not len(frame):
            continue
        _check_in_service(frame, table)
        live = frame[in_service(frame)]
        _check_columns(live, table, COLUMNS[table])
        _check_columns(
            frame, table, {name: COLUMNS[table][name] for name in _ALWAYS.get(table, ())}
        )
        for column in _BUSES:
            if column in COLUMNS[table] and (strange := ~frame[column].isin(buses)).any():
                raise _refused(table, column, frame, strange.to_numpy(), "no bus of the network")
    for table, columns in _OWN_LIMITS.items():
        _check_own_limits(net[table], table, columns)
    _check_impedances(net)
    _check_switches(net)
    _check_taps(net.trafo)


def check_indices(net: Any) -> None:
    """Refuse element tables whose indices do not name one element each, by a whole number.

    Tables refer to one another by index, and pandapower looks rows up by it: of two of one index it
    takes one, and whatever is no number it casts or fails of.
    """
    for table, declared in ELEMENT_TABLES.items():
        frame = net.get(table)
        if declared.taken == "ignored" or not isinstance(frame, pd.DataFrame) or frame.empty:
            continue
        index = frame.index
        problem = ""
        if not pd.api.types.is_integer_dtype(index.dtype):
            problem = f"indices are no whole numbers: {some(index)}"
        elif (index < 0).any():
            problem = f"indices are negative: {some(index[index < 0])}"
        elif not index.is_unique:
            problem = f"indices stand for more than one row: {some(index[index.duplicated()])}"
        if problem:
            raise GridDataError(
                f"table {table}: {problem}",
                field=table,
                remedy="number the rows anew (pandapower.toolbox.create_continuous_elements_index "
                "keeps what refers to them), each by a whole number of its own",
            )


def _check_in_service(frame: pd.DataFrame, table: str) -> None:
    if "in_service" not in frame:
        return
    unclear = ~frame["in_service"].isin((True, False)).to_numpy()  # 1 and 0 are equal to them
    if unclear.any():
        raise _refused(table, "in_service", frame, unclear, "neither true nor false")


def _check_columns(live: pd.DataFrame, table: str, rules: Mapping[str, str]) -> None:
    for column, rule in rules.items():
        if column not in live:
            raise GridDataError(
                f"table {table} has no column {column!r}",
                field=f"{table}.{column}",
                remedy="write the network with pandapower.to_json",
            )
        values = numbers(live[column])
        wrong = ~np.isfinite(values) | _no_number(live[column])
        if rule == POSITIVE:
            wrong |= ~(values > 0.0)
        elif rule == NOT_NEGATIVE:
            wrong |= ~(values >= 0.0)
        elif rule == SHARE:
            wrong |= ~((values > 0.0) & (values <= 1.0))
        if wrong.any():
            raise _refused(table, column, live, wrong, f"not {rule}")


def _check_own_limits(frame: pd.DataFrame, table: str, columns: tuple[str, ...]) -> None:
    """Check limits of elements where there are any; an empty cell is none."""
    for column in columns:
        if column in frame:
            values = numbers(frame[column])
            given = frame[column].notna().to_numpy()
            wrong = given & ~(values > 0.0) & in_service(frame)
            if column == "min_vm_pu":
                wrong &= ~(values == 0.0)
            if wrong.any():
                raise _refused(table, column, frame, wrong, f"not {POSITIVE}")
    if table == "bus" and set(columns) <= set(frame):
        crossed = numbers(frame["min_vm_pu"]) > numbers(frame["max_vm_pu"])
        if crossed.any():
            raise _refused("bus", "min_vm_pu", frame, crossed, "above its max_vm_pu")


def _check_impedances(net: Any) -> None:
    """Refuse branches without any impedance: their current is not determined."""
    line = net.line[in_service(net.line)]
    zero = (numbers(line["r_ohm_per_km"]) == 0.0) & (numbers(line["x_ohm_per_km"]) == 0.0)
    if zero.any():
        raise _refused("line", "x_ohm_per_km", line, zero, "zero, and r_ohm_per_km too")
    trafo = net.trafo
    over = numbers(trafo["vkr_percent"]) > numbers(trafo["vk_percent"])
    if over.any():
        raise _refused("trafo", "vkr_percent", trafo, over, "above vk_percent")
    branch = net.impedance[in_service(net.impedance)]
    for ends in ("ft", "tf"):
        zero = (numbers(branch[f"r{ends}_pu"]) == 0.0) & (numbers(branch[f"x{ends}_pu"]) == 0.0)
        if zero.any():
            raise _refused("impedance", f"x{ends}_pu", branch, zero, f"zero, and r{ends}_pu too")


def _check_switches(net: Any) -> None:
    """Refuse switches of elements that there are not."""
    switch = net.switch
    for kind, table in (("b", "bus"), ("l", "line"), ("t", "trafo"), ("t3", "trafo3w")):
        own = (switch["et"] == kind).to_numpy()
        strange = own & ~switch["element"].isin(net[table].index).to_numpy()
        if strange.any():
            raise _refused("switch", "element", switch, strange, f"no {table} of the network")
    unclear = ~switch["closed"].isin((True, False)).to_numpy()
    if unclear.any():
        raise _refused("switch", "closed", switch, unclear, "neither true nor false")


def _check_taps(trafo: pd.DataFrame) -> None:
    """Refuse tap positions that pandapower 3 would pass over in silence.

    Without ``tap_changer_type`` it takes a transformer as if it stood in its neutral position;
    files of pandapower 2 and the converters of many others have none.
    """
    live = trafo[in_service(trafo)]
    for tap in ("tap", "tap2"):
        if f"{tap}_pos" not in live:
            continue
        position = numbers(live[f"{tap}_pos"])
        neutral = _of(live, f"{tap}_neutral", 0.0)
        moved = np.isfinite(position) & (position != np.where(np.isnan(neutral), 0.0, neutral))
        types = live.get(f"{tap}_changer_type", pd.Series("", index=live.index))
        unknown = moved & ~types.isin(_TAP_TYPES).to_numpy()
        if tap == "tap" and "tap_dependency_table" in live:
            by_table = live["tap_dependency_table"].fillna(False).to_numpy().astype(np.bool_)
            unknown |= moved & (types == "Tabular").to_numpy(dtype=np.bool_) & ~by_table
        if unknown.any():
            raise GridDataError(
                f"trafo {some(live.index[unknown])}: the tap position is not neutral, but no tap "
                "changer type says what a step does; pandapower.runpp ignores it",
                field=f"trafo.{tap}_changer_type",
                remedy=f'set net.trafo.{tap}_changer_type ("Ratio", "Symmetrical" or "Ideal"), or '
                f"{tap}_pos to {tap}_neutral if the taps do not count",
            )
        nowhere = moved & ~live[f"{tap}_side"].isin(("hv", "lv")).to_numpy()
        if nowhere.any():
            raise _refused(
                "trafo",
                f"{tap}_side",
                live,
                nowhere,
                "neither hv nor lv, though the tap position is not neutral (runpp ignores it)",
            )
        by_step = moved & types.isin(("Ratio", "Symmetrical")).to_numpy()
        step = _of(live, f"{tap}_step_percent", np.nan)
        unknown = by_step & ~(np.isfinite(step) & np.isfinite(neutral))
        if unknown.any():
            raise _refused(
                "trafo",
                f"{tap}_step_percent",
                live,
                unknown,
                f"not a finite number, or {tap}_neutral is not",
            )


def _no_number(column: pd.Series) -> BoolArray:
    """Return what would be cast to a number but is a text, or true or false."""
    if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column):
        return np.zeros(len(column), dtype=np.bool_)
    return np.array([isinstance(value, (str, bool, np.bool_)) for value in column], dtype=np.bool_)


def numbers(column: pd.Series) -> FloatArray:
    """Return a column as numbers; NaN for what is none."""
    return pd.to_numeric(column, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)


def _of(frame: pd.DataFrame, column: str, otherwise: float) -> FloatArray:
    return numbers(frame[column]) if column in frame else np.full(len(frame), otherwise)


def _refused(
    table: str, column: str, frame: pd.DataFrame, wrong: BoolArray, problem: str
) -> GridDataError:
    first = frame.index[wrong][0]
    more = int(wrong.sum()) - 1
    others = f" (as in {some(frame.index[wrong][1:])})" if more else ""
    value = frame[column][first] if column in frame else None
    return GridDataError(
        f"{table} {first}: {column} is {value}, {problem}{others}",
        field=f"{table}.{column}",
        remedy=f"correct net.{table}.{column}, or put the element out of service"
        if "in_service" in frame and in_service(frame)[wrong].all() and column != "in_service"
        else f"correct net.{table}.{column}, or remove the row",
    )
