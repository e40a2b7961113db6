"""Designs: where in the space of a campaign's factors its points lie.

A Latin hypercube has one sample in each of its strata along every factor (McKay, Beckman and
Conover, Technometrics 21, 1979, doi:10.1080/00401706.1979.10489755). The design ``sobol`` is
Saltelli's: two matrices A and B of a scrambled Sobol sequence, and for every factor A with that
column of B, ``n (d + 2)`` points for ``n`` base samples and ``d`` factors (Saltelli and others,
Computer Physics Communications 181, 2010, doi:10.1016/j.cpc.2009.09.018). Sequences are those of
``scipy.stats.qmc`` (docs/decisions/0025-campaigns.md).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import qmc

from cosim.campaigns.declaration import CampaignSettings, Point, factors_of
from cosim.campaigns.factors import Choices, Factor
from cosim.errors import ScenarioError
from cosim.studies.study import value_text
from cosim.units import FloatArray


def points_of(settings: CampaignSettings, file: Path) -> tuple[tuple[Factor, ...], list[Point]]:
    """Return factors and points of a campaign.

    Parameters
    ----------
    settings : CampaignSettings
    file : Path
        Named in errors.

    Raises
    ------
    ScenarioError
        If a range is empty, a grid has a range without steps, or a point stands twice in a list.
    """
    if settings.design == "list":
        return (), _listed(settings, file)
    factors = factors_of(settings, file)
    if settings.design == "grid":
        rows: Iterator[Sequence[Any]] = itertools.product(*(_levels(f, file) for f in factors))
    else:
        unit = unit_samples(settings.design, settings.samples or 0, len(factors), settings)
        rows = ([f.value(float(u)) for f, u in zip(factors, row, strict=True)] for row in unit)
    return factors, [_point(k, factors, values) for k, values in enumerate(rows)]


def unit_samples(design: str, n: int, d: int, settings: CampaignSettings) -> FloatArray:
    """Return the points of a sampling design in the unit cube.

    Parameters
    ----------
    design : str
        ``latin_hypercube``, ``sobol`` or ``monte_carlo``.
    n : int
        Samples; of sobol base samples.
    d : int
        Factors.
    settings : CampaignSettings
        Its ``design_seed`` is that of the draws.

    Returns
    -------
    (n, d) float
        Of sobol (n (d + 2), d): of every base sample in turn the rows of A, B, A with the first
        column of B, to A with the last.
    """
    rng = np.random.default_rng(settings.design_seed)
    if design == "latin_hypercube":
        return np.asarray(qmc.LatinHypercube(d, rng=rng).random(n))
    if design == "monte_carlo":
        return rng.random((n, d))
    # whole powers of two are drawn, as the sequence wants them; a larger n begins with the smaller
    whole = qmc.Sobol(2 * d, rng=rng).random_base2(int(np.ceil(np.log2(max(n, 2)))))[:n]
    a, b = whole[:, :d], whole[:, d:]
    blocks = np.empty((n, d + 2, d))
    blocks[:, 0], blocks[:, 1] = a, b
    for i in range(d):
        blocks[:, 2 + i] = a
        blocks[:, 2 + i, i] = b[:, i]
    return blocks.reshape(n * (d + 2), d)


def _levels(factor: Factor, file: Path) -> tuple[Any, ...]:
    levels = factor.levels()
    field = f"campaign.vary.{factor.name}"
    if not levels:
        raise ScenarioError(
            "has no steps, and a grid needs them",
            file=file,
            field=field,
            remedy="add steps: 5 to a range, list values, or take design: latin_hypercube",
        )
    words = [value_text(level) for level in levels]
    if len(set(words)) < len(words):
        raise ScenarioError(
            "has a value twice", file=file, field=field, remedy="give every value once"
        )
    return levels


def _point(index: int, factors: Sequence[Factor], values: Sequence[Any]) -> Point:
    named = {factor.name: value for factor, value in zip(factors, values, strict=True)}
    overrides = tuple(
        (_where(factor, value), factor.overrides(value))
        for factor, value in zip(factors, values, strict=True)
    )
    return Point(index, named, overrides)


def _where(factor: Factor, value: Any) -> str:
    field = f"campaign.vary.{factor.name}"
    return f"{field}.choices.{value}" if isinstance(factor, Choices) else field


def _listed(settings: CampaignSettings, file: Path) -> list[Point]:
    found: list[Point] = []
    for k, row in enumerate(settings.rows or ()):
        where = f"campaign.rows.{k}"
        if any(row == earlier.values for earlier in found):
            raise ScenarioError(
                "is a point that stands there already",
                file=file,
                field=where,
                remedy="give every point once; campaign.seeds plays it with several seeds",
            )
        found.append(Point(k, dict(row), ((where, row),)))
    return found
