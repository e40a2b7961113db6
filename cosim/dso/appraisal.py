"""Awards that only margins ask for, and providers that the DSO cannot do without.

Both are asked of the same schedule and the same offers as an award. The need without margins is
solved anew, as an award is. A provider is *pivotal* for an element if the offers of all others,
each used in full as far as it helps that element, do not bring it within its limit less margin,
although those of everybody do (as a pivotal supplier is without whom demand cannot be met: Twomey
and others, J. Energy Markets 2006, section on pivotal supplier and residual supply indices). Each
element is looked at alone: a provider that is needed only because two elements pull in opposite
directions is not found.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cosim.dso.procurement import DsoNetwork, Offers
from cosim.grid.limits import check
from cosim.units import FloatArray, IntArray

# full use of others by the linearised power flow, of what is needed, from which they suffice
PLENTY = 1.25


@dataclass(frozen=True)
class Pivotal:
    """Providers without whom an element stays beyond its limit; one row each.

    Attributes
    ----------
    prosumer : (k,) int64
        Position in the connection-point table.
    row : (k,) int64
        Row of the grid check.
    """

    prosumer: IntArray
    row: IntArray


def needed_without_margins(
    network: DsoNetwork,
    p_mw: FloatArray,
    q_mvar: FloatArray,
    offers: Offers,
    quantum_mw: float = 0.0,
) -> tuple[FloatArray, bool]:
    """Return the cheapest awards that keep the limits as reported, and if offers suffice.

    Parameters
    ----------
    network : DsoNetwork
    p_mw, q_mvar : (n_points,) float
        Injections before the awards. [MW, Mvar]
    offers : Offers
    quantum_mw : float
        As of :meth:`cosim.dso.procurement.DsoNetwork.procure`.

    Returns
    -------
    awarded_mw : (m,) float
        Of each offer; where offers do not suffice, those that come nearest. [MW]
    sufficient : bool
    """
    plain = DsoNetwork(network.engine, network.limits, max_iterations=network.max_iterations)
    return least_cost_awards(plain, p_mw, q_mvar, offers, quantum_mw)


def least_cost_awards(
    network: DsoNetwork,
    p_mw: FloatArray,
    q_mvar: FloatArray,
    offers: Offers,
    quantum_mw: float = 0.0,
) -> tuple[FloatArray, bool]:
    """Return the cheapest awards that keep the limits with margins, and if offers suffice.

    Parameters
    ----------
    network, p_mw, q_mvar, offers, quantum_mw
        As of :func:`needed_without_margins`.

    Returns
    -------
    awarded_mw : (m,) float
        Of each offer; where offers do not suffice, those that come nearest. [MW]
    sufficient : bool
    """
    none = np.zeros(p_mw.size)
    found = network.procure(p_mw, q_mvar, offers, none, none, quantum_mw=quantum_mw)
    return found.awarded_mw, found.margins_kept


def pivotal_providers(
    network: DsoNetwork, p_mw: FloatArray, q_mvar: FloatArray, offers: Offers
) -> Pivotal:
    """Return the providers that are pivotal for an element that the schedule overloads.

    Candidates are those without whom the linearised power flow leaves little or nothing to spare;
    of each an AC power flow decides.

    Parameters
    ----------
    network : DsoNetwork
        Limits less margins count.
    p_mw, q_mvar : (n_points,) float
        Injections before the awards. [MW, Mvar]
    offers : Offers

    Returns
    -------
    Pivotal
        By row of the check, then by provider; none where the power flow has no solution.
    """
    engine, limits = network.engine, network.relief_limits
    found: list[tuple[int, int]] = []
    state = engine.solve(p_mw, q_mvar)
    checked = check(state, limits, engine.topology)
    if state.converged and checked.any_violated:
        slope = engine.sensitivities(state, p_mw, q_mvar, checked.violated).d_p
        sign = np.where(checked.value > checked.limit, 1.0, -1.0)
        for i, row in enumerate(np.flatnonzero(checked.violated)):
            helps = -sign[row] * slope[i, offers.prosumer] * offers.direction * offers.energy_mw
            use_mw = np.where(helps > 0.0, offers.direction * offers.energy_mw, 0.0)
            total, need = np.maximum(helps, 0.0), abs(checked.value[row] - checked.limit[row])
            # by provider: full use of everybody, and of everybody else
            provider = np.unique(offers.prosumer[helps > 0.0])
            rest = total.sum() - np.bincount(offers.prosumer, total)[provider]
            provider = provider[rest < PLENTY * need]
            if not provider.size:
                continue
            p_full = p_mw.copy()
            np.add.at(p_full, offers.prosumer, use_mw)
            p_cases = np.tile(p_full, (provider.size + 1, 1))
            p_cases[np.arange(provider.size), provider] = p_mw[provider]
            most, sufficient = sign[row] * checked.limit[row], total.sum() >= PLENTY * need
            # nobody is pivotal where all together do not suffice
            if sufficient or sign[row] * _values(network, p_cases[-1:], q_mvar, row)[0] <= most:
                alone = sign[row] * _values(network, p_cases[:-1], q_mvar, row) <= most
                found += [(int(row), int(j)) for j in provider[~alone]]
    rows, prosumers = np.array(found, dtype=np.int64).reshape(-1, 2).T
    return Pivotal(prosumers, rows)


def _values(
    network: DsoNetwork, p_mw: FloatArray, q_mvar: FloatArray, row: int | np.integer
) -> FloatArray:
    """Return a row of the grid check in several states, (t,); of injections (t, n_points)."""
    engine = network.engine
    batch = engine.solve_batch(p_mw, np.tile(q_mvar, (len(p_mw), 1)))
    states = (batch.at(k) for k in range(len(p_mw)))
    return np.array([check(at, network.relief_limits, engine.topology).value[row] for at in states])
