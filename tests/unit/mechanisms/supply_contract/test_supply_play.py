"""The supply contract in a small community over three billing periods, on the real contracts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from deployed import deployed, readings_of, scenario_of

from cosim.clock import DeliveryClock
from cosim.errors import ReconciliationError, UserError
from cosim.mechanisms.play import Statement
from cosim.mechanisms.supply_contract.play import SupplyContractPlay
from cosim.mechanisms.supply_contract.setup import Consumer, SupplySetup, supply_terms

POINTS = ("Point 1", "Point 2", "Point 3", "Flat 4")
MEMBERS = (False, True, False, False)
LENGTH, INTERVALS = 4, 12
CLOCK = DeliveryClock(datetime(2024, 6, 1, 12, tzinfo=UTC), 900, INTERVALS, 600, 180, 240, 12)
WALLET = 100_000_000
SETUP = SupplySetup(
    billing_intervals=LENGTH,
    prices_ueur_per_kwh=(300_000, 300_000, 250_001),
    price_cap_ueur_per_kwh=400_000,
    silent_estimate_wh=3_000,
    least_deposit_ueur=100_000,
    credit_limit_ueur=100_000_000,
    consumers=(
        Consumer(0, 1_000_000, tops_up=True),
        Consumer(2, 5_000_000, n_periods=2, silent_periods=(1,)),
        Consumer(3, 5_000_000, leaves_in=0),
    ),
)
# by point and interval, net injection: Point 1 draws 1 kWh an interval, Point 3 feeds in at times
METERED = np.array(
    [[-1_000, 500, -250, -333], [-1_000, 0, 700, -333], [-1_000, 0, -251, 0], [-1_000, 0, 0, -1]]
)

NAMED = ("action", "next_period", "end_period", "deposit_ueur")


def supplied(
    setup: SupplySetup = SETUP, clock: DeliveryClock = CLOCK, engine: str = "revm", **ledger: int
) -> SupplyContractPlay:
    scenario = scenario_of(intervals=INTERVALS)
    deployment = deployed(scenario, POINTS, members=MEMBERS, engine=engine, **ledger)
    return SupplyContractPlay.deploy(deployment, clock, setup)


def settle(supply: SupplyContractPlay, interval: int, metered_wh: Any) -> Mapping[str, Any]:
    """Settle what was metered; rows by table."""
    readings = readings_of(interval, metered_wh)
    return supply.settle(interval, readings, Statement.empty(len(POINTS)))


def played(
    supply: SupplyContractPlay, intervals: int = INTERVALS, table: str = "supply"
) -> list[dict[str, Any]]:
    """Settle intervals as the market does, a little after each; rows of a table."""
    rows: list[dict[str, Any]] = []
    chain = supply._deployment.chain
    for interval in range(intervals):
        chain.mine_until(CLOCK.delivery_start_s(interval + 1) + 24)
        tables = settle(supply, interval, METERED[interval % LENGTH])
        columns = tables.get(table, {})
        rows += [
            dict(zip(columns, values, strict=True))
            for values in zip(*columns.values(), strict=True)
        ]
    return rows


@pytest.mark.parametrize("engine", ["revm", "py-evm"])
def test_three_periods(engine: str) -> None:
    supply = supplied(engine=engine)
    tokens = supply._deployment.token.balance_of
    prosumers = supply._deployment.prosumers
    rows = {(row["prosumer"], row["period"]): row for row in played(supply)}
    assert set(rows) == {
        ("Point 1", 0), ("Point 1", 1), ("Point 1", 2),
        ("Point 3", 0), ("Point 3", 1), ("Flat 4", 0),
    }  # fmt: skip

    def of(prosumer: str, period: int, *columns: str) -> tuple[Any, ...]:
        return tuple(rows[prosumer, period][column] for column in columns)

    # 4 kWh at 0.30 against a deposit of 1 EUR: a debt of 0.20 that the top-up repays
    money = ("metered_wh", "bill_ueur", "paid_ueur", "topped_up_ueur", "deposit_ueur", "debt_ueur")
    for period in (0, 1):
        assert of("Point 1", period, *money) == (4_000, 1_200_000, 10**6, 1_200_000, 10**6, 0)
    assert of("Point 1", 2, *money) == (4_000, 1_000_004, 10**6, 1_000_004, 10**6, 0)
    # feed-in counts nothing; the silent period costs the estimate; then the deposit comes back
    energy = ("metered_wh", "declared_wh", "estimated", "billed_wh", "bill_ueur", "refund_ueur")
    assert of("Point 3", 0, *energy) == (501, 501, False, 501, 150_300, 0)
    assert of("Point 3", 1, *energy) == (501, None, True, 3_000, 900_000, 3_949_700)
    # leaves during the first period
    assert of("Flat 4", 0, *energy) == (667, 667, False, 667, 200_100, 4_799_900)
    assert [row["price_ueur_per_kwh"] for row in rows.values()].count(250_001) == 1
    # finalised two intervals after the end, the last period after the run's
    assert [rows["Point 1", period]["interval"] for period in range(3)] == [5, 9, 11]

    paid_in = sum(row["bill_ueur"] for row in rows.values())
    assert tokens(supply._deployment.supplier.address) == paid_in
    assert tokens(prosumers[2].address) == WALLET - 150_300 - 900_000
    assert tokens(prosumers[3].address) == WALLET - 200_100
    assert tokens(supply.client.address) == 10**6  # Point 1 goes on
    registry = supply._deployment.meter_registry
    valid = [registry.is_valid(meter.address) for meter in supply._deployment.meters]
    assert valid == [True, True, True, False]  # who left has no meter any more


def test_transfers_are_what_moved() -> None:
    supply = supplied()
    tokens = supply._deployment.token.balance_of
    holders = {account.name: account.address for account in supply._deployment.prosumers}
    holders |= {
        supply._deployment.supplier.name: supply._deployment.supplier.address,
        "Supplier": supply.client.address,
    }
    before = {name: tokens(address) for name, address in holders.items()}
    played(supply)
    for sender, receiver, amount in supply.transfers():
        assert amount > 0
        before[sender] -= amount
        before[receiver] += amount
    assert before == {name: tokens(address) for name, address in holders.items()}
    assert list(supply.transfers()) == []


def test_fees_are_the_consumers_own() -> None:
    supply = supplied(replace(SETUP, eur_per_eth=1_000.0), tip_wei=10**9)
    rows = played(supply)
    assert all(row["fees_ueur"] > 0 for row in rows)
    silent = next(row for row in rows if row["estimated"])
    # a payment and a withdrawal, of some 36 000 and 45 000 gas at 1 gwei and 1 000 EUR
    assert 75_000 < silent["fees_ueur"] < 90_000


def test_meter_whose_declaration_comes_late_is_billed_the_estimate() -> None:
    supply = supplied(replace(SETUP, consumers=(Consumer(0, 9_000_000),)))
    declare = supply.client.declare_period

    def late(*arguments: Any, **more: Any) -> int:
        """The first declaration leaves when its block has passed, and is withdrawn."""
        delay_s = 10_000 if arguments[1] == 0 else 0
        sent_at_s = supply._deployment.chain.now_s + delay_s
        return declare(*arguments, sent_at_s=sent_at_s, **more)

    supply.client.declare_period = late  # type: ignore[method-assign]
    rows = played(supply)
    assert [(row["declared_wh"], row["estimated"], row["billed_wh"]) for row in rows] == [
        (None, True, 3_000),
        (4_000, False, 4_000),
        (4_000, False, 4_000),
    ]
    assert supply._deployment.chain.pending == 0


def test_late_payments_are_made_later() -> None:
    supply = supplied(replace(SETUP, consumers=(Consumer(0, 9_000_000),)))
    client, sent = supply.client, []
    pay = client.payment_period

    def not_in_time(*arguments: Any, **more: Any) -> int:
        """The first payment leaves when its block has passed, and is withdrawn."""
        sent.append(arguments[1])
        if len(sent) == 1:
            return pay(*arguments, sent_at_s=supply._deployment.chain.now_s + 10_000, **more)
        return pay(*arguments, **more)

    client.payment_period = not_in_time  # type: ignore[method-assign]
    rows = played(supply)
    assert sent == [0, 0, 1, 2]
    assert [(row["period"], row["interval"], row["paid_ueur"]) for row in rows] == [
        (0, 5, 1_200_000),
        (1, 9, 1_200_000),
        (2, 11, 1_000_004),
    ]


def test_price_that_comes_too_late_does_not_hold() -> None:
    supply = supplied(replace(SETUP, consumers=(Consumer(0, 9_000_000),)))
    set_price, tried = supply.client.set_price, []

    def late(*arguments: Any) -> int:
        tried.append(arguments[1:])
        return set_price(*arguments, sent_at_s=supply._deployment.chain.now_s + 10_000)

    supply.client.set_price = late  # type: ignore[method-assign]
    rows = played(supply)
    # in every interval of period 1 in which the price of period 2 could still be set
    assert tried == [(2, 250_001)] * 3
    assert [row["price_ueur_per_kwh"] for row in rows] == [300_000] * 3


def test_meter_of_who_leaves_without_a_refund_goes_too() -> None:
    setup = replace(SETUP, consumers=(Consumer(0, 200_000, leaves_in=0),))
    supply = supplied(setup)
    rows = played(supply)
    assert [(row["refund_ueur"], row["debt_ueur"]) for row in rows] == [(0, 1_000_000)]
    meter = supply._deployment.meters[0].address
    assert not supply._deployment.meter_registry.is_valid(meter)


def test_declaration_settles_what_was_not_paid_before() -> None:
    supply = supplied(replace(SETUP, consumers=(Consumer(0, 9_000_000),)))
    client = supply.client
    pay = client.payment_period

    def only_at_the_end(*arguments: Any, **more: Any) -> int:
        late = 0 if arguments[1] == 2 else 10_000
        now_s = supply._deployment.chain.now_s
        return pay(*arguments, sent_at_s=now_s + late, **more)

    client.payment_period = only_at_the_end  # type: ignore[method-assign]
    rows = played(supply)
    assert [(row["period"], row["interval"], row["estimated"]) for row in rows] == [
        (0, 7, False),
        (1, 11, False),
        (2, 11, False),
    ]


def test_models_that_differ_stop_the_run() -> None:
    supply = supplied()
    played(supply, intervals=3)
    meter = supply._deployment.meters[2].name
    supply.model.subscription_of("Point 3", meter).deposit_ueur -= 1
    supply._deployment.chain.mine_until(CLOCK.delivery_start_s(4) + 24)
    with pytest.raises(ReconciliationError, match=r"subscription on the ledger.*Point 3"):
        settle(supply, 3, METERED[3])


def test_energy_that_differs_stops_the_run() -> None:
    supply = supplied()
    played(supply, intervals=4)
    supply._open[0][2].drawn_wh += 1  # what the meter counted, after it declared
    supply._deployment.chain.mine_until(CLOCK.delivery_start_s(5) + 24)
    with pytest.raises(ReconciliationError, match=r"Point 3: billed energy .* 501 against 502"):
        settle(supply, 4, METERED[0])


def test_bill_that_differs_stops_the_run() -> None:
    supply = supplied()
    played(supply, intervals=4)
    supply.model._prices[0] = (0, 299_999)
    supply._deployment.chain.mine_until(CLOCK.delivery_start_s(5) + 24)
    with pytest.raises(ReconciliationError, match="the contract billed"):
        settle(supply, 4, METERED[0])


@pytest.mark.parametrize("block_s", [7, 13])
def test_phases_must_be_whole_blocks(block_s: int) -> None:
    clock = replace(CLOCK, block_time_s=block_s)
    with pytest.raises(UserError, match="whole numbers of blocks"):
        supply_terms(50, clock.start_s - 700, clock, SETUP)


def test_subscription_opens_with_the_deployment() -> None:
    terms = supply_terms(50, CLOCK.start_s - 100 * 12, CLOCK, SETUP)
    assert (terms.first_block, terms.opens_at(0)) == (150, 51)
    assert terms.period_blocks == LENGTH * 75
    assert (terms.declaration_blocks, terms.payment_blocks) == (75, 75)


def test_supplier_ends_who_owes_more_than_the_limit() -> None:
    """Bills of 1.20 EUR a period against a deposit of 1 EUR: the second debt is above 0.30 EUR."""
    setup = replace(SETUP, credit_limit_ueur=300_000, consumers=(Consumer(0, 1_000_000),))
    supply = supplied(setup)
    rows = played(supply)
    # paid in the interval after a period's declarations: ended in the one after the second bill,
    # when the price of the period that runs is fixed
    assert [(row["period"], row["debt_ueur"]) for row in rows] == [
        (0, 200_000),
        (1, 1_400_000),
        (2, 2_400_004),
    ]
    state = supply._subscription(0)
    assert (state.next_period, state.end_period, state.debt_ueur) == (3, 3, 2_400_004)
    patient = supplied(replace(setup, credit_limit_ueur=2_400_004))
    played(patient)
    assert patient._subscription(0).end_period == 2**24 - 1


def test_changes_of_subscriptions_are_told() -> None:
    """Who begins, leaves, and is ended by the supplier; periods of four intervals."""
    owes = Consumer(0, 1_000_000)
    setup = replace(SETUP, credit_limit_ueur=300_000, consumers=(owes, *SETUP.consumers[1:]))
    supply = supplied(setup)
    rows: list[tuple[Any, ...]] = []
    for interval in range(INTERVALS):
        supply._deployment.chain.mine_until(CLOCK.delivery_start_s(interval + 1) + 24)
        tables = settle(supply, interval, METERED[interval % LENGTH])
        columns = tables.get("supply_subscriptions", {})
        assert list(columns) in ([], ["interval", "prosumer", *NAMED])
        rows += zip(*columns.values(), strict=True)
    assert rows == [
        (-1, "Point 1", "subscribed", 0, None, 1_000_000),
        (-1, "Point 3", "subscribed", 0, 2, 5_000_000),
        (-1, "Flat 4", "subscribed", 0, None, 5_000_000),
        # within period 0, with which it ends
        (0, "Flat 4", "left", 0, 1, 5_000_000),
        # after two bills of 1.20 EUR, which leave a debt of 1.40 EUR
        (8, "Point 1", "ended", 2, 3, 0),
    ]
