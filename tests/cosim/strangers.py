"""Entries of foreign simulators for scenarios, and what the tests ask of their runs."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd

from cosim.grid.catalogue import GridCase, open_grid

SCRIPT = Path(__file__).with_name("foreign_simulators.py")
POINT = "LV1.101 Bus 8"
READS = (
    ("grid", "Bus-4", "Vm[pu]", "voltage"),
    ("grid", "Line-2", "loading[%]", "loading"),
    ("devices", POINT, "P[MW]", "power"),
)
CONSUMPTION = {"attribute": "consumption", "to_entity": POINT, "to_attribute": "P_load[MW]"}


@cache
def grid_of(network: str, scenario_folder: Path | None = None) -> GridCase:
    """A grid, read once for all tests."""
    return open_grid(network, scenario_folder)


def remote(simulator: str) -> str:
    """Command that starts one of ``foreign_simulators`` in a process of its own."""
    return f"%(python)s '{SCRIPT}' {simulator} %(addr)s"


def listener(log: Path, reads=READS, **start: str) -> dict[str, Any]:
    """A `Listener` that writes to a log; in this process unless told otherwise."""
    names = ("from_simulator", "from_entity", "from_attribute", "attribute")
    return {
        "name": "display",
        "params": {"log": str(log)},
        "model": "Display",
        "reads": [dict(zip(names, reading, strict=True)) for reading in reads],
    } | (start or {"python": "foreign_simulators:Listener"})


def heard(log: Path) -> list[dict[str, Any]]:
    """Lines of a log."""
    return [json.loads(line) for line in log.read_text().splitlines()]


def stand_in(
    role: str, simulator: str, *, elsewhere: bool = False, **params: Any
) -> dict[str, Any]:
    """One of ``foreign_simulators`` in the place of one of ours."""
    start = (
        {"cmd": remote(simulator)} if elsewhere else {"python": f"foreign_simulators:{simulator}"}
    )
    return {"name": "stranger", "replaces": role, "model": "StandIn", "params": params} | start


def assert_same(a: dict[str, pd.DataFrame], b: dict[str, pd.DataFrame], but: set[str]) -> None:
    """Assert that two runs wrote the same tables but for the named ones."""
    assert a.keys() == b.keys()
    for name in a.keys() - but:
        pd.testing.assert_frame_equal(a[name], b[name], obj=name, check_exact=True)
