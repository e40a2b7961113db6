"""A battery shared by three members over a few intervals, on the real contracts."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from deployed import bids_of, delivery_of, deployed, flow_of, scenario_of

from cosim.errors import ReconciliationError
from cosim.mechanisms.community_storage.play import CommunityStoragePlay
from cosim.mechanisms.community_storage.setup import StorageSetup
from cosim.mechanisms.community_storage.terms import StorageTerms
from cosim.mechanisms.local_market.play import LocalMarketPlay
from cosim.mechanisms.session import Session
from cosim.messages.extras import StorageAccounts, StorageNominations
from cosim.timing import StageTimer
from cosim.units import IntArray, fee_ueur

NAMES = ("roof", "flat", "cabin", "battery")
BATTERY = 3
SHARES = (5, 3, 0, 0)
STANDBY_WH = 12
DEPOSIT, OWNER_DEPOSIT = 20_000, 50_000
TERMS = StorageTerms(
    owner="battery",
    total_shares=10,
    share_price_ueur=1_000,
    capacity_wh=20_000,
    power_wh=5_000,
    charge_permille=950,
    discharge_permille=930,
    loss_limit_wh=100,
    retail_price_ueur_per_kwh=300_000,
    feed_in_price_ueur_per_kwh=80_000,
)


class World:
    """The storage and the local market, played interval by interval."""

    def __init__(self, engine: str = "revm", *, deposit: int = DEPOSIT, tip_wei: int = 0) -> None:
        scenario = scenario_of(datetime(2024, 6, 1, 11, tzinfo=UTC), 20)
        self.clock = scenario.clock()
        self.deployment = deployed(scenario, NAMES, engine=engine, tip_wei=tip_wei)
        setup = StorageSetup(
            TERMS, BATTERY, SHARES, STANDBY_WH, deposit, OWNER_DEPOSIT, eur_per_eth=2_000.0
        )
        self.storage = CommunityStoragePlay.deploy(self.deployment, self.clock, setup)
        self.deployment.plays.append(self.storage)
        self.session = Session(self.deployment, self.clock, 2_000.0, StageTimer())
        self.soc_wh = 0.0

    def known_wh(self) -> list[int]:
        """Energies that bidders know to be stored."""
        accounts = self.storage.known().of(StorageAccounts)
        assert accounts is not None
        return list(accounts.energy_wh)

    def order(
        self, interval: int, storage_wh: list[int] | None, sent: float | list[float] = 0.0
    ) -> IntArray:
        """Nominations, gate closure, and the battery's schedule."""
        own = [] if storage_wh is None else [StorageNominations(np.array(storage_wh))]
        bids = bids_of(interval, len(NAMES), *own, sent_fraction=sent)
        return self.session.open(bids).nominated_wh

    def deliver(
        self, interval: int, net_wh: list[int], other_wh: int = 0, off_soc_wh: float = 0.0
    ) -> dict[str, Any]:
        """Delivery, reports and settlement; the rows of ``storage`` by prosumer.

        Of the battery's consumption ``other_wh`` is another's than charging and standby.
        """
        drawn = -net_wh[BATTERY] - STANDBY_WH - other_wh
        self.soc_wh += drawn * 0.95 if drawn > 0 else drawn / 0.93
        self.soc_wh += off_soc_wh
        metered = np.array(net_wh, dtype=np.int64)
        assert self.storage.reported_wh(interval, metered).sum() == metered.sum()
        soc = np.zeros(len(NAMES))
        soc[BATTERY] = self.soc_wh / 1e6
        delivery = delivery_of(interval, metered, soc_mwh=soc)
        tables = self.session.settle(interval, delivery, flow_of(interval, metered))
        table = tables["storage"]
        assert table["interval"] == interval
        columns = {k: v for k, v in table.items() if k != "interval"}
        return {
            name: {column: values[row] for column, values in columns.items()}
            for row, name in enumerate(table["prosumer"])
        }

    def play(self, turn: int, storage_wh: list[int], other_wh: int = 0) -> dict[str, Any]:
        """Every other interval, so that one is settled before the next is ordered."""
        scheduled = self.order(2 * turn, storage_wh)
        net_wh = [0, 0, 0, int(scheduled[BATTERY]) - other_wh]
        return self.deliver(2 * turn, net_wh, other_wh)


def test_the_battery_follows_the_accounts_and_the_loss_is_billed() -> None:
    world = World()
    rows = world.play(0, [2_000, 1_000, 0, 0])
    # 2 850 Wh into the battery need 3 000 Wh; standby 12 Wh at 0.30: 3 600 µEUR, 360 a share
    assert {name: row["account_wh"] for name, row in rows.items()} == {
        "roof": 1_900,
        "flat": 950,
        "battery": 2_850,
    }
    assert rows["battery"]["loss_wh"] == STANDBY_WH
    assert rows["battery"]["nominated_wh"] == rows["battery"]["allocated_wh"] == 3_000
    assert rows["roof"]["allocated_wh"] == -2_000
    assert (rows["roof"]["billed_ueur"], rows["flat"]["billed_ueur"]) == (5 * 360, 3 * 360)
    assert rows["battery"]["billed_ueur"] == 0  # its two unsold shares
    assert world.known_wh() == [1_900, 950, 0, 0]
    rows = world.play(1, [-930, 500, 0, 0])
    assert rows["roof"]["account_wh"] == 1_900 - 1_000
    assert rows["flat"]["account_wh"] == 950 + 475
    # the accounts lose 525 Wh, which gives 488 Wh where members took 430: loss 12 - 58 = -46
    assert rows["battery"]["loss_wh"] == -46
    assert rows["battery"]["credited_ueur"] == 2 * 368
    assert rows["roof"]["credited_ueur"] == 5 * 368
    assert world.storage.clients == (world.storage.client,)


