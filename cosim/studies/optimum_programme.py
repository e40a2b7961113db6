"""Linear programme of all devices of a run over all its intervals, with cuts for the grid.

Variables, by interval and connection point: throttled generation, consumption cut, charging and
discharging of storages, consumption put off and caught up. All are changes of the net injection
from what profiles say. The grid enters as cuts, tangents of what is not linear:

    import_t >= import of a solved state + its gradient times the change from there,
    loading  of an element alike, at most its limit; voltages alike, within the band.

Net import (losses are convex in the injections) is convex, so that tangents of every state solved
so far stay valid (Kelley: The cutting-plane method for solving convex programs, J. SIAM 8 (1960)
703-712, doi:10.1137/0108053). Loadings and voltages are not: the last tangent counts.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.optimize import linprog
from scipy.sparse import coo_matrix, csr_matrix, hstack, vstack

from cosim.devices.population import Population
from cosim.devices.profiled import ratio
from cosim.devices.storage import Storage
from cosim.report.resource_cost import closing_prices
from cosim.studies.optimum_rows import (
    EXCESS_EUR,
    KW,
    Block,
    Cut,
    Plan,
    Stock,
    block_starts,
    cut_rows,
    stock_rows,
)
from cosim.units import FloatArray, IntArray, eur_from_ueur

_TIE_EUR = 1e-6
"""Cost of closing on top, per kWh: of equal answers the one that ends as it began is taken."""
_MISSED_EUR = 1.0
"""Weight of a kWh away from a wanted end, above all that energy is worth: what is wanted is missed
only where ratings do not reach it, or where limits would be exceeded or consumption be cut. [EUR]
"""


class Programme:
    """Devices of a population as a linear programme.

    Parameters
    ----------
    population : Population
    wholesale_eur_per_kwh : (T,) float
        Value of energy from upstream, never negative. [EUR/kWh]
    unserved_eur_per_kwh : float
        Value of consumption that is cut. [EUR/kWh]
    step_h : float
        Length of an interval. [h]
    """

    def __init__(
        self,
        population: Population,
        wholesale_eur_per_kwh: FloatArray,
        unserved_eur_per_kwh: float,
        step_h: float,
    ) -> None:
        self.population = population
        self.n_intervals, self.n_points = population.consumers[0].p_mw.shape
        self._price, self._step_h = wholesale_eur_per_kwh, step_h
        self._mean_price = float(wholesale_eur_per_kwh.mean())
        self._unserved_eur_per_kwh = unserved_eur_per_kwh
        self._shared: list[tuple[int, int, FloatArray]] = []
        self.blocks: list[Block] = []
        self.stocks: list[Stock] = []
        for device in population.generators:
            if device.is_curtailable:
                saved = -float(eur_from_ueur(device.fuel_ueur_per_kwh))
                self._add(device.p_mw, saved, -1.0, ratio(device.q_mvar, device.p_mw))
        for consumer in population.consumers:
            if consumer.is_curtailable:
                factor = ratio(consumer.q_mvar, consumer.p_mw)
                self._add(consumer.p_mw, unserved_eur_per_kwh, 1.0, factor)
        for storage in population.storages:
            self._add_storage(storage)
        self._add_deferral()

    def change(self, amounts_kw: Sequence[FloatArray]) -> tuple[FloatArray, FloatArray]:
        """Return the change of injections, (T, n) each. [kW, kvar]"""
        p_kw = np.zeros((self.n_intervals, self.n_points))
        q_kvar = np.zeros_like(p_kw)
        for block, amount in zip(self.blocks, amounts_kw, strict=True):
            np.add.at(p_kw, (block.t, block.i), block.sign * amount)
            np.add.at(q_kvar, (block.t, block.i), block.sign * block.q_per_p * amount)
        return p_kw, q_kvar

    def solve(self, imports: Sequence[Cut], limits: Sequence[Cut]) -> Plan:
        """Solve the programme with HiGHS.

        Parameters
        ----------
        imports : sequence of Cut
            Of net import, at least one per interval.
        limits : sequence of Cut
            Of loadings and voltages.

        Raises
        ------
        ValueError
            If the programme has no solution, which no data should bring about.
        """
        starts = block_starts(self.blocks)
        n_flows = int(starts[-1])
        equality, right, stock_cost, stock_weight, stock_bounds = stock_rows(
            self.blocks, self.stocks, (self.n_intervals, self.n_points), self._step_h
        )
        n_stock = stock_cost.size
        import_rows, import_right = cut_rows(self.blocks, imports)
        limit_rows, limit_right = cut_rows(self.blocks, limits)
        n_limits = limit_right.size
        # columns: flows, stocks, import of each interval, excess of each limit
        of_import = coo_matrix(
            (
                -np.ones(import_right.size),
                (np.arange(import_right.size), [cut.t for cut in imports for _ in cut.value]),
            ),
            shape=(import_right.size, self.n_intervals),
        )
        upper = vstack(
            [
                hstack(
                    [
                        import_rows,
                        csr_matrix((import_right.size, n_stock)),
                        of_import,
                        csr_matrix((import_right.size, n_limits)),
                    ]
                ),
                hstack(
                    [
                        limit_rows,
                        csr_matrix((n_limits, n_stock + self.n_intervals)),
                        -_identity(n_limits),
                    ]
                ),
            ]
        ).tocsr()
        shared, most = self._shared_rows(starts)
        upper = vstack(
            [upper, hstack([shared, csr_matrix((most.size, upper.shape[1] - n_flows))])]
        ).tocsr()
        equality = hstack([equality, csr_matrix((right.size, self.n_intervals + n_limits))]).tocsr()
        flow_cost = np.concatenate([block.cost_eur for block in self.blocks])
        cost = np.concatenate(
            [
                flow_cost,
                stock_cost + stock_weight,
                self._price * self._step_h,
                np.full(n_limits, EXCESS_EUR),
            ]
        )
        high = np.concatenate([block.high_kw for block in self.blocks])
        bounds = np.vstack(
            [
                np.column_stack([np.zeros(n_flows), high]),
                stock_bounds,
                np.tile([-np.inf, np.inf], (self.n_intervals, 1)),
                np.column_stack([np.zeros(n_limits), np.full(n_limits, np.inf)]),
            ]
        )
        answer = linprog(
            cost,
            A_ub=upper,
            b_ub=np.concatenate([import_right, limit_right, most]),
            A_eq=equality,
            b_eq=right,
            bounds=bounds,
            method="highs",
        )
        if answer.status != 0:
            raise ValueError(f"the central optimum was not found: {answer.message}")
        x = np.asarray(answer.x, dtype=np.float64)
        flows, stocks = x[:n_flows], x[n_flows : n_flows + n_stock]
        excess = float(x[x.size - n_limits :].sum())
        local = float(flow_cost @ flows + stock_cost @ stocks)
        energies = self._split_stocks(stocks)
        return Plan(
            amounts_kw=tuple(np.split(flows, starts[1:-1])),
            stocks_kwh=energies,
            cost_eur=float(answer.fun) - excess * EXCESS_EUR - float(stock_weight @ stocks),
            local_eur=local,
            excess=excess,
            missed_kwh=self._missed_kwh(energies),
        )

    def _add(
        self, high_mw: FloatArray, cost_eur_per_kwh: float, sign: float, q_per_p: FloatArray
    ) -> int:
        """Add variables where there is something to change; return the block's position."""
        t, i = np.nonzero(high_mw > 0)
        cost = np.full(t.size, cost_eur_per_kwh * self._step_h)
        high_kw = high_mw[t, i] * KW
        self.blocks.append(Block(t, i, high_kw, cost, sign, q_per_p[t, i]))
        return len(self.blocks) - 1

    def _shared_rows(self, starts: IntArray) -> tuple[csr_matrix, FloatArray]:
        """Return rows of pairs of blocks that together may not exceed a power. [kW]"""
        rows, columns, most = [], [], [np.zeros(0)]
        n = 0
        for first, second, high_kw in self._shared:
            t, i = np.nonzero(high_kw > 0)
            row = np.full(high_kw.shape, -1)
            row[t, i] = n + np.arange(t.size)
            for position in (first, second):
                block = self.blocks[position]
                rows.append(row[block.t, block.i])
                columns.append(starts[position] + np.arange(block.t.size))
            most.append(high_kw[t, i])
            n += t.size
        row, column = np.concatenate(rows), np.concatenate(columns)
        matrix = csr_matrix((np.ones(row.size), (row, column)), shape=(n, int(starts[-1])))
        return matrix, np.concatenate(most)

    def _add_storage(self, storage: Storage) -> None:
        shape = (self.n_intervals, self.n_points)
        rating, none = np.broadcast_to(storage.p_max_mw, shape), np.zeros(shape)
        wear = float(eur_from_ueur(storage.wear_ueur_per_kwh))
        fill, empty = (self._add(rating, wear, sign, none) for sign in (-1.0, 1.0))
        bought, sold = closing_prices(wear, self._mean_price)
        i = np.flatnonzero(storage.p_max_mw > 0)
        charge, discharge = storage.charge_efficiency[i], storage.discharge_efficiency[i]
        wanted_mwh = storage.soc_end_mwh
        end_kwh = np.full(i.size, np.nan) if wanted_mwh is None else wanted_mwh[i] * KW
        self.stocks.append(
            Stock(
                i=i,
                low_kwh=storage.soc_min_mwh[i] * KW,
                high_kwh=storage.capacity_mwh[i] * KW,
                first_kwh=storage.soc_initial_mwh[i] * KW,
                fill=fill,
                empty=empty,
                per_fill=charge,
                per_empty=1.0 / discharge,
                short_eur=bought / charge + _TIE_EUR,
                left_eur=sold * discharge - _TIE_EUR,
                end_kwh=end_kwh,
                miss_eur=_MISSED_EUR + 2.0 * (float(self._price.max()) + wear) / charge,
            )
        )

    def _add_deferral(self) -> None:
        deferral = self.population.deferral
        factor = ratio(deferral.q_mvar, deferral.p_mw)
        cost = float(eur_from_ueur(deferral.discomfort_ueur_per_kwh))
        fill = self._add(deferral.share_of_power * deferral.p_mw, cost, 1.0, factor)
        headroom = np.where(
            deferral.energy_max_mwh > 0, np.maximum(deferral.rated_mw - deferral.p_mw, 0.0), 0.0
        )
        empty = self._add(headroom, 0.0, -1.0, factor)
        # what is wanted is consumed, put off, or cut
        cut = self._add(deferral.p_mw, self._unserved_eur_per_kwh, 1.0, factor)
        self._shared.append((fill, cut, deferral.p_mw * KW))
        i = np.flatnonzero(deferral.energy_max_mwh > 0)
        one, none = np.ones(i.size), np.zeros(i.size)
        self.stocks.append(
            Stock(
                i=i,
                low_kwh=none,
                high_kwh=deferral.energy_max_mwh[i] * KW,
                first_kwh=none,
                fill=fill,
                empty=empty,
                per_fill=one,
                per_empty=one,
                short_eur=none,
                left_eur=-(self._mean_price + _TIE_EUR) * one,
                end_kwh=np.full(i.size, np.nan),
                miss_eur=none,
            )
        )

    def _split_stocks(self, values: FloatArray) -> tuple[FloatArray, ...]:
        found, start = [], 0
        for stock in self.stocks:
            m = stock.i.size
            energy = values[start : start + self.n_intervals * m]
            found.append(energy.reshape(self.n_intervals, m))
            wanted = int((~np.isnan(stock.end_kwh)).sum())
            start += (self.n_intervals + 2) * m + 2 * wanted
        return tuple(found)

    def _missed_kwh(self, energies: Sequence[FloatArray]) -> float:
        """Return what stocks end away from the energy wanted of them. [kWh]"""
        pairs = zip(energies, self.stocks, strict=True)
        return float(sum(np.nansum(np.abs(kwh[-1] - stock.end_kwh)) for kwh, stock in pairs))


def _identity(n: int) -> csr_matrix:
    return csr_matrix((np.ones(n), (np.arange(n), np.arange(n))), shape=(n, n))
