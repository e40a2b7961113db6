"""Certificates of a small community over two hours, on the real contracts."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from deployed import deployed, readings_of, scenario_of

from cosim.clock import DeliveryClock
from cosim.devices import catalogue
from cosim.devices.device import DeviceColumn
from cosim.errors import ContractRevert, ReconciliationError
from cosim.mechanisms.green_certificates.play import CertificateTerms, GreenCertificatesPlay
from cosim.mechanisms.play import Statement
from cosim.units import fee_ueur

NAMES = ("roof", "flat", "cabin", "shop")
PRICE = 2_001
LIMITS = (None, PRICE, PRICE + 5, PRICE - 1)
"""The roof buys nothing, the cabin pays more than the flat, the shop too little."""
DEPOSIT = 5_000


def clock(start_minute: int = 30, n_intervals: int = 4) -> DeliveryClock:
    """Intervals from half past eleven: two in the first hour, then four."""
    start = datetime(2024, 6, 1, 11, start_minute, tzinfo=UTC)
    return DeliveryClock(start, 900, n_intervals, 600, 180, 240, 12)


def community(
    when: DeliveryClock | None = None,
    *,
    engine: str = "revm",
    members: tuple[bool, ...] = (True,) * 4,
    price: int = PRICE,
    deposit: int = DEPOSIT,
    tip_wei: int = 0,
) -> GreenCertificatesPlay:
    when = when or clock()
    scenario = scenario_of(when.start, when.n_intervals)
    deployment = deployed(scenario, NAMES, members=members, engine=engine, tip_wei=tip_wei)
    return GreenCertificatesPlay.deploy(
        deployment, when, CertificateTerms(price, LIMITS, deposit, eur_per_eth=2_000.0)
    )


def delivery(pv_wh: list[int], load_wh: list[int], ev_wh: int = 0) -> dict[str, Any]:
    """Parts of a delivery of 15 minutes, by energy."""
    mw = 4 / 1e6
    zeros = np.zeros(len(NAMES))
    return {
        "pv_p_mw": np.array(pv_wh) * mw,
        "load_p_mw": np.array(load_wh) * mw,
        "ev_p_mw": zeros + ev_wh * mw,
        "heat_pump_p_mw": zeros,
        "battery_p_mw": zeros + 1.0,
    }


def settle(running: GreenCertificatesPlay, interval: int, parts: dict[str, Any]) -> dict[str, Any]:
    """Settle an interval once it is delivered; rows as plain lists."""
    chain = running.client.chain
    chain.mine_until(running._clock.delivery_start_s(interval + 1))
    readings = readings_of(interval, np.zeros(len(NAMES)), parts)
    tables = running.settle(interval, readings, Statement.empty(len(NAMES)))
    if not tables:
        return {}
    assert list(tables) == ["certificates"]
    return {
        key: column if isinstance(column, int) else list(column)
        for key, column in tables["certificates"].items()
    }


@pytest.mark.parametrize("engine", ["revm", "py-evm"])
def test_an_hour_by_hand(engine: str) -> None:
    running = community(engine=engine)
    assert settle(running, 0, delivery([500, 0, 0, 40], [100, 200, 150, 30])) == {}
    rows = settle(running, 1, delivery([300, 0, 0, 0], [50, 100, 150, 90], ev_wh=10))
    hour = running._clock.start_s // 3_600
    # the roof keeps 160 of 800 Wh; the cabin takes its 310 of the rest, the flat 310, 20 are left
    paid = {"cabin": -(-310 * PRICE // 1_000), "flat": -(-310 * PRICE // 1_000)}
    assert rows == {
        "interval": 1,
        "hour": hour,
        "prosumer": list(NAMES),
        "issued_wh": [800, 0, 0, 40],
        "consumed_wh": [160, 310, 310, 130],
        "offered_wh": [640, 0, 0, 0],
        "sold_wh": [620, 0, 0, 0],
        "bought_wh": [0, 310, 310, 0],
        "retired_wh": [160, 310, 310, 40],
        "held_wh": [20, 0, 0, 0],
        "limit_ueur_per_kwh": list(LIMITS),
        "earned_ueur": [paid["cabin"] + paid["flat"], 0, 0, 0],
        "paid_ueur": [0, paid["flat"], paid["cabin"], 0],
        "fees_ueur": [0, 0, 0, 0],
    }
    client = running.client
    assert client.totals_of(hour).retired_wh == 820
    assert client.view("offerOf", 1)[2] == 0  # what was not sold went back
    roof = running._deployment.prosumers[0]
    assert client.balance_of(roof.address) == paid["cabin"] + paid["flat"]
    assert running.model.balance_of("flat") == DEPOSIT - paid["flat"]


def test_devices_of_other_packages_count(monkeypatch: pytest.MonkeyPatch) -> None:
    turbine = DeviceColumn("turbine_p_mw", "MW", "generation of turbines", "generation")
    pump = DeviceColumn("pump_p_mw", "MW", "irrigation", "consumption")
    every = (*catalogue.net_columns(), turbine, pump)
    monkeypatch.setattr(catalogue, "net_columns", lambda: every)
    running = community()
    parts = delivery([500, 0, 0, 0], [0, 200, 0, 0])
    mw = np.array([0, 40, 0, 0]) * 4 / 1e6
    settle(running, 0, parts | {"turbine_p_mw": mw, "pump_p_mw": mw[::-1]})
    rows = settle(running, 1, delivery([0, 0, 0, 0], [0, 0, 0, 0]))
    assert rows["issued_wh"] == [500, 40, 0, 0]
    assert rows["consumed_wh"] == [0, 200, 40, 0]


def test_hours_are_apart_and_the_last_may_be_a_part() -> None:
    running = community()
    settle(running, 0, delivery([500, 0, 0, 0], [0, 0, 0, 0]))
    noon = settle(running, 1, delivery([0, 0, 0, 0], [0, 0, 0, 0]))
    assert noon["held_wh"] == [500, 0, 0, 0]
    assert settle(running, 2, delivery([0, 0, 0, 0], [0, 100, 0, 0])) == {}
    last = settle(running, 3, delivery([30, 0, 0, 0], [0, 0, 0, 0]))
    assert last["hour"] == noon["hour"] + 1
    assert last["retired_wh"] == [0, 30, 0, 0]  # 70 Wh uncovered: 500 Wh are of another hour
    assert last["consumed_wh"] == [0, 100, 0, 0]
    assert running.model.totals_of(noon["hour"]).issued_wh == 0  # forgotten
    assert running.client.totals_of(noon["hour"]).issued_wh == 500


def test_sellers_of_one_price_take_turns() -> None:
    running = community()
    sold = []
    for interval in range(4):
        rows = settle(running, interval, delivery([60, 0, 0, 60], [0, 50, 0, 0]))
        if rows:
            assert rows["bought_wh"] == [0, 100, 0, 0]
            sold.append(rows["sold_wh"])
    # hour 477 011 is the turn of point 3, hour 477 012 of point 0
    assert sold == [[0, 0, 0, 100], [100, 0, 0, 0]]


def test_too_dear_for_everybody() -> None:
    running = community(price=PRICE + 6)
    settle(running, 0, delivery([500, 0, 0, 0], [10, 100, 100, 100]))
    rows = settle(running, 1, delivery([0, 0, 0, 0], [0, 0, 0, 0]))
    assert rows["offered_wh"] == [490, 0, 0, 0]
    assert rows["sold_wh"] == [0, 0, 0, 0]
    assert rows["retired_wh"] == [10, 0, 0, 0]
    assert rows["held_wh"] == [490, 0, 0, 0]


def test_buyers_stop_when_their_money_is_gone() -> None:
    running = community(deposit=200)  # pays for 99 Wh at 2.001 µEUR
    settle(running, 0, delivery([500, 0, 0, 0], [0, 300, 0, 0]))
    rows = settle(running, 1, delivery([0, 0, 0, 0], [0, 0, 0, 0]))
    assert rows["bought_wh"] == [0, 99, 0, 0]
    assert rows["paid_ueur"] == [0, 199, 0, 0]


def test_who_is_no_member_has_no_certificates() -> None:
    running = community(members=(True, False, True, True))
    settle(running, 0, delivery([500, 400, 0, 0], [0, 0, 0, 0]))
    rows = settle(running, 1, delivery([0, 0, 0, 0], [0, 0, 0, 0]))
    assert rows["prosumer"] == ["roof", "cabin", "shop"]
    assert rows["issued_wh"] == [500, 0, 0]


def test_fees_are_the_customers() -> None:
    running = community(tip_wei=10**9)
    settle(running, 0, delivery([500, 0, 0, 0], [0, 300, 0, 0]))
    rows = settle(running, 1, delivery([0, 0, 0, 0], [0, 0, 0, 0]))
    sent = running.client.chain.drain_records().transactions
    deployment = running._deployment
    for i, fee in enumerate(rows["fees_ueur"]):
        own = {deployment.prosumers[i].hex, deployment.meters[i].hex}
        paid = [
            wei
            for wei, sender, interval in zip(
                sent["fee_wei"], sent["sender"], sent["interval"], strict=True
            )
            if sender in own and interval >= 0
        ]
        assert len(paid) == (4, 4, 2, 2)[i]  # two records, and offer, cancel or buy, retire
        assert fee == fee_ueur(sum(paid), 2_000.0) > 0


def late(running: GreenCertificatesPlay, function: str, account: bytes) -> Any:
    """The client's function, but what one account sends leaves it an hour late."""
    usual = getattr(running.client, function)

    def send(sender: bytes, *arguments: Any, **options: Any) -> int:
        if sender == account:
            options["sent_at_s"] = running.client.chain.now_s + 3_600.0
        return int(usual(sender, *arguments, **options))

    return send


