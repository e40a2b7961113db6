"""Linear programme of relief: the cheapest actions within limits that were linearised as phasors.

A limit on a current or on a voltage from above keeps its phasor within a circle, whatever its
direction. A circle is met by supporting half-planes, one where the phasor stands and another
wherever an answer leaves it, until none does (cutting planes: Kelley, J. SIAM 8 (1960) 703-712,
doi:10.1137/0108053; currents and voltages as real and imaginary parts in successive linear
programmes: Castillo and others, IEEE Trans. Power Syst. 31 (2016) 2752-2763,
doi:10.1109/TPWRS.2015.2487042; half-planes as they are needed: Mhanna and Mancarella, IEEE Trans.
Power Syst. 37 (2022) 666-679, arXiv:2107.05164). A lower voltage limit, which is no convex one,
is the half-plane in the direction of the voltage as it stands.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass

import highspy
import numpy as np

from cosim.grid.outputs import ComplexArray
from cosim.units import BoolArray, FloatArray, IntArray

# how far the programme stays inside what is accepted
SLACK_LOADING_PERCENT = 1e-3
SLACK_VOLTAGE_PU = 1e-6
MOST_CUTS = 16
"""Programmes solved for one linearisation; the error left after them is that of the next."""
_OPTIONS: Mapping[str, bool | int | str | float] = {
    "output_flag": False,
    "threads": 1,
    "presolve": "off",  # to look for what can be left out takes longer than to solve it all
    "solver": "simplex",
    "simplex_strategy": 1,  # dual
    "primal_feasibility_tolerance": 1e-9,
    "dual_feasibility_tolerance": 1e-9,
}
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
    quantum_mw : float
        Amounts are whole multiples of it; 0: any amount. [MW]
    """

    point: IntArray
    direction: IntArray
    max_mw: FloatArray
    cost: FloatArray
    together: tuple[tuple[float, BoolArray], ...] = ()
    quantum_mw: float = 0.0

    def change_mw(self, amount_mw: FloatArray, n_points: int) -> FloatArray:
        """Return the change of injection by the actions taken, (n_points,). [MW]"""
        change = np.zeros(n_points)
        np.add.at(change, self.point, self.direction * amount_mw)
        return change

    def bounded(self, amount_mw: FloatArray) -> FloatArray:
        """Scale amounts down to what each group may amount to."""
        bounded = amount_mw.copy()
        for most_mw, members in self.together:
            total = float(bounded[members].sum())
            if total > most_mw:
                bounded[members] *= most_mw / total
        return bounded


@dataclass(frozen=True)
class Linearised:
    """Limits on phasors around an operating point, one row per phasor and limit.

    Attributes
    ----------
    limit : (k,) int64
        Which limit each belongs to; both ends of a branch share one.
    sign : (k,) float
        +1 for an upper limit of the modulus, -1 for a lower one.
    value : (k,) complex
        Phasor at the operating point. [pu, %]
    effect : (k, m) complex
        By each action. [pu/MW, %/MW]
    bound : (k,) float
        Of the modulus. [pu, %]
    is_voltage : (k,) bool
    """

    limit: IntArray
    sign: FloatArray
    value: ComplexArray
    effect: ComplexArray
    bound: FloatArray
    is_voltage: BoolArray

    @property
    def slack(self) -> FloatArray:
        """Distance that the programme keeps from each bound. [pu, %]"""
        return np.where(self.is_voltage, SLACK_VOLTAGE_PU, SLACK_LOADING_PERCENT)

    @property
    def scale(self) -> FloatArray:
        """Percent per unit of each row, so that excesses can be summed."""
        return np.where(self.is_voltage, _PERCENT_PER_PU, 1.0)

    def without_effects(self, chosen: IntArray) -> Linearised:
        """Return some of the rows, of no action."""
        return Linearised(
            self.limit[chosen],
            self.sign[chosen],
            self.value[chosen],
            self.effect[chosen, :0],
            self.bound[chosen],
            self.is_voltage[chosen],
        )

    def predicted(self, change_mw: FloatArray) -> ComplexArray:
        """Return the phasors after a change of the amounts. [pu, %]"""
        return np.asarray(self.value + self.effect @ change_mw, dtype=np.complex128)

    def excess(self, phasor: ComplexArray) -> FloatArray:
        """Return how far each modulus is beyond its bound; negative within. [pu, %]"""
        return np.asarray(self.sign * (np.abs(phasor) - self.bound), dtype=np.float64)


