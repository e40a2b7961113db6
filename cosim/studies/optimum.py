"""Central optimum of a scenario: the yardstick of what played runs could reach.

One programme decides over every device in every interval at once, with perfect information: it
knows the profiles, and forecasts, orders, ledger and the DSO's margins do not exist. It minimises
the resource cost as :mod:`cosim.report.resource_cost` counts it, closing included, within the
grid's limits. The grid enters by tangents (:mod:`cosim.studies.optimum_programme`), and every
answer is solved by the AC power flow, where new tangents are taken, until cost by tangents and by
AC agree. Tangents of net import, which is convex, are all kept; of loadings and voltages, which are
not (a transformer's current falls with the voltage that an export raises), the last counts. Taps
are no choice of the programme: their controllers act in the AC power flow as they do in a run, and
tangents are those at the taps where they come to rest.

A storage with a wanted end (``soc_end``) ends there, as in a run; what is stored is closed to where
it began all the same, so that costs compare.

What is printed: the AC cost of the best answer within limits, and its gap, the difference of its
cost by tangents. It is the optimum of a problem that is not convex, found by successive
linearisation: close to the best within its gap where it was compared with a search, but no proven
bound.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from cosim.errors import RunError, UserError
from cosim.grid.limits import GridCheck, Limits
from cosim.grid.operation import make_operated
from cosim.grid.power_flow import GridState
from cosim.grid.tap_control import table_of
from cosim.mechanisms.local_market.tariffs import series_of
from cosim.runs.preparation import prepare_grid, prepare_prosumers
from cosim.scenario import Scenario
from cosim.studies.optimum_plant import PER_CENT, TOLERANCE_PERCENT, TOLERANCE_PU, Plant, injections
from cosim.studies.optimum_programme import Programme
from cosim.studies.optimum_rows import KW, Cut, Plan
from cosim.units import SECONDS_PER_HOUR, BoolArray, FloatArray

MOST_PROGRAMMES = 12
NEAR_PERCENT, NEAR_PU = 25.0, 0.02
"""Rows of a check that become cuts: so near to their limit, or beyond it."""
MISSED_KWH = 1e-3
"""Energy off a wanted end below which answers are alike in it. [kWh]"""
AGREED = 2e-4
"""Gap at which the search ends, of the cost."""


@dataclass(frozen=True)
class Optimum:
    """Central optimum of a scenario.

    Parameters
    ----------
    cost_eur : float
        Resource cost of its dispatch by the AC power flow. [EUR]
    linear_eur : float
        Resource cost of its dispatch by the last tangents. [EUR]
    import_kwh : float
        Net import of its dispatch. [kWh]
    excess_percent, excess_pu : float
        Largest excess of a loading and of a voltage over its limit, by AC. [%, pu]
    missed_kwh : float
        What its storages end away from the energy wanted of them (``soc_end``). [kWh]
    p_inject_mw, q_inject_mvar : (T, n) float
        Its net injections. [MW, Mvar]
    tap_pos : (T, k) float
        Where tap controllers have their taps.
    stocks_kwh : tuple of (T, m) float
        Energy of each kind of storage, and consumption owed, at the end of every interval. [kWh]
    n_programmes : int
        Linear programmes solved.
    """

    cost_eur: float
    linear_eur: float
    import_kwh: float
    excess_percent: float
    excess_pu: float
    missed_kwh: float
    p_inject_mw: FloatArray
    q_inject_mvar: FloatArray
    tap_pos: FloatArray
    stocks_kwh: tuple[FloatArray, ...]
    n_programmes: int

    @property
    def welfare_eur(self) -> float:
        """Minus its resource cost. [EUR]"""
        return -self.cost_eur

    @property
    def gap_eur(self) -> float:
        """Difference of its cost by AC from the programme's, in either direction. [EUR]"""
        return abs(self.cost_eur - self.linear_eur)

    @property
    def within_limits(self) -> bool:
        """True if its dispatch keeps the limits by the AC power flow."""
        return self.excess_percent <= TOLERANCE_PERCENT and self.excess_pu <= TOLERANCE_PU


def central_optimum(scenario: Scenario, most_programmes: int = MOST_PROGRAMMES) -> Optimum:
    """Find the central optimum of a scenario.

    Parameters
    ----------
    scenario : Scenario
    most_programmes : int
        Most linear programmes to solve.

    Raises
    ------
    UserError
        If devices of the run are not known: another simulator stands for them.
    RunError
        If no dispatch of the devices gives a power flow with a solution.
    """
    if scenario.simulators:
        raise UserError(
            "devices of another simulator are not known, so there is no central optimum",
            file=scenario.file,
            field="simulators",
            remedy="leave out simulators, or do without the optimum",
        )
    grid = prepare_grid(scenario)
    population, _ = prepare_prosumers(scenario, grid)
    tap_waits = scenario.grid.tap_delay_s // scenario.time.step_s
    engine = make_operated(scenario.grid.power_flow, grid.net, grid.slack_vm_pu, tap_waits)
    changes = grid.slack_vm_pu is not None or not table_of(grid.net).empty
    limits = Limits(**scenario.grid.limits.model_dump())
    step_h = scenario.time.step_s / SECONDS_PER_HOUR
    wholesale = _wholesale(scenario)
    programme = Programme(
        population,
        wholesale,
        scenario.valuation.unserved_eur_per_kwh,
        step_h,
    )
    return optimise(
        programme,
        Plant(engine, limits, *injections(population), changes=changes),
        wholesale * step_h,
        step_h,
        most_programmes,
    )


