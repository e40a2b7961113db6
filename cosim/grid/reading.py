"""Reading a network file: walked as data first, so that nothing unknown in it is ever built.

pandapower writes objects as ``{"_module": ..., "_class": ..., "_object": ...}`` and, when it reads
a file, imports the module and builds the class; below 3.5.4 of any name. Here every such pair is
compared with a list before pandapower sees the file, in nested strings too. Of controllers in
service, ``DiscreteTapControl`` is read as data, and every other refused by its name, since a power
flow of a run asks none; those out of service, and what belongs to time series and protection, are
left out unbuilt.
"""

from __future__ import annotations

import copy
import json
import re
import reprlib
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import pandapower as pp
import pandas as pd

from cosim.errors import GridDataError
from cosim.grid.tap_control import TABLE, controller_rows
from cosim.grid.validation import require
from cosim.inputs.json_file import DuplicateKeyError, parse_json

_TABLE = {("pandas.core.frame", "DataFrame"), ("pandas", "DataFrame")}
_NETWORK = ("pandapower.auxiliary", "pandapowerNet")
# their content is JSON in a string
_NESTED = _TABLE | {
    ("pandas.core.series", "Series"),
    ("pandas", "Series"),
    ("geopandas.geodataframe", "GeoDataFrame"),
    # a transformer's impedance may depend on its tap by one of these
    ("pandapower.control.util.characteristic", "Characteristic"),
    ("pandapower.control.util.characteristic", "SplineCharacteristic"),
    ("pandapower.control.util.characteristic", "LogSplineCharacteristic"),
}
_VALUES = {
    "builtins": ("complex", "tuple", "set", "frozenset"),
    "networkx": ("MultiGraph",),
    "numpy": (
        *("array", "bool", "bool_", "float16", "float32", "float64", "complex64", "complex128"),
        *(f"{kind}{bits}" for kind in ("int", "uint") for bits in (8, 16, 32, 64)),
    ),
    "pandas": ("Index", "RangeIndex", "Int64Index", "Float64Index", "DatetimeIndex"),
    "shapely": ("Point", "LineString", "Polygon"),
}
BUILT = frozenset({_NETWORK} | _NESTED) | {
    (module, name) for module, names in _VALUES.items() for name in names
}
"""Module and class of all that is built: what pandapower writes of tables and their values."""
_TAP_CONTROL = ("pandapower.control.controller.trafo.DiscreteTapControl", "DiscreteTapControl")
UNBUILT = ("pandapower.control.", "pandapower.timeseries.", "pandapower.protection.")
"""Modules of controllers and of what belongs to them."""
_FLAGS = ("in_service", "closed")
_NUMERIC = re.compile("u?int|float")
_WHOLE = re.compile("u?int")
# whatever else stands next to an object is an argument of what builds it
_KEYS = frozenset(
    {"_module", "_class", "_object", "dtype", "orient", "typ", "crs", "columns"}
    | {"index_name", "index_names", "column_name", "column_names"}
    | {"is_multiindex", "is_multicolumn"}
)


def read_network(file: Path) -> Any:
    """Read a pandapower network from JSON.

    Parameters
    ----------
    file : Path
        As ``pandapower.to_json`` writes it.

    Returns
    -------
    pandapowerNet
        Without rows that hold a controller, and without stored options of power flows, which would
        reach every engine; empty tables have the columns of the pandapower that runs.

    Raises
    ------
    GridDataError
        If the file is missing, is no pandapower network, has a controller in service, or holds
        anything beyond pandapower's own tables and controllers. Then nothing of it was imported or
        built.
    """
    return read_with_options(file)[0]


def read_with_options(file: Path) -> tuple[Any, dict[str, Any]]:
    """Read a network as :func:`read_network`, and the options of power flows stored with it."""
    require(file)
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise _unreadable(file, str(error)) from error
    net, stored = copy.deepcopy(_built(_Source(text, file)))
    return net, stored


@dataclass(frozen=True)
class _Source:
    text: str
    file: Path = field(compare=False)  # named in errors


@lru_cache(maxsize=4)
def _built(source: _Source) -> tuple[Any, dict[str, Any]]:
    """Build what a text says, once for all runs of a study and their reports.

    A copy takes a hundredth of the time.
    """
    file = source.file
    checked, taps = inspected(source.text, file)
    try:
        net = pp.from_json_string(checked, convert=True)
    except Exception as error:  # pandapower raises whatever its reader met
        raise _unreadable(file, str(error)) from error
    if not isinstance(net, pp.pandapowerNet):
        raise GridDataError(
            "holds no pandapower network", file=file, remedy="write it with pandapower.to_json"
        )
    _adopt_tables(net, file)
    if taps:
        net[TABLE] = pd.DataFrame(taps)
    stored = net.get("user_pf_options")
    net["user_pf_options"] = {}
    return net, dict(stored) if isinstance(stored, dict) else {}


