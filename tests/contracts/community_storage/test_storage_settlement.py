"""The battery's meter, losses by share, what the owner owes, and that nobody blocks anybody."""

import pytest
from market_world import FEED_IN, METERING_S, OPERATOR, RETAIL, STEP_S, address
from market_world import FIRST_DELIVERY_S as START_S
from storage_world import MONEY, OWNER, TERMS, StorageWorld

from cosim.errors import ContractRevert

SHARES = {"ann": 8, "bob": 6, "cem": 2}
OWNER_MONEY = MONEY + 16 * TERMS.share_price_ueur


def delivered(world: StorageWorld, **nominations: int) -> StorageWorld:
    """Interval 0 with nominations, delivered."""
    for account, energy in nominations.items():
        world.nominate(account, energy)
    world.deliver(0)
    return world


def test_loss_is_what_was_drawn_beyond_the_nominations(storage_world: StorageWorld) -> None:
    world = delivered(storage_world, ann=1_000, bob=600)
    reported = world.report_storage(-1_633)
    # 33 Wh at 0.30 EUR/kWh: 9 900 µEUR
    assert reported.events == [
        (
            "StorageReported",
            {"interval": 0, "net_wh": -1_633, "loss_wh": 33, "billed_ueur_per_share": 495},
        )
    ]
    assert world.storage.get("readingOf", 0) == (True, -1_633, 33)
    assert world.storage.get("accruedOf", address("ann")) == (8 * 495, 0)
    settled = world.settle_losses("ann", "cem")
    assert [event for event in settled.events if event[0] == "LossesSettled"] == [
        (
            "LossesSettled",
            {"account": address(name), "billed_ueur": shares * 495, "credited_ueur": 0},
        )
        for name, shares in (("ann", 8), ("cem", 2))
    ]
    assert world.money("ann") == MONEY - 8 * 495
    assert world.money("bob") == MONEY  # not settled yet
    assert world.money(OWNER) == OWNER_MONEY + 10 * 495
    assert world.storage_backed()


def test_bills_by_share_never_exceed_the_loss_for_long(storage_world: StorageWorld) -> None:
    bills = []
    for interval in range(4):
        storage_world.deliver(interval)
        reported = storage_world.report_storage(-7, interval)  # 2 100 µEUR
        bills.append(reported.events[0][1]["billed_ueur_per_share"])
    assert bills == [105, 105, 105, 105]
    cheap = storage_world.deploy_storage(retail=101, feed_in=0)
    for interval in range(4, 8):
        storage_world.deliver(interval)
        reported = cheap.send(f"meter of {OWNER}", "reportStorage", interval, -333)  # 34 µEUR
        bills.append(reported.events[0][1]["billed_ueur_per_share"])
    # 34 - 0 -> 2 a share, 6 too much; 28 -> 2 (12); 22 -> 2 (18); 16 -> 1 (4)
    assert bills[4:] == [2, 2, 2, 1]
    assert cheap.get("perShare") == (7, 0)


def test_less_than_no_loss_is_paid_by_the_owner(storage_world: StorageWorld) -> None:
    world = delivered(storage_world, ann=1_000)
    reported = world.report_storage(-900)  # 100 Wh at 0.08 EUR/kWh: 8 000 µEUR
    assert reported.events == [
        (
            "StorageReported",
            {"interval": 0, "net_wh": -900, "loss_wh": -100, "billed_ueur_per_share": 0},
        ),
        ("MembersCredited", {"paid_ueur": 8_000, "credited_ueur_per_share": 400}),
    ]
    assert world.money(OWNER) == OWNER_MONEY - 8_000
    assert world.storage.get("setAside") == 8_000
    world.settle_losses("ann", "bob", "cem", OWNER)
    assert [world.money(name) for name in SHARES] == [MONEY + n * 400 for n in SHARES.values()]
    assert world.money(OWNER) == OWNER_MONEY - 16 * 400
    assert world.storage.get("setAside") == 0
    assert world.storage_backed()


def test_owner_that_cannot_pay_owes_and_pays_later(storage_world: StorageWorld) -> None:
    world = delivered(storage_world, ann=1_000)
    world.storage.send(OWNER, "withdraw", OWNER_MONEY)
    reported = world.report_storage(-900)
    assert [name for name, _ in reported.events] == ["StorageReported"]
    assert world.storage.get("ownerOwes") == 8_000
    world.storage.send("cem", "buyShares", 1)
    with pytest.raises(ContractRevert, match="community storage: balance too low"):
        world.storage.send(OWNER, "withdraw", TERMS.share_price_ueur)
    world.storage.send(OWNER, "withdraw", TERMS.share_price_ueur - 8_000)
    assert world.storage.get("ownerOwes") == 0
    world.settle_losses("ann")
    assert world.money("ann") == MONEY + 8 * 400
    assert world.storage_backed()


def test_the_owner_bears_what_is_beyond_the_limit(storage_world: StorageWorld) -> None:
    world = delivered(storage_world, ann=1_000)
    reported = world.report_storage(-1_000 - 5_000)
    assert reported.events[0][1]["loss_wh"] == 5_000
    assert reported.events[0][1]["billed_ueur_per_share"] == 400 * RETAIL // 1_000 // 20


