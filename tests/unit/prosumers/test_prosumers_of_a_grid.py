"""A day of the congested feeder: 118 prosumers of SimBench's rural grid 3, 24 May 2016."""

from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cosim.devices.battery import Battery
from cosim.devices.delivery import Devices
from cosim.devices.pv import Photovoltaics
from cosim.prosumers.bidding import Bidders
from cosim.prosumers.elements import profile_columns, read_elements
from cosim.prosumers.forecasts import make_forecasts
from cosim.prosumers.population import build_population
from cosim.prosumers.profiles import load_window
from cosim.scenario.prosumers import (
    ProsumerSeeds,
    ProsumerSettings,
    ScalingSettings,
    Tariff,
)

GRID = Path(__file__).resolve().parents[3] / "grids" / "1-LV-rural3--2-sw"
SEEDS = ProsumerSeeds.spawn(20160524)
PARAMETERS = ProsumerSettings(
    scaling=ScalingSettings(pv=3.0, ev=3.0, heat_pump=3.0),
    forecast={"model": {"name": "nowcast"}},
)


@pytest.fixture(scope="module")
def population():
    names = pd.read_csv(GRID / "connection_points.csv")["name"].tolist()
    elements = read_elements(pd.read_csv(GRID / "elements.csv"), names)
    columns = profile_columns(elements)
    window = load_window(GRID / "profiles.parquet", columns, datetime(2016, 5, 24), 96, 900)
    return build_population(elements, names, PARAMETERS, window, 900, SEEDS.devices)


def test_every_element_arrives_in_the_population(population):
    table = pd.read_csv(GRID / "elements.csv")
    rated_mw = table.groupby("kind")["p_mw"].sum()
    assert population.n == 118
    assert population.of(Photovoltaics).rated_mw.sum() == pytest.approx(3 * rated_mw["pv"])
    assert population.deferral.rated_mw.sum() == pytest.approx(
        3 * (rated_mw["ev"] + rated_mw["heat_pump"]), rel=1e-3
    )
    owners = (population.of(Photovoltaics).rated_mw > 0).sum()
    assert (population.of(Battery).capacity_mwh > 0).sum() == round(0.5 * owners)
    with_storage = set(table.loc[table.kind == "storage", "connection_point"])
    has_battery = dict(zip(population.names, population.of(Battery).capacity_mwh > 0, strict=True))
    assert all(has_battery[name] for name in with_storage)


def test_a_day_of_plans_and_deliveries(population):
    forecasts = make_forecasts(population, PARAMETERS.forecast, SEEDS.forecasts)
    bidders = Bidders(population, forecasts, PARAMETERS, Tariff(300_000, 80_000), SEEDS)
    devices = Devices(population)
    nothing = np.zeros(population.n, dtype=np.int64)
    planned, metered, soc = [], [], []
    for k in range(population.n_intervals):
        bids = bidders.bid(k, devices.soc_mwh, devices.owed_mwh)
        delivery = devices.deliver(k, bids.planned_wh, nothing, nothing)
        planned.append(bids.planned_wh)
        metered.append(delivery.metered_wh)
        soc.append(delivery.soc_mwh.sum())
    planned, metered, soc = np.array(planned), np.array(metered), np.array(soc)
    # the sun fills the batteries by the afternoon, the evening draws on them
    assert soc[4 * 15] > 0.95 * population.of(Battery).capacity_mwh.sum()
    assert soc[-1] < 0.85 * soc[4 * 15]
    # forecasts err by a few percent, and batteries with room take their owners' error
    error = metered - planned
    noon = slice(4 * 10, 4 * 14)
    injected = metered[noon].sum(axis=1)
    assert (injected > 100_000).all()
    relative = np.abs(error[noon].sum(axis=1)) / injected
    assert 0.001 < relative.mean() < 0.08
    night = error[: 4 * 4]
    has_battery = population.of(Battery).capacity_mwh > 0
    assert not night[:, has_battery].any()
    assert night[:, ~has_battery].any(axis=0).mean() > 0.9
