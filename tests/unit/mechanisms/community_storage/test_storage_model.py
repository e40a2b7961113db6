"""Arithmetic of the community storage's model that no contract test shows."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosim.errors import ContractRevert
from cosim.mechanisms.community_storage.model import (
    CommunityStorageModel,
    Nominated,
    credited_wh,
    debited_wh,
)
from cosim.mechanisms.community_storage.terms import StorageTerms

TERMS = StorageTerms(
    owner="battery",
    total_shares=10,
    share_price_ueur=1_000,
    capacity_wh=10_000,
    power_wh=5_000,
    charge_permille=950,
    discharge_permille=930,
    loss_limit_wh=100,
    retail_price_ueur_per_kwh=300_000,
    feed_in_price_ueur_per_kwh=80_000,
)


@given(st.integers(0, 2**32 - 1), st.integers(1, 1_000))
def test_conversion_rounds_against_the_member_by_less_than_1_wh(energy: int, permille: int) -> None:
    assert 0 <= energy * permille - 1_000 * credited_wh(energy, permille) < 1_000
    assert 0 <= debited_wh(energy, permille) * permille - 1_000 * energy < permille


@given(
    st.lists(st.tuples(st.integers(-9_000, 9_000), st.integers(-4_000, 4_000)), max_size=8),
    st.integers(-9_000, 9_000),
)
def test_allocation_keeps_the_sum_and_leaves_the_battery_its_loss(
    members: list[tuple[int, int]], battery_wh: int
) -> None:
    nominations = [nominated for _, nominated in members]
    reported = [net - nominated for net, nominated in members]  # as members are allocated
    battery_reports = battery_wh + sum(nominations)
    assert sum(reported) + battery_reports == sum(net for net, _ in members) + battery_wh
    total = Nominated(
        charged_wh=sum(n for n in nominations if n > 0),
        discharged_wh=-sum(n for n in nominations if n < 0),
    )
    assert battery_reports == -total.loss_wh(battery_wh)


def test_refused_transfer_settles_nothing() -> None:
    model = CommunityStorageModel(TERMS)
    model.deposit("ann", 6_000)
    model.buy_shares("ann", 5)
    model.report(0, -50)  # 15 000 µEUR: 7 500 for ann, who has 1 000
    assert model.accrued_of("ann") == (7_500, 0)
    model.offer_shares("ann", "bob", 1, 0)
    with pytest.raises(ContractRevert, match="community storage: debt unpaid"):
        model.accept_shares("ann", "bob", 1, 0)
    assert model.accrued_of("ann") == (7_500, 0)
    assert model.balance_of("ann") == 1_000
    assert model.settle(["ann", "ann", "bob"]) == {"ann": (7_500, 0)}
    assert model.debt_of("ann") == 6_500


def test_forgets_intervals_and_keeps_accounts() -> None:
    model = CommunityStorageModel(TERMS)
    model.deposit("ann", 5_000)
    model.buy_shares("ann", 5)
    assert model.nominate(3, "ann", 1_000).energy_wh == 950
    assert model.nominated_of(3).stored_wh == 950
    model.report(3, -1_000)
    model.forget(3)
    assert model.nomination_of(3, "ann") == 0
    assert model.reading_of(3) is None
    assert model.account_of("ann").energy_wh == 950
    with pytest.raises(ContractRevert, match="community storage: nomination exists"):
        model.nominate(3, "ann", 1)