def test_meter_that_finds_no_block_certifies_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    running = community()
    meter = running._deployment.meters[0].address
    with monkeypatch.context() as patch:
        patch.setattr(running.client, "record", late(running, "record", meter))
        settle(running, 0, delivery([500, 0, 0, 0], [0, 300, 0, 0]))
    assert running.client.chain.pending == 0
    assert running.client.chain.now_s <= running._clock.window_opens_s(2)
    rows = settle(running, 1, delivery([70, 0, 0, 0], [0, 0, 0, 0]))
    assert rows["issued_wh"] == [70, 0, 0, 0]
    assert rows["consumed_wh"] == [0, 300, 0, 0]


def test_purchase_that_finds_no_block_is_not_made(monkeypatch: pytest.MonkeyPatch) -> None:
    running = community()
    cabin = running._deployment.prosumers[2].address
    monkeypatch.setattr(running.client, "buy", late(running, "buy", cabin))
    settle(running, 0, delivery([500, 0, 0, 0], [0, 300, 100, 0]))
    rows = settle(running, 1, delivery([0, 0, 0, 0], [0, 0, 0, 0]))
    assert rows["bought_wh"] == [0, 300, 0, 0]
    assert rows["held_wh"] == [200, 0, 0, 0]
    assert rows["paid_ueur"] == [0, 601, 0, 0]


