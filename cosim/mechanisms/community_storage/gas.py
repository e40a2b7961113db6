"""Every method of the community storage."""

from __future__ import annotations

from cosim.evm.engine import ZERO_ADDRESS
from cosim.gas.bench import Bench, account
from cosim.gas.cases import GasCases
from cosim.mechanisms.local_market.gas_community import MONEY, Community

MANY = 100
SHARES, SHARE_PRICE_UEUR = 1_000, 123_456
ENERGY_WH = 123


def community_storage(bench: Bench) -> None:
    """Deploy and measure the storage, on a local market of its own."""
    community = Community(bench, name="of the storage")
    community.join("battery", amount_ueur=0)
    storage = bench.deploy(
        "CommunityStorage",
        community.terms,
        community.clock,
        token=community.token.address,
        local_market=community.market.address,
        meters=community.meters.address,
        owner=account("battery"),
        meter=account("meter of battery"),
        total_shares=SHARES,
        share_price_ueur=SHARE_PRICE_UEUR,
        capacity_wh=1_000_000,
        power_wh=250_000,
        charge_permille=950,
        discharge_permille=930,
        loss_limit_wh=4_000,
        prices=ZERO_ADDRESS,
    )
    names = [f"sharer {k}" for k in range(MANY)]
    for name in names:
        community.join(name, amount_ueur=0)
        community.allow(name, storage)
    community.fund("battery", storage)
    storage.measure(names[0], "deposit", MONEY - 1, case="first")
    storage.measure(names[0], "deposit", 1)
    storage.measure(names[0], "withdraw", 1_234)
    for name in names[1:]:
        storage.do(name, "deposit", MONEY)
    storage.measure(names[0], "buyShares", 3)
    storage.measure(names[0], "buyShares", 2, case="more shares")
    for name in names[1:]:
        storage.do(name, "buyShares", 5)
    offer = (2, 345_678)
    storage.measure(names[0], "offerShares", account(names[1]), *offer)
    storage.measure(names[1], "acceptShares", account(names[0]), *offer)

    community.open_window(0)
    storage.measure(names[0], "nominate", 0, ENERGY_WH, case="first of an interval")
    storage.measure(names[1], "nominate", 0, ENERGY_WH)
    community.deliver(0)
    # 2 * (123 - floor(123 * 0.95)) Wh of conversion losses are in the accounts; 345 Wh are not
    storage.measure("meter of battery", "reportStorage", 0, -2 * ENERGY_WH - 345)
    accounts = [account(name) for name in names]
    storage.measure("anyone", "settle", accounts[:1])
    storage.measure("anyone", "settle", accounts[1:], case=f"of {MANY - 1} accounts")
    community.open_window(4)
    storage.measure(names[0], "nominate", 4, -ENERGY_WH // 3, case="to discharge")
    community.deliver(4)
    storage.measure(
        "meter of battery", "reportStorage", 4, 1_234, case="more came out than was nominated"
    )


CASES = GasCases(community_storage, place=6)
