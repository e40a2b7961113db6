"""Units: one rounding rule, stated once."""

import numpy as np
import pytest

from cosim import units


def test_power_becomes_energy_rounded_half_to_even():
    # 0.01 MW for 900 s is 2 500 Wh; 2 µW·h multiples of a half round to even
    assert units.energy_wh_from_mw([0.01, -0.01, 2e-6, 6e-6, 10e-6], 900).tolist() == [
        2500, -2500, 0, 2, 2,
    ]  # fmt: skip


def test_energy_and_power_are_inverse_on_whole_wh():
    energy_wh = np.array([-123_456, 0, 1, 987_654])
    power = units.p_mw_from_wh(energy_wh, 900)
    assert units.energy_wh_from_mw(power, 900).tolist() == energy_wh.tolist()


@pytest.mark.parametrize(
    ("energy_wh", "price", "due", "earned"),
    [(1000, 300_000, 300_000, 300_000), (1, 1, 1, 0), (1500, 333, 500, 499), (0, 5, 0, 0)],
)
def test_payer_rounds_up_and_payee_down(energy_wh, price, due, earned):
    assert units.amount_due_ueur(energy_wh, price) == due
    assert units.amount_earned_ueur(energy_wh, price) == earned


def test_fee_in_money():
    # 100 000 gas at 3 gwei and 102.75 EUR/ETH, the prices of the published gas table
    assert units.fee_ueur(100_000 * units.wei_from_gwei(3), 102.75) == 30_825


def test_price_per_mwh_becomes_a_price_per_kwh_rounded_half_to_even():
    prices = [units.ueur_per_kwh_from_eur_per_mwh(p) for p in (0.0, 1.0, 4.75, 0.0005, 0.0015)]
    assert prices == [0, 1_000, 4_750, 0, 2]
