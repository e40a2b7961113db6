"""The twin of the green certificates: what only Python does. The rest is the state machine's."""

import pytest

from cosim.errors import ContractRevert
from cosim.market.certificates import GreenCertificatesTwin, Holding, HourTotals

FIRST_S = 7_200 + 1_800
"""Half past two: intervals 0 and 1 lie in hour 2, 2 to 5 in hour 3."""


@pytest.fixture
def twin() -> GreenCertificatesTwin:
    """The producer made 1 000 Wh in hour 2 and used 300, the buyer used 700."""
    books = GreenCertificatesTwin(FIRST_S, 900)
    books.record(0, "producer's meter", "producer", 1_000, 250)
    books.record(1, "producer's meter", "producer", 0, 50)
    books.record(0, "buyer's meter", "buyer", 0, 700)
    books.deposit("buyer", 1_000)
    return books


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
        GreenCertificatesTwin(first_s, step_s)


def test_what_an_account_can_retire_is_the_less_of_held_and_residual(
    twin: GreenCertificatesTwin,
) -> None:
    assert twin.holding_of(2, "producer") == Holding(1_000, 300, 0)
    assert twin.holding_of(2, "producer").retirable_wh == 300
    assert twin.holding_of(2, "buyer").retirable_wh == 0
    twin.transfer(2, "producer", "buyer", 80)
    twin.retire(2, "buyer", 30)
    assert twin.holding_of(2, "buyer") == Holding(50, 700, 30)
    assert twin.holding_of(2, "buyer").residual_wh == 670
    assert twin.holding_of(2, "buyer").retirable_wh == 50


def test_offers_of_an_hour_in_the_order_they_were_made(twin: GreenCertificatesTwin) -> None:
    for energy, price in ((100, 9), (200, 1), (300, 5)):
        twin.offer(2, "producer", energy, price)
    twin.buy(2, "buyer", 200)
    twin.buy(3, "buyer", 1)
    assert {k: offer.energy_wh for k, offer in twin.offers_of(2).items()} == {1: 100, 3: 299}
    assert twin.offers_of(3) == {}
    assert twin.offered_total_wh(2) == 399
    assert twin.held_total_wh(2) == 601
    assert twin.offer_count == 3


def test_refused_purchase_changes_nothing(twin: GreenCertificatesTwin) -> None:
    number = twin.offer(2, "producer", 700, 2_001)
    with pytest.raises(ContractRevert, match="balance too low"):
        twin.buy(number, "buyer", 500)
    assert twin.balance_of("buyer") == 1_000
    assert twin.balance_of("producer") == 0
    offer = twin.offer_of(number)
    assert offer is not None
    assert offer.energy_wh == 700
    assert twin.buy(number, "buyer", 499) == 999


def test_forgets_an_hour_but_not_what_is_for_sale(twin: GreenCertificatesTwin) -> None:
    twin.record(2, "producer's meter", "producer", 5, 0)
    number = twin.offer(2, "producer", 10, 1)
    with pytest.raises(ValueError, match="hour 2: certificates are for sale"):
        twin.forget(2)
    twin.cancel_offer(number, "producer")
    twin.forget(2)
    assert twin.totals_of(2) == HourTotals()
    assert twin.holding_of(2, "producer") == Holding()
    assert not twin.is_recorded(0, "producer's meter")
    assert twin.is_recorded(2, "producer's meter")
    assert twin.totals_of(3) == HourTotals(5, 0, 0)
