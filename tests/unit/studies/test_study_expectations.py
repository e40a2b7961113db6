"""Comparisons of indicators: what they mean, and what a mistake is told."""

from __future__ import annotations

import pytest

from cosim.studies.expectations import Reference, check_expectation, parse_expectation

RUNS = ("honest", "attacked", "pv-2", "pv-2.5_ev-1")
INDICATORS: dict[str, dict[str, float | None]] = {
    "honest": {"cost_eur": 10.0, "violations.delivered.any.minutes": 0.0, "mean_price": None},
    "attacked": {"cost_eur": 4.0, "violations.delivered.any.minutes": 30.0},
    "pv-2": {"cost_eur": -3.0},
    "pv-2.5_ev-1": {"cost_eur": 1.5},
}


@pytest.mark.parametrize(
    ("text", "left", "right", "met"),
    [
        ("attacked.cost_eur < honest.cost_eur", 4, 10, True),
        ("attacked.cost_eur<honest.cost_eur", 4, 10, True),
        ("attacked.cost_eur > honest.cost_eur", 4, 10, False),
        ("attacked.cost_eur <= 4", 4, 4, True),
        ("attacked.cost_eur < 4", 4, 4, False),
        ("4 >= attacked.cost_eur", 4, 4, True),
        ("honest.violations.delivered.any.minutes == 0", 0, 0, True),
        ("attacked.violations.delivered.any.minutes == 0.0", 30, 0, False),
        ("0.5 * honest.cost_eur > attacked.cost_eur", 5, 4, True),
        ("0.5*honest.cost_eur == 5e0", 5, 5, True),
        ("honest.cost_eur + attacked.cost_eur == 14", 14, 14, True),
        ("honest.cost_eur - 2 * attacked.cost_eur + 1 > 2.5", 3, 2.5, True),
        ("-1 * pv-2.cost_eur == 3", 3, 3, True),
        ("pv-2.cost_eur == -3", -3, -3, True),
        ("pv-2.5_ev-1.cost_eur == 1.5", 1.5, 1.5, True),
    ],
)
def test_comparisons(text: str, left: float, right: float, met: bool) -> None:
    outcome = check_expectation(parse_expectation(text, RUNS), INDICATORS)
    assert (outcome.left, outcome.right, outcome.met) == (left, right, met)
    assert outcome.text == text
    assert outcome.problem == ""


def test_the_longest_name_of_a_run_counts() -> None:
    expectation = parse_expectation("pv-2.5_ev-1.cost_eur > 0", RUNS)
    assert expectation.references == (Reference("pv-2.5_ev-1", "cost_eur"),)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "exactly once"),
        ("attacked.cost_eur", "exactly once"),
        ("1 < attacked.cost_eur < 5", "exactly once"),
        ("attacked.cost_eur <", "is empty"),
        ("atacked.cost_eur < 1", "did you mean 'attacked'?"),
        ("zzz.cost_eur < 1", "known: honest, attacked"),
        ("attacked < 1", "no <run>.<indicator>"),
        ("attacked.cost_eur * 2 < 1", "expected + or - before '*'"),
        ("2 * 3 * attacked.cost_eur < 1", "expected + or - before '*'"),
        ("2 honest.cost_eur < 1", "expected + or - before 'honest.cost_eur'"),
        ("+ honest.cost_eur < 1", "not '+'"),
        ("__import__('os') < 1", "no <run>.<indicator>"),
        ("(attacked.cost_eur) < 1", "cannot be read from '(attacked"),
        ("attacked.cost_eur = 1", "cannot be read from '= 1'"),
    ],
)
def test_mistakes(text: str, says: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        parse_expectation(text, RUNS)
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("honest.cost_ur > 0", "no indicator 'cost_ur': did you mean 'cost_eur'?"),
        ("honest.mean_price >= 0", "honest.mean_price has no value"),
    ],
)
def test_what_has_no_value_is_not_met(text: str, says: str) -> None:
    outcome = check_expectation(parse_expectation(text, RUNS), INDICATORS)
    assert not outcome.met
    assert says in outcome.problem