def inspected(text: str, file: Path) -> tuple[str, list[dict[str, Any]]]:
    """Return the JSON of a network as it may be built, and the tap controllers in it.

    Parameters
    ----------
    text : str
        JSON.
    file : Path
        Named in errors.

    Returns
    -------
    checked : str
        The same data written anew, without controllers: what is built is what was looked at.
    taps : list of dict
        Rows of the table ``tap_control``: each ``DiscreteTapControl`` in service, read as data.

    Raises
    ------
    GridDataError
        As :func:`read_network`.
    """
    walk = _Walk(file)
    try:
        checked = json.dumps(walk.value(parse_json(text), ""))
    except (ValueError, RecursionError) as error:
        raise _unreadable(file, str(error)) from error
    if walk.controllers:
        raise GridDataError(
            f"holds controllers in service: {', '.join(walk.controllers)}; the power flow of a run "
            "asks no controller but DiscreteTapControl",
            file=file,
            field="controller",
            remedy="solve the network with pandapower.runpp(net, run_control=True), so that taps "
            "and set points are where they lead, then put them out of service "
            '(net.controller["in_service"] = False) and write the file again',
        )
    if len(walk.levels) > 1:
        raise GridDataError(
            f"holds tap controllers of {len(walk.levels)} levels, which act one after the other; "
            "those of a run step together",
            file=file,
            field="controller.level",
            remedy="give all controllers one level",
        )
    return checked, walk.taps


def _unreadable(file: Path, problem: str) -> GridDataError:
    return GridDataError(
        f"cannot be read as a pandapower network: {problem}",
        file=file,
        remedy="write it with pandapower.to_json",
    )


