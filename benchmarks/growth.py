"""Growth of the cost of a power flow with the connection points of a network."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from time import process_time
from typing import Any

import numpy as np

from benchmarks.areas import joined_areas
from benchmarks.power_flows import shortest_ms
from benchmarks.tables import Table, number
from cosim.grid.catalogue import open_grid
from cosim.grid.fixed_point import FixedPointEngine
from cosim.grid.newton_raphson import PandapowerEngine

_NETWORKS = (
    ("1-LV-rural1--1-sw", 1),
    *(("1-LV-rural3--2-sw", areas) for areas in (1, 2, 3, 9)),
)
"""Grid, and how many copies of it: 13, 118, 236, 354 and 1 062 connection points."""
_QUICK = 3
_least = partial(shortest_ms, clock=process_time)
_STATES, _ROWS, _REPEATS = 32, 10, 5


def exponent(size: Sequence[float], cost: Sequence[float]) -> float:
    """Return the power of size with which cost grows, by least squares of their logarithms."""
    return float(np.polyfit(np.log(size), np.log(cost), 1)[0])


def measure_growth(quick: bool = False) -> list[dict[str, Any]]:
    """Solve networks of several sizes with the dense and with the sparse form.

    Parameters
    ----------
    quick : bool
        Only the smaller ones.

    Returns
    -------
    list of dict
        Form, connection points, processor time of making an engine, of a state alone and in a
        batch, and of derivatives of ten voltages [ms]; largest voltage difference to ``runpp``.
    """
    rows = []
    for name, areas in _NETWORKS[: _QUICK if quick else None]:
        net = joined_areas(open_grid(name), areas)[0]
        n = len(net.sgen)
        rng = np.random.default_rng(areas)
        p_mw = rng.normal(0.0, 0.002, (_STATES, n))
        expected = PandapowerEngine(net).solve(p_mw[0], 0.2 * p_mw[0])
        for sparse in (False, True):
            figures = _figures(net, p_mw, sparse)
            off = np.nanmax(np.abs(figures.pop("vm_pu") - expected.vm_pu))
            form = "sparse" if sparse else "dense"
            rows.append({"form": form, "points": n, **figures, "difference_vm_pu": float(off)})
    return rows


def growth_table(rows: list[dict[str, Any]]) -> Table:
    """Cost by form and number of connection points, with the exponents of either form."""
    notes = [
        "Copies of a SimBench grid along a cable; processor time, the least of five; derivatives "
        "of ten voltages by all injections."
    ]
    for form in dict.fromkeys(row["form"] for row in rows):
        own = [row for row in rows if row["form"] == form]
        found = [
            f"{title} {exponent([row['points'] for row in own], [row[key] for row in own]):.2f}"
            for key, title in (("state_ms", "a state"), ("derivatives_ms", "derivatives"))
        ]
        notes.append(f"Grows with connection points to the power of, {form}: {', '.join(found)}.")
    return Table(
        "power flow by size of the network",
        (
            "form, connection points",
            "engine [ms]",
            "a state [ms]",
            "in a batch [ms]",
            "derivatives [ms]",
            "largest difference in voltage [pu]",
        ),
        [
            (
                f"{row['form']}, {row['points']}",
                number(row["engine_ms"], 0),
                number(row["state_ms"], 3),
                number(row["batch_ms"], 3),
                number(row["derivatives_ms"], 2),
                f"{row['difference_vm_pu']:.1e}",
            )
            for row in rows
        ],
        tuple(notes),
    )


def _figures(net: Any, p_mw: np.ndarray, sparse: bool) -> dict[str, Any]:
    """Processor times of one form [ms], and the voltages of the first state."""
    engine_ms, engine = _least(lambda: FixedPointEngine(net, sparse=sparse), 1)
    state_ms, state = _least(lambda: engine.solve(p_mw[0], 0.2 * p_mw[0]), _REPEATS)
    batch_ms, _ = _least(lambda: engine.solve_batch(p_mw, 0.2 * p_mw), _REPEATS)
    rows = np.zeros(engine.topology.check_columns[0].size, dtype=np.bool_)
    rows[:_ROWS] = True
    derivatives_ms, _ = _least(
        lambda: engine.sensitivities(state, p_mw[0], 0.2 * p_mw[0], rows), _REPEATS
    )
    return {
        "engine_ms": engine_ms,
        "state_ms": state_ms,
        "batch_ms": batch_ms / len(p_mw),
        "derivatives_ms": derivatives_ms,
        "vm_pu": state.vm_pu,
    }
