"""The solver of the programme of relief, against another way to it."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import linprog

from cosim.dso.programme import _highs


def programmes():
    rng = np.random.default_rng(20160524)
    for _ in range(60):
        m, n = rng.integers(1, 12, 2)
        matrix = rng.normal(size=(m, n)) * (rng.random((m, n)) < 0.7)
        ranges = np.column_stack([np.zeros(n), rng.random(n) * 5.0])
        ranges[0, 1] = np.inf
        yield rng.random(n), matrix, rng.normal(size=m), ranges


def test_answers_are_those_of_scipy_whatever_was_solved_before():
    solved = []
    for cost, matrix, bound, ranges in programmes():
        theirs = linprog(cost, A_ub=matrix, b_ub=bound, bounds=ranges)
        ours = _highs(cost, matrix, bound, ranges)
        assert (ours is None) == (theirs.status != 0)
        if ours is not None:
            assert cost @ ours == pytest.approx(theirs.fun, abs=1e-8)
            assert (matrix @ ours <= bound + 1e-8).all()
        solved.append(ours)
    assert sum(answer is None for answer in solved) > 5
    assert sum(answer is not None for answer in solved) > 20
    again = [_highs(*each) for each in reversed([*programmes()])][::-1]
    for first, second in zip(solved, again, strict=True):
        assert (first is None and second is None) or first.tobytes() == second.tobytes()


def test_nothing_is_printed(capfd):
    assert _highs(np.ones(1), np.ones((1, 1)), np.ones(1), np.array([[0.0, 1.0]])) == [0.0]
    assert capfd.readouterr() == ("", "")
