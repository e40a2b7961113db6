"""The power flows of a result, solved by pandapower's time series and by our engines."""

from __future__ import annotations

import importlib.util
import logging
import warnings
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import pandapower as pp
import pandas as pd
from pandapower.control import ConstControl
from pandapower.timeseries import DFData, OutputWriter
from pandapower.timeseries.run_time_series import run_timeseries

from cosim.grid.power_flow import GridState, make_power_flow

_NUMBA = (False, True) if importlib.util.find_spec("numba") is not None else (False,)
"""cosim does not need numba; pandapower's Newton gains by it, once it is compiled."""

_RUNPP_SOLVES = 16
_REPEATS = 5


def compare_power_flows(result: str, max_steps: int = 0) -> list[dict[str, Any]]:
    """Solve the delivered injections of a result in several ways.

    Parameters
    ----------
    result : str
        A result folder.
    max_steps : int
        At most so many intervals; 0 takes all.

    Returns
    -------
    list of dict
        Solver, number of solves, milliseconds per solve, largest differences to ``runpp``.
    """
    net = pp.from_json(str(Path(result) / "network.json"))
    p_mw, q_mvar = _injections(Path(result))
    if max_steps:
        p_mw, q_mvar = p_mw[:max_steps], q_mvar[:max_steps]
    n = len(p_mw)
    fixed_point = make_power_flow("fixed-point", net)
    reference = make_power_flow("pandapower", net)
    sample = np.unique(np.linspace(0, n - 1, min(n, _RUNPP_SOLVES)).astype(int))

    reference.solve(p_mw[0], q_mvar[0])  # imports and caches
    runpp_ms, expected = shortest_ms(lambda: reference.solve_batch(p_mw[sample], q_mvar[sample]), 1)
    series = {numba: _time_series(net, p_mw, q_mvar, numba) for numba in _NUMBA}
    single_ms, _ = shortest_ms(
        lambda: [fixed_point.solve(p, q) for p, q in zip(p_mw, q_mvar, strict=True)], _REPEATS
    )
    batch_ms, batch = shortest_ms(lambda: fixed_point.solve_batch(p_mw, q_mvar), _REPEATS)
    ours = _difference(
        expected,
        batch.vm_pu[sample],
        batch.line_loading_percent[sample],
        batch.trafo_loading_percent[sample],
    )
    no_difference = {"difference_vm_pu": 0.0, "difference_loading_percent": 0.0}
    return [
        {"solver": "pandapower runpp, no numba", "solves": len(sample)}
        | {"ms": runpp_ms / len(sample)}
        | no_difference,
        *(
            {"solver": f"pandapower run_timeseries, {'numba' if numba else 'no numba'}"}
            | {"solves": n, "ms": wall_ms / n}
            | _difference(expected, *(values[sample] for values in output))
            for numba, (wall_ms, *output) in series.items()
        ),
        {"solver": "fixed-point, one by one", "solves": n, "ms": single_ms / n} | ours,
        {"solver": "fixed-point, batch", "solves": n, "ms": batch_ms / n} | ours,
    ]


def _injections(result: Path) -> tuple[np.ndarray, np.ndarray]:
    """Delivered power by interval and connection point, in the order of the network's sgens."""
    table = pd.read_parquet(
        result / "tables" / "prosumers.parquet",
        columns=["interval", "prosumer", "p_inject_mw", "q_inject_mvar"],
    )
    n = int((table["interval"] == table["interval"].iloc[0]).sum())
    return (
        table["p_inject_mw"].to_numpy(float).reshape(-1, n),
        table["q_inject_mvar"].to_numpy(float).reshape(-1, n),
    )


def shortest_ms(
    work: Callable[[], Any], repeats: int, clock: Callable[[], float] = perf_counter
) -> tuple[float, Any]:
    """Shortest time of some repetitions by a clock [ms], and the last result."""
    best = np.inf
    for _ in range(repeats):
        begin = clock()
        result = work()
        best = min(best, clock() - begin)
    return 1000 * best, result


def _time_series(
    net: Any, p_mw: np.ndarray, q_mvar: np.ndarray, numba: bool
) -> tuple[float, np.ndarray, np.ndarray, np.ndarray]:
    """pandapower's time series, recycled as it decides for itself; output in memory.

    The second of two: the first imports, fills caches and, with numba, compiles for seconds.
    """
    _played_series(net, p_mw[:2], q_mvar[:2], numba)
    wall_ms, writer = _played_series(net, p_mw, q_mvar, numba)
    output = {key: frame.to_numpy(float) for key, frame in writer.output.items()}
    return (
        wall_ms,
        output["res_bus.vm_pu"],
        output["res_line.loading_percent"],
        output["res_trafo.loading_percent"],
    )


def _played_series(
    net: Any, p_mw: np.ndarray, q_mvar: np.ndarray, numba: bool
) -> tuple[float, Any]:
    """Wall time of a time series [ms], and its output."""
    net = pp.pandapowerNet(net)
    n = len(p_mw)
    for column, values in (("p_mw", p_mw), ("q_mvar", q_mvar)):
        ConstControl(
            net,
            element="sgen",
            variable=column,
            element_index=net.sgen.index,
            profile_name=list(range(values.shape[1])),
            data_source=DFData(pd.DataFrame(values)),
        )
    # these three let pandapower read results of all steps at once, which is its fastest way
    variables = [
        ("res_bus", "vm_pu"),
        ("res_line", "loading_percent"),
        ("res_trafo", "loading_percent"),
    ]
    writer = OutputWriter(net, time_steps=range(n), output_path=None, log_variables=variables)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.getLogger("pandapower").setLevel(logging.ERROR)  # it misses numba, and says so
        begin = perf_counter()
        run_timeseries(
            net,
            time_steps=range(n),
            verbose=False,
            calculate_voltage_angles=True,
            numba=numba,
        )
        return 1000 * (perf_counter() - begin), writer


def _difference(
    expected: GridState,
    vm_pu: np.ndarray,
    line_percent: np.ndarray,
    trafo_percent: np.ndarray,
) -> dict[str, float]:
    """Largest differences to the reference."""
    percent = [
        np.nanmax(np.abs(values - reference))
        for values, reference in (
            (line_percent, expected.line_loading_percent),
            (trafo_percent, expected.trafo_loading_percent),
        )
        if values.size
    ]
    return {
        "difference_vm_pu": float(np.nanmax(np.abs(vm_pu - expected.vm_pu))),
        "difference_loading_percent": float(max(percent, default=0.0)),
    }
