"""Least-cost change of injections that brings the network within limits.

Successive linear programming: linearise voltages and currents of the AC power flow as phasors,
with its exact sensitivities, solve the linear programme (:mod:`cosim.dso.programme`), solve the AC
power flow of its answer, and repeat from there until that is within limits and the linearisation
was good enough to be trusted on the cost as well. A step that worsens the excess is halved, and
after one that turns round amounts may move half as far. The best state seen is kept. Where the
descent ends outside limits, it begins anew from uses of everything that can be had (step bounds
and restoration of feasibility as in trust-region methods: Sampath and others, Electr. Power Syst.
Res. 165 (2018) 134-143, doi:10.1016/j.epsr.2018.09.002).

Simplified: reactive power stays, taps stay, and the optimum is a local one; it is the global one
as far as phasors are linear in the injections and no lower voltage limit binds. In a large network
the programme leaves out small effects (:func:`local`); what they amount to is known from the next
AC power flow, and the programme is solved again from there.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from cosim.dso.programme import Actions, Linearised, cheapest
from cosim.dso.whole import nearest_multiples, whole_multiples
from cosim.grid.limits import GridCheck, Limits, check
from cosim.grid.outputs import ComplexArray
from cosim.grid.power_flow import GridState, PowerFlow
from cosim.grid.response import LARGEST_DENSE
from cosim.units import BoolArray, FloatArray

# a limit row enters the programme when its value comes so near; others are added when violated
NEAR_LOADING_PERCENT = 10.0
NEAR_VOLTAGE_PU = 0.01
# a voltage so far above its lower limit does not reach it in one step
FAR_VOLTAGE_PU = 0.08
# largest error of the linear prediction, by how far a value was moved, at which an answer counts
# as the optimum; or so many times the programme's own distance from a limit
TRUST = 0.003
TRUSTED_SLACKS = 2.0
# share of the largest effect on a limit below which, in a large network, another is left out
NEGLIGIBLE = 0.01
# shares of everything that can be had from which a descent begins anew
SHARES = (0.25, 0.5, 0.75, 1.0)
# excess up to which a step is taken although the point before it had less
WORSE_PERCENT = 1.0
MOST_HALVINGS = 10
MOST_ROUNDINGS = 4


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
        Linearisations.
    within_limits : bool
        Whether the limits hold.
    """

    amount_mw: FloatArray
    state: GridState
    check: GridCheck
    n_iterations: int
    within_limits: bool


