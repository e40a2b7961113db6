"""Batches of orders and readings: by a role and by signatures, of one, of 16 and of 64."""

from __future__ import annotations

from collections.abc import Sequence

from cosim.evm.abi import pack
from cosim.evm.accounts import Account, account
from cosim.evm.engine import DEFAULT_BLOCK_GAS_LIMIT
from cosim.gas.bench import OPERATOR, Bench, Deployed, Value
from cosim.gas.bench import account as named
from cosim.mechanisms.local_market.gas_community import (
    AGGREGATOR,
    HEAD_END,
    MONEY,
    SUPPLIER,
    Community,
)
from cosim.mechanisms.local_market.submission.client import (
    compact_signature,
    domain_separator,
    order_digest,
    order_word,
    reading_digest,
    reading_word,
)

SIZES = (1, 16, 64)
_SEED = 7
HIGHEST_BID, LOWEST_ASK = 298_765, 80_123
"""Limits of the appointments. [µEUR/kWh]"""


def keyed(name: str) -> Account:
    """Return an account that can sign, whose address has no zero byte."""
    attempt = 0
    while 0 in (one := account(_SEED, f"gas: {name} {attempt}")).address:
        attempt += 1
    return one


def batches(bench: Bench) -> None:
    """Deploy and measure what takes batches, with members who traded before."""
    community = Community(bench, name="with batches", batched=True)
    submissions = community.submissions
    assert submissions is not None
    members = [(keyed(f"member {k}"), keyed(f"meter {k}")) for k in range(max(SIZES))]
    for k, (own, meter) in enumerate(members):
        _join(community, own, meter)
        data = submissions.artifact.selectors["appoint"] + pack(
            named(AGGREGATOR), HIGHEST_BID, LOWEST_ASK
        )
        receipt = bench.engine.transact(
            own.address, submissions.address, data, DEFAULT_BLOCK_GAS_LIMIT
        )
        if k == 0:
            bench.note("Submissions", "appoint", receipt.gas_used)
    community.fund(SUPPLIER, community.market)
    _interval(community, submissions, members, 0, len(members), signed=False, measured=False)
    # a window opens before the delivery of the interval before it has ended
    intervals = iter(range(2, 2 + 4 * len(SIZES), 2))
    for signed in (False, True):
        for n in SIZES:
            _interval(community, submissions, members, next(intervals), n, signed, measured=True)


def _join(community: Community, own: Account, meter: Account) -> None:
    """Let an account with a key join, with money in the market."""
    market, token, engine = community.market, community.token, community.bench.engine
    community.meters.do(OPERATOR, "registerMeter", meter.address, own.address)
    token.do("deployer of EuroToken", "mint", own.address, 2 * MONEY)
    for contract, method, arguments in (
        (market, "join", (meter.address,)),
        (token, "approve", (market.address, MONEY)),
        (market, "deposit", (MONEY,)),
    ):
        data = contract.artifact.selectors[method] + b"".join(
            one.rjust(32, b"\0") if isinstance(one, bytes) else one.to_bytes(32, "big")
            for one in arguments
        )
        engine.transact(own.address, contract.address, data, DEFAULT_BLOCK_GAS_LIMIT)


def _interval(
    community: Community,
    submissions: Deployed,
    members: Sequence[tuple[Account, Account]],
    interval: int,
    n: int,
    signed: bool,
    measured: bool,
) -> None:
    """Order, clear and read an interval of so many members, every second of whom sells."""
    domain = domain_separator(submissions.address)
    words, readings, signatures, read_signatures = [], [], list[bytes](), list[bytes]()
    for k, (own, meter) in enumerate(members[:n]):
        sells = k % 2 == 1
        terms = (sells, 1_234 + k, 123_456 if sells else 210_123)
        net_wh = (1 if sells else -1) * (1_345 + k)
        words.append(order_word(own.address, *terms))
        readings.append(reading_word(meter.address, net_wh))
        if signed:
            signatures += compact_signature(
                own.private_key, order_digest(domain, interval, own.address, *terms)
            )
            read_signatures += compact_signature(
                meter.private_key, reading_digest(domain, interval, meter.address, net_wh)
            )
    community.open_window(interval)
    case = f"of {n}" if n > 1 else ""
    calls: tuple[tuple[str, str, tuple[Value, ...]], ...] = {
        False: ((AGGREGATOR, "sendOrders", ()), (HEAD_END, "sendReadings", ())),
        True: (
            ("anyone", "sendSignedOrders", (signatures,)),
            ("anyone", "sendSignedReadings", (read_signatures,)),
        ),
    }[signed]
    for place, (sender, method, extra) in enumerate(calls):
        arguments: tuple[Value, ...] = (interval, (words, readings)[place], *extra)
        if measured:
            submissions.measure(sender, method, *arguments, case=case)
        else:
            submissions.do(sender, method, *arguments)
        if place == 0:
            community.close_gate(interval)
            community.market.do("anyone", "clear", interval)
            community.deliver(interval)
