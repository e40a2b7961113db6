"""Batches of orders and readings: contract, model, and the same entries one by one."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from types import SimpleNamespace
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st
from market_world import (
    AGGREGATOR,
    FEED_IN,
    HEAD_END,
    RETAIL,
    SILENT_ESTIMATE_WH,
    SUPPLIER,
    Outcome,
    address,
)
from submissions_world import Signing, appoint, batched, passed_over, read, send, words

from cosim.errors import ContractRevert
from cosim.evm.accounts import CURVE_ORDER
from cosim.mechanisms.local_market.model import LocalMarketModel
from cosim.mechanisms.local_market.orders import Order
from cosim.mechanisms.local_market.submission.client import CAUSES, order_word, reading_word
from cosim.mechanisms.local_market.submission.entries import entries
from cosim.mechanisms.local_market.submission.model import (
    BEYOND_APPOINTMENT,
    NOT_AUTHORISED,
    TAKEN,
    SubmissionsModel,
)
from cosim.mechanisms.local_market.terms import MarketTerms
from cosim.replay.history import Event, Sent
from cosim.replay.replay import Call

SENDER = f"0x{address(AGGREGATOR).hex()}"
BARRED = (NOT_AUTHORISED, BEYOND_APPOINTMENT)
MEMBERS = ("ann", "bob", "cem", "dee")
BALANCE = 300  # enough for some orders and not for others [µEUR]
TERMS = MarketTerms(
    retail_price_ueur_per_kwh=RETAIL,
    feed_in_price_ueur_per_kwh=FEED_IN,
    silent_estimate_wh=SILENT_ESTIMATE_WH,
)

ORDERS = st.lists(
    st.builds(
        Order,
        st.sampled_from(MEMBERS),
        st.booleans(),
        st.sampled_from([0, 1, 2, 3]),
        st.sampled_from([0, 1, 99_999, 200_000, RETAIL]),
    ),
    max_size=8,
)
READINGS = st.lists(
    st.tuples(
        st.sampled_from(MEMBERS),
        st.sampled_from([-(2**32), -(2**32) + 1, -3, 0, 2, 5, 2**32 - 1]),
    ),
    max_size=6,
)


@functools.cache
def worlds():
    return batched(MEMBERS, balance=BALANCE), batched(MEMBERS, balance=BALANCE)


def as_model() -> SubmissionsModel:
    market = LocalMarketModel(SUPPLIER, TERMS)
    for name in MEMBERS:
        market.deposit(name, BALANCE)
    market.deposit(SUPPLIER, 10**12)
    made = SubmissionsModel(market, HEAD_END)
    for name in MEMBERS:
        made.appoint(name, AGGREGATOR)
    return made


def one_by_one(acts) -> list[int]:
    """What refuses each of some calls, as numbers of causes."""
    numbers = {text: number for number, text in CAUSES.items()}
    found = []
    for act in acts:
        try:
            act()
            found.append(TAKEN)
        except ContractRevert as error:
            found.append(numbers[error.text.removeprefix("local market: ")])
    return found


def told_apart(
    method: str,
    said: dict[str, Any],
    done: Outcome,
    contract: bytes = b"",
    appointed: Sequence[Event] = (),
) -> list[tuple[str, str | None]]:
    """Whose entries a verifier finds in a batch, and why each was not taken."""
    receipt, transaction = SimpleNamespace(status=1), SimpleNamespace(to=contract)
    included: Any = SimpleNamespace(receipt=receipt, transaction=transaction)
    sent = Sent(included, Call(0, "Submissions", method, {"interval": 0, **said}), SENDER)
    events = [
        Event(0, "", name, {k: f"0x{v.hex()}" if isinstance(v, bytes) else v for k, v in e.items()})
        for name, e in done.events
    ]
    history: Any = SimpleNamespace(
        sent=[sent], logged=lambda position: events, of=lambda *names: appointed
    )
    return [(one.sender, one.refused_with) for one in entries(history, 0)]


def appointments(model: SubmissionsModel) -> Iterator[dict[str, Any]]:
    """What the chain told of the appointments that stand."""
    for name, (aggregator, highest_bid, lowest_ask) in model._appointments.items():
        yield {
            "account": f"0x{address(name).hex()}",
            "aggregator": SENDER if aggregator else f"0x{bytes(20).hex()}",
            "highest_bid_ueur_per_kwh": highest_bid,
            "lowest_ask_ueur_per_kwh": lowest_ask,
        }


def text_of(cause: int) -> str | None:
    return f"local market: {CAUSES[cause]}" if cause else None


@settings(max_examples=40, deadline=None)
@given(
    orders=ORDERS,
    readings=READINGS,
    revoked=st.sets(st.sampled_from(MEMBERS)),
    cut=st.integers(0, 8),
    limits=st.tuples(
        st.sampled_from([0, 99_999, RETAIL]), st.sampled_from([0, 99_999, RETAIL + 1])
    ),
)
@example(
    orders=[Order("ann", False, 2, 99_999), Order("ann", False, 1, 1), Order("bob", True, 2, 1)],
    readings=[("ann", -3), ("ann", 5), ("bob", 2)],
    revoked={"cem"},
    cut=1,
    limits=(1, 0),
)
def test_a_batch_is_its_entries(
    orders: Sequence[Order],
    readings: Sequence[tuple[str, int]],
    revoked: set[str],
    cut: int,
    limits: tuple[int, int],
) -> None:
    """In one batch or two: same causes, same money, as in the model, and as alone."""
    one, other = worlds()
    model = as_model()
    snapshots = [world.engine.snapshot() for world in (one, other)]
    try:
        for name in sorted(revoked):
            appoint(one, name, bytes(20))
            model.appoint(name, "")
        appoint(one, "ann", address(AGGREGATOR), *limits)
        model.appoint("ann", AGGREGATOR, *limits)
        for world in (one, other):
            world.open_window(0)
        told: list[int] = []
        appointed = [
            Event(-1, "Submissions", "AggregatorAppointed", said) for said in appointments(model)
        ]
        for part in (orders[:cut], orders[cut:]):
            causes = model.send_orders(0, AGGREGATOR, part)
            done = send(one, [(order.account, order[1:]) for order in part])
            assert sorted(c for _, c in passed_over(done)) == sorted(c for c in causes if c)
            told += causes
            batch = words([(order.account, order[1:]) for order in part])
            found = told_apart("sendOrders", {"orders": batch}, done, appointed=appointed)
            assert [text for _, text in found] == [text_of(cause) for cause in causes]
        mine = [order for order, cause in zip(orders, told, strict=True) if cause not in BARRED]
        alone = one_by_one(
            functools.partial(other.order, order.account, *order[1:]) for order in mine
        )
        assert alone == [cause for cause in told if cause not in BARRED]
        for world in (one, other):
            world.close_gate(0)
            world.market.send("anyone", "clear", 0)
            world.deliver(0)
        model.market.clear(0)
        causes = model.send_readings(0, HEAD_END, readings)
        done = read(one, [(f"meter of {name}", net) for name, net in readings])
        assert [c for _, c in passed_over(done)] == [c for c in causes if c]
        alone = one_by_one(functools.partial(other.report, *each) for each in readings)
        assert tuple(alone) == causes
        for name in (*MEMBERS, SUPPLIER):
            assert one.free(name) == other.free(name) == model.market.balance_of(name)
        assert one.backed()
    finally:
        for world, snapshot in zip((one, other), snapshots, strict=True):
            world.engine.restore(snapshot)


@functools.cache
def signing() -> Signing:
    return Signing.of(*MEMBERS)


@settings(max_examples=15, deadline=None)
@given(
    orders=st.lists(st.tuples(st.sampled_from(MEMBERS), st.integers(1, 3)), min_size=1, max_size=4),
    signer=st.lists(st.sampled_from(MEMBERS), min_size=4, max_size=4),
    interval=st.lists(st.integers(0, 1), min_size=4, max_size=4),
)
def test_only_what_the_owner_signed_for_the_interval_is_taken(
    orders: list[tuple[str, int]], signer: list[str], interval: list[int]
) -> None:
    made = signing()
    snapshot = made.world.engine.snapshot()
    try:
        made.world.open_window(0)
        terms = [(name, (True, energy_wh, RETAIL)) for name, energy_wh in orders]
        signatures = [
            made.order(who, own, k)
            for (_, own), who, k in zip(terms, signer, interval, strict=False)
        ]
        done = made.send(terms, signatures)
        first: dict[str, int] = {}
        unsigned = again = 0
        expected: list[tuple[str, str | None]] = []
        for (name, own), who, k in zip(terms, signer, interval, strict=False):
            cause = 0
            if name != who or k:
                unsigned, cause = unsigned + 1, 1
            elif name in first:
                again, cause = again + 1, 3
            else:
                first[name] = own[1]
            expected.append((f"0x{made.keyed[name].address.hex()}", text_of(cause)))
        counts = [cause for _, cause in passed_over(done)]
        assert (counts.count(1), counts.count(3)) == (unsigned, again)
        assert {name: made.ordered(name) for name in first} == first
        batch = [order_word(made.keyed[name].address, *own) for name, own in terms]
        said = {"orders": batch, "signatures": [word for pair in signatures for word in pair]}
        contract = made.world.submissions.address
        assert told_apart("sendSignedOrders", said, done, contract) == expected
    finally:
        made.world.engine.restore(snapshot)


def test_readings_of_one_batch_are_told_apart_by_their_signatures() -> None:
    """Also where all say the same, and a wrong signature stands before the right one."""
    made = signing()
    snapshot = made.world.engine.snapshot()
    try:
        made.world.deliver(0)
        readings = [("ann", 7), ("bob", 7), ("ann", 7), ("ann", 7), ("cem", 7)]
        right = [made.reading(name, net_wh) for name, net_wh in readings]
        wrong = made.reading("dee", 7)
        high = made.reading("bob", 7)
        s = int.from_bytes(high[1], "big")
        high = (high[0], ((CURVE_ORDER - s % 2**255) | ((s >> 255 ^ 1) << 255)).to_bytes(32, "big"))
        signatures = [wrong, high, right[2], right[3], (bytes(32), bytes(32))]
        done = made.read(readings, signatures)
        said = {
            "readings": [reading_word(made.meters[name].address, wh) for name, wh in readings],
            "signatures": [word for pair in signatures for word in pair],
        }
        told = told_apart("sendSignedReadings", said, done, made.world.submissions.address)
        assert [text for _, text in told] == [text_of(cause) for cause in (1, 1, 0, 13, 1)]
    finally:
        made.world.engine.restore(snapshot)
