# pragma version 0.4.3
# pragma evm-version cancun
"""
@title What calls to the local market can do, which shows that its proofs are about something
@license Apache-2.0
"""

import prover

SUPPLIER: constant(address) = 0x000000000000000000000000000000000000bEEF
SETTLEMENT: constant(address) = 0x000000000000000000000000000000000000dEaD
SUBMISSIONS: constant(address) = 0x00000000000000000000000000000000DeaDBeef
NOTHING: constant(uint256) = 0
token: address
meters: address
market: address


@external
def setUp():
    self.token = raw_create(prover._code("EuroToken"))
    self.meters = raw_create(prover._code("SmartMeters"))
    # highest retail price, first delivery, step, order lead, gate closure, metering; rule, form, reveal, deposit,
    # challenge, bond, ring
    self.market = raw_create(
        prover._code("LocalMarket"),
        self.token,
        self.meters,
        SUPPLIER,
        SETTLEMENT,
        SUBMISSIONS,
        convert(300_000, uint256),
        convert(1_700_000_000, uint256),
        convert(900, uint256),
        convert(600, uint256),
        convert(180, uint256),
        convert(240, uint256),
        NOTHING,
        NOTHING,
        NOTHING,
        NOTHING,
        NOTHING,
        NOTHING,
        NOTHING,
    )
    prover._in_any_state(self.token)
    prover._in_any_state(self.meters)
    prover._in_any_state(self.market)


@external
def check_nothing_is_withdrawn(caller: address, amount: uint256):
    done: bool = prover._call(
        caller, self.market, abi_encode(amount, method_id=method_id("withdraw(uint256)"))
    )
    prover._prove(amount == 0 or not done)
