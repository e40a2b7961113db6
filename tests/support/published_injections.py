"""Injections as the authors of a grid published them: no battery, no market, no forecast error."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq

from cosim.grid.catalogue import GridCase
from cosim.grid.own_elements import direction
from cosim.units import FloatArray


@dataclass(frozen=True)
class PublishedInjections:
    """Net injection at every connection point over the profiles' whole time.

    Attributes
    ----------
    time : (t,) datetime64[ms]
    p_inject_mw, q_inject_mvar : (t, n_points) float
        Positive feeds the grid. [MW, Mvar]
    """

    time: npt.NDArray[np.datetime64]
    p_inject_mw: FloatArray
    q_inject_mvar: FloatArray

    def step(self, time: str) -> int:
        """Position of a time, e.g. ``2016-05-24T12:00``; ``KeyError`` if it is none of these."""
        i = int(np.searchsorted(self.time, np.datetime64(time)))
        if i == self.time.size or self.time[i] != np.datetime64(time):
            raise KeyError(time)
        return i


def published_injections(
    case: GridCase, factors: Mapping[str, float] | None = None, joint_storage: bool = False
) -> PublishedInjections:
    """Add up the profiles of all elements.

    Parameters
    ----------
    case : GridCase
    factors : mapping, optional
        Factor on the power of each kind: ``load``, ``pv``, ``ev``, ``heat_pump``; default 1.
    joint_storage : bool
        Where the authors published one profile for PV and battery together (the profile of a
        ``storage`` element), take that, times the factor of ``pv``, instead of the PV profile of
        the element named as the storage with `` PV`` appended.
    """
    factors = factors or {}
    table = pq.read_table(case.profiles_file)
    columns = {name: table[name].to_numpy() for name in table.column_names}
    position = {name: i for i, name in enumerate(case.connection_points.name)}
    p_mw = np.zeros((table.num_rows, len(position)))
    q_mvar = np.zeros_like(p_mw)
    joint = set()
    if joint_storage:
        published = (case.elements.kind == "storage") & (case.elements.profile != "")
        joint = {f"{name} PV" for name in case.elements.name[published]}
    rows: Any = case.elements.itertuples()
    for row in rows:
        kind = "pv" if row.kind == "storage" else str(row.kind)
        if row.kind == "storage" and not (joint_storage and row.profile):
            continue
        if row.kind == "pv" and row.name in joint:
            continue
        weight = factors.get(kind, 1.0) * direction(kind)
        point = position[str(row.connection_point)]
        p_mw[:, point] += weight * row.p_mw * columns[f"{row.profile}_p"]
        if row.q_mvar != 0.0:
            q_mvar[:, point] += weight * row.q_mvar * columns[f"{row.profile}_q"]
    return PublishedInjections(columns["time"].astype("datetime64[ms]"), p_mw, q_mvar)
