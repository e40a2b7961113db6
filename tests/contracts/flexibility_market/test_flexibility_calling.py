"""Random calling on the reference engine: who draws what and when, and what it costs."""

from __future__ import annotations

import pytest
from flexibility_world import FlexibilityWorld, refusal
from market_world import DSO, PENALTY, Contract, address

from cosim.errors import ContractRevert
from cosim.evm.contracts import compile_contract
from cosim.evm.hashing import keccak
from cosim.mechanisms.flexibility_market.baselines import BaselineTerms
from cosim.mechanisms.flexibility_market.calling import (
    CallingTerms,
    digest_with,
    hash_chain,
    is_called,
    seed_of,
)
from cosim.mechanisms.flexibility_market.curves import Block

EUR = 1_000_000
LINKS = hash_chain(b"secret of the DSO", 3)
LAMBDA = 700_000
SELLERS = ("anna", "ben", "carl", "dora", "emil", "fritz")
NAME = "flexibility market: "
MAX_PRICE = 2**31 - 1


def world_of(called: float = 0.5, penalty: int = LAMBDA, **options: object) -> FlexibilityWorld:
    calling = CallingTerms(round(called * 1e6), penalty, LINKS[-1])
    kind = str(options.pop("kind", "nomination"))
    world = FlexibilityWorld(
        BaselineTerms(kind),
        engine="py-evm",
        calling=calling,
        **options,  # type: ignore[arg-type]
    )
    for account in (*SELLERS, DSO):
        world.fund(account, 100 * EUR)
    return world


def offered(world: FlexibilityWorld, energy_wh: int = 1_000) -> int:
    """Everybody offers to lower its injection of 5 kWh; the request."""
    world.before(0)
    request = world.open(0, False, 10_000)
    for seller in SELLERS:
        world.offer(seller, request, energy_wh, 79_000, 5_000)
    return request


def close(world: FlexibilityWorld, interval: int = 0, sender: str = DSO) -> None:
    world.flexibility.send(sender, "closeOffers", interval)


def draw(
    world: FlexibilityWorld, link: bytes = LINKS[-2], interval: int = 0, sender: str = DSO
) -> None:
    world.flexibility.send(sender, "drawCalls", interval, link)


def drawn(world: FlexibilityWorld) -> tuple[list[str], list[str]]:
    """Close and draw; who is called and who is not."""
    close(world)
    world.before(0)
    draw(world)
    called = [one for one in SELLERS if world.flexibility.get("isCalled", 0, address(one))]
    return called, [one for one in SELLERS if one not in called]


def settled(world: FlexibilityWorld, request: int, account: str) -> tuple[int, int, int]:
    said = dict(world.settle(request, account).events)["OfferSettled"]
    return said["delivered_wh"], said["paid_ueur"], said["penalty_ueur"]


def test_runtime_code_fits() -> None:
    world = world_of()
    assert len(world.engine.code(world.flexibility.address)) < 24_576 - 500


def test_draw_is_of_the_link_and_of_every_offer_before_it() -> None:
    world = world_of()
    request = offered(world)
    called, left_out = drawn(world)
    digest = bytes(32)
    for seller in SELLERS:
        blocks = (Block(1_000, 79_000),)
        digest = digest_with(digest, request, address(seller), 5_000, blocks)
    seed = seed_of(LINKS[-2], digest, 0)
    block, on_chain, seed_on_chain = world.flexibility.get("drawOf", 0)
    assert (on_chain, seed_on_chain) == (digest, seed)
    assert block > 0
    assert called == [one for one in SELLERS if is_called(seed, address(one), 500_000)]
    assert called
    assert left_out
    assert world.flexibility.get("lastLink") == LINKS[-2]
    # by hand, as the contract's page says it
    word = keccak(seed + bytes(12) + address(SELLERS[0]))
    assert (int.from_bytes(word, "big") % 1_000_000 < 500_000) == (SELLERS[0] in called)


def test_each_interval_has_a_link_of_its_own() -> None:
    """A DSO that draws for intervals without offers, or leaves some out, changes no later draw."""
    seeds = []
    for before in ((), (0,), (0, 1)):
        world = world_of()
        for interval in (*before, 2):
            close(world, interval)
        world.before(0)
        for interval in before:
            draw(world, LINKS[-2 - interval], interval)
        assert refusal(draw, world, LINKS[-3], 2) == NAME + "not the interval's link"
        draw(world, LINKS[-4], 2)
        seeds.append(world.flexibility.get("drawOf", 2)[2])
        assert world.flexibility.get("lastLink") == LINKS[-4]
    assert len(set(seeds)) == 1


def test_intervals_are_drawn_in_their_order() -> None:
    world = world_of()
    close(world, 0)
    close(world, 1)
    world.before(0)
    draw(world, LINKS[-3], 1)
    assert refusal(draw, world, LINKS[-2], 0) == NAME + "a later interval is drawn"
    far = 2 + 65_536
    close(world, far)
    world.before(2)
    assert refusal(draw, world, LINKS[-4], far) == NAME + "too many intervals without a draw"


