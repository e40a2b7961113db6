"""Awards that cost something before they change anything: a fixed charge with each offer taken.

Under a capacity limit the DSO pays for all that lies between the registered capacity and the limit,
so first for what the schedule leaves unused. The least-cost awards are then a fixed-charge problem.
It is solved by slopes: the charge is spread over what was taken of the offer, first over all of it,
and the linear programme is solved again until it answers alike (dynamic slope scaling: Kim and
Pardalos, Oper. Res. Lett. 24 (1999) 195-203, doi:10.1016/S0167-6377(99)00004-8). Then offers are
left out one after the other, the dearest first, as long as the rest suffices and costs less. A
heuristic: the best answer seen is kept, and no bound says how far it is from the optimum.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

import numpy as np

from cosim.units import FloatArray, IntArray

MOST_SLOPES = 6


class Answer(Protocol):
    """Awards, and whether the limits are kept by them alone."""

    @property
    def awarded_mw(self) -> FloatArray:
        """Of each block, (m,). [MW]"""

    @property
    def curtailed_mw(self) -> FloatArray:
        """Of each connection point. [MW]"""

    @property
    def margins_kept(self) -> bool:
        """True if every limit less its margin holds."""


A = TypeVar("A", bound=Answer)


def with_fixed_costs(
    solve: Callable[[FloatArray, FloatArray], A],
    energy_mw: FloatArray,
    price: FloatArray,
    offer: IntArray,
    fixed: FloatArray,
) -> A:
    """Return the cheapest answer seen when taking an offer costs something by itself.

    Parameters
    ----------
    solve : callable
        Takes the energies and the prices of the blocks, and answers at least cost per energy.
    energy_mw, price : (m,) float
        Of each block. [MW]
    offer : (m,) int64
        Offer that a block is of.
    fixed : (m,) float
        Cost of taking anything of this offer, the same for all its blocks; of price times MW.
    """
    taken = _total(energy_mw, offer)
    best: A | None = None
    kept = energy_mw
    for _ in range(MOST_SLOPES):
        slope = np.divide(fixed, taken, out=np.zeros_like(fixed), where=taken > 0.0)
        found = solve(kept, price + slope)
        best = _better(best, found, price, offer, fixed)
        before, own = taken, _total(found.awarded_mw, offer)
        # an offer that is not taken keeps its slope
        taken = np.where(own > 0.0, own, taken)
        if np.array_equal(before, taken):
            break
    assert best is not None
    # by cost per energy, the dearest first; of equal ones the last
    used = [int(o) for o in np.unique(offer[(best.awarded_mw > 0.0) & (fixed > 0.0)])]
    dear = {o: float(fixed[offer == o].max() / best.awarded_mw[offer == o].sum()) for o in used}
    for o in sorted(used, key=lambda each: (-dear[each], -each)):
        without = np.where(offer == o, 0.0, kept)
        slope = np.divide(fixed, taken, out=np.zeros_like(fixed), where=taken > 0.0)
        found = solve(without, price + slope)
        if _better(best, found, price, offer, fixed) is found:
            best, kept = found, without
    return best


def cost_of(answer: Answer, price: FloatArray, offer: IntArray, fixed: FloatArray) -> float:
    """Return what awards cost, charges included; of price times MW."""
    awarded = answer.awarded_mw
    _, first = np.unique(offer, return_index=True)
    taken = _total(awarded, offer)[first] > 0.0
    return float(price @ awarded + fixed[first][taken].sum())


def _better(best: A | None, found: A, price: FloatArray, offer: IntArray, fixed: FloatArray) -> A:
    """Return what keeps the limits, cuts less, and then costs less; of equal ones the first."""
    if best is None:
        return found

    def rank(answer: A) -> tuple[bool, float, float]:
        cut = round(float(np.abs(answer.curtailed_mw).sum()), 12)
        return (not answer.margins_kept, cut, cost_of(answer, price, offer, fixed))

    return found if rank(found) < rank(best) else best


def _total(amount: FloatArray, offer: IntArray) -> FloatArray:
    """Return the sum over an offer, for each of its blocks."""
    if not offer.size:
        return amount
    sums = np.zeros(int(offer.max()) + 1)
    np.add.at(sums, offer, amount)
    return sums[offer]
