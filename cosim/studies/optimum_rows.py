"""Variables, stocks and tangents of the central optimum, and their rows in the programme."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_matrix, csr_matrix

from cosim.units import MWH_PER_KWH, FloatArray, IntArray

KW = 1.0 / MWH_PER_KWH
"""kW per MW: the programme counts in kW and kWh, so that coefficients are of order one."""

EXCESS_EUR = 1e3
"""Cost of a per cent of loading, or a per cent of voltage, beyond a limit that cannot be kept."""


@dataclass(frozen=True)
class Block:
    """Variables of one kind.

    Parameters
    ----------
    t, i : (m,) int64
        Interval and connection point of each.
    high_kw : (m,) float
        Upper bound; the lower is 0. [kW]
    cost_eur : (m,) float
        Per kW kept up for an interval, the energy from upstream apart. [EUR/kW]
    sign : float
        Of the change of net injection.
    q_per_p : (m,) float
        Change of reactive injection per change of active injection. [-]
    """

    t: IntArray
    i: IntArray
    high_kw: FloatArray
    cost_eur: FloatArray
    sign: float
    q_per_p: FloatArray


@dataclass(frozen=True)
class Stock:
    """An energy that blocks fill and empty, per connection point.

    Parameters
    ----------
    i : (m,) int64
        Connection points that have one.
    low_kwh, high_kwh, first_kwh : (m,) float
        Bounds, and the energy before the first interval. [kWh]
    fill, empty : int
        Positions of the blocks.
    per_fill, per_empty : (m,) float
        Energy that enters per kWh of the one, and that leaves per kWh of the other. [-]
    short_eur, left_eur : (m,) float
        Cost of each kWh that it ends below where it began, and revenue of each above. [EUR/kWh]
    end_kwh : (m,) float
        Energy wanted after the last interval, NaN for none. [kWh]
    miss_eur : (m,) float
        What keeps it there, per kWh off in either direction; no cost. [EUR/kWh]
    """

    i: IntArray
    low_kwh: FloatArray
    high_kwh: FloatArray
    first_kwh: FloatArray
    fill: int
    empty: int
    per_fill: FloatArray
    per_empty: FloatArray
    short_eur: FloatArray
    left_eur: FloatArray
    end_kwh: FloatArray
    miss_eur: FloatArray


@dataclass(frozen=True)
class Cut:
    """Tangents ``value + d_p (p - p0) + d_q (q - q0)`` in one interval, per kW of change.

    Parameters
    ----------
    t : int
    value : (k,) float
        At the state. [kW, % or 100 pu]
    bound : (k,) float
        Upper bounds of ``sign * value``; ignored for net import. [% or 100 pu]
    d_p, d_q : (k, n) float
        [per kW, per kvar]
    p_kw, q_kvar : (n,) float
        Change from the profiles at which the state was solved. [kW, kvar]
    """

    t: int
    value: FloatArray
    bound: FloatArray
    d_p: FloatArray
    d_q: FloatArray
    p_kw: FloatArray
    q_kvar: FloatArray


@dataclass(frozen=True)
class Plan:
    """Answer of the programme.

    Parameters
    ----------
    amounts_kw : tuple of (m,) float
        By block. [kW]
    stocks_kwh : tuple of (T, m) float
        By stock, at the end of every interval. [kWh]
    cost_eur : float
        Resource cost by the tangents: a lower bound. [EUR]
    local_eur : float
        Part of it that is not the energy from upstream. [EUR]
    excess : float
        Sum of what limits are exceeded by, because nothing could be done. [%]
    missed_kwh : float
        What storages end away from the energy wanted of them, because it was out of reach. [kWh]
    """

    amounts_kw: tuple[FloatArray, ...]
    stocks_kwh: tuple[FloatArray, ...]
    cost_eur: float
    local_eur: float
    excess: float
    missed_kwh: float


def block_starts(blocks: Sequence[Block]) -> IntArray:
    """Return the first column of each block, and the number of all."""
    sizes = [block.t.size for block in blocks]
    return np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)


def stock_rows(
    blocks: Sequence[Block], stocks: Sequence[Stock], shape: tuple[int, int], step_h: float
) -> tuple[csr_matrix, FloatArray, FloatArray, FloatArray, FloatArray]:
    """Return equalities of the stocks, and cost, weight and bounds of their variables.

    Variables of a stock: its energy at the end of every interval, then what it ends short of
    where it began, then what is left over; for those that have a wanted end, what they end below
    and above it, which have a weight in the objective and no cost.
    """
    n_intervals, n_points = shape
    starts = block_starts(blocks)
    rows: list[IntArray] = []
    columns: list[IntArray] = []
    values: list[FloatArray] = []
    right, cost, weight, bounds = [], [], [], []
    row, column = 0, int(starts[-1])
    last = n_intervals - 1

    def put(at: IntArray, of: IntArray, value: FloatArray) -> None:
        rows.append(at)
        columns.append(of)
        values.append(value)

    for stock in stocks:
        m = stock.i.size
        place = np.full(n_points, -1)
        place[stock.i] = np.arange(m)
        energy = column + np.arange(n_intervals * m).reshape(n_intervals, m)
        balance = row + np.arange(n_intervals * m).reshape(n_intervals, m)
        put(balance.ravel(), energy.ravel(), np.ones(balance.size))
        put(balance[1:].ravel(), energy[:-1].ravel(), -np.ones(balance[1:].size))
        for which, factor in ((stock.fill, -stock.per_fill), (stock.empty, stock.per_empty)):
            block = blocks[which]
            at = place[block.i]
            own = starts[which] + np.arange(block.t.size)
            put(balance[block.t, at], own, factor[at] * step_h)
        right.append(np.concatenate([stock.first_kwh, np.zeros(last * m)]))
        short = column + n_intervals * m + np.arange(m)
        closing = row + n_intervals * m + np.arange(m)
        put(closing, energy[last], np.ones(m))
        put(closing, short, np.ones(m))
        put(closing, short + m, -np.ones(m))
        right.append(stock.first_kwh)
        wanted = np.flatnonzero(~np.isnan(stock.end_kwh))
        k = wanted.size
        off = column + (n_intervals + 2) * m + np.arange(k)
        ends = row + (n_intervals + 1) * m + np.arange(k)
        put(ends, energy[last, wanted], np.ones(k))
        put(ends, off, np.ones(k))
        put(ends, off + k, -np.ones(k))
        right.append(stock.end_kwh[wanted])
        cost += [np.zeros(n_intervals * m), stock.short_eur, -stock.left_eur, np.zeros(2 * k)]
        weight += [np.zeros((n_intervals + 2) * m), np.tile(stock.miss_eur[wanted], 2)]
        low, high = (np.tile(bound, n_intervals) for bound in (stock.low_kwh, stock.high_kwh))
        bounds.append(np.column_stack([low, high]))
        beyond = 2 * (m + k)
        bounds.append(np.column_stack([np.zeros(beyond), np.full(beyond, np.inf)]))
        row += (n_intervals + 1) * m + k
        column += n_intervals * m + beyond
    matrix = coo_matrix(
        (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))),
        shape=(row, column),
    )
    return (
        matrix.tocsr(),
        np.concatenate(right),
        np.concatenate(cost),
        np.concatenate(weight),
        np.vstack(bounds),
    )


def cut_rows(blocks: Sequence[Block], cuts: Sequence[Cut]) -> tuple[csr_matrix, FloatArray]:
    """Return tangents as rows on the flows, and their right sides."""
    by_interval: dict[int, list[tuple[IntArray, Block, IntArray]]] = {}
    start = 0
    for block in blocks:
        for t in np.unique(block.t).tolist():
            own = np.flatnonzero(block.t == t)
            by_interval.setdefault(t, []).append((start + own, block, own))
        start += block.t.size
    rows: list[IntArray] = []
    columns: list[IntArray] = []
    values: list[FloatArray] = []
    right: list[FloatArray] = []
    row = 0
    for cut in cuts:
        k = cut.value.size
        for columns_of, block, own in by_interval.get(cut.t, ()):
            i = block.i[own]
            slope = block.sign * (cut.d_p[:, i] + cut.d_q[:, i] * block.q_per_p[own])
            rows.append(np.repeat(row + np.arange(k), own.size))
            columns.append(np.tile(columns_of, k))
            values.append(slope.ravel())
        right.append(cut.bound - cut.value + cut.d_p @ cut.p_kw + cut.d_q @ cut.q_kvar)
        row += k
    none, empty = [np.zeros(0)], [np.zeros(0, dtype=np.int64)]
    matrix = coo_matrix(
        (
            np.concatenate(values or none),
            (
                np.concatenate(rows or empty),
                np.concatenate(columns or empty),
            ),
        ),
        shape=(row, start),
    )
    return matrix.tocsr(), np.concatenate(right or none)
