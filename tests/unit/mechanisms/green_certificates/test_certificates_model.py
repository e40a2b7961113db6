"""The model of the green certificates: what only Python does. The rest is the state machine's."""

import pytest

from cosim.errors import ContractRevert
from cosim.mechanisms.green_certificates.model import GreenCertificatesModel, Holding, HourTotals

FIRST_S = 7_200 + 1_800
"""Half past two: intervals 0 and 1 lie in hour 2, 2 to 5 in hour 3."""


@pytest.fixture
def model() -> GreenCertificatesModel:
    """The producer made 1 000 Wh in hour 2 and used 300, the buyer used 700."""
    model = GreenCertificatesModel(FIRST_S, 900)
    model.record(0, "producer's meter", "producer", 1_000, 250)
    model.record(1, "producer's meter", "producer", 0, 50)
    model.record(0, "buyer's meter", "buyer", 0, 700)
    model.deposit("buyer", 1_000)
    return model


@pytest.mark.parametrize(
    ("first_s", "step_s", "text"),
    [
        (0, 0, "step does not divide the hour"),
        (0, 700, "step does not divide the hour"),
        (450, 900, "first delivery not at a whole step"),
    ],
)
def test_intervals_lie_in_one_hour(first_s: int, step_s: int, text: str) -> None:
    with pytest.raises(ContractRevert, match=f"green certificates: {text}"):
        GreenCertificatesModel(first_s, step_s)


def test_what_an_account_can_retire_is_the_less_of_held_and_residual(
    model: GreenCertificatesModel,
) -> None:
    assert model.holding_of(2, "producer") == Holding(1_000, 300, 0)
    assert model.holding_of(2, "producer").retirable_wh == 300
    assert model.holding_of(2, "buyer").retirable_wh == 0
    model.transfer(2, "producer", "buyer", 80)
    model.retire(2, "buyer", 30)
    assert model.holding_of(2, "buyer") == Holding(50, 700, 30)
    assert model.holding_of(2, "buyer").residual_wh == 670
    assert model.holding_of(2, "buyer").retirable_wh == 50


def test_offers_of_an_hour_in_the_order_they_were_made(model: GreenCertificatesModel) -> None:
    for energy, price in ((100, 9), (200, 1), (300, 5)):
        model.offer(2, "producer", energy, price)
    model.buy(2, "buyer", 200)
    model.buy(3, "buyer", 1)
    assert {k: offer.energy_wh for k, offer in model.offers_of(2).items()} == {1: 100, 3: 299}
    assert model.offers_of(3) == {}
    assert model.offered_total_wh(2) == 399
    assert model.held_total_wh(2) == 601
    assert model.offer_count == 3


def test_refused_purchase_changes_nothing(model: GreenCertificatesModel) -> None:
    number = model.offer(2, "producer", 700, 2_001)
    with pytest.raises(ContractRevert, match="balance too low"):
        model.buy(number, "buyer", 500)
    assert model.balance_of("buyer") == 1_000
    assert model.balance_of("producer") == 0
    offer = model.offer_of(number)
    assert offer is not None
    assert offer.energy_wh == 700
    assert model.buy(number, "buyer", 499) == 999


def test_forgets_an_hour_but_not_what_is_for_sale(model: GreenCertificatesModel) -> None:
    model.record(2, "producer's meter", "producer", 5, 0)
    number = model.offer(2, "producer", 10, 1)
    with pytest.raises(ValueError, match="hour 2: certificates are for sale"):
        model.forget(2)
    model.cancel_offer(number, "producer")
    model.forget(2)
    assert model.totals_of(2) == HourTotals()
    assert model.holding_of(2, "producer") == Holding()
    assert not model.is_recorded(0, "producer's meter")
    assert model.is_recorded(2, "producer's meter")
    assert model.totals_of(3) == HourTotals(5, 0, 0)
