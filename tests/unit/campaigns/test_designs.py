"""Designs lie where their sources say; published sensitivity indices come out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import norm
from scipy.stats import sobol_indices as scipy_indices

from cosim.campaigns.declaration import CampaignSettings, settings_of
from cosim.campaigns.designs import points_of, unit_samples
from cosim.campaigns.factors import Choices, Normal, Range, Values
from cosim.campaigns.sensitivity import rank_correlations, sobol_indices
from cosim.errors import ScenarioError

FILE = Path("campaign.yaml")


def settings(**section: Any) -> CampaignSettings:
    return settings_of(section, FILE)


def sampled(design: str, n: int, d: int, seed: int = 0) -> Any:
    vary = {f"f{i}": {"low": 0, "high": 1} for i in range(d)}
    return unit_samples(
        design, n, d, settings(design=design, samples=n, vary=vary, design_seed=seed)
    )


def test_a_grid_has_every_combination_with_the_last_factor_fastest() -> None:
    _, points = points_of(
        settings(
            vary={
                "prosumers.scaling.pv": [1, 2],
                "market": {"choices": {"none": {"dso.procure": False}, "auction": None}},
                "seed": {"low": 1, "high": 3, "steps": 3, "integer": True},
            }
        ),
        FILE,
    )
    assert len(points) == 12
    assert [point.index for point in points] == list(range(12))
    assert points[1].values == {"prosumers.scaling.pv": 1, "market": "none", "seed": 2}
    assert dict(points[1].overrides)["campaign.vary.market.choices.none"] == {"dso.procure": False}
    assert points[-1].values == {"prosumers.scaling.pv": 2, "market": "auction", "seed": 3}


def test_a_latin_hypercube_has_one_sample_in_each_stratum() -> None:
    n, d = 37, 4
    strata = np.floor(sampled("latin_hypercube", n, d) * n).astype(int)
    for column in strata.T:
        assert sorted(column) == list(range(n))
    # it is no diagonal: along two factors the strata are paired at random
    assert abs(np.corrcoef(strata[:, 0], strata[:, 1])[0, 1]) < 0.6


@pytest.mark.parametrize(("design", "per_sample"), [("sobol", 5), ("monte_carlo", 1)])
def test_a_larger_design_begins_with_the_smaller(design: str, per_sample: int) -> None:
    small, large = sampled(design, 8, 3), sampled(design, 32, 3)
    assert small.shape == (8 * per_sample, 3)
    np.testing.assert_array_equal(small, large[: 8 * per_sample])
    assert not np.array_equal(small, sampled(design, 8, 3, seed=1))


def test_sobols_blocks_are_a_and_b_and_a_with_a_column_of_b() -> None:
    blocks = sampled("sobol", 16, 3).reshape(16, 5, 3)
    a, b = blocks[:, 0], blocks[:, 1]
    for i in range(3):
        expected = a.copy()
        expected[:, i] = b[:, i]
        np.testing.assert_array_equal(blocks[:, 2 + i], expected)
    # a sequence of low discrepancy: of 16 points each sixteenth has one, along every column
    for column in np.hstack([a, b]).T:
        assert sorted(np.floor(column * 16)) == list(range(16))


def ishigami(x: Any, a: float = 7.0, b: float = 0.1) -> Any:
    return np.sin(x[..., 0]) + a * np.sin(x[..., 1]) ** 2 + b * x[..., 2] ** 4 * np.sin(x[..., 0])


def ishigami_values(n: int) -> tuple[Any, Any, Any]:
    x = (2 * sampled("sobol", n, 3) - 1) * np.pi
    values = ishigami(x).reshape(n, 5)
    return values[:, 0], values[:, 1], values[:, 2:].T


def test_indices_of_the_ishigami_function_are_the_published_ones() -> None:
    # Saltelli and others, Sensitivity Analysis in Practice, 2004, and the documentation of SALib:
    # a = 7, b = 0.1 has S1 = 0.3139, 0.4424, 0 and ST = 0.5576, 0.4424, 0.2437
    first, total = sobol_indices(*ishigami_values(4096))
    np.testing.assert_allclose(first, [0.3139, 0.4424, 0.0], atol=0.01)
    np.testing.assert_allclose(total, [0.5576, 0.4424, 0.2437], atol=0.01)


def test_indices_are_those_of_scipy_from_the_same_values() -> None:
    f_a, f_b, f_ab = ishigami_values(64)
    own = sobol_indices(f_a, f_b, f_ab)
    theirs = scipy_indices(func={"f_A": f_a[None], "f_B": f_b[None], "f_AB": f_ab[:, None]}, n=64)
    np.testing.assert_allclose(own[0], np.ravel(theirs.first_order), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(own[1], np.ravel(theirs.total_order), rtol=1e-9, atol=1e-12)


def test_what_does_not_vary_has_no_indices() -> None:
    first, total = sobol_indices(np.full(8, 3.0), np.full(8, 3.0), np.full((2, 8), 3.0))
    assert np.isnan(first).all()
    assert np.isnan(total).all()


def test_rank_correlation_is_of_ranks() -> None:
    x = np.array([[1.0, 5.0], [2.0, 3.0], [3.0, 4.0], [4.0, 1.0]])
    found = rank_correlations(x, np.array([1.0, 10.0, 100.0, 1000.0]))
    np.testing.assert_allclose(found, [1.0, -0.8])


@pytest.mark.parametrize(
    ("factor", "at", "value"),
    [
        (Range(name="x", low=2, high=6), 0.25, 3.0),
        (Range(name="x", low=1, high=100, distribution="log_uniform"), 0.5, 10.0),
        (Range(name="x", low=1, high=4, integer=True), 0.24, 1),
        (Range(name="x", low=1, high=4, integer=True), 0.9999, 4),
        (Normal(name="x", mean=10, deviation=2), 0.975, 10 + 2 * norm.ppf(0.975)),
        (Normal(name="x", mean=0, deviation=1, at_least=0), 0.5, norm.ppf(0.75)),
        (Values(name="x", values=("a", "b", "c")), 0.34, "b"),
        (Choices(name="x", choices={"one": None, "two": {"seed": 2}}), 0.5, "two"),
    ],
)
def test_quantiles(factor: Any, at: float, value: Any) -> None:
    found = factor.value(at)
    assert found == value if isinstance(value, str) else found == pytest.approx(value, rel=1e-12)
    assert type(found) is type(value) or isinstance(value, np.floating)


def test_steps_of_a_range_reach_both_ends() -> None:
    assert Range(name="x", low=0, high=0.3, steps=4).levels() == pytest.approx([0, 0.1, 0.2, 0.3])
    assert Range(name="x", low=1, high=16, steps=5, distribution="log_uniform").levels() == (
        pytest.approx([1, 2, 4, 8, 16])
    )


@pytest.mark.parametrize(
    ("section", "field", "says"),
    [
        ({"vary": {"seed": []}}, "campaign.vary.seed", "has no values"),
        ({"vary": {"seed": {"low": 3, "high": 3}}}, "campaign.vary.seed", "the range is empty"),
        ({"vary": {"seed": {"low": 5, "high": 3}}}, "campaign.vary.seed", "low 5 is not below"),
        ({"vary": {"seed": {"low": 1, "high": 3}}}, "campaign.vary.seed", "has no steps"),
        ({"vary": {"seed": [1, 1]}}, "campaign.vary.seed", "has a value twice"),
        ({"vary": {"seed": 3}}, "campaign.vary.seed", "no list of values and no range"),
        (
            {"vary": {"seed": {"low": 0, "high": 1, "distribution": "log_uniform", "steps": 2}}},
            "campaign.vary.seed",
            "log_uniform needs low above 0",
        ),
        (
            {"vary": {"seed": {"mean": 0, "deviation": 1, "at_least": 2, "at_most": 1}}},
            "campaign.vary.seed",
            "the range is empty",
        ),
        ({"vary": {"seed": {"low": 1, "hihg": 2}}}, "campaign.vary.seed.high", "missing"),
        ({"vary": {"a": {"choices": {}}}}, "campaign.vary.a.choices", "at least 1"),
        ({"design": "sobol", "vary": {"seed": [1]}}, "campaign", "needs campaign.samples"),
        ({"vary": {"seed": [1]}, "samples": 4}, "campaign", "takes no campaign.samples"),
        ({"design": "sobol", "vary": {"seed": [1]}, "samples": 1}, "campaign", "two base samples"),
        ({}, "campaign", "names no field"),
        ({"design": "list"}, "campaign", "needs its points"),
        ({"vary": {"seed": [1]}, "rows": [{"seed": 1}]}, "campaign", "for the design list"),
        (
            {"design": "list", "rows": [{"seed": 1}, {"seed": 1}]},
            "campaign.rows.1",
            "there already",
        ),
        ({"design": "gird", "vary": {"seed": [1]}}, "campaign.design", "grid"),
        ({"vari": {"seed": [1]}}, "campaign.vari", "unknown field"),
    ],
)
def test_mistakes_name_field_and_remedy(section: dict[str, Any], field: str, says: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        points_of(settings_of(section, FILE), FILE)
    assert caught.value.field == field
    assert caught.value.file == str(FILE)
    assert says in str(caught.value)
    assert caught.value.remedy
