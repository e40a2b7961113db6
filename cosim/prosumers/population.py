"""From elements at connection points to prosumers with time series, devices and meters.

Elements of one kind at one connection point add up.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from cosim.devices.catalogue import registered
from cosim.devices.deferral import Deferrable, Deferral, DeferralSettings
from cosim.devices.device import Device, Equipment
from cosim.devices.population import Population
from cosim.devices.profiled import frozen
from cosim.devices.storage import Storage
from cosim.errors import GridDataError, ProfileError, ScenarioError
from cosim.inputs.profiles import check_peaks, magnitude
from cosim.prosumers.elements import Element
from cosim.scenario.prosumers import ProsumerSettings, assign_meters, named_by_position
from cosim.seeds import child_seed
from cosim.units import FloatArray, p_mw_from_wh


def build_population(
    elements: Sequence[Element],
    connection_point_names: Sequence[str],
    settings: ProsumerSettings,
    profiles: Mapping[str, FloatArray],
    step_s: int,
    seed: np.random.SeedSequence,
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
    settings : ProsumerSettings
        Scaling, sections of devices, and meters.
    profiles : mapping of str to (T,) float
        Relative profiles over the run, from :func:`cosim.prosumers.profiles.load_window`.
    step_s : int
        Length of an interval. [s]
    seed : numpy.random.SeedSequence
        Of what devices draw, such as who has a battery.
    elements_file, profiles_file : str or Path
        Named in errors.

    Returns
    -------
    Population
        Devices that come with cosim, and of others those that the grid has.

    Raises
    ------
    GridDataError
        If nothing consumes or generates.
    ProfileError
        If a profile that must not be negative is, or one goes far beyond the rating.
    ScenarioError
        If two connection points share a meter, or a meter, or one that is named, is unknown.
    """
    names = tuple(connection_point_names)
    meters = assign_meters(names, settings.meters)
    named = named_by_position(names, settings)
    if not profiles:
        raise GridDataError(
            "no element has a profile: nothing consumes or generates",
            file=elements_file,
            field="profile",
            remedy="list the loads and plants of the network",
        )
    n_intervals = len(next(iter(profiles.values())))
    read = _Profiles(profiles, profiles_file)
    with_profile = {kind.kind for kind in registered() if kind.has_profile}
    check_peaks(
        [
            (f"the {element.kind} at {element.connection_point}", column, rating)
            for element in elements
            if element.kind in with_profile
            for column, rating in (
                (element.p_column, element.p_mw),
                (element.q_column, element.q_mvar),
            )
        ],
        profiles,
        profiles_file,
    )
    index = {name: i for i, name in enumerate(names)}
    devices: dict[str, Device] = {}
    ratings = {ELEMENTS_FIELD: np.zeros(len(names))}
    for kind in registered():
        own = [element for element in elements if element.kind == kind.kind]
        if not (own or kind.is_default):
            continue
        steps = n_intervals if kind.has_profile else 0
        p_mw, q_mvar = np.zeros((steps, len(names))), np.zeros((steps, len(names)))
        rated_mw, capacity_mwh = np.zeros(len(names)), np.zeros(len(names))
        is_there = np.zeros(len(names), dtype=bool)
        factors = dict.fromkeys(range(len(names)), settings.scaling.of(kind.kind))
        factors |= {i: o.scaling[kind.kind] for i, o in named.items() if kind.kind in o.scaling}
        for element in own:
            i = index[element.connection_point]
            factor = factors[i]
            is_there[i] = True
            rated_mw[i] += element.p_mw * factor
            capacity_mwh[i] += element.capacity_mwh
            if kind.has_profile:
                p_mw[:, i] += element.p_mw * factor * read.magnitude(element.p_column)
                if element.q_mvar:
                    q_mvar[:, i] += element.q_mvar * factor * read.series(element.q_column)
        # the battery's draw is the oldest: it has the seed itself, others have children of it
        key = () if kind.is_default else tuple(kind.kind.encode())
        equipment = Equipment(
            p_mw=frozen(p_mw),
            q_mvar=frozen(q_mvar),
            rated_mw=frozen(np.maximum(rated_mw, p_mw.max(axis=0, initial=0.0))),
            capacity_mwh=frozen(capacity_mwh),
            is_there=is_there,
            settings=None if kind.settings_type is None else settings.section(kind.settings_type),
            seed=child_seed(seed, *key),
            before=devices,
            named=named,
        )
        devices[kind.kind] = device = kind.build(equipment)
        field, own_mw = ELEMENTS_FIELD, equipment.rated_mw
        if isinstance(device, Storage):
            own_mw = device.p_max_mw
            field = field if (own_mw <= rated_mw).all() else f"prosumers.{kind.section}"
        elif settings.scaling.of(kind.kind) != 1.0:
            field = f"prosumers.scaling.{kind.kind}"
        elif any(kind.kind in one.scaling for one in named.values()):
            field = "prosumers.named"
        ratings[field] = ratings.get(field, np.zeros(len(names))) + own_mw
        for value in vars(device).values():
            if isinstance(value, np.ndarray):
                value.setflags(write=False)
    _check_energies(ratings, names, settings, step_s, elements_file)
    deferrable = [device for device in devices.values() if isinstance(device, Deferrable)]
    return Population(
        names=names,
        meters=meters,
        step_s=step_s,
        n_intervals=n_intervals,
        devices=tuple(devices.values()),
        deferral=Deferral.of(
            deferrable,
            settings.section(DeferralSettings),
            {i: one.deferral for i, one in named.items()},
        ),
    )


