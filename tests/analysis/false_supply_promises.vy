# pragma version 0.4.3
# pragma evm-version cancun
"""
@title What calls to the supply contract can do, which shows that its proofs are about something
@license Apache-2.0
"""

import prover

token: address
meters: address
supply: address


@external
def setUp():
    self.token = raw_create(prover._code("EuroToken"))
    self.meters = raw_create(prover._code("SmartMeters"))
    # first block, period, subscription, declaration, payment; price, cap, estimate, least deposit, limit
    self.supply = raw_create(
        prover._code("Supplier"),
        self.token,
        self.meters,
        convert(1_000, uint256),
        convert(20, uint256),
        convert(10, uint256),
        convert(5, uint256),
        convert(5, uint256),
        convert(300_001, uint256),
        convert(500_000, uint256),
        convert(2_000, uint256),
        convert(1_000_000, uint256),
        convert(2_000_000, uint256),
    )
    prover._in_any_state(self.token)
    prover._in_any_state(self.meters)
    prover._in_any_state(self.supply)


@external
def check_nothing_is_declared(caller: address, energy_wh: uint256, block_number: uint64):
    if block_number < 1_020 or block_number >= 1_025:
        return
    prover._at(block_number, block_number)
    done: bool = prover._call(
        caller,
        self.supply,
        abi_encode(
            convert(0, uint256), energy_wh, method_id=method_id("declarePeriod(uint256,uint256)")
        ),
    )
    prover._prove(not done)


@external
def check_nothing_is_withdrawn(caller: address, meter: address, time: uint64):
    prover._at(time, time)
    done: bool = prover._call(
        caller, self.supply, abi_encode(meter, method_id=method_id("withdraw(address)"))
    )
    prover._prove(not done)