class _HalfPlanes:
    """Half-planes that stand for the limits, in kW and percent: of order one for HiGHS."""

    def __init__(
        self,
        linear: Linearised,
        amount_mw: FloatArray,
        keep: FloatArray,
        actions: Actions,
        reach: float,
    ) -> None:
        self.linear, self.amount_mw, self.actions = linear, amount_mw, actions
        most_mw = reach * actions.max_mw
        self.lowest_kw = np.maximum(amount_mw - most_mw, 0.0) * _KW
        self.highest_kw = np.minimum(amount_mw + most_mw, actions.max_mw) * _KW
        self.bound = linear.bound - linear.sign * (keep + linear.slack)
        self._weight = linear.sign * linear.scale
        self.of = np.zeros(0, dtype=np.int64)
        self.matrix = np.zeros((0, amount_mw.size))
        self._fixed = np.zeros(0)
        self._add(np.arange(linear.value.size), linear.value)

    def _add(self, of: IntArray, at: ComplexArray) -> None:
        size = np.abs(at)
        turn = np.where(size > 0.0, at.conj() / np.where(size > 0.0, size, 1.0), 1.0)
        weight, linear = self._weight[of], self.linear
        rows = weight[:, None] * (turn[:, None] * linear.effect[of]).real
        fixed = rows @ self.amount_mw - weight * (turn * linear.value[of]).real
        self.of = np.concatenate([self.of, of])
        self.matrix = np.vstack([self.matrix, rows / _KW])
        self._fixed = np.concatenate([self._fixed, fixed])

    def right_hand_side(self) -> FloatArray:
        """Return the bounds of the half-planes on amounts in kW, (n,). [%]"""
        return np.asarray(self._fixed + (self._weight * self.bound)[self.of], dtype=np.float64)

    def cut(self, amount_mw: FloatArray, allowed_percent: FloatArray) -> bool:
        """Add a half-plane where an answer leaves a circle; return if there was any."""
        linear = self.linear
        phasor = linear.predicted(amount_mw - self.amount_mw)
        beyond = (np.abs(phasor) - self.bound) * linear.scale - allowed_percent
        left = np.flatnonzero((linear.sign > 0.0) & (beyond > 0.5 * linear.slack * linear.scale))
        self._add(left, phasor[left])
        return bool(left.size)


def cheapest(
    linear: Linearised,
    keep: FloatArray,
    amount_mw: FloatArray,
    actions: Actions,
    reach: float = 1.0,
) -> tuple[FloatArray, bool]:
    """Return the cheapest amounts within linearised limits, and if there are any.

    Parameters
    ----------
    linear : Linearised
    keep : (k,) float
        Distance kept from each bound, beyond that of the programme. [pu, %]
    amount_mw : (m,) float
        At the operating point. [MW]
    actions : Actions
    reach : float
        Farthest that an amount may move, of the most that can be had. [-]

    Returns
    -------
    amount_mw : (m,) float
        Where limits cannot be kept: first the least sum of excesses, then the least cost. [MW]
    attainable : bool
    """
    planes = _HalfPlanes(linear, amount_mw, keep, actions, reach)
    unit = max(float(actions.cost.max(initial=0.0)), 1e-12)
    # equal costs break by connection point, then by position: never by the solver's path
    n_points, m = float(actions.point.max(initial=0) + 1), actions.point.size
    tie = 1e-5 * ((actions.point + 1) / n_points + np.arange(m) / max(m, 1) * 1e-2)
    cost = actions.cost / unit + tie * np.maximum(actions.cost / unit, 1e-2)
    none = np.zeros(linear.value.size)
    answer = _within(planes, cost, none)
    if answer is not None:
        return answer, True
    nearest = _nearest(planes)
    if nearest is None:
        return amount_mw, False
    amount, allowed = nearest
    # half-planes still to come may ask for what the last of them left
    answer = _within(planes, cost, allowed + linear.slack * linear.scale)
    return (amount if answer is None else answer), False