def test_one_offer_more_is_another_draw() -> None:
    seeds = []
    for energy_wh in (1_000, 1_001):
        world = world_of()
        offered(world, energy_wh)
        drawn(world)
        seeds.append(world.flexibility.get("drawOf", 0)[2])
    assert seeds[0] != seeds[1]


def test_only_who_is_called_can_be_awarded() -> None:
    world = world_of()
    request = offered(world)
    award = world.award
    assert refusal(award, "anna", request, 1) == NAME + "not drawn yet"
    called, left_out = drawn(world)
    for seller in called:
        award(seller, request, 1_000)
    for seller in left_out:
        assert refusal(award, seller, request, 1) == NAME + "not called"


def test_offers_end_before_the_link_is_shown() -> None:
    world = world_of()
    request = offered(world)
    assert refusal(draw, world) == NAME + "offers are open"
    close(world)
    assert refusal(draw, world) == NAME + "offers closed in this block"
    world.fund("late", 10 * EUR)
    assert refusal(world.offer, "late", request, 1, 79_000) == NAME + "offers are closed"
    assert refusal(close, world) == NAME + "offers are closed"
    world.before(0)
    draw(world)
    assert refusal(draw, world) == NAME + "already drawn"


def test_links_are_shown_in_their_order_and_by_the_dso_alone() -> None:
    world = world_of()
    offered(world)
    assert refusal(close, world, 0, "anna") == NAME + "not the DSO"
    close(world)
    world.before(0)
    for wrong in (LINKS[-1], LINKS[-3], bytes(32)):
        assert refusal(draw, world, wrong) == NAME + "not the interval's link"
    assert refusal(draw, world, LINKS[-2], 0, "anna") == NAME + "not the DSO"
    draw(world)
    # the next interval takes the next link, and not the same again
    close(world, 1)
    world.before(1)
    assert refusal(draw, world, LINKS[-2], 1) == NAME + "not the interval's link"
    draw(world, LINKS[-3], 1)


def test_nothing_is_closed_or_drawn_after_delivery_has_started() -> None:
    world = world_of()
    offered(world)
    close(world)
    world.after(0)
    for act in (lambda: close(world), lambda: draw(world)):
        assert refusal(act) == NAME + "delivery has started"
    cuts = (world.flexibility.send, DSO, "orderCuts", 0, [address("anna")], [1])
    assert refusal(*cuts) == NAME + "delivery has started"


def test_phantom_that_is_not_called_loses_what_it_would_have_gained() -> None:
    world = world_of()
    request = offered(world)
    called, left_out = drawn(world)
    phantom, keeper, honest = left_out[0], left_out[1], called[0]
    world.award(honest, request, 1_000)
    # nominated 5 kWh: one injects nothing, one what it said but for 3 Wh, one what it sold less
    for account, net_wh in ((phantom, 0), (keeper, 4_997), (honest, 4_000)):
        world.read(0, account, net_wh)
    world.after(0)
    dso = world.balance(DSO)
    assert settled(world, request, phantom) == (0, 0, 700_000)
    assert world.balance(phantom) == 100 * EUR - 700_000
    assert world.balance(DSO) == dso + 700_000
    assert settled(world, request, keeper) == (0, 0, 2_100)
    assert settled(world, request, honest) == (1_000, 79_000, 0)


def test_more_than_nominated_is_no_deviation_and_neither_is_what_nobody_awarded() -> None:
    world = world_of()
    request = offered(world)
    called, left_out = drawn(world)
    for account, net_wh in ((left_out[0], 9_000), (called[0], 0)):
        world.read(0, account, net_wh)
    world.after(0)
    assert settled(world, request, left_out[0]) == (0, 0, 0)
    assert settled(world, request, called[0]) == (0, 0, 0)
    assert world.balance(called[0]) == 100 * EUR


def test_request_to_raise_counts_the_other_way() -> None:
    world = world_of()
    world.before(0)
    request = world.open(0, True, 10_000)
    for seller in SELLERS:
        world.offer(seller, request, 1_000, 79_000, -5_000)
    _, left_out = drawn(world)
    for account, net_wh in ((left_out[0], -4_400), (left_out[1], -5_600)):
        world.read(0, account, net_wh)
    world.after(0)
    # 600 Wh less consumption than nominated, and 600 Wh more
    assert settled(world, request, left_out[0]) == (0, 0, 420_000)
    assert settled(world, request, left_out[1]) == (0, 0, 0)


def test_silent_meter_does_not_save_who_is_not_called() -> None:
    world = world_of()
    request = offered(world)
    _, left_out = drawn(world)
    silent, estimated = left_out[:2]
    world.read(0, estimated, 5_000, True)
    world.at(world.times.first_delivery_s)
    assert world.settle(request, silent).events == []  # it may still report
    world.after(0)
    assert settled(world, request, silent) == (0, 0, 700_000)
    assert settled(world, request, estimated) == (0, 0, 700_000)


