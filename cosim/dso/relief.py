"""Least-cost change of injections that brings the network within limits.

Successive linear programming: linearise the AC power flow with its exact sensitivities, solve the
linear programme with HiGHS (Huangfu and Hall, Math. Prog. Comp. 10 (2018) 119-142,
doi:10.1007/s12532-017-0130-5), solve the AC power flow of the answer, and repeat from there until
it is within limits and the linearisation was good enough to be trusted on the cost as well.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import linprog

from cosim.grid.limits import GridCheck, Limits, check
from cosim.grid.power_flow import GridState, PowerFlow
from cosim.units import BoolArray, FloatArray, IntArray

# a limit row enters the programme when its value comes so near; others are added when violated
NEAR_LOADING_PERCENT = 10.0
NEAR_VOLTAGE_PU = 0.01
# integer Wh per quarter hour: what rounding may move at each connection point
ROUNDING_MW = 4e-6
# how far the programme stays inside what is accepted
SLACK_LOADING_PERCENT = 1e-3
SLACK_VOLTAGE_PU = 1e-6
# largest error of the linear prediction at which an answer counts as the optimum
TRUST_LOADING_PERCENT = 0.1
TRUST_VOLTAGE_PU = 1e-4
# a miss of up to so many times the trusted error is answered by a guard band at once
GUARDED_TRUSTS = 5.0
_KW = 1e3
_PERCENT_PER_PU = 100.0


@dataclass(frozen=True)
class Actions:
    """Changes of injection that can be had.

    Attributes
    ----------
    point : (m,) int64
        Connection point.
    direction : (m,) int64
        +1 raises the net injection, -1 lowers it.
    max_mw : (m,) float
        Most that can be had, >= 0. [MW]
    cost : (m,) float
        Per MW, >= 0, any one currency.
    together : tuple of (float, (m,) bool)
        Most that a group of actions may amount to together, and which they are. [MW]
    """

    point: IntArray
    direction: IntArray
    max_mw: FloatArray
    cost: FloatArray
    together: tuple[tuple[float, BoolArray], ...] = ()

    def change_mw(self, amount_mw: FloatArray, n_points: int) -> FloatArray:
        """Return the change of injection by the actions taken, (n_points,). [MW]"""
        change = np.zeros(n_points)
        np.add.at(change, self.point, self.direction * amount_mw)
        return change


@dataclass(frozen=True)
class Relief:
    """Actions to take, and the AC state after them.

    Attributes
    ----------
    amount_mw : (m,) float
        Of each action. [MW]
    state : GridState
    check : GridCheck
        Against the limits of the relief.
    n_iterations : int
        Linear programmes solved.
    within_limits : bool
        Whether the limits hold with a margin for rounding.
    """

    amount_mw: FloatArray
    state: GridState
    check: GridCheck
    n_iterations: int
    within_limits: bool


@dataclass(frozen=True)
class _Rows:
    """Limit rows ``sign * value <= bound`` of one grid check."""

    value: FloatArray
    bound: FloatArray
    sign: FloatArray
    slack: FloatArray
    trust: FloatArray
    scale: FloatArray


def relieve(
    engine: PowerFlow,
    limits: Limits,
    p_mw: FloatArray,
    q_mvar: FloatArray,
    actions: Actions,
    max_iterations: int = 8,
) -> Relief:
    """Find the cheapest actions that bring the network within limits.

    Parameters
    ----------
    engine : PowerFlow
    limits : Limits
        Margins included.
    p_mw, q_mvar : (n_points,) float
        Injections before. Reactive power stays. [MW, Mvar]
    actions : Actions
    max_iterations : int
        Most linear programmes to solve.

    Returns
    -------
    Relief
        When limits cannot be kept, the actions that come nearest: first the least sum of
        excesses, then the least cost. When no state with less power converges either, everything
        that reduces power is used and the state says that it did not converge.
    """
    n_points = p_mw.size
    amount = np.zeros(actions.point.size)
    state = engine.solve(p_mw, q_mvar)
    if not state.converged:
        amount, state = _towards_convergence(engine, p_mw, q_mvar, actions)
    checked = check(state, limits, engine.topology)
    if not state.converged or (not checked.any_violated and not amount.any()):
        return Relief(amount, state, checked, 0, bool(state.converged))
    best: Relief | None = None
    wanted = np.zeros(checked.value.size, dtype=np.bool_)
    # what the prediction of a row missed: two answers that are each the other's linearisation's
    # optimum would alternate for ever without it
    guard = np.zeros(checked.value.size)
    iteration = 0
    while iteration < max_iterations and actions.point.size:
        iteration += 1
        wanted |= _near(checked, limits)
        rows = _rows(checked, wanted)
        slope = engine.sensitivities(
            state, p_mw + actions.change_mw(amount, n_points), q_mvar, wanted
        ).d_p
        points = np.unique(actions.point)
        rounding = ROUNDING_MW * np.abs(slope[:, points]).sum(axis=1)
        effect = slope[:, actions.point] * actions.direction
        proposal, attainable = _programme(rows, rounding + guard[wanted], effect, amount, actions)
        predicted = rows.value + effect @ (proposal - amount)
        step_taken, state = _step(engine, p_mw, q_mvar, actions, amount, proposal)
        amount, checked = step_taken, check(state, limits, engine.topology)
        value = checked.value[wanted]
        excess = rows.sign * (value - rows.bound)
        if attainable:
            missed = np.maximum(excess + rounding, 0.0)
            # a large miss is first mended by linearising anew, not by keeping away
            small = missed <= GUARDED_TRUSTS * rows.trust
            guard[wanted] += np.where(small | (2 * iteration > max_iterations), missed, 0.0)
        inside = not checked.any_violated and bool((excess + rounding <= 0.0).all())
        found = Relief(amount, state, checked, iteration, inside)
        best = _better(found, best, actions)
        binding = (
            rows.sign * (predicted - rows.bound) + rounding + guard[wanted] > -10.0 * rows.slack
        )
        trusted = bool((np.abs(value - predicted)[binding] <= rows.trust[binding]).all())
        settled = inside or not attainable
        if settled and trusted and np.array_equal(amount, proposal):
            break
    if best is None:
        return Relief(amount, state, checked, iteration, False)
    return Relief(best.amount_mw, best.state, best.check, iteration, best.within_limits)


def _near(checked: GridCheck, limits: Limits) -> BoolArray:
    """Return rows that are violated or could become so."""
    is_bus = checked.element == "bus"
    near = np.where(is_bus, NEAR_VOLTAGE_PU, NEAR_LOADING_PERCENT)
    rows = np.where(
        is_bus,
        np.abs(checked.value - checked.limit) < near,
        checked.value > checked.limit - near,
    )
    rows |= checked.violated
    rows[-1] = False
    return np.asarray(rows, dtype=np.bool_)


def _rows(checked: GridCheck, wanted: BoolArray) -> _Rows:
    is_bus = (checked.element == "bus")[wanted]
    value, bound = checked.value[wanted], checked.limit[wanted]
    return _Rows(
        value=value,
        bound=bound,
        sign=np.where(checked.is_lower[wanted], -1.0, 1.0),
        slack=np.where(is_bus, SLACK_VOLTAGE_PU, SLACK_LOADING_PERCENT),
        trust=np.where(is_bus, TRUST_VOLTAGE_PU, TRUST_LOADING_PERCENT),
        scale=np.where(is_bus, _PERCENT_PER_PU, 1.0),
    )


def _programme(
    rows: _Rows, rounding: FloatArray, effect: FloatArray, amount: FloatArray, actions: Actions
) -> tuple[FloatArray, bool]:
    """Return the cheapest amounts within the linearised limits, and if there are any.

    In kW and percent, so that coefficients are of order one for HiGHS' absolute tolerances.
    """
    weight = rows.sign * rows.scale
    matrix = weight[:, None] * effect / _KW
    bound = weight * (rows.bound - rows.value + effect @ amount)
    bound -= rows.scale * (rounding + rows.slack)
    n_rows = bound.size
    # what actions may amount to together is no limit of the grid: it never gives way
    matrix = np.vstack([matrix, *(members.astype(np.float64) for _, members in actions.together)])
    bound = np.append(bound, [most_mw * _KW for most_mw, _ in actions.together])
    top = actions.max_mw * _KW
    unit = max(float(actions.cost.max(initial=0.0)), 1e-12)
    # equal costs break by connection point, then by position: never by the solver's path
    n_points = float(actions.point.max(initial=0) + 1)
    tie = 1e-5 * ((actions.point + 1) / n_points + np.arange(top.size) / max(top.size, 1) * 1e-2)
    cost = actions.cost / unit + tie * np.maximum(actions.cost / unit, 1e-2)
    bounds = np.column_stack([np.zeros(top.size), top])
    answer = _highs(cost, matrix, bound, bounds)
    attainable = answer is not None
    if answer is None:
        elastic = np.concatenate([np.zeros(top.size), np.ones(n_rows)])
        answer = _highs(
            elastic,
            np.hstack([matrix, -np.eye(bound.size, n_rows)]),
            bound,
            np.vstack([bounds, np.column_stack([np.zeros(n_rows), np.full(n_rows, np.inf)])]),
        )
        if answer is None:
            return amount, False
        nearest, excess = answer[: top.size], answer[top.size :]
        loosened = bound.copy()
        loosened[:n_rows] += excess + 1e-6
        answer = _highs(cost, matrix, loosened, bounds)
        answer = nearest if answer is None else answer
    kept = np.clip(answer, 0.0, top)
    kept[kept < 1e-6] = 0.0  # a milliwatt is the solver's tolerance, not an award
    return np.minimum(kept / _KW, actions.max_mw), attainable


def _highs(
    cost: FloatArray, matrix: FloatArray, bound: FloatArray, bounds: FloatArray
) -> FloatArray | None:
    result = linprog(
        cost,
        A_ub=matrix,
        b_ub=bound,
        bounds=bounds,
        method="highs-ds",
        options={"dual_feasibility_tolerance": 1e-9, "primal_feasibility_tolerance": 1e-9},
    )
    return np.asarray(result.x, dtype=np.float64) if result.status == 0 else None


def _step(
    engine: PowerFlow,
    p_mw: FloatArray,
    q_mvar: FloatArray,
    actions: Actions,
    amount: FloatArray,
    proposal: FloatArray,
) -> tuple[FloatArray, GridState]:
    """Return the proposal, or as much of the way to it as converges."""
    share = 1.0
    while share > 1e-3:
        taken = proposal if share == 1.0 else amount + share * (proposal - amount)
        state = engine.solve(p_mw + actions.change_mw(taken, p_mw.size), q_mvar)
        if state.converged:
            return taken, state
        share /= 2.0
    return amount, engine.solve(p_mw + actions.change_mw(amount, p_mw.size), q_mvar)


def _towards_convergence(
    engine: PowerFlow, p_mw: FloatArray, q_mvar: FloatArray, actions: Actions
) -> tuple[FloatArray, GridState]:
    """Find the least share of all power-reducing actions that gives a state to start from."""
    reducing = np.sign(p_mw)[actions.point] == -actions.direction
    full = np.where(reducing, actions.max_mw, 0.0)
    total = np.zeros(p_mw.size)
    np.add.at(total, actions.point, full)
    # not beyond zero injection
    keep = np.ones(p_mw.size)
    over = total > np.abs(p_mw)
    keep[over] = np.abs(p_mw[over]) / total[over]
    full = full * keep[actions.point]
    for most_mw, members in actions.together:
        full[members] *= min(1.0, most_mw / max(float(full[members].sum()), 1e-12))
    change = actions.change_mw(full, p_mw.size)
    shares = np.linspace(0.0, 1.0, 33)[1:]
    batch = engine.solve_batch(
        p_mw + shares[:, None] * change, np.broadcast_to(q_mvar, (shares.size, q_mvar.size))
    )
    solved = np.flatnonzero(batch.converged)
    first = int(solved[0]) if solved.size else shares.size - 1
    return shares[first] * full, batch.at(first)


def _better(found: Relief, best: Relief | None, actions: Actions) -> Relief:
    """Prefer within limits to outside; then the later outside, or the cheaper inside."""
    if best is None or (found.within_limits and not best.within_limits):
        return found
    if best.within_limits and not found.within_limits:
        return best
    if not found.within_limits:
        return found
    cheaper = actions.cost @ found.amount_mw <= actions.cost @ best.amount_mw
    return found if cheaper else best
