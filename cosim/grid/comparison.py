"""The last step of an import: pandapower's own power flow of the file against that of the import.

The file is solved as it came, with every option stored in it that says what is solved; options that
only say how (algorithm, start, number of iterations, packages) are pandapower's defaults, but for a
tight tolerance. So whatever the import has left out, or solves otherwise, shows as a difference.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandapower as pp

from cosim.errors import GridDataError
from cosim.grid.element_tables import INJECTIONS
from cosim.grid.fixed_point import FixedPointEngine
from cosim.units import FloatArray

TOLERANCE_PU = 1e-6
TOLERANCE_PERCENT = 1e-3

_HOW = {
    "algorithm": "nr",
    "init": "auto",
    "init_vm_pu": None,
    "init_va_degree": None,
    "max_iteration": 100,
    "tolerance_mva": 1e-9,
    "numba": False,
    "lightsim2grid": False,
    "recycle": None,
    "only_v_results": False,
}
"""Options of ``runpp`` that say how it solves, not what."""

_OTHER_MODEL: dict[str, tuple[Any, ...]] = {
    "trafo_model": ("t",),
    "trafo_loading": ("current",),
    "enforce_p_lims": (False,),
    "enforce_q_lims": (False,),
    "distributed_slack": (False,),
    "tdpf": (False,),
}
"""Options that make another model, whose difference one state need not show: what a run solves."""


def check_against_file(
    source: Any,
    options: Mapping[str, Any],
    net: Any,
    p_inject_mw: FloatArray,
    q_inject_mvar: FloatArray,
    file: Path,
    *,
    own_injections: bool = True,
) -> None:
    """Refuse an import whose power flow is not that of the file.

    Parameters
    ----------
    source : pandapowerNet
        As read from the file; not changed.
    options : mapping
        Stored with it (``user_pf_options``).
    net : pandapowerNet
        As imported, one idle sgen per connection point.
    p_inject_mw, q_inject_mvar : (n_points,) float
        At the connection points, of the elements' ratings. [MW, Mvar]
    file : Path
        Named in errors.
    own_injections : bool
        Whether these stand for the injections of the file; otherwise they are put in place of
        them, and only the rest of the network is compared.

    Raises
    ------
    GridDataError
        If a stored option makes another model, either power flow does not converge, or a voltage
        differs by more than 1e-6 pu or a loading by more than 1e-3 percentage points: names the
        element that differs most.
    """
    for option, known in _OTHER_MODEL.items():
        if options.get(option, known[0]) not in known:
            raise GridDataError(
                f"the stored option {option} is {options[option]!r}; a run solves {known[0]!r}",
                file=file,
                field=f"user_pf_options.{option}",
                remedy=f"remove it (net.user_pf_options.pop({option!r})), if it is not meant",
            )
    reference = copy.deepcopy(source)
    if not own_injections:
        for table in INJECTIONS:
            if table != "ward":
                reference[table] = reference[table].iloc[0:0]
        reference.ward[["ps_mw", "qs_mvar"]] = 0.0
        for bus, p_mw, q_mvar in zip(net.sgen.bus, p_inject_mw, q_inject_mvar, strict=True):
            pp.create_sgen(reference, int(bus), p_mw=p_mw, q_mvar=q_mvar)
    _solve(reference, options, file)
    state = FixedPointEngine(net).solve(p_inject_mw, q_inject_mvar)
    if not state.converged:
        raise GridDataError(
            "pandapower.runpp solves the network of the file, but the fixed-point iteration of a "
            "run does not converge at the powers of its elements",
            file=file,
            remedy="lower these powers until the network is further from its voltage collapse",
        )
    pairs = [
        ("bus", "vm_pu", reference.res_bus.vm_pu, state.vm_pu, TOLERANCE_PU, "pu"),
        *(
            (
                table,
                "loading_percent",
                reference[f"res_{table}"].loading_percent.fillna(0.0),
                loading,
                TOLERANCE_PERCENT,
                "%",
            )
            for table, loading in (
                ("line", state.line_loading_percent),
                ("trafo", state.trafo_loading_percent),
            )
        ),
    ]
    for table, quantity, theirs, ours, tolerance, unit in pairs:
        gap = np.abs(theirs.to_numpy(dtype=np.float64) - ours)
        gap[np.isnan(theirs.to_numpy(dtype=np.float64)) & np.isnan(ours)] = 0.0
        gap[np.isnan(gap)] = np.inf
        if gap.max(initial=0.0) > tolerance:
            worst = int(np.argmax(gap))
            raise GridDataError(
                f"pandapower.runpp of the file gives {quantity} {theirs.iloc[worst]:.6f} {unit} at "
                f"{table} {theirs.index[worst]}, and the network as imported {ours[worst]:.6f} "
                f"{unit}; no element differs more (difference {gap[worst]:.3g}, allowed "
                f"{tolerance:g})",
                file=file,
                field=f"{table}.{quantity}",
                remedy=_remedy(options),
            )


def _solve(net: Any, options: Mapping[str, Any], file: Path) -> None:
    net["user_pf_options"] = {}
    arguments = {**options, **_HOW, "run_control": False}
    try:
        pp.runpp(net, **arguments)
    except Exception as error:  # pandapower raises whatever its numbers lead to
        raise GridDataError(
            f"pandapower.runpp does not solve the network of the file: "
            f"{str(error).strip() or type(error).__name__}",
            file=file,
            remedy="mend the network until pandapower.runpp solves it",
        ) from error


def _remedy(options: Mapping[str, Any]) -> str:
    stored = sorted(set(options) - set(_HOW))
    if stored:
        return (
            f"remove the stored options {', '.join(stored)} that the power flow of a run does not "
            "know (net.user_pf_options.clear()), if they are not meant"
        )
    return (
        "the network holds something there that the power flow of a run does not cover: replace "
        "it, or put it out of service"
    )
