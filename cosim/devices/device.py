"""Declaration of a device: one kind of ``elements.csv``, registered under ``cosim.devices``.

A class stands for a kind, its object for everything of that kind behind the ``n`` connection points
of a run, as arrays. It derives from one of four behaviours, which say what is flexible and what may
be curtailed: :class:`~cosim.devices.profiled.Generator` (throttled),
:class:`~cosim.devices.profiled.Consumer` (shed), :class:`~cosim.devices.profiled.Deferrable` (put
off and caught up, together with the others) and :class:`~cosim.devices.storage.Storage` (charged
and discharged). A class of its own names its kind, its columns and, if it differs, its costs and
its physics; importer, scenario, population, energy manager, tables, report and verification ask the
registry. State (stored energy, consumption owed) is the energy managers', so that a device's object
never changes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal, Self

import numpy as np

from cosim.settings import Model
from cosim.units import BoolArray, FloatArray

Role = Literal["generation", "consumption", "storage", ""]


@dataclass(frozen=True, slots=True)
class DeviceColumn:
    """A column of table ``prosumers``.

    Parameters
    ----------
    name, unit, description : str
    role : str
        Part that it has in the net injection: ``generation`` adds to it, ``consumption`` and
        ``storage`` (charging positive) lower it; "" for a column that has none.
    """

    name: str
    unit: str
    description: str
    role: Role = ""

    @property
    def sign(self) -> int:
        """Sign in the net injection; 0 for no part in it."""
        return {"generation": 1, "": 0}.get(self.role, -1)


@dataclass(frozen=True)
class Equipment:
    """All elements of one kind, added up by connection point.

    Parameters
    ----------
    p_mw, q_mvar : (T, n) float
        Profiles times ratings; no rows for a kind without profile. [MW, Mvar]
    rated_mw : (n,) float
        Ratings: the published one, or the peak of the run where that is higher. [MW]
    capacity_mwh : (n,) float
        Published energy content. [MWh]
    is_there : (n,) bool
        Where there is any.
    settings : Model or None
        Section of the kind; None if it has none, or the scenario lacks it.
    seed : numpy.random.SeedSequence
        Of the kind's draws.
    before : mapping of str to Device
        Devices of lower rank, by kind.
    named : mapping of int to Model
        Of connection points that are named in the scenario, by position: what they have otherwise.
    """

    p_mw: FloatArray
    q_mvar: FloatArray
    rated_mw: FloatArray
    capacity_mwh: FloatArray
    is_there: BoolArray
    settings: Model | None
    seed: np.random.SeedSequence
    before: Mapping[str, Device]
    named: Mapping[int, Model] = field(default_factory=dict)


def own_values(n: int, field: str, section: Model, named: Mapping[int, Model]) -> FloatArray:
    """Return a field of a section for each connection point: the section's, or its own.

    Parameters
    ----------
    n : int
        Number of connection points.
    field : str
        Name of the field, of the section and of those that are named.
    section : Model
    named : mapping of int to Model
        By position; None in the field means as the section.

    Returns
    -------
    (n,) float
        In the field's unit.
    """
    values = np.full(n, float(getattr(section, field)))
    for i, own in named.items():
        if (given := getattr(own, field)) is not None:
            values[i] = given
    return values


class Device(ABC):
    """A kind of device, over a whole population.

    Attributes
    ----------
    kind : str
        Name in ``elements.csv``, in ``prosumers.scaling``, and of its entry point.
    title : str
        Plural, for texts.
    columns : tuple of DeviceColumn
        Its columns of table ``prosumers``: first its power, then what its behaviour asks for. Names
        begin with the kind.
    column_roles : tuple of str
        Roles that its behaviour gives to the columns.
    rank : int
        Place among the devices.
    is_default : bool
        Whether every run has it, and every result its columns; for devices that come with cosim.
    has_profile : bool
        Whether its elements have a profile.
    section : str
        Its section under ``prosumers``; several kinds may share one. "" for none.
    settings_type : type of Model or None
        That section.
    network_table : str
        Table of a pandapower network that it is imported from: load, sgen or storage.
    simbench_profile : str
        Regular expression that profiles of SimBench begin with for this kind; the longest match
        decides.
    network_type : str
        Regular expression, found in the type or else the name of a generator of a pandapower
        network if it is of this kind; "" for none.
    """

    kind: ClassVar[str] = ""
    title: ClassVar[str] = ""
    columns: ClassVar[tuple[DeviceColumn, ...]] = ()
    column_roles: ClassVar[tuple[Role, ...]] = ()
    rank: ClassVar[int] = 100
    is_default: ClassVar[bool] = False
    has_profile: ClassVar[bool] = True
    section: ClassVar[str] = ""
    settings_type: ClassVar[type[Model] | None] = None
    network_table: ClassVar[str] = ""
    simbench_profile: ClassVar[str] = r"(?!)"  # matches nothing
    network_type: ClassVar[str] = ""

    @classmethod
    @abstractmethod
    def build(cls, equipment: Equipment) -> Self:
        """Return all devices of a population."""

    @classmethod
    def power_column(cls) -> str:
        """Return the name of the column of its power."""
        return cls.columns[0].name

    @classmethod
    def problem(cls, name: str) -> str | None:
        """Return what is wrong with the declaration under a name; None if nothing is."""
        if (kind := getattr(cls, "kind", None)) != name:
            return f"has the kind {kind!r}, which is no name of an entry point of its own"
        if not cls.column_roles:
            return "derives from none of Generator, Consumer, Deferrable and Storage"
        for column in cls.columns:
            if not column.unit.strip():
                return f"has the column {column.name!r} without a unit"
            if not (cls.is_default or column.name.startswith(f"{cls.kind}_")):
                return f"has the column {column.name!r}, which does not begin with {cls.kind}_"
        if len({column.name for column in cls.columns}) < len(cls.columns):
            return "has two columns of one name"
        if (roles := tuple(column.role for column in cls.columns)) != cls.column_roles:
            return f"has columns of the roles {roles}, not {cls.column_roles}"
        if cls.is_default and not cls.__module__.startswith("cosim."):
            return "says is_default, which is for devices of cosim"
        return None
