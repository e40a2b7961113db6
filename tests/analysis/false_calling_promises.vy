# pragma version 0.4.3
# pragma evm-version cancun
"""
@title What calls can do to draws of who is called, which shows that their proofs are about something
@license Apache-2.0
"""

import prover

interface Market:
    def isCalled(interval: uint256, account: address) -> bool: view

DSO: constant(address) = 0x000000000000000000000000000000000000bEEF
market: Market


@external
def setUp():
    token: address = raw_create(prover._code("EuroToken"))
    local_market: address = raw_create(prover._code("AnyLocalMarket"))
    self.market = Market(
        raw_create(
            prover._code("FlexibilityMarket"),
            token,
            local_market,
            DSO,
            convert(600_000, uint256),
            False,
            convert(0, uint256),
            convert(0, uint256),
            convert(0, uint256),
            convert(0, uint256),
            convert(0, uint256),
            convert(0, uint256),
            convert(250_000, uint256),
            convert(200_000, uint256),
            keccak256(b"last link"),
        )
    )
    prover._in_any_state(local_market)
    prover._in_any_state(token)
    prover._in_any_state(self.market.address)


@external
def check_nothing_is_drawn(interval: uint256, link: bytes32, time: uint64):
    prover._at(time, time)
    done: bool = prover._call(
        DSO,
        self.market.address,
        abi_encode(interval, link, method_id=method_id("drawCalls(uint256,bytes32)")),
    )
    prover._prove(not done)


@external
def check_nobody_is_called(interval: uint256, account: address):
    prover._prove(not staticcall self.market.isCalled(interval, account))
