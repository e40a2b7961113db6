"""Principles of access: who gives way to a limit, and how far, by a rule known beforehand.

Least energy asks those first who help most, wherever they live. The rules here ask everybody who
contributes to what is violated, by a share or by an order that was agreed when they were connected:

* ``pro_rata``: all by the same share of what they could be cut;
* ``last_in_first_out``: who was connected last is cut wholly before the one before gives anything.

Both have one number that says how much is cut; the least at which the AC power flow keeps all
limits with their margins is found by bisection, to a ten-thousandth of the share or to a Wh.

Simplified: who contributes is decided on the state before the cut, by its sensitivities; where more
cuts do not help more, so that no amount keeps the limits, the one that comes nearest is taken.

References
----------
L. Kane, G. Ault: A review and analysis of renewable energy curtailment schemes and Principles of
Access. Energy Policy 72 (2014) 67-77, doi:10.1016/j.enpol.2014.04.010. S. N. Liew, G. Strbac:
Maximising penetration of wind generation in existing distribution networks. IEE Proceedings
Generation, Transmission and Distribution 149 (2002) 256-262, on curtailment for voltage.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np

from cosim.dso.procurement import DsoNetwork
from cosim.dso.relief import NEGLIGIBLE
from cosim.grid.limits import check
from cosim.units import FloatArray, IntArray, p_mw_from_wh

PRO_RATA, LAST_IN_FIRST_OUT = "pro_rata", "last_in_first_out"
Rule = Literal["pro_rata", "last_in_first_out"]
PARTS = 10_000
"""Parts of the share of a pro-rata cut."""
_SAMPLES = 16
"""Amounts that are looked at where the whole amount does not keep the limits."""


def cut_by_rule(
    rule: Rule,
    network: DsoNetwork,
    net_wh: IntArray,
    q_mvar: FloatArray,
    down_wh: IntArray,
    up_wh: IntArray,
    step_s: int,
    connected: Sequence[int],
) -> IntArray:
    """Return the least cut by a rule that keeps the limits with their margins, (n,).

    Parameters
    ----------
    rule : str
    network : DsoNetwork
        Its engine has begun the interval.
    net_wh : (n,) int64
        Scheduled net injection. [Wh]
    q_mvar : (n,) float
        [Mvar]
    down_wh, up_wh : (n,) int64
        Injection and consumption that may be cut, >= 0. [Wh]
    step_s : int
        Length of an interval. [s]
    connected : sequence of int
        All connection points, from the first to the last that was connected.

    Returns
    -------
    (n,) int64
        Positive: injection cut; negative: consumption cut. Zero where nothing needs to be cut, or
        nobody who may be cut contributes. [Wh]
    """
    direction = contributing(network, p_mw_from_wh(net_wh, step_s), q_mvar)
    most_wh = np.where(direction > 0, down_wh, np.where(direction < 0, up_wh, 0))
    if rule == PRO_RATA:
        most = PARTS

        def amounts_wh(part: int) -> IntArray:
            whole: IntArray = -(-most_wh * part // PARTS)
            return whole
    else:
        newest_first = np.asarray(connected, dtype=np.int64)[::-1]
        reached = np.cumsum(most_wh[newest_first])
        before_wh = np.zeros_like(most_wh)
        before_wh[newest_first] = reached - most_wh[newest_first]
        most = int(most_wh.sum())

        def amounts_wh(part: int) -> IntArray:
            own: IntArray = np.clip(part - before_wh, 0, most_wh)
            return own

    def excess(part: int) -> float:
        p_mw = p_mw_from_wh(net_wh - direction * amounts_wh(part), step_s)
        state = network.engine.solve(p_mw, q_mvar)
        return check(state, network.relief_limits, network.engine.topology).excess

    if not most_wh.any():
        return np.zeros_like(net_wh)
    cut: IntArray = direction * amounts_wh(_least(excess, most))
    return cut


def contributing(network: DsoNetwork, p_mw: FloatArray, q_mvar: FloatArray) -> IntArray:
    """Return who contributes to what is violated with margins, and which way, (n,).

    Positive where injecting less helps, negative where drawing less does; zero for those whose
    effect is less than a hundredth of the largest, and where nothing is violated. Violated rows
    count by how far they are beyond their limit. Where the power flow has no solution, everybody
    contributes by what he does: all power is reduced.

    Parameters
    ----------
    network : DsoNetwork
    p_mw, q_mvar : (n,) float
        [MW, Mvar]
    """
    state = network.engine.solve(p_mw, q_mvar)
    if not state.converged:
        return np.sign(p_mw).astype(np.int64)
    checked = check(state, network.relief_limits, network.engine.topology)
    if not checked.any_violated:
        return np.zeros(p_mw.size, dtype=np.int64)
    slope = network.engine.sensitivities(state, p_mw, q_mvar, checked.violated).d_p
    beyond = (checked.value - checked.limit)[checked.violated] * checked.percent[checked.violated]
    effect = (slope / np.abs(slope).max(axis=1, keepdims=True).clip(1e-300)).T @ beyond
    helps = np.abs(effect) >= NEGLIGIBLE * np.abs(effect).max()
    found: IntArray = np.where(helps, np.sign(effect), 0.0).astype(np.int64)
    return found


def _least(excess: Callable[[int], float], most: int) -> int:
    """Return the least amount without excess, or that of the least excess where none is."""
    if excess(most) > 0.0:
        samples = sorted({most * k // _SAMPLES for k in range(_SAMPLES + 1)})
        found = [excess(part) for part in samples]
        best = int(np.argmin(found))
        if found[best] > 0.0:
            return samples[best]
        low, most = samples[max(best - 1, 0)], samples[best]
    else:
        low = 0
    while most - low > 1:
        middle = (low + most) // 2
        if excess(middle) > 0.0:
            low = middle
        else:
            most = middle
    return most
