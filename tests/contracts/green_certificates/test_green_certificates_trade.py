"""Giving away, offering, buying, and taking back."""

from itertools import pairwise

import pytest
from certificates_world import HOUR, PRICE, RICH, CertificatesWorld
from market_world import address

from cosim.errors import ContractRevert

HIGHEST_PRICE, LARGEST = 2**31 - 1, 2**32 - 1
NOBODY = bytes(20)


@pytest.fixture
def offered(recorded: CertificatesWorld) -> CertificatesWorld:
    """800 of the producer's 1 000 Wh for sale."""
    recorded.send("producer", "offer", HOUR, 800, PRICE)
    return recorded


# --- transfer -----------------------------------------------------------------------------------


def test_transfer_gives_certificates_away(recorded: CertificatesWorld) -> None:
    done = recorded.send("producer", "transfer", HOUR, address("buyer"), 600)
    event = {
        "hour": HOUR,
        "sender": address("producer"),
        "receiver": address("buyer"),
        "energy_wh": 600,
    }
    assert done.events == [("CertificatesTransferred", event)]
    assert (recorded.held("producer"), recorded.held("buyer")) == (400, 600)
    assert recorded.consumption("buyer") == (700, 0, 700)
    assert recorded.balances(HOUR)


def test_transfer_to_oneself_changes_nothing(recorded: CertificatesWorld) -> None:
    before = recorded.root()
    recorded.send("producer", "transfer", HOUR, address("producer"), 1_000)
    assert recorded.root() == before


@pytest.mark.parametrize("energy", [1_001, 2**64, 2**128, 2**256 - 1])
def test_transfer_of_more_than_one_holds(recorded: CertificatesWorld, energy: int) -> None:
    with pytest.raises(ContractRevert, match="green certificates: too few certificates"):
        recorded.send("producer", "transfer", HOUR, address("buyer"), energy)


@pytest.mark.parametrize("hour", [0, HOUR - 1, HOUR + 1, 2**256 - 1])
def test_transfer_of_another_hour(recorded: CertificatesWorld, hour: int) -> None:
    with pytest.raises(ContractRevert, match="green certificates: too few certificates"):
        recorded.send("producer", "transfer", hour, address("buyer"), 1)


def test_transfer_to_nobody(recorded: CertificatesWorld) -> None:
    with pytest.raises(ContractRevert, match="green certificates: to the zero address"):
        recorded.send("producer", "transfer", HOUR, NOBODY, 1)


def test_transfer_of_nothing(recorded: CertificatesWorld) -> None:
    with pytest.raises(ContractRevert, match="green certificates: energy out of range"):
        recorded.send("producer", "transfer", HOUR, address("buyer"), 0)


# --- offer --------------------------------------------------------------------------------------


def test_offer_holds_certificates(recorded: CertificatesWorld) -> None:
    done = recorded.send("producer", "offer", HOUR, 800, PRICE)
    assert int.from_bytes(done.output, "big") == 1
    event = {
        "offer": 1,
        "hour": HOUR,
        "account": address("producer"),
        "energy_wh": 800,
        "price_ueur_per_kwh": PRICE,
    }
    assert done.events == [("CertificatesOffered", event)]
    assert recorded.certificates.get("offerOf", 1) == (address("producer"), HOUR, 800, PRICE)
    assert recorded.certificates.get("offerCount") == 1
    assert recorded.held("producer") == 200
    assert recorded.balances(HOUR)


def test_offered_certificates_are_neither_given_away_nor_retired(
    offered: CertificatesWorld,
) -> None:
    with pytest.raises(ContractRevert, match="green certificates: too few certificates"):
        offered.send("producer", "retire", HOUR, 201)
    with pytest.raises(ContractRevert, match="green certificates: too few certificates"):
        offered.send("producer", "transfer", HOUR, address("buyer"), 201)
    with pytest.raises(ContractRevert, match="green certificates: too few certificates"):
        offered.send("producer", "offer", HOUR, 201, 0)


@pytest.mark.parametrize("energy", [0, LARGEST + 1, 2**256 - 1])
def test_offer_of_energy_out_of_range(recorded: CertificatesWorld, energy: int) -> None:
    with pytest.raises(ContractRevert, match="green certificates: energy out of range"):
        recorded.send("producer", "offer", HOUR, energy, PRICE)


def test_offer_above_the_highest_price(recorded: CertificatesWorld) -> None:
    with pytest.raises(ContractRevert, match="green certificates: price out of range"):
        recorded.send("producer", "offer", HOUR, 1, HIGHEST_PRICE + 1)


@pytest.mark.parametrize("hour", [2**33, HOUR + 2**33, 2**256 - 1])
def test_offer_of_an_hour_out_of_range(recorded: CertificatesWorld, hour: int) -> None:
    with pytest.raises(ContractRevert, match="green certificates: hour out of range"):
        recorded.send("producer", "offer", hour, 1, PRICE)


def test_latest_hour_of_an_offer(recorded: CertificatesWorld) -> None:
    with pytest.raises(ContractRevert, match="green certificates: too few certificates"):
        recorded.send("producer", "offer", 2**33 - 1, 1, PRICE)