def test_rounding_does_not_add_up() -> None:
    world = World()
    for interval in range(8):
        rows = world.play(interval, [101 + interval, 57 - 3 * interval, 0, 0])
        assert abs(world.soc_wh - rows["battery"]["account_wh"]) <= 1.0


def test_the_next_schedule_is_made_before_the_last_is_delivered() -> None:
    world = World()
    first = world.order(0, [1_000, 0, 0, 0])
    second = world.order(1, [-500, 400, 0, 0])
    assert world.known_wh() == [950 - 538, 380, 0, 0]
    assert second[BATTERY] == -STANDBY_WH + round((538 - 380) * 0.93)
    rows = world.deliver(0, [0, 0, 0, int(first[BATTERY])])
    assert rows["battery"]["account_wh"] == rows["roof"]["account_wh"] == 950
    # the battery ends 1.5 Wh too full, which the third schedule makes up for
    world.order(2, [0, 0, 0, 0])
    rows = world.deliver(1, [0, 0, 0, int(second[BATTERY])], off_soc_wh=1.5)
    assert rows["battery"]["account_wh"] == 412 + 380
    third = world.order(3, [0, 0, 0, 0])
    assert third[BATTERY] == -STANDBY_WH + 1


def test_what_the_chain_did_not_take_is_not_stored() -> None:
    world = World(tip_wei=10**9)
    # the roof's leaves after gate closure; the flat asks for more than its share of power
    scheduled = world.order(0, [500, 1_501, 300, 0], sent=[2.0, 0.0, 0.5, 0.0])
    assert scheduled.tolist() == [0, 0, 0, -STANDBY_WH]
    rows = world.deliver(0, [0, 0, 0, -STANDBY_WH])
    assert [rows[name]["accepted"] for name in NAMES] == [False, False, False, True]
    assert rows["roof"]["reason"] == "not included before gate closure"
    assert rows["flat"]["reason"] == "community storage: above share of power"
    assert rows["cabin"]["reason"] == "community storage: above share of power"
    assert rows["flat"]["nominated_wh"] == 1_501
    assert all(rows[name]["allocated_wh"] == rows[name]["account_wh"] == 0 for name in NAMES)
    assert rows["roof"]["fees_ueur"] == 0
    # a refused nomination costs its fee all the same
    assert rows["flat"]["fees_ueur"] > fee_ueur(21_000 * 10**9, 2_000.0)


def test_debts_are_recorded_and_stop_nobody() -> None:
    world = World(deposit=0)
    rows = world.play(0, [1_000, 1_000, 0, 0])
    assert rows["roof"]["debt_ueur"] == rows["roof"]["billed_ueur"] == 5 * 360
    rows = world.play(1, [1_000, -500, 0, 0])
    assert rows["roof"]["reason"] == "community storage: debt unpaid"
    assert rows["flat"]["accepted"]
    assert rows["flat"]["account_wh"] == 950 - 538


def test_late_report_of_the_battery_bills_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    scheduled = world.order(0, [1_000, 0, 0, 0])
    market = world.deployment.play(LocalMarketPlay)
    settle = market.settle

    def slowly(*arguments: Any) -> Any:
        settled = settle(*arguments)
        world.deployment.chain.mine_until(world.clock.delivery_start_s(1) + 240)
        return settled

    monkeypatch.setattr(market, "settle", slowly)
    rows = world.deliver(0, [0, 0, 0, int(scheduled[BATTERY])])
    assert rows["battery"]["loss_wh"] is None
    assert rows["roof"]["billed_ueur"] == 0
    assert rows["roof"]["account_wh"] == 950


def test_a_battery_that_is_not_what_the_accounts_say_stops_the_run() -> None:
    world = World()
    scheduled = world.order(0, [1_000, 0, 0, 0])
    with pytest.raises(
        ReconciliationError, match=r"the battery holds 947\.000 Wh, the accounts 950 Wh"
    ):
        world.deliver(0, [0, 0, 0, int(scheduled[BATTERY])], off_soc_wh=-3.0)


def test_a_loss_that_the_local_market_did_not_settle_stops_the_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World()
    scheduled = world.order(0, [1_000, 0, 0, 0])
    # without allocation
    monkeypatch.setattr(world.storage, "reported_wh", lambda interval, metered_wh: metered_wh)
    with pytest.raises(ReconciliationError, match="loss settled in the local market"):
        world.deliver(0, [0, 0, 0, int(scheduled[BATTERY])])


def test_both_engines_bill_the_same() -> None:
    stories = []
    for engine in ("revm", "py-evm"):
        world = World(engine)
        stories.append([world.play(0, [2_000, 999, 0, 0]), world.play(1, [-77, 1_000, 0, 0], 30)])
    assert stories[0] == stories[1]
    # 867 Wh more in the accounts need 913 Wh, 10 less than members charged and discharged
    assert stories[0][1]["battery"]["loss_wh"] == 30 + STANDBY_WH - 10


def test_without_nominations_in_the_bids_only_standby_is_billed() -> None:
    world = World()
    assert world.order(0, None)[BATTERY] == -STANDBY_WH
    rows = world.deliver(0, [0, 0, 0, -STANDBY_WH])
    assert rows["battery"]["loss_wh"] == STANDBY_WH
