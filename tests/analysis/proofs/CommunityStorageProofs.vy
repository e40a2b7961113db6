# pragma version 0.4.3
# pragma evm-version cancun
"""
@title What no call to the shared battery can do, in whatever state it is
@license Apache-2.0
"""

import prover

interface Storage:
    def accountOf(account: address) -> (uint256, uint256, uint256): view
    def readingOf(interval: uint256) -> (bool, int256, int256): view

OWNER: constant(address) = 0x000000000000000000000000000000000000bEEF
METER: constant(address) = 0x000000000000000000000000000000000000dEaD
battery: Storage


@external
def setUp():
    token: address = raw_create(prover._code("EuroToken"))
    meters: address = raw_create(prover._code("SmartMeters"))
    local_market: address = raw_create(prover._code("AnyLocalMarket"))
    # shares, their price; capacity, power, efficiencies, loss limit; prices; order lead, gate closure
    self.battery = Storage(
        raw_create(
            prover._code("CommunityStorage"),
            token,
            local_market,
            meters,
            OWNER,
            METER,
            convert(100, uint256),
            convert(2_000_000, uint256),
            convert(10_000, uint256),
            convert(2_000, uint256),
            convert(950, uint256),
            convert(930, uint256),
            convert(500, uint256),
            convert(300_000, uint256),
            convert(80_000, uint256),
            empty(address),
            convert(1_800, uint256),
            convert(180, uint256),
        )
    )
    prover._in_any_state(local_market)
    prover._in_any_state(meters)
    prover._in_any_state(token)
    prover._in_any_state(self.battery.address)


@external
def check_nobody_stores_or_takes_for_another(
    caller: address, holder: address, interval: uint256, energy_wh: int256, time: uint64
):
    prover._at(time, time)
    if caller == holder:
        return
    shares: uint256 = 0
    stored_wh: uint256 = 0
    following: uint256 = 0
    shares, stored_wh, following = staticcall self.battery.accountOf(holder)
    prover._call(
        caller,
        self.battery.address,
        abi_encode(interval, energy_wh, method_id=method_id("nominate(uint256,int256)")),
    )
    prover._prove((staticcall self.battery.accountOf(holder))[0] == shares)
    prover._prove((staticcall self.battery.accountOf(holder))[1] == stored_wh)
    prover._prove((staticcall self.battery.accountOf(holder))[2] == following)


@external
def check_an_interval_of_the_battery_is_reported_once_by_its_meter(
    caller: address, interval: uint256, net_wh: int256, time: uint64
):
    prover._at(time, time)
    known: bool = (staticcall self.battery.readingOf(interval))[0]
    done: bool = prover._call(
        caller,
        self.battery.address,
        abi_encode(interval, net_wh, method_id=method_id("reportStorage(uint256,int256)")),
    )
    prover._prove(not done or (caller == METER and not known))
