"""From elements at connection points to prosumers with time series, batteries and meters.

Elements at one connection point add up to one prosumer. Batteries take their size from the
scenario; a storage in the network only says who is the first to get one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from cosim.devices.battery import Batteries
from cosim.devices.deferral import Deferral
from cosim.errors import GridDataError, ProfileError, ScenarioError
from cosim.prosumers.elements import Element
from cosim.prosumers.settings import BatteryParameters, DeferralParameters, ProsumerParameters
from cosim.units import WH_PER_KWH, WH_PER_MWH, BoolArray, FloatArray

MWH_PER_KWH = WH_PER_KWH / WH_PER_MWH
#: Relative profiles may dip below zero by this share of their peak (measurement noise, clipped).
NEGATIVE_TOLERANCE = 1e-3


@dataclass(frozen=True, slots=True)
class Population:
    """Prosumers in connection-point order and what they would do if nobody asked them.

    Parameters
    ----------
    names, meters : tuple of str
        Connection points and their meters.
    step_s : int
        Length of an interval. [s]
    load_p_mw, ev_p_mw, heat_pump_p_mw, pv_p_mw : (T, n) float
        Consumption, and available PV power, as magnitudes. [MW]
    load_q_mvar, flexible_q_mvar : (T, n) float
        Reactive consumption of the load, and of EV and heat pump. [Mvar]
    pv_q_mvar : (T, n) float
        Reactive power that PV feeds in. [Mvar]
    pv_rated_mw, ev_rated_mw, heat_pump_rated_mw : (n,) float
        Ratings: the published one, or the peak of the run where that is higher. [MW]
    batteries : Batteries
        Their batteries.
    deferral : Deferral
        What they may put off.
    """

    names: tuple[str, ...]
    meters: tuple[str, ...]
    step_s: int
    load_p_mw: FloatArray
    load_q_mvar: FloatArray
    pv_p_mw: FloatArray
    pv_q_mvar: FloatArray
    ev_p_mw: FloatArray
    heat_pump_p_mw: FloatArray
    flexible_q_mvar: FloatArray
    pv_rated_mw: FloatArray
    ev_rated_mw: FloatArray
    heat_pump_rated_mw: FloatArray
    batteries: Batteries
    deferral: Deferral

    @property
    def n(self) -> int:
        """Number of prosumers."""
        return len(self.names)

    @property
    def n_intervals(self) -> int:
        """Number of intervals of the time series."""
        return int(self.load_p_mw.shape[0])

    @property
    def flexible_p_mw(self) -> FloatArray:
        """EV and heat pump together, (T, n). [MW]"""
        return self.ev_p_mw + self.heat_pump_p_mw


def build_population(
    elements: Sequence[Element],
    connection_point_names: Sequence[str],
    parameters: ProsumerParameters,
    profiles: Mapping[str, FloatArray],
    step_s: int,
    rng: np.random.Generator,
    *,
    elements_file: str | Path = "elements.csv",
    profiles_file: str | Path = "profiles.parquet",
) -> Population:
    """Build the prosumers of a run.

    Parameters
    ----------
    elements : sequence of Element
        What stands at the connection points, from :func:`cosim.prosumers.elements.read_elements`.
    connection_point_names : sequence of str
        All connection points in the order of their table; also those without any element.
    parameters : ProsumerParameters
        Scaling, batteries, deferral and meters.
    profiles : mapping of str to (T,) float
        Relative profiles over the run, from :func:`cosim.prosumers.profiles.load_window`.
    step_s : int
        Length of an interval. [s]
    rng : numpy.random.Generator
        Draws which PV owners have a battery.
    elements_file, profiles_file : str or Path
        Named in errors.

    Returns
    -------
    Population
        Read-only arrays.

    Raises
    ------
    GridDataError
        If nothing consumes or generates.
    ProfileError
        If a profile that must not be negative is.
    ScenarioError
        If two connection points share a meter, or a meter belongs to an unknown one.
    """
    names = tuple(connection_point_names)
    index = {name: i for i, name in enumerate(names)}
    meters = assign_meters(names, parameters.meters)
    factors = {
        "load": parameters.scaling.load,
        "pv": parameters.scaling.pv,
        "ev": parameters.scaling.ev,
        "heat_pump": parameters.scaling.heat_pump,
    }
    if not profiles:
        raise GridDataError(
            "no element has a profile: nothing consumes or generates",
            file=elements_file,
            field="profile",
            remedy="list the loads and plants of the network",
        )
    n_intervals = len(next(iter(profiles.values())))
    p_mw = {kind: np.zeros((n_intervals, len(names))) for kind in factors}
    q_mvar = {kind: np.zeros((n_intervals, len(names))) for kind in factors}
    rated_mw = {kind: np.zeros(len(names)) for kind in factors}
    has_storage = np.zeros(len(names), dtype=bool)
    magnitudes: dict[str, FloatArray] = {}
    for element in elements:
        i = index[element.connection_point]
        if element.kind == "storage":
            has_storage[i] = True
            continue
        column, factor = element.p_column, factors[element.kind]
        if column not in magnitudes:
            relative = _series(profiles, column, profiles_file)
            magnitudes[column] = _magnitude(relative, column, profiles_file)
        p_mw[element.kind][:, i] += element.p_mw * factor * magnitudes[column]
        rated_mw[element.kind][i] += element.p_mw * factor
        if element.q_mvar:
            relative = _series(profiles, element.q_column, profiles_file)
            q_mvar[element.kind][:, i] += element.q_mvar * factor * relative
    for kind, rated in rated_mw.items():
        rated_mw[kind] = np.maximum(rated, p_mw[kind].max(axis=0, initial=0.0))
    owners = draw_battery_owners(
        rated_mw["pv"] > 0, has_storage, parameters.battery.share_of_pv_owners, rng
    )
    flexible_rated_mw = rated_mw["ev"] + rated_mw["heat_pump"]
    return Population(
        names=names,
        meters=meters,
        step_s=step_s,
        load_p_mw=_frozen(p_mw["load"]),
        load_q_mvar=_frozen(q_mvar["load"]),
        pv_p_mw=_frozen(p_mw["pv"]),
        pv_q_mvar=_frozen(q_mvar["pv"]),
        ev_p_mw=_frozen(p_mw["ev"]),
        heat_pump_p_mw=_frozen(p_mw["heat_pump"]),
        flexible_q_mvar=_frozen(q_mvar["ev"] + q_mvar["heat_pump"]),
        pv_rated_mw=_frozen(rated_mw["pv"]),
        ev_rated_mw=_frozen(rated_mw["ev"]),
        heat_pump_rated_mw=_frozen(rated_mw["heat_pump"]),
        batteries=_batteries(owners, parameters.battery),
        deferral=_deferral(flexible_rated_mw, parameters.deferral),
    )


def assign_meters(names: Sequence[str], meters: Mapping[str, str]) -> tuple[str, ...]:
    """Meter of each connection point, every one its own.

    Parameters
    ----------
    names : sequence of str
        Connection points.
    meters : mapping of str to str
        Meters by connection point; ``meter-<name>`` for those not listed.

    Raises
    ------
    ScenarioError
        If a listed connection point is unknown, or two share a meter.
    """
    for name in meters:
        if name not in names:
            raise ScenarioError(
                f"'{name}' is no connection point of the network",
                field="prosumers.meters",
                remedy="use a name from the network's connection_points.csv",
            )
    assigned = tuple(meters.get(name, f"meter-{name}") for name in names)
    customer_of: dict[str, str] = {}
    for name, meter in zip(names, assigned, strict=True):
        if meter in customer_of:
            raise ScenarioError(
                f"two prosumers on one meter: '{customer_of[meter]}' and '{name}' share '{meter}'",
                field="prosumers.meters",
                remedy=f"give '{name}' a meter of its own",
            )
        customer_of[meter] = name
    return assigned


def draw_battery_owners(
    is_pv_owner: BoolArray, has_storage: BoolArray, share: float, rng: np.random.Generator
) -> BoolArray:
    """Which prosumers have a battery.

    ``share`` of the PV owners, rounded half to even, have one: first those for whom the network
    has a storage, then others, each group in random order.

    Parameters
    ----------
    is_pv_owner, has_storage : (n,) bool
        Who qualifies, and who comes first.
    share : float
        Share of the PV owners. [-]
    rng : numpy.random.Generator
        Source of the random order.

    Returns
    -------
    (n,) bool
        Owners.
    """
    candidates = rng.permutation(np.flatnonzero(is_pv_owner))
    ranked = candidates[np.argsort(~has_storage[candidates], kind="stable")]
    owners = np.zeros(len(is_pv_owner), dtype=bool)
    owners[ranked[: round(share * len(ranked))]] = True
    return owners


def _batteries(owners: BoolArray, parameters: BatteryParameters) -> Batteries:
    capacity_mwh = np.where(owners, parameters.capacity_kwh * MWH_PER_KWH, 0.0)
    return Batteries(
        capacity_mwh=_frozen(capacity_mwh),
        soc_min_mwh=_frozen(capacity_mwh * parameters.soc_min),
        soc_initial_mwh=_frozen(capacity_mwh * parameters.soc_initial),
        p_max_mw=_frozen(np.where(owners, parameters.p_max_kw * MWH_PER_KWH, 0.0)),
        charge_efficiency=_frozen(np.full(len(owners), parameters.charge_efficiency)),
        discharge_efficiency=_frozen(np.full(len(owners), parameters.discharge_efficiency)),
    )


def _deferral(p_rated_mw: FloatArray, parameters: DeferralParameters) -> Deferral:
    has_flexible = p_rated_mw > 0
    return Deferral(
        share_of_power=_frozen(np.where(has_flexible, parameters.share_of_power, 0.0)),
        energy_max_mwh=_frozen(
            np.where(has_flexible, parameters.energy_max_kwh * MWH_PER_KWH, 0.0)
        ),
        p_rated_mw=_frozen(p_rated_mw),
    )


def _series(profiles: Mapping[str, FloatArray], name: str, profiles_file: str | Path) -> FloatArray:
    if name not in profiles:
        raise ProfileError(
            "profile was not read",
            file=profiles_file,
            field=name,
            remedy="read every column that profile_columns(elements) names",
        )
    return profiles[name]


def _magnitude(relative: FloatArray, name: str, profiles_file: str | Path) -> FloatArray:
    lowest = float(relative.min(initial=0.0))
    if lowest < -NEGATIVE_TOLERANCE * max(float(np.abs(relative).max(initial=0.0)), 1.0):
        raise ProfileError(
            f"is negative in step {int(np.argmin(relative))} ({lowest:g})",
            file=profiles_file,
            field=name,
            remedy="active-power profiles are magnitudes: give feed-in as an element of kind pv",
        )
    return np.maximum(relative, 0.0)


def _frozen(values: npt.ArrayLike) -> FloatArray:
    array = np.ascontiguousarray(values, dtype=np.float64)
    array.setflags(write=False)
    return array
