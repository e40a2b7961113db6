"""Amounts in whole multiples of a quantum, next to those of a continuous optimum.

Of a linear programme's answer only as many amounts lie between their bounds as limits bind, and
offers are whole already. So only those few are rounded, and no distance is kept for rounding at
every connection point: steps of one quantum follow, the cheapest first, until every limit holds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cosim.dso.programme import Actions, Linearised
from cosim.grid.outputs import ComplexArray
from cosim.units import BoolArray, FloatArray, IntArray

MOST_STEPS = 64
"""Steps of one quantum after which amounts are left as they are; more where as many limits bind."""

MANY_ACTIONS = 4096
"""Actions above which amounts that rounding leaves as they are are left out of what it predicts."""

MOST_SWAPS = 1 << 20
"""Pairs of actions up to which each is tried; of more, only the dearest of those that give."""


@dataclass(frozen=True)
class _Moves:
    """Moves of one quantum: one action gives it up, another takes it, or only one of the two.

    ``gives`` and ``takes`` hold positions of actions; the number of actions stands for none.
    """

    gives: IntArray
    takes: IntArray


def nearest_multiples(amount_mw: FloatArray, actions: Actions) -> FloatArray:
    """Round amounts to whole multiples of the quantum, no more than can be had. [MW]"""
    quantum = actions.quantum_mw
    exact = amount_mw / quantum
    number = np.minimum(np.rint(exact), np.floor(actions.max_mw / quantum + 1e-6))
    for most_mw, members in actions.together:
        most = float(np.floor(most_mw / quantum + 1e-6))
        _take_back(number, exact, np.flatnonzero(members), most)
    return np.asarray(number * quantum, dtype=np.float64)


def whole_multiples(linear: Linearised, amount_mw: FloatArray, actions: Actions) -> FloatArray:
    """Round amounts to whole multiples so that linearised limits hold, at least further cost.

    Parameters
    ----------
    linear : Linearised
        At these amounts.
    amount_mw : (m,) float
        [MW]
    actions : Actions
        With a quantum.

    Returns
    -------
    (m,) float
        Whole multiples of the quantum; when no step of a quantum helps, the nearest. [MW]
    """
    quantum, m = actions.quantum_mw, amount_mw.size
    most = np.floor(actions.max_mw / quantum + 1e-6)
    groups = [
        (np.floor(most_mw / quantum + 1e-6), members) for most_mw, members in actions.together
    ]
    number = np.rint(nearest_multiples(amount_mw, actions) / quantum)
    # no effect and no cost of the action that is none
    effect = np.column_stack([linear.effect, np.zeros(linear.value.size)]) * quantum
    acts = effect != 0.0
    cost = np.append(actions.cost, 0.0)
    for _ in range(max(MOST_STEPS, linear.value.size)):
        phasor = _predicted(linear, number * quantum - amount_mw, 1e-6 * quantum)
        exceeded = _excesses(linear, phasor[:, None])[:, 0] > 0.0
        if not exceeded.any():
            break
        # what acts on nothing that is exceeded helps nothing
        acting = np.flatnonzero(acts[exceeded, :m].any(axis=0))
        best = None
        for swaps in (False, True) if groups else (False,):
            if swaps:  # where a group is used up, one gives what another takes
                moves = _swaps(number, most, acting, cost)
            else:
                nobody = np.full(acting.size, m)
                moves = _Moves(np.append(acting, nobody), np.append(nobody, acting))
            ok = np.flatnonzero(_possible(moves, number, most, groups))
            gives, takes = moves.gives[ok], moves.takes[ok]
            moved = np.unique(np.concatenate([gives, takes]))
            rows = np.flatnonzero(exceeded | acts[:, moved].any(axis=1))
            part = linear.without_effects(rows)
            excess = float(_excess(part, phasor[rows, None])[0])
            added, removed = effect[np.ix_(rows, takes)], effect[np.ix_(rows, gives)]
            after = _excess(part, phasor[rows, None] + added - removed)
            chosen = _best(excess - after, after <= 0.0, cost[takes] - cost[gives])
            if chosen is not None:
                best = int(gives[chosen]), int(takes[chosen])
                break
        if best is None:
            break
        for place, step in zip(best, (-1.0, 1.0), strict=True):
            if place < m:
                number[place] += step
    return np.asarray(number * quantum, dtype=np.float64)


def _predicted(linear: Linearised, change_mw: FloatArray, least_mw: float) -> ComplexArray:
    """Return the phasors after a change; of many actions by those alone that change. [pu, %]"""
    if change_mw.size <= MANY_ACTIONS:
        return linear.predicted(change_mw)
    changed = np.abs(change_mw) > least_mw
    return np.asarray(linear.value + linear.effect[:, changed] @ change_mw[changed])


def _swaps(number: FloatArray, most: FloatArray, acting: IntArray, cost: FloatArray) -> _Moves:
    """Return pairs of an action that gives and one that takes; one of them acts."""
    gives, takes = np.flatnonzero(number > 0.0), np.flatnonzero(number < most)
    if gives.size * takes.size > MOST_SWAPS:
        takes = np.intersect1d(takes, acting)
        dearest = np.argsort(-cost[gives], kind="stable")[: MOST_SWAPS // max(takes.size, 1)]
        gives = gives[np.sort(dearest)]
    return _Moves(np.repeat(gives, takes.size), np.tile(takes, gives.size))


def _take_back(number: FloatArray, exact: FloatArray, members: IntArray, most: float) -> None:
    """Take back what rounding added beyond a group's most, where it added most."""
    excess = int(number[members].sum() - most)
    order = members[np.argsort(exact[members] - number[members], kind="stable")]
    order = order[number[order] > 0.0]
    number[order[: max(excess, 0)]] -= 1.0


def _possible(
    moves: _Moves, number: FloatArray, most: FloatArray, groups: list[tuple[float, BoolArray]]
) -> BoolArray:
    """Return the moves that keep the bounds of actions and groups."""
    ok = np.append(number > 0.0, True)[moves.gives] & np.append(number < most, True)[moves.takes]
    for total, members in groups:
        of = np.append(members, False).astype(np.float64)
        ok &= number[members].sum() + of[moves.takes] - of[moves.gives] <= total
    return np.asarray(ok, dtype=np.bool_)


def _best(removed: FloatArray, relieved: BoolArray, cost: FloatArray) -> int | None:
    """Return the move that removes excess at the least cost; None if none removes any."""
    helps = np.flatnonzero(removed > 1e-9)
    if not helps.size:
        return None
    if relieved[helps].any():
        helps = helps[relieved[helps]]
        return int(helps[np.argmin(cost[helps])])
    rate = np.where(cost > 0.0, cost / np.maximum(removed, 1e-9), cost * removed)
    return int(helps[np.argmin(rate[helps])])


def _excess(linear: Linearised, phasor: ComplexArray) -> FloatArray:
    """Return the sum of excesses of phasors, (k, c), by column. [%]"""
    return np.asarray(_excesses(linear, phasor).sum(axis=0), dtype=np.float64)


def _excesses(linear: Linearised, phasor: ComplexArray) -> FloatArray:
    """Return the excess of each phasor, (k, c). [%]"""
    beyond = linear.sign[:, None] * (np.abs(phasor) - linear.bound[:, None])
    beyond = np.maximum(beyond + 0.1 * linear.slack[:, None], 0.0)
    return np.asarray(beyond * linear.scale[:, None], dtype=np.float64)
