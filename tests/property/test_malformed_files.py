"""Whatever networks, tables and series hold, they are read or refused by file and remedy.

Files of a user's own grid and of prices are changed at random, and given to the importer, to a grid
folder and to a scenario. Nothing half-written is left. ``COSIM_FUZZ_EXAMPLES`` sets how many.
"""

from __future__ import annotations

import json
import shutil
from itertools import pairwise
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pandapower as pp
import pytest
from hypothesis import given
from malformed import ENCODINGS, change, edited, edits, fuzzed, packed, unpacked

from cosim.errors import UserError
from cosim.grid.catalogue import open_grid
from cosim.grid.importers import import_pandapower
from cosim.inputs.prices import PriceFile, price_series
from cosim.scenario import scenario_of

CELLS = st.sampled_from(
    [
        *("", " ", "nan", "-1", "0", "1e308", "1e999", "1,5", "é", '"', "x", "9" * 400, "inf"),
        *("\x00", "CP 1", "A", "B", "constant", "pv", "load", "storage"),
        *("2016-01-01T00:07", "0001-01-01"),
    ]
)
HEADER = "connection_point,name,kind,profile,p_mw,q_mvar,capacity_mwh"
ROWS = "CP 1,load 1,load,A,0.01,0.002,0\nCP 1,roof,pv,B,0.02,0,0\nCP 2,bat,storage,,0.005,0,0.01"
POINTS = "name,bus\nCP 1,2\nCP 2,3\n"
TIMES = [f"2016-01-01T{k // 4:02d}:{k % 4 * 15:02d}" for k in range(8)]
PROFILES = "time,A_p,A_q,B_p\n" + "".join(f"{t},0.5,0.5,{k / 8}\n" for k, t in enumerate(TIMES))
PRICES = "time,price\n" + "".join(f"{t},{40 + k}\n" for k, t in enumerate(TIMES))


def network() -> Any:
    """A transformer and a feeder of three buses, with a load, a plant, a battery and a switch."""
    net = pp.create_empty_network()
    high, *low = pp.create_bus(net, 20.0), *(pp.create_bus(net, 0.4) for _ in range(3))
    pp.create_ext_grid(net, high)
    pp.create_transformer(net, high, low[0], "0.4 MVA 20/0.4 kV")
    for a, b in pairwise(low):
        pp.create_line(net, a, b, 0.15, "NAYY 4x150 SE")
    pp.create_switch(net, low[1], 0, et="l")
    pp.create_load(net, low[1], 0.01, 0.002)
    pp.create_sgen(net, low[1], 0.02)
    pp.create_storage(net, low[2], 0.005, 0.01)
    return net


NETWORK = unpacked(json.loads(pp.to_json(network())))
NAMES = sorted(set(NETWORK["_object"]) | {"_module", "_class", "_object", "dtype", "orient"})


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("given")
    texts = {
        "net.json": json.dumps(packed(NETWORK)),
        "points.csv": POINTS,
        "elements.csv": f"{HEADER}\n{ROWS}\n",
        "profiles.csv": PROFILES,
        "prices.csv": PRICES,
    }
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    return {name: folder / name for name in texts}


@pytest.fixture(scope="module")
def grid(files: dict[str, Path]) -> Path:
    made = files["net.json"].parent / "grid"
    return import_pandapower(
        files["net.json"],
        files["points.csv"],
        made,
        elements=files["elements.csv"],
        profiles=files["profiles.csv"],
    )


@st.composite
def networks(draw: Any) -> bytes:
    """The network's JSON with some of its data changed, those of tables too."""
    data = json.loads(json.dumps(NETWORK))
    for _ in range(draw(st.integers(1, 3))):
        change(draw, data, NAMES)
    return json.dumps(packed(data)).encode("utf-8", "surrogatepass")


