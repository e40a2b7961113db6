"""Sensitivity of indicators to what a campaign varies, where its design allows it.

Of a design ``sobol``: the share of an indicator's variance that a factor explains alone, and with
all its interactions,

    S_i  = mean(f(B) (f(A_B^i) - f(A))) / V        (Saltelli and others 2010, table 2, (b))
    S_Ti = mean((f(A) - f(A_B^i))^2) / (2 V)       (Jansen 1999; there (f))

with V the variance of f over A and B, and f less its mean. Sources: Saltelli and others, Computer
Physics Communications 181, 2010, doi:10.1016/j.cpc.2009.09.018; Jansen, Computer Physics
Communications 117, 1999, doi:10.1016/S0010-4655(98)00154-4. Of a Latin hypercube or of Monte Carlo:
Spearman's rank correlation. Intervals hold 95 % of bootstrap resamples (percentiles; Archer,
Saltelli and Sobol, J. Stat. Comput. Simul. 58, 1997, doi:10.1080/00949659708811825).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from cosim.campaigns.declaration import Campaign
from cosim.campaigns.table import DONE, OWN_COLUMNS
from cosim.units import FloatArray

TABLE, CSV = "sensitivity.parquet", "sensitivity.csv"
FIRST, TOTAL, RANK = "first_order", "total", "rank_correlation"
COLUMNS = ("indicator", "parameter", "index", "value", "low", "high", "n")
_RESAMPLES = 300
_CONFIDENCE = 0.95
_SEED = 20101
_LEAST = 8
"""Samples without which no index is said."""


def sobol_indices(
    f_a: FloatArray, f_b: FloatArray, f_ab: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return first-order and total indices of every factor.

    Parameters
    ----------
    f_a, f_b : (..., n) float
        Values at the rows of the two matrices.
    f_ab : (d, ..., n) float
        Values at the rows of A with a column of B.

    Returns
    -------
    (d, ...) float, (d, ...) float
        NaN where the values do not vary.
    """
    both = np.concatenate([f_a, f_b], axis=-1)
    mean = both.mean(axis=-1, keepdims=True)
    variance = both.var(axis=-1)
    a, b, ab = f_a - mean, f_b - mean, f_ab - mean
    with np.errstate(divide="ignore", invalid="ignore"):
        first = np.mean(b * (ab - a), axis=-1) / variance
        total = np.mean((a - ab) ** 2, axis=-1) / (2.0 * variance)
    constant = variance <= 1e-24 * np.maximum(mean[..., 0] ** 2, 1e-300)
    return np.where(constant, np.nan, first), np.where(constant, np.nan, total)