def _wholesale(scenario: Scenario) -> FloatArray:
    """Return the wholesale price of every interval, (T,). [EUR/kWh]

    Raises
    ------
    UserError
        If one is negative: to burn energy would pay, which a linear programme does by charging and
        discharging a battery at once.
    """
    field = "valuation.wholesale_eur_per_kwh"
    prices = series_of(scenario, field, scenario.valuation.wholesale_eur_per_kwh)
    if (prices < 0).any():
        raise UserError(
            f"is negative in interval {int(np.argmax(prices < 0))}, which the central optimum "
            "cannot have: it would charge and discharge batteries at once",
            file=scenario.file,
            field=field,
            remedy="do without the optimum",
        )
    return prices


def optimise(
    programme: Programme,
    plant: Plant,
    price_eur_per_kw: FloatArray,
    step_h: float,
    most_programmes: int,
) -> Optimum:
    """Alternate between programme and AC power flow.

    Parameters
    ----------
    programme : Programme
    plant : Plant
    price_eur_per_kw : (T,) float
        Of a kW imported for each interval. [EUR/kW]
    step_h : float
        Length of an interval. [h]
    most_programmes : int

    Returns
    -------
    Optimum
        Of all answers the cheapest within limits, or else the one that exceeds them least.
    """
    imports: list[Cut] = []
    loadings: dict[int, Cut] = {}
    voltages: dict[int, Cut] = {}
    wanted: dict[int, BoolArray] = {}
    p_kw, q_kvar = np.zeros_like(plant.p_mw), np.zeros_like(plant.p_mw)
    best: Optimum | None = None
    plan: Plan | None = None
    linear_eur = -np.inf
    taps = np.full((len(plant.p_mw), 1), np.nan)
    for n in range(most_programmes + 1):
        states = plant.solve(p_kw, q_kvar)
        dead = ~states.converged
        if dead.any():  # no solution there: linearise where nothing is injected instead
            p_kw[dead], q_kvar[dead] = -plant.p_mw[dead] * KW, -plant.q_mvar[dead] * KW
            states = plant.solve(p_kw, q_kvar)
        checks = plant.checks(states)
        if plan is not None and not dead.any():
            found = _optimum(
                plant, plan, states, checks, (p_kw, q_kvar), price_eur_per_kw, step_h, linear_eur, n
            )
            best = _better(found, best)
            if best.within_limits and best.gap_eur <= AGREED * max(abs(best.cost_eur), 1.0):
                break
        if n == most_programmes:
            break
        moved = np.any(plant.taps(states) != taps, axis=1)
        taps = plant.taps(states)  # at others an earlier tangent says nothing
        imports = [cut for cut in imports if not moved[cut.t]]
        imports += plant.import_cuts(states, p_kw, q_kvar)
        for t, checked in enumerate(checks):
            is_bus = checked.element == "bus"
            near = np.abs(checked.value - checked.limit) < np.where(is_bus, NEAR_PU, NEAR_PERCENT)
            rows = near | checked.violated
            rows[-1] = False
            wanted[t] = wanted.get(t, rows) | rows
            for chosen, is_voltage in ((wanted[t] & is_bus, True), (wanted[t] & ~is_bus, False)):
                if not chosen.any():
                    continue
                cut = plant.limit_cut(t, states.at(t), checked, chosen, p_kw[t], q_kvar[t])
                if is_voltage:
                    voltages[t] = cut
                else:
                    loadings[t] = cut
        plan = programme.solve(imports, [*loadings.values(), *voltages.values()])
        linear_eur = plan.cost_eur
        p_kw, q_kvar = programme.change(plan.amounts_kw)
    if best is None:
        raise RunError("no dispatch of the devices gives a power flow with a solution")
    return best


def _optimum(
    plant: Plant,
    plan: Plan,
    states: GridState,
    checks: list[GridCheck],
    change: tuple[FloatArray, FloatArray],
    price_eur_per_kw: FloatArray,
    step_h: float,
    linear_eur: float,
    n_programmes: int,
) -> Optimum:
    """Return an answer, a change of injections [kW, kvar], with its cost and excess by AC."""
    p_kw, q_kvar = change
    import_kw = states.p_slack_mw * KW
    beyond = {True: 0.0, False: 0.0}
    for checked in checks:
        is_bus = checked.element == "bus"
        excess = np.where(checked.is_lower, -1.0, 1.0) * (checked.value - checked.limit)
        for of_bus in beyond:
            rows = (is_bus == of_bus) & (checked.element != "grid")
            beyond[of_bus] = max(beyond[of_bus], float(excess[rows].max(initial=0.0)))
    return Optimum(
        cost_eur=plan.local_eur + float(import_kw @ price_eur_per_kw),
        linear_eur=linear_eur,
        import_kwh=float(import_kw.sum()) * step_h,
        excess_percent=beyond[False],
        excess_pu=beyond[True],
        missed_kwh=plan.missed_kwh,
        p_inject_mw=plant.p_mw + p_kw / KW,
        q_inject_mvar=plant.q_mvar + q_kvar / KW,
        tap_pos=plant.taps(states),
        stocks_kwh=plan.stocks_kwh,
        n_programmes=n_programmes,
    )


def _better(found: Optimum, best: Optimum | None) -> Optimum:
    """Prefer within limits to beyond; then nearer to wanted ends, then cheaper; or less beyond."""
    if best is None:
        return found
    known = replace(best, n_programmes=found.n_programmes)
    if found.within_limits != known.within_limits:
        return found if found.within_limits else known
    if found.within_limits:
        off_kwh = found.missed_kwh - known.missed_kwh
        if abs(off_kwh) > MISSED_KWH:
            return found if off_kwh < 0 else known
        return found if found.cost_eur < known.cost_eur else known
    nearness = [each.excess_percent + PER_CENT * each.excess_pu for each in (found, known)]
    return found if nearness[0] < nearness[1] else known