@st.composite
def tables(draw: Any, text: str) -> bytes:
    """A CSV table with cells, rows and columns changed, left out or doubled."""
    rows = [line.split(",") for line in text.splitlines()]
    for _ in range(draw(st.integers(1, 3))):
        row = draw(st.integers(0, len(rows) - 1)) if rows else 0
        match draw(st.sampled_from(["cell", "cell", "cell", "row", "twice", "column", "mark"])):
            case "cell" if rows and rows[row]:
                rows[row][draw(st.integers(0, len(rows[row]) - 1))] = draw(CELLS)
            case "row" if rows:
                del rows[row]
            case "twice" if rows:
                rows.insert(row, list(rows[row]))
            case "column" if rows:
                at = draw(st.integers(0, 7))
                rows = [line[:at] + line[at + 1 :] for line in rows]
            case "mark":
                mark = draw(st.sampled_from([";", "\t", "|"]))
                rows = [[mark.join(line)] for line in rows]
    text = "\n".join(",".join(line) for line in rows) + "\n"
    return edited(text.encode(), draw(edits) if draw(st.booleans()) else [], draw(encodings))


encodings = st.sampled_from(ENCODINGS)


def spoilt(draw: Any, name: str, original: bytes) -> bytes:
    """A file of some name, changed as such files may be."""
    if draw(st.integers(0, 9)) == 0:
        return edited(original, draw(edits), draw(encodings))
    if name.endswith(".json"):
        return bytes(draw(networks()))
    if name.endswith(".parquet"):
        return edited(original, draw(edits))
    return bytes(draw(tables(original.decode())))


def refused_well(error: UserError, folder: Path) -> None:
    """A refusal names a file that was given, and says what to do, at no great length."""
    assert error.file is not None
    assert folder in (Path(error.file), *Path(error.file).parents)
    assert error.field or error.remedy
    assert all(len(word) < 300 for word in str(error).split())


@fuzzed(5, cost=10)
@given(data=st.data())
def test_the_importer(
    data: st.DataObject, files: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.getbasetemp() / "import"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    name = data.draw(st.sampled_from(["net.json", "net.json", *list(files)[1:4]]))
    for each in list(files)[:4]:
        raw = files[each].read_bytes()
        (folder / each).write_bytes(spoilt(data.draw, each, raw) if each == name else raw)
    given = {key: folder / f"{key}.csv" for key in ("elements", "profiles")}
    if data.draw(st.booleans()):
        del given["elements"]
    before = sorted(folder.iterdir())
    try:
        import_pandapower(folder / "net.json", folder / "points.csv", folder / "grid", **given)
    except UserError as error:
        refused_well(error, folder)
        assert sorted(folder.iterdir()) == before
    else:
        open_grid(folder / "grid")


@fuzzed(12, cost=4)
@given(data=st.data())
def test_a_grid_folder(
    data: st.DataObject, grid: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.getbasetemp() / "a grid"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(grid, folder)
    names = ["network.json", "network.json", "connection_points.csv", "elements.csv"]
    file = folder / data.draw(st.sampled_from([*names, "profiles.parquet"]))
    if file.name == "network.json" and data.draw(st.booleans()):
        own = unpacked(json.loads(file.read_text()))
        change(data.draw, own["_object"], NAMES)
        file.write_bytes(json.dumps(packed(own)).encode("utf-8", "surrogatepass"))
    else:
        file.write_bytes(spoilt(data.draw, file.name, file.read_bytes()))
    try:
        open_grid(folder)
    except UserError as error:
        refused_well(error, folder)


@fuzzed(100)
@given(raw=tables(PRICES), step_s=st.sampled_from([300, 900, 3600]), shift=st.integers(0, 20))
def test_a_series_of_prices(raw: bytes, step_s: int, shift: int, files: dict[str, Path]) -> None:
    folder = files["prices.csv"].parent
    file = folder / "changed.csv"
    file.write_bytes(raw)
    price = PriceFile(file=file.name, column="price", unit="EUR/MWh")
    start = scenario_of(BASE, "s.yaml").time.start
    try:
        found = price_series(price, start, 2, step_s, folder, "market.retail_eur_per_kwh")
    except UserError as error:
        refused_well(error, folder)
    else:
        assert all(abs(value) < float("inf") for value in found)


BASE = {
    "name": "s",
    "seed": 1,
    "time": {"start": "2016-01-01T00:30:00", "intervals": 2},
    "grid": {"network": "1-LV-rural1--1-sw"},
}
