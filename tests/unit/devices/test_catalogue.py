"""Columns by what they do to the net injection, and the order in which they add up."""

from __future__ import annotations

import numpy as np

from cosim.devices.catalogue import (
    columns_of,
    device_columns,
    net_columns,
    net_injection_mw,
    registered,
)


def test_kinds_come_by_rank() -> None:
    assert [device.kind for device in registered()] == [
        *("load", "pv", "ev", "heat_pump", "storage"),
        *("wind", "hydro", "chp", "biomass", "generator"),
    ]


def test_columns_are_found_by_role_among_those_present() -> None:
    present = [column.name for column in device_columns()]
    assert columns_of("generation", present) == ("pv_p_mw",)
    assert columns_of("consumption", present) == ("load_p_mw", "ev_p_mw", "heat_pump_p_mw")
    assert columns_of("storage", present) == ("battery_p_mw",)
    assert columns_of("consumption", ["ev_p_mw", "soc_mwh"]) == ("ev_p_mw",)


def test_net_injection_is_the_signed_sum_of_what_is_there() -> None:
    present = [column for column in net_columns() if column in device_columns()]
    values = {column.name: np.array([float(i + 1)]) for i, column in enumerate(present)}
    pv, *others = (values[name][0] for name in values)
    assert net_injection_mw(values) == [pv - sum(others)]
    assert net_injection_mw(values | {"wind_p_mw": np.array([4.0])}) == [pv - sum(others) + 4.0]
    assert net_injection_mw({"ev_p_mw": np.array([2.0])}) == [-2.0]
    values |= {"soc_mwh": np.array([100.0])}
    assert net_injection_mw(values) == [pv - sum(others)]
