"""Consumption that is put off is owed, and consumed later: none appears or vanishes."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from cosim.devices.deferral import Deferral

STEP_H = 0.25


def group(share_of_power: float, energy_max_mwh: float, rated_mw: float) -> Deferral:
    """Devices of one prosumer; their profile does not matter here."""
    none = np.zeros((1, 1))
    return Deferral(
        none,
        none,
        np.array([rated_mw]),
        members=(),
        share_of_power=np.array([share_of_power]),
        energy_max_mwh=np.array([energy_max_mwh]),
    )


share = st.floats(0, 1)
#: Wanted power relative to rating, and how much of what is possible is put off (None: caught up).
steps = st.lists(st.tuples(share, st.none() | share), min_size=1, max_size=30)


@settings(deadline=None)
@given(share, st.floats(0, 0.01), steps)
def test_energy_is_conserved_within_rating_and_debt_limit(deferrable_share, energy_max, steps):
    rated = 0.01
    deferral = group(deferrable_share, energy_max, rated)
    owed = np.zeros(1)
    wanted_mwh = consumed_mwh = 0.0
    for relative, put_off in steps:
        wanted = np.array([relative * rated])
        recovery = deferral.recovery_mw(owed, wanted, STEP_H)
        possible = deferral.deferrable_mw(owed, wanted, STEP_H)
        assert 0 <= possible[0] <= deferrable_share * wanted[0]
        deferred = -recovery if put_off is None else put_off * possible
        consumed = wanted - deferred
        assert -1e-15 <= consumed[0] <= rated + 1e-15
        before = owed
        owed = deferral.next_owed_mwh(owed, deferred, STEP_H)
        assert 0 <= owed[0] <= energy_max
        if put_off is None and before[0] > 0 and relative < 1:
            assert owed[0] < before[0]
        wanted_mwh += wanted[0] * STEP_H
        consumed_mwh += consumed[0] * STEP_H
    np.testing.assert_allclose(consumed_mwh + owed[0], wanted_mwh, rtol=1e-9, atol=1e-14)


@settings(deadline=None)
@given(st.floats(1e-6, 0.004), share.filter(lambda s: s < 0.9))
def test_debt_is_paid_as_fast_as_the_rating_allows(debt, relative):
    rated = 0.01
    deferral = group(0.5, 0.004, rated)
    owed, wanted = np.array([debt]), np.array([relative * rated])
    steps = 0
    while owed[0] > 1e-12:
        owed = deferral.next_owed_mwh(owed, -deferral.recovery_mw(owed, wanted, STEP_H), STEP_H)
        steps += 1
    per_step = (rated - wanted[0]) * STEP_H
    assert steps in (np.ceil(debt / per_step), np.ceil(debt / per_step - 1e-6))
