"""State of charge at the end of a run: bounds that keep it within reach, and which is wanted.

A run that may end with empty batteries looks better than it is: what is stored at its end has a
value of its own (compare the terminal conditions of finite-horizon storage scheduling, e.g. R.
Sioshansi and others: Energy-Storage Modeling: State-of-the-Art and Future Research Directions. IEEE
Transactions on Power Systems 37 (2022) 860-875, doi:10.1109/TPWRS.2021.3104768).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from cosim.devices.storage import Storage

USABLE = 0.8
"""Share of the rating that the way to the end counts on; the rest makes up for forecast errors."""


def toward_end(storage: Storage, left: int, step_h: float) -> Storage:
    """Return a storage whose bounds at the end of an interval keep the wanted end within reach.

    With ``k`` intervals left after it, stored energy must not end below ``end - k u p c h`` nor
    above ``end + k u p h / d``, with rating ``p``, its usable share ``u``, step ``h`` and one-way
    efficiencies ``c`` and ``d``: the set from which the end can be reached in time, as backwards
    reachability gives it (F. Blanchini, S. Miani: Set-Theoretic Methods in Control, 2nd ed. 2015,
    section 5.1). Within it everything goes on as without a wanted end.

    Parameters
    ----------
    storage : Storage
    left : int
        Intervals of the run after the one that is planned.
    step_h : float
        Step length. [h]

    Returns
    -------
    Storage
        The same where nothing is wanted.
    """
    if storage.soc_end_mwh is None:
        return storage
    reach_mwh = left * USABLE * storage.p_max_mw * step_h
    low = storage.soc_end_mwh - reach_mwh * storage.charge_efficiency
    high = storage.soc_end_mwh + reach_mwh / storage.discharge_efficiency
    # NaN, where nothing is wanted, leaves the bound as it is
    return replace(
        storage,
        soc_min_mwh=np.fmax(storage.soc_min_mwh, low),
        capacity_mwh=np.fmin(storage.capacity_mwh, high),
    )


def storage_rows(storages: Sequence[Storage], names: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Yield the rows of table ``storages``, kind by kind.

    Parameters
    ----------
    storages : sequence of Storage
    names : sequence of str
        Connection points.
    """
    for storage in storages:
        own = np.flatnonzero(storage.capacity_mwh > 0)
        wanted = storage.soc_end_mwh
        if wanted is None:
            wanted = np.full(len(names), np.nan)
        if len(own):
            yield {
                "prosumer": np.array(names, dtype=object)[own],
                "device": storage.kind,
                "p_max_mw": storage.p_max_mw[own],
                "capacity_mwh": storage.capacity_mwh[own],
                "soc_min_mwh": storage.soc_min_mwh[own],
                "start_mwh": storage.soc_initial_mwh[own],
                "wanted_mwh": wanted[own],
            }