def test_the_local_market_bills_the_owner_the_same(storage_world: StorageWorld) -> None:
    world = delivered(storage_world, ann=1_000, bob=400)
    world.fund(OWNER, world.market, MONEY)
    for account, net in (("ann", 300), ("bob", 1_000)):
        world.report(account, net - {"ann": 1_000, "bob": 400}[account])
    net = -1_411
    settled = world.report(OWNER, net + 1_400).events[-1][1]
    assert settled["supplier_ueur"] == -11 * RETAIL // 1_000
    billed = world.report_storage(net).events[0][1]["billed_ueur_per_share"]
    assert billed * 20 == 11 * RETAIL // 1_000
    readings = [world.market.get("readingOf", 0, address(a))[2] for a in ("ann", "bob", OWNER)]
    assert sum(readings) == 300 + 1_000 + net


def test_debt_is_recorded_and_repaid_first(storage_world: StorageWorld) -> None:
    world = delivered(storage_world)
    world.storage.send("ann", "withdraw", MONEY - 1_000)
    world.report_storage(-100)  # 1 500 a share
    world.settle_losses("ann", "bob")
    assert world.money("ann") == 0
    assert world.storage.get("debtOf", address("ann")) == 11_000
    assert world.money("bob") == MONEY - 9_000  # stopped by nobody
    assert world.money(OWNER) == OWNER_MONEY + 10_000
    world.fund("ann", world.storage, 12_000)
    assert world.money("ann") == 1_000
    assert world.storage.get("debtOf", address("ann")) == 0
    assert world.money(OWNER) == OWNER_MONEY + 21_000
    assert world.storage_backed()


def test_bills_are_settled_before_a_withdrawal(storage_world: StorageWorld) -> None:
    world = delivered(storage_world)
    world.report_storage(-100)
    with pytest.raises(ContractRevert, match="community storage: balance too low"):
        world.storage.send("ann", "withdraw", MONEY)
    world.storage.send("ann", "withdraw", MONEY - 12_000)
    assert world.money("ann") == 0


def test_settling_twice_bills_once(storage_world: StorageWorld) -> None:
    world = delivered(storage_world)
    world.report_storage(-100)
    world.settle_losses("ann", "ann", "stranger", OWNER)
    second = world.settle_losses("ann", "stranger", OWNER)
    assert second.events == []
    assert world.money("ann") == MONEY - 12_000
    assert world.money(OWNER) == OWNER_MONEY + 12_000


def test_only_the_batterys_meter_reports(storage_world: StorageWorld) -> None:
    world = delivered(storage_world)
    for stranger in ("meter of ann", OWNER, "ann"):
        with pytest.raises(ContractRevert, match="community storage: not the battery's meter"):
            world.storage.send(stranger, "reportStorage", 0, 0)
    world.meters.send(OPERATOR, "unregisterMeter", address(f"meter of {OWNER}"))
    with pytest.raises(ContractRevert, match="community storage: meter not registered"):
        world.report_storage(0)
    world.meters.send(
        OPERATOR, "registerMeter", address(f"meter of {OWNER}"), address("another customer")
    )
    with pytest.raises(ContractRevert, match="community storage: meter not registered"):
        world.report_storage(0)


def test_reports_once_and_in_time(storage_world: StorageWorld) -> None:
    storage_world.at(START_S + STEP_S - 1)
    with pytest.raises(ContractRevert, match="community storage: not yet delivered"):
        storage_world.report_storage(0)
    for interval in (1, 2**64, 2**256 - 1):
        with pytest.raises(ContractRevert, match="community storage: not yet delivered"):
            storage_world.report_storage(0, interval)
    storage_world.at(START_S + STEP_S)
    storage_world.report_storage(-5)
    with pytest.raises(ContractRevert, match="community storage: already reported"):
        storage_world.report_storage(-5)
    storage_world.at(START_S + 2 * STEP_S + METERING_S)
    storage_world.report_storage(0, 1)
    assert storage_world.storage.get("readingOf", 1) == (True, 0, 0)
    storage_world.end_metering(2)
    with pytest.raises(ContractRevert, match="community storage: too late to report"):
        storage_world.report_storage(0, 2)
    assert storage_world.storage.get("readingOf", 2) == (False, 0, 0)


@pytest.mark.parametrize("net", [2**32, -(2**32)])
def test_reading_has_limits(storage_world: StorageWorld, net: int) -> None:
    world = delivered(storage_world)
    with pytest.raises(ContractRevert, match="community storage: energy out of range"):
        world.report_storage(net)


def test_largest_amounts_fit(storage_world: StorageWorld) -> None:
    vast = storage_world.deploy_storage(
        retail=2**31 - 1, feed_in=2**31 - 1, loss_limit_wh=2**32 - 1, total_shares=1
    )
    storage_world.deliver(0)
    vast.send(f"meter of {OWNER}", "reportStorage", 0, -(2**32 - 1))
    storage_world.deliver(1)
    vast.send(f"meter of {OWNER}", "reportStorage", 1, 2**32 - 1)
    bill = -(-(2**32 - 1) * (2**31 - 1) // 1_000)
    assert vast.get("perShare") == (bill, 0)
    assert vast.get("ownerOwes") == bill - 1  # who is paid rounds down
    assert FEED_IN < RETAIL


def test_settling_is_bounded_work(storage_world: StorageWorld) -> None:
    world = delivered(storage_world)
    alone = world.report_storage(-100).gas_used
    settled = world.settle_losses("ann").gas_used
    for k in range(40):  # strangers with debts of others' making do not exist: shares need consent
        world.storage.send(f"crowd {k}", "offerShares", address("ann"), 1, 0)
    world.deliver(1)
    assert world.report_storage(-100, 1).gas_used <= alone
    assert world.settle_losses("ann").gas_used <= settled
