"""Sums of devices' columns by role, those of other packages among them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from cosim.devices import catalogue
from cosim.devices.device import DeviceColumn
from cosim.results.power import power_mw

COLUMNS = {
    "pv_p_mw": [1.0, 2.0],
    "load_p_mw": [10.0, 20.0],
    "ev_p_mw": [0.5, 0.25],
    "heat_pump_p_mw": [0.0, 4.0],
    "battery_p_mw": [-7.0, 7.0],
    "shed_p_mw": [100.0, 100.0],
    "soc_mwh": [9.0, 9.0],
}


def test_columns_add_up_by_role() -> None:
    for columns in ({name: np.array(p) for name, p in COLUMNS.items()}, pd.DataFrame(COLUMNS)):
        assert list(power_mw(columns, "generation")) == [1.0, 2.0]
        assert list(power_mw(columns, "consumption")) == [10.5, 24.25]
        assert list(power_mw(columns, "storage")) == [-7.0, 7.0]


def test_a_device_of_another_package_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    turbine = DeviceColumn("turbine_p_mw", "MW", "generation of turbines", "generation")
    every = (*catalogue.net_columns(), turbine)
    monkeypatch.setattr(catalogue, "net_columns", lambda: every)
    columns = pd.DataFrame(COLUMNS | {"turbine_p_mw": [30.0, 0.0]})
    assert list(power_mw(columns, "generation")) == [31.0, 2.0]
    assert list(power_mw(columns.drop(columns="turbine_p_mw"), "generation")) == [1.0, 2.0]