ELEMENTS_FIELD = "p_mw"
MOST_WH = 2**30
"""Energy of a connection point in an interval: half of what orders and schedules hold, since
forecasts may exceed it. [Wh]"""


def _check_energies(
    ratings: Mapping[str, FloatArray],
    names: Sequence[str],
    settings: ProsumerSettings,
    step_s: int,
    elements_file: str | Path,
) -> None:
    """Refuse connection points whose devices, all at once, exceed :data:`MOST_WH` in an interval.

    Parameters
    ----------
    ratings : mapping of str to (n,) float
        By the field that they follow from: ``p_mw`` of the elements, or one of the scenario. [MW]
    names, settings, step_s, elements_file
        As of :func:`build_population`.

    Raises
    ------
    ScenarioError, GridDataError
        Naming the field of the largest rating.
    """
    together = np.sum(list(ratings.values()), axis=0)
    most_mw = float(p_mw_from_wh(MOST_WH, step_s))
    if not (together > most_mw).any():
        return
    at = int(np.argmax(together))
    field = max(ratings, key=lambda field: float(ratings[field][at]))
    problem = (
        f"{names[at]} may draw or feed in {together[at]:g} MW, and no connection point more than "
        f"{most_mw:g} MW in an interval of {step_s} s (2**30 Wh)"
    )
    remedy = "give what the devices can, in the unit that the field's name ends with"
    if field == ELEMENTS_FIELD:
        raise GridDataError(problem, file=elements_file, field=field, remedy=remedy)
    raise ScenarioError(problem, field=field, remedy=remedy)


class _Profiles:
    """Relative profiles, checked when they are used first."""

    def __init__(self, profiles: Mapping[str, FloatArray], file: str | Path) -> None:
        self._profiles = profiles
        self._file = file
        self._magnitudes: dict[str, FloatArray] = {}

    def series(self, name: str) -> FloatArray:
        if name not in self._profiles:
            raise ProfileError(
                "profile was not read",
                file=self._file,
                field=name,
                remedy="read every column that profile_columns(elements) names",
            )
        return self._profiles[name]

    def magnitude(self, name: str) -> FloatArray:
        if name not in self._magnitudes:
            self._magnitudes[name] = magnitude(self.series(name), name, self._file)
        return self._magnitudes[name]
