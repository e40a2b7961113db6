"""A small population whose every number can be worked out by hand."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from cosim.devices.battery import BatterySettings
from cosim.devices.deferral import DeferralSettings
from cosim.devices.population import Population
from cosim.prosumers.elements import Element
from cosim.prosumers.population import build_population
from cosim.scenario.prosumers import ProsumerSettings, Tariff

STEP_S = 900
NAMES = ("consumer", "pv_owner", "battery_owner", "heat_pump_owner", "empty")
PROFILES = {
    "load_p": np.array([0.5, 1.0, 0.25, 0.5]),
    "load_q": np.array([0.2, 0.4, 0.1, 0.2]),
    "sun_p": np.array([0.0, 0.5, 1.0, 0.4]),
    "heat_p": np.array([0.4, 0.5, 0.2, 0.0]),
    "heat_q": np.array([0.4, 0.5, 0.2, 0.0]),
    "car_p": np.array([0.0, 0.2, 0.6, 0.0]),
}
ELEMENTS = (
    Element("consumer", "load", "load", 0.004, 0.001),
    Element("pv_owner", "load", "load", 0.002, 0.0),
    Element("pv_owner", "pv", "sun", 0.010, 0.0),
    Element("battery_owner", "load", "load", 0.002, 0.0),
    Element("battery_owner", "pv", "sun", 0.006, 0.0),
    Element("battery_owner", "storage", "", 0.006, 0.0),
    Element("heat_pump_owner", "load", "load", 0.002, 0.0),
    Element("heat_pump_owner", "heat_pump", "heat", 0.005, 0.002),
    Element("heat_pump_owner", "ev", "car", 0.010, 0.0),
)
PARAMETERS = ProsumerSettings(
    battery=BatterySettings(
        share_of_pv_owners=0.5,
        capacity_kwh=8.0,
        p_max_kw=4.0,
        charge_efficiency=0.9,
        discharge_efficiency=0.8,
        soc_initial=0.5,
        soc_min=0.1,
    ),
    deferral=DeferralSettings(share_of_power=0.5, energy_max_kwh=1.0),
)


@pytest.fixture
def tariff() -> Tariff:
    return Tariff(retail_price_ueur_per_kwh=300_000, feed_in_price_ueur_per_kwh=80_000)


@pytest.fixture
def make_population() -> Callable[..., Population]:
    """Builds the population; keyword arguments replace fields of its parameters."""

    def make(**changes: object) -> Population:
        return build_population(
            ELEMENTS,
            NAMES,
            PARAMETERS.model_copy(update=changes),
            PROFILES,
            STEP_S,
            np.random.SeedSequence(1),
        )

    return make


@pytest.fixture
def population(make_population: Callable[..., Population]) -> Population:
    return make_population()


@pytest.fixture
def parameters() -> ProsumerSettings:
    return PARAMETERS