def test_largest_offer_fits(world: CertificatesWorld) -> None:
    world.deliver(0)
    world.record("producer", LARGEST, 0)
    world.send("producer", "offer", HOUR, LARGEST, HIGHEST_PRICE)
    offer = (address("producer"), HOUR, LARGEST, HIGHEST_PRICE)
    assert world.certificates.get("offerOf", 1) == offer
    amount = -(-LARGEST * HIGHEST_PRICE // 1_000)
    world.fund("buyer", amount)
    world.send("buyer", "buy", 1, LARGEST)
    assert world.free("producer") == RICH + amount
    assert world.held("buyer") == LARGEST
    assert world.backed()


# --- buy ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("energy", "amount"), [(1, 3), (500, 1_001), (799, 1_599), (800, 1_601)])
def test_buy_pays_the_seller_rounded_up(
    offered: CertificatesWorld, energy: int, amount: int
) -> None:
    done = offered.send("buyer", "buy", 1, energy)
    event = {
        "offer": 1,
        "hour": HOUR,
        "buyer": address("buyer"),
        "seller": address("producer"),
        "energy_wh": energy,
        "amount_ueur": amount,
    }
    assert done.events == [("CertificatesSold", event)]
    assert offered.free("buyer") == RICH - amount
    assert offered.free("producer") == RICH + amount
    assert offered.held("buyer") == energy
    assert offered.certificates.get("offerOf", 1)[2] == 800 - energy
    assert offered.backed()
    assert offered.balances(HOUR)


def test_offer_is_sold_in_parts(offered: CertificatesWorld) -> None:
    offered.send("buyer", "buy", 1, 300)
    offered.send("neighbour", "buy", 1, 499)
    assert offered.certificates.get("offerOf", 1) == (address("producer"), HOUR, 1, PRICE)
    offered.send("neighbour", "buy", 1, 1)
    assert offered.certificates.get("offerOf", 1) == (NOBODY, 0, 0, 0)
    assert (offered.held("buyer"), offered.held("neighbour")) == (300, 500)
    with pytest.raises(ContractRevert, match="green certificates: no such offer"):
        offered.send("buyer", "buy", 1, 1)


def test_buyer_may_be_anyone_with_money(offered: CertificatesWorld) -> None:
    offered.fund("trader", 2)
    with pytest.raises(ContractRevert, match="green certificates: balance too low"):
        offered.send("trader", "buy", 1, 1)
    offered.fund("trader", 1)
    offered.send("trader", "buy", 1, 1)
    assert (offered.held("trader"), offered.free("trader")) == (1, 0)


def test_free_certificates_cost_nothing(recorded: CertificatesWorld) -> None:
    recorded.send("producer", "offer", HOUR, 10, 0)
    recorded.send("stranger", "buy", 1, 10)
    assert recorded.held("stranger") == 10
    assert recorded.free("producer") == RICH


def test_bought_certificates_are_retired_by_the_buyer(offered: CertificatesWorld) -> None:
    offered.send("buyer", "buy", 1, 750)
    offered.send("buyer", "retire", HOUR, 700)
    assert offered.consumption("buyer") == (700, 700, 0)
    with pytest.raises(ContractRevert, match="green certificates: more than consumed"):
        offered.send("buyer", "retire", HOUR, 50)


def test_buy_more_than_offered(offered: CertificatesWorld) -> None:
    with pytest.raises(ContractRevert, match="green certificates: more than offered"):
        offered.send("buyer", "buy", 1, 801)


@pytest.mark.parametrize("number", [0, 2, 2**256 - 1])
def test_buy_of_no_offer(offered: CertificatesWorld, number: int) -> None:
    with pytest.raises(ContractRevert, match="green certificates: no such offer"):
        offered.send("buyer", "buy", number, 1)


def test_buy_nothing(offered: CertificatesWorld) -> None:
    with pytest.raises(ContractRevert, match="green certificates: energy out of range"):
        offered.send("buyer", "buy", 1, 0)


def test_proceeds_can_be_withdrawn_at_once(offered: CertificatesWorld) -> None:
    offered.send("buyer", "buy", 1, 800)
    offered.send("producer", "withdraw", RICH + 1_601)
    assert offered.token.get("balanceOf", address("producer")) == RICH + 1_601
    assert offered.backed()


# --- cancel -------------------------------------------------------------------------------------


def test_cancel_gives_back_what_is_not_sold(offered: CertificatesWorld) -> None:
    offered.send("buyer", "buy", 1, 300)
    done = offered.send("producer", "cancelOffer", 1)
    event = {"offer": 1, "hour": HOUR, "account": address("producer"), "energy_wh": 500}
    assert done.events == [("OfferCancelled", event)]
    assert offered.held("producer") == 700
    assert offered.balances(HOUR)
    with pytest.raises(ContractRevert, match="green certificates: no such offer"):
        offered.send("producer", "cancelOffer", 1)


def test_only_the_seller_cancels(offered: CertificatesWorld) -> None:
    with pytest.raises(ContractRevert, match="green certificates: not your offer"):
        offered.send("buyer", "cancelOffer", 1)


# --- bounded work -------------------------------------------------------------------------------


def test_many_tiny_offers_make_nothing_dearer(world: CertificatesWorld) -> None:
    """No function reads more than the one offer, account and hour that it names."""
    world.deliver(0)
    world.record("producer", 1_000, 100)
    gas = []
    for _ in range(40):
        world.send("producer", "offer", HOUR, 1, 1)
        snapshot = world.engine.snapshot()
        gas.append(
            [
                world.send("producer", "offer", HOUR, 1, 1).gas_used,
                world.send("buyer", "buy", 1, 1).gas_used,
                world.send("producer", "retire", HOUR, 1).gas_used,
                world.record("neighbour", 1, 1).gas_used,
            ]
        )
        world.engine.restore(snapshot)
    assert all(earlier == later for earlier, later in pairwise(gas))