def test_offer_that_is_not_taken_back_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    running = community()
    roof = running._deployment.prosumers[0].address
    monkeypatch.setattr(running.client, "cancel_offer", late(running, "cancel_offer", roof))
    settle(running, 0, delivery([500, 0, 0, 0], [0, 300, 0, 0]))
    rows = settle(running, 1, delivery([0, 0, 0, 0], [0, 0, 0, 0]))
    assert rows["held_wh"] == [0, 0, 0, 0]
    assert running.model.offered_total_wh(rows["hour"]) == 200
    assert running.client.view("offerOf", 1)[2] == 200
    settle(running, 2, delivery([0, 0, 0, 0], [0, 90, 0, 0]))
    later = settle(running, 3, delivery([0, 0, 0, 0], [0, 0, 0, 0]))
    assert later["bought_wh"] == [0, 0, 0, 0]  # another hour's certificates are of no use


@pytest.mark.parametrize("what", ["certificates", "money"])
def test_what_happens_behind_the_models_back_stops_the_run(what: str) -> None:
    running = community()
    settle(running, 0, delivery([500, 0, 0, 0], [0, 300, 0, 0]))
    client, prosumers = running.client, running._deployment.prosumers
    hour = running.model.hour_of(0)
    if what == "certificates":
        handle = client.transfer(prosumers[0].address, hour, prosumers[3].address, 1)
    else:
        handle = client.withdraw(prosumers[2].address, 1)
    client.chain.mine_until(client.chain.now_s + 12)
    client.check_all([handle])
    with pytest.raises((ReconciliationError, ContractRevert)) as caught:
        settle(running, 1, delivery([0, 0, 0, 0], [0, 0, 0, 0]))
    if what == "money":
        assert isinstance(caught.value, ReconciliationError)
        assert "cabin: 4999 against 5000" in str(caught.value)
    else:
        assert "too few certificates" in str(caught.value)


def test_meter_that_recorded_already_stops_the_run() -> None:
    running = community()
    deployment = running._deployment
    client = running.client
    client.chain.mine_until(running._clock.delivery_start_s(1))
    handle = client.record(deployment.meters[0].address, 0, 7, 0)
    client.chain.mine_until(client.chain.now_s + 12)
    client.check_all([handle])
    with pytest.raises(ContractRevert, match="green certificates: already recorded"):
        settle(running, 0, delivery([500, 0, 0, 0], [0, 300, 0, 0]))


def test_intervals_must_lie_in_one_hour() -> None:
    with pytest.raises(ContractRevert, match="first delivery not at a whole step"):
        community(clock(start_minute=10))