def test_without_a_draw_nobody_owes_anything() -> None:
    world = world_of()
    request = offered(world)
    close(world)
    for seller in SELLERS:
        world.read(0, seller, 0)
    world.after(0)
    for seller in SELLERS:
        assert settled(world, request, seller) == (0, 0, 0)
        assert world.balance(seller) == 100 * EUR


def test_what_the_dso_orders_is_no_deviation() -> None:
    world = world_of()
    request = offered(world, 3_000)
    _, left_out = drawn(world)
    cut, other_way = left_out[:2]
    order = world.flexibility.send
    order(DSO, "orderCuts", 0, [address(cut), address(other_way)], [1_500, -1_500])
    assert world.flexibility.get("cutOf", 0, address(cut)) == 1_500
    for account in (cut, other_way):
        world.read(0, account, 3_300)
    world.after(0)
    # 1 700 Wh below the nomination, of which 1 500 were ordered
    assert settled(world, request, cut) == (0, 0, 140_000)
    # an order to inject more does not raise what has to be kept
    assert settled(world, request, other_way) == (0, 0, 1_190_000)


def test_cuts_are_ordered_by_the_dso_and_within_range() -> None:
    world = world_of()
    world.before(0)
    order, anna = world.flexibility.send, address("anna")
    assert refusal(order, "anna", "orderCuts", 0, [anna], [1]) == NAME + "not the DSO"
    assert refusal(order, DSO, "orderCuts", 0, [anna], []) == NAME + "lists differ in length"
    for beyond in (2**32, -(2**32)):
        assert refusal(order, DSO, "orderCuts", 0, [anna], [beyond]) == NAME + "energy out of range"
    order(DSO, "orderCuts", 0, [anna], [2**32 - 1])
    order(DSO, "orderCuts", 0, [anna], [0])
    assert world.flexibility.get("cutOf", 0, anna) == 0


def test_bond_covers_the_dearer_of_the_two_penalties() -> None:
    for penalty, bond in ((LAMBDA, LAMBDA), (PENALTY - 1, PENALTY)):
        world = world_of(penalty=penalty)
        request = offered(world)
        assert world.flexibility.get("BOND_UEUR_PER_KWH") == bond
        assert world.flexibility.get("lockedOf", request, address("anna")) == bond
        assert world.balance("anna") == 100 * EUR - bond


@pytest.mark.parametrize("is_uncapped", [False, True])
def test_penalty_is_out_of_the_bond_in_either_settlement(is_uncapped: bool) -> None:
    world = world_of(is_uncapped=is_uncapped)
    request = offered(world)
    _, left_out = drawn(world)
    world.read(0, left_out[0], -20_000)
    world.after(0)
    assert settled(world, request, left_out[0]) == (0, 0, 700_000)
    assert world.debt(left_out[0]) == 0


def test_where_nothing_is_drawn_there_is_nothing_to_close() -> None:
    world = FlexibilityWorld(BaselineTerms(), engine="py-evm")
    world.before(0)
    for act in (
        lambda: close(world),
        lambda: draw(world),
        lambda: world.flexibility.send(DSO, "orderCuts", 0, [], []),
    ):
        assert refusal(act) == NAME + "nothing is drawn"


@pytest.mark.parametrize(
    ("kind", "called", "penalty", "says"),
    [
        ("nomination", 1_000_000, 0, "probability out of range"),
        ("nomination", 500_000, MAX_PRICE + 1, "price out of range"),
        ("capacity_limit", 500_000, 0, "calls are drawn for nominations"),
        ("meter_before", 500_000, 0, "calls are drawn for nominations"),
    ],
)
def test_deployment_refuses(kind: str, called: int, penalty: int, says: str) -> None:
    world = FlexibilityWorld(BaselineTerms(), engine="py-evm")
    terms = BaselineTerms(kind)
    with pytest.raises(ContractRevert, match=NAME + says):
        Contract(
            world.engine,
            compile_contract("FlexibilityMarket"),
            world.token.address,
            world.market.address,
            address(DSO),
            PENALTY,
            False,
            terms.baseline,
            4,
            0,
            0,
            0,
            0,
            called,
            penalty,
            LINKS[-1],
        )


def test_dearest_penalty_is_let_in() -> None:
    world = FlexibilityWorld(BaselineTerms(), calling=CallingTerms(500_000, MAX_PRICE, LINKS[-1]))
    assert world.flexibility.get("BOND_UEUR_PER_KWH") == MAX_PRICE


def test_terms_are_public() -> None:
    world = world_of(kind="bounded_nomination")
    assert world.flexibility.get("CALLING_PPM") == 500_000
    assert world.flexibility.get("UNCALLED_PENALTY_UEUR_PER_KWH") == LAMBDA
    assert world.flexibility.get("lastLink") == LINKS[-1]
    assert tuple(world.flexibility.get("drawOf", 0)) == (0, bytes(32), bytes(32))
    assert not world.flexibility.get("isCalled", 0, address("anna"))