class _Walk:
    """Walk through the data of one file; nothing of it is imported or built."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.controllers: list[str] = []
        """Class and index of each controller in service that no run has."""
        self.taps: list[dict[str, Any]] = []
        """Rows of the table of tap controllers."""
        self.levels: set[str] = set()

    def value(self, value: Any, path: str, *, unbuilt: bool = False) -> Any:
        """Return a value as it may be built.

        Parameters
        ----------
        value : any JSON
        path : str
            Where it stands, for errors.
        unbuilt : bool
            Whether it belongs to what is left out.
        """
        if isinstance(value, dict):
            if "_module" in value or "_class" in value:
                return self._object(value, path, unbuilt)
            return {
                name: self.value(inner, f"{path}.{name}".lstrip("."), unbuilt=unbuilt)
                for name, inner in value.items()
            }
        if isinstance(value, list):
            return [self.value(inner, path, unbuilt=unbuilt) for inner in value]
        if isinstance(value, str) and value.lstrip()[:1] in ("{", "[", '"'):
            try:
                nested = parse_json(value)
            except DuplicateKeyError:
                raise
            except ValueError:
                return value  # a text like any other
            self.value(nested, path, unbuilt=True)
        return value

    def _object(self, value: dict[str, Any], path: str, unbuilt: bool) -> dict[str, Any]:
        pair = (str(value.get("_module")), str(value.get("_class")))
        named = ".".join(pair)
        is_controller = _is_controller(value)
        if pair not in BUILT and not is_controller:
            raise self._refused(
                f"holds an object of class {named}, which is none of pandapower's tables and "
                "controllers; it was not built",
                path,
            )
        if is_controller and not unbuilt:
            raise self._refused(f"holds a {named} that is no row of a table", path)
        if more := sorted(value.keys() - _KEYS):
            raise self._refused(f"gives {named} the unknown argument {more[0]!r}", path)
        content = value.get("_object")
        if pair == _NETWORK and not isinstance(content, dict):
            raise self._refused(f"holds a {named} that is no mapping of tables", path)
        if pair not in _NESTED and not (is_controller and isinstance(content, str)):
            rest = {name: inner for name, inner in value.items() if name[:1] != "_"}
            self.value(rest, path, unbuilt=unbuilt)
            return {**value, "_object": self.value(content, path, unbuilt=unbuilt)}
        if not isinstance(content, str):
            raise self._refused(f"holds a {named} that is no JSON in a text", path)
        nested = parse_json(content)
        if pair in _TABLE and isinstance(nested, dict) and value.get("orient") == "split":
            dtypes = value.get("dtype")
            nested = self._table(nested, path, unbuilt, dtypes if isinstance(dtypes, dict) else {})
        else:
            nested = self.value(nested, path, unbuilt=unbuilt)
        return {**value, "_object": json.dumps(nested)}

    def _table(
        self, table: dict[str, Any], path: str, unbuilt: bool, dtypes: dict[str, Any]
    ) -> dict[str, Any]:
        """Return a table without the rows that hold a controller."""
        columns, index, rows = (table.get(part) for part in ("columns", "index", "data"))
        if not (isinstance(columns, list) and isinstance(index, list) and isinstance(rows, list)):
            raise self._refused("holds a table without columns, index or data", path)
        kept_index, kept_rows = [], []
        for number, row in zip(index, rows, strict=True):
            if not isinstance(row, list):
                raise self._refused("holds a table with a row that is no list", path)
            left_out = any(_is_controller(cell) for cell in row)
            for column, cell in zip(map(str, columns), row, strict=True):
                self._check_cell(path, number, column, str(dtypes.get(column)), cell)
            cells = [
                self.value(cell, f"{path}.{column}", unbuilt=unbuilt or left_out)
                for column, cell in zip(columns, row, strict=True)
            ]
            if left_out and path == "controller":
                self._note(columns, number, row)
            if not left_out:
                kept_index.append(number)
                kept_rows.append(cells)
        return {**table, "index": kept_index, "data": kept_rows}

    def _check_cell(self, path: str, number: Any, column: str, dtype: str, cell: Any) -> None:
        """Refuse what pandapower would cast: ``"False"`` to true, bus 2.5 to bus 2."""
        problem = ""
        if column in _FLAGS and cell not in (True, False):  # 1 and 0 are equal to them
            problem = "neither true nor false"
        elif _WHOLE.match(dtype) and isinstance(cell, float) and not cell.is_integer():
            problem = "no whole number"
        elif isinstance(cell, bool) and _NUMERIC.match(dtype):
            problem = "no number"
        if problem:
            raise GridDataError(
                f"{path} {number}: {column} is {reprlib.repr(cell)}, {problem}",
                file=self._file,
                field=f"{path}.{column}",
                remedy=f"correct net.{path}.{column}, and write it with pandapower.to_json",
            )

    def _note(self, columns: list[Any], number: Any, row: list[Any]) -> None:
        """Keep the name of a controller, unless it is out of service."""
        own = dict(zip(map(str, columns), row, strict=True))
        if not own.get("in_service", True):
            return
        cell = next(cell for cell in row if _is_controller(cell))
        named = f"{cell['_class']} (controller {number})"
        content = cell.get("_object")
        parsed = parse_json(content) if isinstance(content, str) else content
        if (cell["_module"], cell["_class"]) != _TAP_CONTROL or not isinstance(parsed, dict):
            self.controllers.append(named)
            return
        self.levels.add(str(own.get("level")))
        try:
            self.taps.extend(controller_rows(named, parsed))
        except GridDataError as error:
            raise GridDataError(
                error.problem, file=self._file, field=error.field, remedy=error.remedy
            ) from error

    def _refused(self, problem: str, path: str) -> GridDataError:
        return GridDataError(
            problem,
            file=self._file,
            field=path or None,
            remedy="take a network from a source that you trust, remove the object, and write it "
            "with pandapower.to_json",
        )


def _is_controller(value: Any) -> bool:
    """Return True for a controller of pandapower, or what belongs to one."""
    if not isinstance(value, dict):
        return False
    module, name = str(value.get("_module")), str(value.get("_class"))
    return module.startswith(UNBUILT) and (module, name) not in BUILT


@lru_cache(maxsize=1)
def _empty_network() -> Any:
    """Return a network without elements; to be copied from, for making one takes long."""
    return pp.create_empty_network()


def _adopt_tables(net: Any, file: Path) -> None:
    """Give element tables without a row the columns of the pandapower that runs.

    A grid folder may have been written by a later pandapower, which renamed columns (of loads, for
    one) that an earlier one looks up even if there is no load.
    """
    for element, table in _empty_network().items():
        if not isinstance(table, pd.DataFrame):
            continue
        own = net.get(element, table)
        if not isinstance(own, pd.DataFrame):
            raise GridDataError(
                f"{element} is {reprlib.repr(own)}, not a table",
                file=file,
                field=element,
                remedy="write it with pandapower.to_json, or leave it out where there is none",
            )
        if own.empty:
            net[element] = table.copy()