def _within(
    planes: _HalfPlanes, cost: FloatArray, allowed_percent: FloatArray
) -> FloatArray | None:
    """Return the cheapest amounts with an excess allowed of each limit; None if there are none."""
    found = None
    for _ in range(MOST_CUTS):
        matrix, bound = _with_groups(planes)
        bound[: planes.of.size] += allowed_percent[planes.of]
        answer = _highs(cost, matrix, bound, _ranges(planes))
        if answer is None:
            return None
        found = _amount(answer, planes)
        if not planes.cut(found, allowed_percent):
            break
    return found


def _nearest(planes: _HalfPlanes) -> tuple[FloatArray, FloatArray] | None:
    """Return amounts with the least sum of excesses, and the excess of each phasor. [%]"""
    limit, of_limit = np.unique(planes.linear.limit, return_inverse=True)
    m, found = planes.amount_mw.size, None
    cost = np.concatenate([np.zeros(m), np.ones(limit.size)])
    ranges = np.vstack([_ranges(planes), np.tile([0.0, np.inf], (limit.size, 1))])
    for _ in range(MOST_CUTS):
        matrix, bound = _with_groups(planes)
        elastic = np.zeros((bound.size, limit.size))
        elastic[np.arange(planes.of.size), of_limit[planes.of]] = -1.0
        answer = _highs(cost, np.hstack([matrix, elastic]), bound, ranges)
        if answer is None:
            return found
        found = _amount(answer[:m], planes), answer[m:][of_limit]
        if not planes.cut(*found):
            break
    return found


def _with_groups(planes: _HalfPlanes) -> tuple[FloatArray, FloatArray]:
    """Return half-planes and groups as rows; a group is no limit of the grid: it never yields."""
    together = planes.actions.together
    members = [members.astype(np.float64) for _, members in together]
    most = [most_mw * _KW for most_mw, _ in together]
    return np.vstack([planes.matrix, *members]), np.append(planes.right_hand_side(), most)


def _ranges(planes: _HalfPlanes) -> FloatArray:
    return np.column_stack([planes.lowest_kw, planes.highest_kw])


def _amount(answer: FloatArray, planes: _HalfPlanes) -> FloatArray:
    kept = np.clip(answer, planes.lowest_kw, planes.highest_kw)
    kept[kept < 1e-6] = 0.0  # a milliwatt is the solver's tolerance, not an award
    return np.minimum(kept / _KW, planes.actions.max_mw)


class _Solver(threading.local):
    """One solver for all programmes of a thread: to make it takes as long as a small programme."""

    def __init__(self) -> None:
        self.highs = highspy.Highs()  # type: ignore[no-untyped-call]
        for option, value in _OPTIONS.items():
            self.highs.setOptionValue(option, value)


_SOLVER = _Solver()


def _highs(
    cost: FloatArray, matrix: FloatArray, bound: FloatArray, ranges: FloatArray
) -> FloatArray | None:
    """Solve with HiGHS (Huangfu and Hall 2018, doi:10.1007/s12532-017-0130-5)."""
    solver, columns = _SOLVER.highs, matrix.T
    entries = columns != 0.0
    programme = highspy.HighsLp()
    programme.num_col_, programme.num_row_ = cost.size, bound.size
    programme.col_cost_ = cost
    programme.col_lower_, programme.col_upper_ = ranges[:, 0], ranges[:, 1]
    programme.row_lower_, programme.row_upper_ = np.full(bound.size, -np.inf), bound
    programme.a_matrix_.format_ = highspy.MatrixFormat.kColwise
    programme.a_matrix_.start_ = np.append(0, entries.sum(axis=1).cumsum())
    programme.a_matrix_.index_ = np.nonzero(entries)[1]
    programme.a_matrix_.value_ = columns[entries]
    solver.clearModel()  # nothing of an earlier programme decides this one
    solver.passModel(programme)
    solver.run()
    if solver.getModelStatus() != highspy.HighsModelStatus.kOptimal:
        return None
    return np.asarray(solver.getSolution().col_value, dtype=np.float64)
