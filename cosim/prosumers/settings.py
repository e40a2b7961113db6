"""Parameters of a population, as plain frozen values.

Field names and defaults are those of a scenario's ``prosumers`` section, so that a section maps to
its class field by field.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from cosim.seeds import child_seed

BatteryMode = Literal["self_consumption", "arbitrage"]


@dataclass(frozen=True, slots=True)
class ScalingFactors:
    """Factors on the network's published powers. [-]"""

    load: float = 1.0
    pv: float = 1.0
    ev: float = 1.0
    heat_pump: float = 1.0


@dataclass(frozen=True, slots=True)
class BatteryParameters:
    """Home batteries: who has one and what it can do.

    Parameters
    ----------
    share_of_pv_owners : float
        Share of PV owners with a battery. [-]
    capacity_kwh : float
        Energy it can hold. [kWh]
    p_max_kw : float
        Rating, both ways, at the grid side of the converter. [kW]
    charge_efficiency, discharge_efficiency : float
        One-way efficiencies. [-]
    soc_initial, soc_min : float
        State of charge at the start, and the least one, as a share of the capacity. [-]
    mode : str
        ``self_consumption`` or ``arbitrage``.
    """

    share_of_pv_owners: float = 0.5
    capacity_kwh: float = 8.0
    p_max_kw: float = 4.0
    charge_efficiency: float = 0.96
    discharge_efficiency: float = 0.96
    soc_initial: float = 0.5
    soc_min: float = 0.05
    mode: BatteryMode = "self_consumption"


@dataclass(frozen=True, slots=True)
class DeferralParameters:
    """How much EV and heat-pump consumption may be put off.

    Parameters
    ----------
    share_of_power : float
        Deferrable share of the momentary power. [-]
    energy_max_kwh : float
        Most energy owed per prosumer. [kWh]
    """

    share_of_power: float = 0.5
    energy_max_kwh: float = 4.0


@dataclass(frozen=True, slots=True)
class ForecastParameters:
    """Error model of the forecasts; see :func:`cosim.prosumers.forecasts.make_forecasts`.

    Parameters
    ----------
    persistence : float
        Weight of the last measured value against the profile of the interval. [-]
    noise : float
        Standard deviation relative to power. [-]
    autocorrelation : float
        AR(1) coefficient of the noise per interval. [-]
    """

    persistence: float = 0.1
    noise: float = 0.03
    autocorrelation: float = 0.7


@dataclass(frozen=True, slots=True)
class StrategyShare:
    """A bidding strategy by name, the share of prosumers that follow it, and its options."""

    name: str = "truthful"
    share: float = 1.0
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ProsumerParameters:
    """Who lives on the grid: all of the above, and the meters.

    Parameters
    ----------
    meters : mapping of str to str
        Meter of a connection point, by name; a connection point that is not listed has one of its
        own, ``meter-<name>``.
    """

    scaling: ScalingFactors = ScalingFactors()
    battery: BatteryParameters = BatteryParameters()
    deferral: DeferralParameters = DeferralParameters()
    forecast: ForecastParameters = ForecastParameters()
    strategies: tuple[StrategyShare, ...] = (StrategyShare(),)
    meters: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Tariff:
    """The supplier's prices, which every prosumer can fall back on.

    Parameters
    ----------
    retail_price_ueur_per_kwh : int
        What a prosumer pays the supplier. [µEUR/kWh]
    feed_in_price_ueur_per_kwh : int
        What the supplier pays a prosumer. [µEUR/kWh]
    """

    retail_price_ueur_per_kwh: int
    feed_in_price_ueur_per_kwh: int


@dataclass(frozen=True, slots=True)
class FlexibilityCosts:
    """What it costs a prosumer to deviate from its plan, besides lost or bought energy.

    Parameters
    ----------
    wear_ueur_per_kwh : int
        Battery wear per kWh charged, and again per kWh discharged. The default of 0.03 EUR/kWh is
        a battery of 360 EUR per kWh of capacity that lasts 6 000 full cycles. [µEUR/kWh]
    discomfort_ueur_per_kwh : int
        Compensation asked for putting off consumption. [µEUR/kWh]
    """

    wear_ueur_per_kwh: int = 30_000
    discomfort_ueur_per_kwh: int = 50_000


@dataclass(frozen=True, slots=True)
class ProsumerSeeds:
    """Independent seeds, so that one model's draws never shift another's."""

    batteries: np.random.SeedSequence
    forecasts: np.random.SeedSequence
    send_times: np.random.SeedSequence
    strategies: np.random.SeedSequence

    @classmethod
    def spawn(cls, seed: int | np.random.SeedSequence) -> ProsumerSeeds:
        """Derive the children of a scenario's seed; the same seed gives the same children.

        Parameters
        ----------
        seed : int or numpy.random.SeedSequence
            Root seed. A sequence is not advanced.
        """
        root = seed if isinstance(seed, np.random.SeedSequence) else np.random.SeedSequence(seed)
        return cls(*(child_seed(root, k) for k in range(4)))
