# pragma version 0.4.3
# pragma evm-version cancun
"""
@title What no call to the local market's settlement can do, whatever its market says
@license Apache-2.0
@dev Of a market whose orders are open and whose prices are set at the midpoint.
"""

import ISmartMeters
import prover

interface Market:
    def passed() -> uint256: view

interface Settlement:
    def owedCharges() -> (uint256, uint256, uint256): view

SUPPLIER: constant(address) = 0x000000000000000000000000000000000000bEEF
DSO: constant(address) = 0x00000000000000000000000000000000000D5000
STATE: constant(address) = 0x0000000000000000000000000000000000057A7E
meters: address
market: address
settlement: address


@external
def setUp():
    self.meters = raw_create(prover._code("AnyMeters"))
    self.market = raw_create(prover._code("AnySettledMarket"), self.meters)
    # estimate; prices and parts of the retail price, shares that local trades pay; prices change
    self.settlement = raw_create(
        prover._code("MarketSettlement"),
        self.market,
        convert(2_000, uint256),
        convert(300_000, uint256),
        convert(80_000, uint256),
        convert(90_000, uint256),
        convert(60_000, uint256),
        convert(430_000, uint256),
        convert(0, uint256),
        True,
        DSO,
        STATE,
        empty(address),
    )
    prover._in_any_state(self.meters)
    prover._in_any_state(self.market)
    prover._in_any_state(self.settlement)


@external
def check_nobody_but_a_valid_meter_reports(caller: address, interval: uint256, net_wh: int256, time: uint64):
    prover._at(time, time)
    if staticcall ISmartMeters(self.meters).isValid(caller):
        return
    done: bool = prover._call(
        caller,
        self.settlement,
        abi_encode(interval, net_wh, method_id=method_id("report(uint256,int256)")),
    )
    prover._prove(not done)


@external
def check_nobody_but_the_supplier_announces_prices(
    caller: address,
    interval: uint256,
    retail: uint256,
    feed_in: uint256,
    network: uint256,
    taxes: uint256,
    time: uint64,
):
    prover._at(time, time)
    if caller == SUPPLIER:
        return
    done: bool = prover._call(
        caller,
        self.settlement,
        abi_encode(
            interval,
            retail,
            feed_in,
            network,
            taxes,
            method_id=method_id("announcePrices(uint256,uint256,uint256,uint256,uint256)"),
        ),
    )
    prover._prove(not done)


@external
def check_no_more_is_passed_on_than_bills_cover(caller: address, time: uint64):
    prover._at(time, time)
    network: uint256 = 0
    taxes: uint256 = 0
    covered: uint256 = 0
    network, taxes, covered = staticcall Settlement(self.settlement).owedCharges()
    passed: uint256 = staticcall Market(self.market).passed()
    if not prover._call(caller, self.settlement, method_id("passOnCharges()")):
        return
    # the market paid as much, or less, and as much less is owed and covered
    passed = unsafe_sub(staticcall Market(self.market).passed(), passed)
    prover._prove(passed <= covered)
    left: uint256[3] = empty(uint256[3])
    left[0], left[1], left[2] = staticcall Settlement(self.settlement).owedCharges()
    prover._prove(left[2] == covered - passed)
    prover._prove(left[0] + left[1] + passed == network + taxes)
