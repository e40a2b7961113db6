"""Who buys which certificates: cheapest first, who pays most first, the turn passes on."""

import pytest

from cosim.mechanisms.green_certificates.model import CertificateOffer
from cosim.mechanisms.green_certificates.purchases import Buyer, Purchase, plan_purchases
from cosim.units import amount_due_ueur

RICH = 10**9


def offers(*energies_and_prices: tuple[int, int]) -> dict[int, CertificateOffer]:
    return {
        number: CertificateOffer("producer", 5, energy, price)
        for number, (energy, price) in enumerate(energies_and_prices, start=1)
    }


def test_cheapest_first_and_of_one_price_the_earliest() -> None:
    plan = plan_purchases([Buyer("ann", 350, 9, RICH)], offers((100, 5), (100, 3), (200, 3)))
    assert plan == [Purchase("ann", 2, 100), Purchase("ann", 3, 200), Purchase("ann", 1, 50)]


def test_nobody_pays_more_than_its_limit() -> None:
    plan = plan_purchases([Buyer("ann", 350, 4, RICH)], offers((100, 5), (100, 4)))
    assert plan == [Purchase("ann", 2, 100)]


def test_who_pays_most_chooses_first() -> None:
    buyers = [Buyer("ann", 80, 5, RICH), Buyer("bob", 80, 7, RICH), Buyer("cem", 80, 6, RICH)]
    plan = plan_purchases(buyers, offers((100, 2), (100, 3)))
    assert plan == [
        Purchase("bob", 1, 80),
        Purchase("cem", 1, 20),
        Purchase("cem", 2, 60),
        Purchase("ann", 2, 40),
    ]


@pytest.mark.parametrize(("turn", "first"), [(0, "ann"), (1, "bob"), (2, "cem"), (302, "cem")])
def test_among_equals_the_turn_passes_on(turn: int, first: str) -> None:
    buyers = [Buyer(name, 80, 5, RICH) for name in ("ann", "bob", "cem")]
    plan = plan_purchases(buyers, offers((100, 5)), turn)
    assert [p.energy_wh for p in plan] == [80, 20]
    assert plan[0].account == first


@pytest.mark.parametrize(("money", "energy"), [(0, 0), (2, 0), (3, 1), (10, 4), (11, 5), (20, 9)])
def test_nobody_buys_more_than_it_can_pay_rounded_up(money: int, energy: int) -> None:
    plan = plan_purchases([Buyer("ann", 50, 3_000, money)], offers((100, 2_001)))
    assert sum(p.energy_wh for p in plan) == energy
    assert amount_due_ueur(energy, 2_001) <= money < amount_due_ueur(energy + 1, 2_001)


def test_money_is_spent_once() -> None:
    plan = plan_purchases([Buyer("ann", 90, 2_000, 100)], offers((30, 1_500), (60, 2_000)))
    assert plan == [Purchase("ann", 1, 30), Purchase("ann", 2, 27)]


def test_free_certificates_need_no_money_and_sated_buyers_take_none() -> None:
    buyers = [Buyer("ann", 0, 9, RICH), Buyer("bob", -5, 9, RICH), Buyer("cem", 7, 0, 0)]
    assert plan_purchases(buyers, offers((10, 0))) == [Purchase("cem", 1, 7)]
    assert plan_purchases([], offers((10, 0))) == []
    assert plan_purchases(buyers, {}) == []
