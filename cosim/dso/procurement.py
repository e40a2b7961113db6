"""The DSO's network model: checks schedules, sizes requests, awards offers, curtails the rest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from cosim.dso.congestion import Violation
from cosim.dso.congestion import assess as assess_state
from cosim.dso.fixed_costs import with_fixed_costs
from cosim.dso.programme import Actions
from cosim.dso.relief import Relief, relieve
from cosim.grid.limits import GridCheck, Limits, check
from cosim.grid.power_flow import GridState, PowerFlow
from cosim.grid.unmetered import Metering
from cosim.units import FloatArray, IntArray

# curtailment costs so many times the dearest offer: the market's offers go first
CURTAILMENT_PRICE_FACTOR = 100.0


@dataclass(frozen=True)
class Assessment:
    """A schedule against the limits.

    Attributes
    ----------
    state : GridState
    check : GridCheck
        Against the limits as reported, without margins.
    violations : tuple of Violation
        Of those limits, with drivers.
    needs_relief : bool
        Whether any limit less its margin is exceeded, or the power flow did not converge.
    """

    state: GridState
    check: GridCheck
    violations: tuple[Violation, ...]
    needs_relief: bool


@dataclass(frozen=True)
class Offers:
    """Flexibility offered, one row per block; of one provider and direction the cheapest first.

    Attributes
    ----------
    prosumer : (m,) int64
        Position in the connection-point table.
    direction : (m,) int64
        +1 raises the net injection, -1 lowers it.
    energy_mw : (m,) float
        Offered, as constant power over the interval, >= 0. [MW]
    price : (m,) float
        Per energy, >= 0, any one currency.
    offer : (m,) int64 or None
        Offer that a block is of, where taking anything of it has a cost of its own.
    fixed : (m,) float or None
        That cost, the same for all blocks of an offer; of price times MW.
    """

    prosumer: IntArray
    direction: IntArray
    energy_mw: FloatArray
    price: FloatArray
    offer: IntArray | None = None
    fixed: FloatArray | None = None


@dataclass(frozen=True)
class Need:
    """Least change of injections that would relieve the network.

    Attributes
    ----------
    down_mw, up_mw : (n_points,) float
        Per connection point, both >= 0. [MW]
    total_down_mw, total_up_mw : float
        Their sums. [MW]
    relieved : bool
        Whether the potentials suffice, margins included.
    n_iterations : int
    """

    down_mw: FloatArray
    up_mw: FloatArray
    total_down_mw: float
    total_up_mw: float
    relieved: bool
    n_iterations: int


@dataclass(frozen=True)
class Procurement:
    """Awards, curtailment, and the AC state after both.

    Attributes
    ----------
    awarded_mw : (m,) float
        Of each block. [MW]
    curtailed_mw : (n_points,) float
        Positive: injection cut; negative: consumption cut. [MW]
    state : GridState
    check : GridCheck
        Against the limits as reported, without margins.
    n_iterations : int
        Linearisations.
    converged : bool
        Whether the power flow after relief converged.
    relieved : bool
        Whether every limit as reported holds.
    margins_kept : bool
        Whether every limit less its margin holds.
    """

    awarded_mw: FloatArray
    curtailed_mw: FloatArray
    state: GridState
    check: GridCheck
    n_iterations: int
    converged: bool
    relieved: bool
    margins_kept: bool


class DsoNetwork:
    """The DSO's model of the network.

    Parameters
    ----------
    engine : PowerFlow
    limits : Limits
        As reported.
    loading_margin_percent, voltage_margin_pu : float
        Distance that relief keeps from them, for forecast errors. [%, pu]
    max_iterations : int
        Most linearisations from one start of a relief.
    metering : Metering, optional
        Connection points whose schedules it does not see (:mod:`cosim.dso.metering`); None if it
        sees all.
    """

    def __init__(
        self,
        engine: PowerFlow,
        limits: Limits,
        loading_margin_percent: float = 0.0,
        voltage_margin_pu: float = 0.0,
        max_iterations: int = 16,
        metering: Metering | None = None,
    ) -> None:
        self.engine, self.metering = engine, metering
        self.limits = limits
        self.relief_limits = limits.tightened(loading_margin_percent, voltage_margin_pu)
        self.max_iterations = max_iterations

    def assess(self, p_mw: npt.ArrayLike, q_mvar: npt.ArrayLike) -> Assessment:
        """Solve and check a schedule.

        Parameters
        ----------
        p_mw, q_mvar : (n_points,) float
            Injections. [MW, Mvar]
        """
        state = self.engine.solve(p_mw, q_mvar)
        self.engine.require_rest(state)
        checked = check(state, self.limits, self.engine.topology)
        violations = assess_state(self.engine.sensitivities, state, checked, p_mw, q_mvar)
        tight = check(state, self.relief_limits, self.engine.topology)
        return Assessment(state, checked, violations, tight.any_violated)

    def need(
        self,
        p_mw: npt.ArrayLike,
        q_mvar: npt.ArrayLike,
        down_potential_mw: npt.ArrayLike,
        up_potential_mw: npt.ArrayLike,
        quantum_mw: float = 0.0,
    ) -> Need:
        """Find the least total change that relieves the network, to size requests.

        Parameters
        ----------
        p_mw, q_mvar : (n_points,) float
            Injections before. [MW, Mvar]
        down_potential_mw, up_potential_mw : (n_points,) float
            How much each connection point could lower and raise its injection, >= 0. [MW]
        quantum_mw : float
            As of :meth:`procure`.
        """
        p, q = _floats(p_mw), _floats(q_mvar)
        actions = _both_ways(_floats(down_potential_mw), _floats(up_potential_mw), 1.0, quantum_mw)
        relief = self._relieve(p, q, actions)
        down, up = _split(actions, relief.amount_mw, p.size)
        return Need(
            down_mw=down,
            up_mw=up,
            total_down_mw=float(down.sum()),
            total_up_mw=float(up.sum()),
            relieved=relief.within_limits,
            n_iterations=relief.n_iterations,
        )

    def procure(
        self,
        p_mw: npt.ArrayLike,
        q_mvar: npt.ArrayLike,
        offers: Offers,
        curtailable_down_mw: npt.ArrayLike,
        curtailable_up_mw: npt.ArrayLike,
        requested_down_mw: float = np.inf,
        requested_up_mw: float = np.inf,
        quantum_mw: float = 0.0,
    ) -> Procurement:
        """Award offers at least cost and curtail what they cannot relieve.

        The blocks of a provider act on the grid alike, so the least cost takes the cheaper first.
        Nothing is curtailed where offers suffice.

        Parameters
        ----------
        p_mw, q_mvar : (n_points,) float
            Injections before. [MW, Mvar]
        offers : Offers
        curtailable_down_mw, curtailable_up_mw : (n_points,) float
            Most injection and most consumption that may be cut, >= 0. [MW]
        requested_down_mw, requested_up_mw : float
            Most that the awards of either direction may amount to together. [MW]
        quantum_mw : float
            Awards and cuts are whole multiples of it; 0: any amount. [MW]
        """
        if offers.offer is not None and offers.fixed is not None:
            plain = replace(offers, offer=None, fixed=None)
            return with_fixed_costs(
                lambda energy_mw, price: self.procure(
                    p_mw,
                    q_mvar,
                    replace(plain, energy_mw=energy_mw, price=price),
                    curtailable_down_mw,
                    curtailable_up_mw,
                    requested_down_mw,
                    requested_up_mw,
                    quantum_mw,
                ),
                _floats(offers.energy_mw),
                _floats(offers.price),
                offers.offer,
                offers.fixed,
            )
        p, q = _floats(p_mw), _floats(q_mvar)
        price, most_mw = _floats(offers.price), {-1: requested_down_mw, 1: requested_up_mw}
        curtailment_cost = CURTAILMENT_PRICE_FACTOR * (float(price.max(initial=0.0)) or 1.0)
        curtailment = _both_ways(
            _floats(curtailable_down_mw), _floats(curtailable_up_mw), curtailment_cost, quantum_mw
        )
        usable = np.flatnonzero(_floats(offers.energy_mw) > 0.0)
        own = _of_offers(offers, usable, most_mw, quantum_mw)
        relief = self._relieve(p, q, _joined(own, curtailment))
        cut_mw = relief.amount_mw[usable.size :]
        if usable.size and cut_mw.any():
            # a cut that helps more than its price says is no substitute for offers that suffice
            without = self._relieve(p, q, own)
            if without.within_limits:
                relief, cut_mw = without, np.zeros(cut_mw.size)
        awarded = np.zeros(price.size)
        awarded[usable] = relief.amount_mw[: usable.size]
        awarded = cheapest_first(offers, awarded)
        down, up = _split(curtailment, cut_mw, p.size)
        checked = check(relief.state, self.limits, self.engine.topology)
        return Procurement(
            awarded_mw=awarded,
            curtailed_mw=down - up,
            state=relief.state,
            check=checked,
            n_iterations=relief.n_iterations,
            converged=bool(relief.state.converged),
            relieved=not checked.any_violated,
            margins_kept=relief.within_limits,
        )

    def _relieve(self, p: FloatArray, q: FloatArray, actions: Actions) -> Relief:
        return relieve(self.engine, self.relief_limits, p, q, actions, self.max_iterations)


def cheapest_first(offers: Offers, awarded_mw: FloatArray) -> FloatArray:
    """Move awards of a provider to its cheapest blocks, where rounding left them in dearer ones.

    What it is awarded in a direction stays.
    """
    moved = awarded_mw.copy()
    way = 2 * offers.prosumer + (offers.direction > 0)
    for one in np.unique(way[awarded_mw > 0.0]):
        own = np.flatnonzero(way == one)
        if own.size > 1:
            left = float(awarded_mw[own].sum())
            for block in own:
                moved[block] = min(float(offers.energy_mw[block]), left)
                left = max(left - moved[block], 0.0)
    return moved


def _floats(values: npt.ArrayLike) -> FloatArray:
    return np.asarray(values, dtype=np.float64)


def _of_offers(
    offers: Offers, usable: IntArray, most_mw: Mapping[int, float], quantum_mw: float
) -> Actions:
    """Return the awards that can be made, no more of each direction than was requested."""
    direction = offers.direction[usable]
    return Actions(
        point=offers.prosumer[usable],
        direction=direction,
        max_mw=_floats(offers.energy_mw)[usable],
        cost=_floats(offers.price)[usable],
        together=tuple(
            (most, direction == sign) for sign, most in most_mw.items() if np.isfinite(most)
        ),
        quantum_mw=quantum_mw,
    )


def _joined(first: Actions, second: Actions) -> Actions:
    """Return both as one set of actions; the groups are those of the first."""
    none = np.zeros(second.point.size, dtype=np.bool_)
    return Actions(
        point=np.concatenate([first.point, second.point]),
        direction=np.concatenate([first.direction, second.direction]),
        max_mw=np.concatenate([first.max_mw, second.max_mw]),
        cost=np.concatenate([first.cost, second.cost]),
        together=tuple((most, np.append(members, none)) for most, members in first.together),
        quantum_mw=first.quantum_mw,
    )


def _both_ways(down_mw: FloatArray, up_mw: FloatArray, cost: float, quantum_mw: float) -> Actions:
    """Return an action per connection point and direction that has any potential."""
    down, up = np.flatnonzero(down_mw > 0.0), np.flatnonzero(up_mw > 0.0)
    return Actions(
        point=np.concatenate([down, up]).astype(np.int64),
        direction=np.concatenate([np.full(down.size, -1), np.full(up.size, 1)]).astype(np.int64),
        max_mw=np.concatenate([down_mw[down], up_mw[up]]),
        cost=np.full(down.size + up.size, cost),
        quantum_mw=quantum_mw,
    )


def _split(actions: Actions, amount_mw: FloatArray, n_points: int) -> tuple[FloatArray, FloatArray]:
    """Return amounts down and up, (n_points,) each."""
    down, up = np.zeros(n_points), np.zeros(n_points)
    lowers = actions.direction < 0
    np.add.at(down, actions.point[lowers], amount_mw[lowers])
    np.add.at(up, actions.point[~lowers], amount_mw[~lowers])
    return down, up
