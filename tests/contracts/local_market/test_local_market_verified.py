"""Verified clearing: the contract takes the clearing and nothing else."""

import pytest
from local_market_world import Cleared, opened, three
from market_world import SUPPLIER, MarketWorld, address

from cosim.errors import ContractRevert
from cosim.mechanisms.local_market.orders import Order
from cosim.mechanisms.local_market.pricing import AUCTION_FORMS, ClearingForm


@pytest.fixture
def verified() -> MarketWorld:
    """A market whose clearings are verified."""
    return opened("py-evm", form=ClearingForm.VERIFIED)


def test_the_clearing_is_taken(verified: MarketWorld) -> None:
    case = three()
    case.place(verified)
    supplier = verified.free(SUPPLIER)
    done = verified.market.send("anyone", "clearVerified", 0, case.ranking, *case.result)
    names = [name for name, _ in done.events]
    assert names == ["OrderFilled", "OrderFilled", "OrderFilled", "IntervalCleared"]
    assert verified.market.get("clearingOf", 0) == (True, 150_000, 150_000, 1_000, 3)
    fills = [verified.market.get("orderOf", 0, address(o.account))[3] for o in case.orders]
    assert tuple(fills) == case.clearing.fills_wh == (667, 1_000, 333)
    assert verified.free(SUPPLIER) - supplier == case.clearing.surplus_ueur
    assert verified.backed()
    with pytest.raises(ContractRevert, match="local market: already cleared"):
        verified.market.send("anyone", "clearVerified", 0, case.ranking, *case.result)


@pytest.mark.parametrize("changed", [0, 1, 2])
@pytest.mark.parametrize("by", [-1, 1])
def test_any_other_result_is_refused(verified: MarketWorld, changed: int, by: int) -> None:
    case = three()
    case.place(verified)
    result = list(case.result)
    result[changed] += by
    with pytest.raises(ContractRevert, match="local market: not the clearing"):
        verified.market.send("anyone", "clearVerified", 0, case.ranking, *result)
    assert verified.market.get("clearingOf", 0) == (False, 0, 0, 0, 3)


@pytest.mark.parametrize(
    "indexes",
    [
        [2, 0, 1],  # tie against arrival
        [0, 1, 2],  # an ask before a bid
        [0, 2, 2],  # one twice, another left out
        [0, 2, 3],  # no such order
        [0, 2, 512],
        [0, 2, 2**16 - 1],
    ],
)
def test_ranking_must_be_the_merit_order(verified: MarketWorld, indexes: list[int]) -> None:
    case = three()
    case.place(verified)
    word = sum(index << 16 * k for k, index in enumerate(indexes))
    with pytest.raises(ContractRevert, match="local market: ranking not in merit order"):
        verified.market.send("anyone", "clearVerified", 0, [word], *case.result)


def test_ranking_must_hold_all_orders(verified: MarketWorld) -> None:
    case = three()
    case.place(verified)
    for ranking in ([], case.ranking * 2):
        with pytest.raises(ContractRevert, match="local market: ranking incomplete"):
            verified.market.send("anyone", "clearVerified", 0, ranking, *case.result)


def test_book_that_does_not_cross_needs_no_ranking(verified: MarketWorld) -> None:
    Cleared.of(
        [Order("buyer", False, 1_000, 100_000), Order("seller", True, 1_000, 100_001)]
    ).place(verified)
    with pytest.raises(ContractRevert, match="local market: not the clearing"):
        verified.market.send("anyone", "clearVerified", 0, [], 0, 0, 1)
    verified.market.send("anyone", "clearVerified", 0, [], 0, 0, 0)
    assert verified.market.get("clearingOf", 0) == (True, 0, 0, 0, 2)


@pytest.mark.parametrize("form", AUCTION_FORMS)
def test_a_market_clears_in_its_own_form_only(form: ClearingForm) -> None:
    world = opened(form=form)
    world.close_gate(0)
    calls = {
        ClearingForm.ON_CHAIN: ("clear", 0),
        ClearingForm.VERIFIED: ("clearVerified", 0, [], 0, 0, 0),
        ClearingForm.COMMITTED: ("commitClearing", 0, bytes(32), 0, 0, 0),
    }
    texts = {
        ClearingForm.ON_CHAIN: "local market: clearing is on chain",
        ClearingForm.VERIFIED: "local market: clearing is verified",
        ClearingForm.COMMITTED: "local market: clearing is committed",
    }
    for other in AUCTION_FORMS:
        if other is not form:
            with pytest.raises(ContractRevert, match=texts[form]):
                world.market.send("anyone", *calls[other])
    world.market.send("anyone", *calls[form])
    assert world.market.get("clearingOf", 0) == (True, 0, 0, 0, 0)


@pytest.mark.parametrize("form", AUCTION_FORMS[1:])
def test_other_forms_wait_for_gate_closure_too(form: ClearingForm) -> None:
    world = opened(form=form)
    world.open_window(0)
    arguments = ([], 0, 0, 0) if form is ClearingForm.VERIFIED else (bytes(32), 0, 0, 0)
    function = "clearVerified" if form is ClearingForm.VERIFIED else "commitClearing"
    with pytest.raises(ContractRevert, match="local market: gate open"):
        world.market.send("anyone", function, 0, *arguments)
