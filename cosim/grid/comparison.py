"""The last step of an import: pandapower's own power flow of the file against that of the import.

The file is solved as it came, with every option stored in it that says what is solved; options that
only say how (algorithm, start, number of iterations, packages) are pandapower's defaults, but for a
tight tolerance. So whatever the import has left out, or solves otherwise, shows as a difference.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandapower as pp

from cosim.errors import GridDataError
from cosim.grid.element_tables import INJECTIONS, in_service
from cosim.grid.operation import make_operated
from cosim.grid.power_flow import GridState, PowerFlow
from cosim.grid.tap_control import add_controllers, table_of
from cosim.units import FloatArray

TOLERANCE_PU = 1e-6
TOLERANCE_PERCENT = 1e-3
_MOST_HALVINGS = 10

Injections = tuple[FloatArray, FloatArray]
"""At the connection points, (n_points,) each. [MW, Mvar]"""

_HOW: dict[str, Any] = {
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
    "run_control": False,
}
"""Options of ``runpp`` that say how it solves, not what; a controller in service is refused."""

_HOW_TOO = ("use_umfpack", "permc_spec", "v_debug", "check_connectivity", "voltage_depend_loads")
"""Further ones, taken as stored: of the sparse solver; without the check of connectivity an island
is not solved at all; and loads that depend on voltage are refused, unless they do not count."""

_KEYWORDS: dict[str, Any] = {
    "switch_rx_ratio": 2,
    "delta_q": 0,
    "trafo3w_losses": "hv",
    "neglect_open_switch_branches": False,
    "tdpf_update_r_theta": True,
}
"""Options without a default in the signature of ``runpp``: those of ``_init_runpp_options``."""


def check_against_file(
    source: Any,
    options: Mapping[str, Any],
    net: Any,
    p_inject_mw: FloatArray,
    q_inject_mvar: FloatArray,
    file: Path,
    *,
    elements_file: Path | None = None,
    extremes: Iterable[Injections] = (),
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
    elements_file : Path, optional
        Where these come from, named in errors of power flows that they alone make impossible; they
        are then put in place of the injections of the file, and only the rest of the network is
        compared. Default: they stand for the injections of the file.
    extremes : iterable of (p_inject_mw, q_inject_mvar)
        Further states in which the rest of the network is compared, since a difference may not
        show in the first: each halved until pandapower solves it.

    Raises
    ------
    GridDataError
        If a stored option makes another model, either power flow does not converge, or a voltage
        differs by more than 1e-6 pu or a loading by more than 1e-3 percentage points: names the
        element that differs most.
    """
    _check_options(options, file)
    engine = make_operated("fixed-point", net)
    rated = (p_inject_mw, q_inject_mvar)
    if elements_file is None:
        reference = copy.deepcopy(source)
        _solve(reference, options, file)
    else:
        idle = np.zeros_like(p_inject_mw)
        _solve(_with_injections(source, net, (idle, idle)), options, file)
        reference = _with_injections(source, net, rated)
        try:
            _solve(reference, options, file)
        except GridDataError as error:
            raise GridDataError(
                f"at the ratings of these elements pandapower.runpp does not solve {file.name}, "
                "which it does without them",
                file=elements_file,
                field="p_mw",
                remedy="give ratings in MW and Mvar that the network can carry",
            ) from error
    state = engine.solve(*rated)
    if not state.converged:
        raise GridDataError(
            f"pandapower.runpp solves the network of {file.name}, but the fixed-point iteration of "
            "a run does not converge at the powers of its elements",
            file=elements_file or file,
            remedy="lower these powers until the network is further from its voltage collapse",
        )
    _compare(reference, state, file)
    for extreme in extremes:
        reference, state = _solvable(source, net, engine, extreme, options, file)
        _compare(reference, state, file)


def _with_injections(source: Any, net: Any, injections: Injections) -> Any:
    """Return the network of the file with other powers, at the connection points of the import."""
    reference = copy.deepcopy(source)
    for table in INJECTIONS:
        if table != "ward":
            reference[table] = reference[table].iloc[0:0]
    reference.ward[["ps_mw", "qs_mvar"]] = 0.0
    p_mw, q_mvar = injections
    pp.create_sgens(reference, net.sgen.bus.astype(int).to_list(), p_mw=p_mw, q_mvar=q_mvar)
    return reference


def _solvable(
    source: Any,
    net: Any,
    engine: PowerFlow,
    extreme: Injections,
    options: Mapping[str, Any],
    file: Path,
) -> tuple[Any, GridState]:
    """Solve the file and the import at the largest of halved powers that both solve.

    No run need come near such a state; one beyond the voltage collapse is no fault of the file.
    """
    for halvings in range(_MOST_HALVINGS + 1):
        powers = (extreme[0] / 2**halvings, extreme[1] / 2**halvings)
        state = engine.solve(*powers)
        reference = _with_injections(source, net, powers)
        try:
            _solve(reference, options, file)
        except GridDataError:
            if halvings == _MOST_HALVINGS:
                raise
        else:
            if state.converged:
                return reference, state
    raise GridDataError(
        "pandapower.runpp solves the network of the file, but the fixed-point iteration of a run "
        f"does not converge even at 1/{2**_MOST_HALVINGS} of the powers of its elements",
        file=file,
        remedy="mend the network until it is further from its voltage collapse",
    )


def _compare(reference: Any, state: GridState, file: Path) -> None:
    """Refuse a difference between the results of pandapower and those of the import.

    A branch out of service carries nothing; pandapower divides that by a rating that may be zero.
    """
    pairs = [
        ("bus", "vm_pu", reference.res_bus.vm_pu, state.vm_pu, TOLERANCE_PU, "pu"),
        *(
            (
                table,
                "loading_percent",
                reference[f"res_{table}"]
                .loading_percent.where(in_service(reference[table]), 0.0)
                .fillna(0.0),
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
                remedy="the network holds something there that the power flow of a run does not "
                "cover: replace it, or put it out of service",
            )


def _check_options(options: Mapping[str, Any], file: Path) -> None:
    """Refuse what makes another model, or is unknown: the difference need not show in a state."""
    signature = inspect.signature(pp.runpp).parameters.values()
    defaults = {one.name: one.default for one in signature if one.default is not one.empty}
    defaults |= _KEYWORDS
    for option, value in options.items():
        if option in _HOW or option in _HOW_TOO:
            continue
        plain = value is None or isinstance(value, (bool, int, float, str, np.generic))
        if option not in defaults or not plain or value != defaults[option]:
            known = option in defaults
            raise GridDataError(
                f"the stored option {option} is {value!r}; "
                + (f"a run solves {defaults[option]!r}" if known else "no run knows it"),
                file=file,
                field=f"user_pf_options.{option}",
                remedy=f"remove it (net.user_pf_options.pop({option!r})), if it is not meant",
            )


def _solve(net: Any, options: Mapping[str, Any], file: Path) -> None:
    net["user_pf_options"] = {}
    arguments = {**options, **_HOW}
    if not table_of(net).empty and net.controller.empty:
        add_controllers(net)
        arguments["run_control"] = True
    try:
        pp.runpp(net, **arguments)
    except Exception as error:  # pandapower raises whatever its numbers lead to
        raise GridDataError(
            f"pandapower.runpp does not solve the network of the file: "
            f"{str(error).strip() or type(error).__name__}",
            file=file,
            remedy="mend the network until pandapower.runpp solves it",
        ) from error