def relieve(
    engine: PowerFlow,
    limits: Limits,
    p_mw: FloatArray,
    q_mvar: FloatArray,
    actions: Actions,
    max_iterations: int = 16,
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
        Most linearisations from one start.

    Returns
    -------
    Relief
        Within limits whenever that was seen to be possible, as full use of the actions is. When
        limits cannot be kept, the actions that come nearest: first the least sum of excesses,
        then the least cost. When no state with less power converges either, everything that
        reduces power is used and the state says that it did not converge.
    """
    search = _Search(engine, limits, p_mw, q_mvar, actions, max_iterations)
    start = search.at(np.zeros(actions.point.size))
    if not start.converged:
        start = search.towards_convergence()
    untouched = not start.amount_mw.any()
    if not start.converged or not actions.point.size or (start.is_within and untouched):
        return start.relief(0)
    best = search.descend(start)
    if not best.is_within:
        other = search.full_use()
        if other.excess < best.excess:
            best = min(best, search.descend(other), key=_rank)
    if actions.quantum_mw:
        best = search.whole(best)
    return best.relief(search.n_iterations)


@dataclass(frozen=True)
class _Point:
    """Amounts, and the AC state after them against the limits.

    ``excess`` is the sum over all rows, in percent and in hundredths of a unit of voltage.
    """

    amount_mw: FloatArray
    state: GridState
    check: GridCheck
    excess: float
    cost: float

    @property
    def converged(self) -> bool:
        return bool(self.state.converged)

    @property
    def is_within(self) -> bool:
        return not self.check.any_violated

    def relief(self, n_iterations: int) -> Relief:
        return Relief(self.amount_mw, self.state, self.check, n_iterations, self.is_within)


def _rank(point: _Point) -> tuple[float, float]:
    """Order points: within limits the cheaper, else the one with less excess."""
    return (point.excess, point.cost)


class _Search:
    """Descents of one relief; rows of limits that once mattered stay in the programme."""

    def __init__(
        self,
        engine: PowerFlow,
        limits: Limits,
        p_mw: FloatArray,
        q_mvar: FloatArray,
        actions: Actions,
        max_iterations: int,
    ) -> None:
        self._engine, self._limits, self._actions = engine, limits, actions
        self._p_mw, self._q_mvar = p_mw, q_mvar
        self._max_iterations = max_iterations
        n_rows = engine.topology.check_columns[0].size
        self._wanted = np.zeros(n_rows, dtype=np.bool_)
        self._is_large = p_mw.size > LARGEST_DENSE
        self.n_iterations = 0

    def at(self, amount_mw: FloatArray) -> _Point:
        """Solve and check the state after these amounts."""
        return self._point(amount_mw, self._engine.solve(self._injected(amount_mw), self._q_mvar))

    def descend(self, start: _Point) -> _Point:
        """Return the best point that successive linear programmes see from a start."""
        best = point = start
        reach, step_mw = 1.0, np.zeros(start.amount_mw.size)
        guard = np.zeros(2 * self._wanted.size)
        for iteration in range(1, self._max_iterations + 1):
            self.n_iterations += 1
            linear = self._linearised(point)
            self._last = point.amount_mw, linear
            keep = guard[linear.limit]
            proposal, attainable = cheapest(linear, keep, point.amount_mw, self._actions, reach)
            following = self._step(point, proposal)
            before_mw, step_mw = step_mw, following.amount_mw - point.amount_mw
            phasor = linear.predicted(step_mw)
            predicted = self._by_limit(linear, np.abs(phasor))
            found = following.check.value[linear.limit // 2]
            if attainable and 2 * iteration > self._max_iterations:
                # two answers that are each the optimum of the other's linearisation alternate
                # for ever, unless it keeps away by what the prediction missed
                beyond = linear.sign * (found - linear.bound)
                guard[linear.limit] = keep + np.maximum(beyond, 0.0)
            best = min(best, following, key=_rank)
            distance = linear.sign * (linear.bound - predicted) - keep
            binding = distance < 10.0 * linear.slack
            moved = np.abs(predicted - point.check.value[linear.limit // 2])
            trust = np.maximum(TRUST * moved, TRUSTED_SLACKS * linear.slack)
            trusted = bool((np.abs(found - predicted) <= trust)[binding].all())
            if float(step_mw @ before_mw) < 0.0:  # it turned round: the optimum is on the way
                most_mw = np.maximum(self._actions.max_mw, 1e-12)
                reach = 0.5 * float((np.abs(step_mw) / most_mw).max())
            settled = following.is_within or not attainable
            if settled and trusted and np.array_equal(following.amount_mw, proposal):
                break
            point = following
        return best

    def full_use(self) -> _Point:
        """Return the best of the shares of everything that can be had, up, down or both."""
        actions = self._actions
        uses = np.array(
            [
                actions.bounded(np.where(chosen, share * actions.max_mw, 0.0))
                for chosen in (actions.direction < 0, actions.direction > 0, actions.max_mw > 0.0)
                for share in SHARES
            ]
        )
        return min(self._solved(uses), key=_rank)

    def whole(self, best: _Point) -> _Point:
        """Return whole multiples of the quantum next to the best point, within limits as it is."""
        actions, point = self._actions, best
        if not best.is_within:
            return self.at(nearest_multiples(best.amount_mw, actions))
        linear = self._based(best)
        for _ in range(MOST_ROUNDINGS):
            amount = whole_multiples(linear, point.amount_mw, actions)
            point = self.at(amount)
            if point.is_within or not point.converged:
                break
            linear = self._linearised(point)
        if not point.is_within:
            point = min(point, self.full_use(), key=_rank)
        return point

    def towards_convergence(self) -> _Point:
        """Find the least share of all power-reducing actions that gives a state to start from."""
        actions, p_mw = self._actions, self._p_mw
        reducing = np.sign(p_mw)[actions.point] == -actions.direction
        full = np.where(reducing, actions.max_mw, 0.0)
        total = np.zeros(p_mw.size)
        np.add.at(total, actions.point, full)
        # not beyond zero injection
        keep = np.ones(p_mw.size)
        over = total > np.abs(p_mw)
        keep[over] = np.abs(p_mw[over]) / total[over]
        full = actions.bounded(full * keep[actions.point])
        points = self._solved(np.linspace(0.0, 1.0, 33)[1:, None] * full)
        return next((point for point in points if point.converged), points[-1])

    def _solved(self, uses_mw: FloatArray) -> list[_Point]:
        """Solve the states after several uses, (n, m), each rounded down to whole multiples."""
        quantum = self._actions.quantum_mw
        if quantum:
            uses_mw = np.floor(uses_mw / quantum + 1e-6) * quantum
        injected = np.array([self._injected(use) for use in uses_mw])
        batch = self._engine.solve_batch(injected, np.tile(self._q_mvar, (len(injected), 1)))
        return [self._point(use, batch.at(i)) for i, use in enumerate(uses_mw)]

    def _injected(self, amount_mw: FloatArray) -> FloatArray:
        return self._p_mw + self._actions.change_mw(amount_mw, self._p_mw.size)

    def _point(self, amount_mw: FloatArray, state: GridState) -> _Point:
        checked = check(state, self._limits, self._engine.topology)
        cost = float(self._actions.cost @ amount_mw)
        return _Point(amount_mw, state, checked, checked.excess, cost)

    def _step(self, point: _Point, proposal: FloatArray) -> _Point:
        """Go to the proposal, or as much of the way as converges and does not worsen."""
        allowed, best, share = max(point.excess, WORSE_PERCENT), None, 1.0
        for _ in range(MOST_HALVINGS):
            way = (
                proposal if share == 1.0 else point.amount_mw + share * (proposal - point.amount_mw)
            )
            taken = self.at(way)
            if taken.excess <= allowed:
                return taken
            best = taken if best is None else min(best, taken, key=_rank)
            share /= 2.0
        return best if best is not None and best.converged else point

    def _linearised(self, point: _Point) -> Linearised:
        """Linearise the limits that are or have been near, at a point."""
        actions, checked = self._actions, point.check
        lower, upper = self._limits.of_rows(self._engine.topology)
        self._wanted |= _near(checked, self._is_large)
        phasors = self._engine.phasors(
            point.state, self._injected(point.amount_mw), self._q_mvar, self._wanted
        )
        row = np.flatnonzero(self._wanted)[phasors.row]
        effect = phasors.d_p[:, actions.point] * actions.direction
        if self._is_large:
            effect = local(effect)
        is_bus = checked.element[row] == "bus"
        near_low = np.abs(phasors.value) < lower[row] + FAR_VOLTAGE_PU
        bus = np.flatnonzero(is_bus & near_low)
        # a bus far above its lower limit has, as a branch, the upper one alone
        of = np.concatenate([np.arange(row.size), bus])
        sign = np.concatenate([np.ones(row.size), -np.ones(bus.size)])
        is_voltage = checked.element[row[of]] == "bus"
        return Linearised(
            limit=2 * row[of] + (sign < 0.0),
            sign=sign,
            value=phasors.value[of],
            effect=effect[of],
            bound=np.where(sign > 0.0, upper[row[of]], lower[row[of]]),
            is_voltage=is_voltage,
        )

    def _based(self, point: _Point) -> Linearised:
        """Return the last linearisation, moved to a point near the one where it was made."""
        made_at_mw, linear = self._last
        phasor = linear.predicted(point.amount_mw - made_at_mw)
        found = point.check.value[linear.limit // 2]
        size = self._by_limit(linear, np.abs(phasor))
        return replace(linear, value=phasor * (found / np.where(size > 0.0, size, 1.0)))

    def _by_limit(self, linear: Linearised, size: FloatArray) -> FloatArray:
        """Return for each phasor the larger modulus of those that share its limit."""
        largest = np.zeros(2 * self._wanted.size)
        np.maximum.at(largest, linear.limit, size)
        return np.asarray(largest[linear.limit], dtype=np.float64)


def local(effect: ComplexArray) -> ComplexArray:
    """Return effects, (k, m), without those below a hundredth of the largest on the same row.

    Of a large network these are the actions of other areas: a programme without them falls into as
    many small ones as there are areas with a violation.
    """
    size = np.abs(effect)
    return np.where(size < NEGLIGIBLE * size.max(axis=1, initial=0.0, keepdims=True), 0.0, effect)


def _near(checked: GridCheck, is_large: bool) -> BoolArray:
    """Return rows that are violated or could become so; of a large network those violated alone."""
    if is_large:
        rows = checked.violated.copy()
        rows[-1] = False
        return rows
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