def rank_correlations(x: FloatArray, y: FloatArray) -> FloatArray:
    """Return Spearman's rank correlation of columns with values.

    Parameters
    ----------
    x : (..., n, d) float
    y : (..., n) float

    Returns
    -------
    (d, ...) float
        NaN where something does not vary.
    """
    x_ranks, y_ranks = rankdata(x, axis=-2), rankdata(y, axis=-1)[..., None]
    x_off = x_ranks - x_ranks.mean(axis=-2, keepdims=True)
    y_off = y_ranks - y_ranks.mean(axis=-2, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        scale = np.sqrt((x_off**2).sum(axis=-2) * (y_off**2).sum(axis=-2))
        return np.moveaxis((x_off * y_off).sum(axis=-2) / scale, -1, 0)


def sensitivities(campaign: Campaign, table: pd.DataFrame) -> pd.DataFrame:
    """Return the indices of every indicator that varies, a row for each.

    Parameters
    ----------
    campaign : Campaign
    table : DataFrame
        As :func:`cosim.campaigns.table.campaign_table`.

    Returns
    -------
    DataFrame
        ``indicator``, ``parameter``, ``index`` (``first_order``, ``total``, ``rank_correlation``),
        ``value``, ``low`` and ``high`` of its 95 % interval, and ``n`` samples. Means over seeds;
        a sample that lacks a run is left out. Empty for other designs, and with fewer than eight
        samples.
    """
    own = {*OWN_COLUMNS, *campaign.parameters}
    indicators = [name for name in table.columns if name not in own]
    means = _means(campaign, table, indicators)
    rows: list[tuple[object, ...]] = []
    if campaign.design == "sobol":
        rows = _sobol_rows(campaign, means, indicators)
    elif campaign.design in ("latin_hypercube", "monte_carlo"):
        rows = _rank_rows(campaign, table, means, indicators)
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(
        {"value": "float64", "low": "float64", "high": "float64", "n": "int64"}
    )


def _means(campaign: Campaign, table: pd.DataFrame, indicators: Sequence[str]) -> pd.DataFrame:
    """Return means over seeds by point, of points whose runs are all done."""
    done = table[table["status"] == DONE]
    counts = done.groupby("point").size()
    whole = counts.index[counts == campaign.seeds]
    return done[done["point"].isin(whole)].groupby("point")[list(indicators)].mean()


def _sobol_rows(
    campaign: Campaign, means: pd.DataFrame, indicators: Sequence[str]
) -> list[tuple[object, ...]]:
    d = len(campaign.factors)
    block = d + 2
    known = set(means.index)
    bases = [
        base
        for base in sorted({int(point) // block for point in known})
        if known.issuperset(range(base * block, (base + 1) * block))
    ]
    points = [base * block + j for base in bases for j in range(block)]
    rows: list[tuple[object, ...]] = []
    for name in indicators:
        values = means.loc[points, name].to_numpy(dtype=float).reshape(-1, block)
        values = values[np.isfinite(values).all(axis=1)]
        n = len(values)
        if n < _LEAST or np.ptp(values) == 0.0:
            continue

        def indices(chosen: FloatArray) -> FloatArray:
            f = np.moveaxis(chosen, -1, 0)
            return np.stack(sobol_indices(f[0], f[1], f[2:]))

        best, low, high = _with_intervals(values, indices)
        for i, factor in enumerate(campaign.factors):
            for k, index in enumerate((FIRST, TOTAL)):
                if np.isfinite(best[k, i]):
                    rows.append((name, factor.name, index, best[k, i], low[k, i], high[k, i], n))
    return rows


def _rank_rows(
    campaign: Campaign, table: pd.DataFrame, means: pd.DataFrame, indicators: Sequence[str]
) -> list[tuple[object, ...]]:
    first = table.drop_duplicates("point").set_index("point")
    numeric = [
        factor.name
        for factor in campaign.factors
        if pd.api.types.is_numeric_dtype(first[factor.name]) and first[factor.name].nunique() > 1
    ]
    x = first.loc[means.index, numeric].to_numpy(dtype=float)
    rows: list[tuple[object, ...]] = []
    for name in indicators if numeric else ():
        y = means[name].to_numpy(dtype=float)
        known = np.isfinite(y)
        n = int(known.sum())
        if n < _LEAST or np.ptp(y[known]) == 0.0:
            continue
        values = np.column_stack([x[known], y[known]])
        best, low, high = _with_intervals(
            values, lambda v: rank_correlations(v[..., :-1], v[..., -1])
        )
        rows += [
            (name, parameter, RANK, best[i], low[i], high[i], n)
            for i, parameter in enumerate(numeric)
            if np.isfinite(best[i])
        ]
    return rows


def _with_intervals(
    values: FloatArray, indices: Callable[[FloatArray], FloatArray]
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return indices of samples, and the ends of their bootstrap intervals.

    Parameters
    ----------
    values : (n, k) float
    indices : callable
        Of (..., n, k) values; the resamples are the last axis of what it returns for them.
    """
    rng = np.random.default_rng(_SEED)
    chosen = rng.integers(0, len(values), size=(_RESAMPLES, len(values)))
    resampled = indices(values[chosen])
    tail = (1.0 - _CONFIDENCE) / 2.0
    finite = np.where(np.isfinite(resampled), resampled, np.nan)
    if np.isnan(finite).all():
        nothing = np.full(finite.shape[:-1], np.nan)
        return indices(values), nothing, nothing
    low, high = np.nanquantile(finite, [tail, 1.0 - tail], axis=-1)
    return indices(values), low, high
