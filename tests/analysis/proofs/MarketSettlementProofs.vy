# pragma version 0.4.3
# pragma evm-version cancun
"""
@title What no call to the local market's settlement can do, whatever its market says
@license Apache-2.0
@dev Of a market whose orders are open and whose prices are set at the midpoint.
"""

import ISmartMeters
import prover

meters: address
market: address
settlement: address


@external
def setUp():
    self.meters = raw_create(prover._code("SmartMeters"))
    self.market = raw_create(prover._code("AnySettledMarket"), self.meters)
    self.settlement = raw_create(
        prover._code("MarketSettlement"), self.market, convert(2_000, uint256)
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
