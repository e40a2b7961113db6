# pragma version 0.4.3
# pragma evm-version cancun
"""
@title What no call to the supply contract can do, in whatever state it is
@license Apache-2.0
"""

import prover

interface Contract:
    def subscriptionOf(customer: address, meter: address) -> uint256: view
    def accountsOf() -> (uint256, uint256, uint256): view

token: address
meters: address
supply: Contract


@external
def setUp():
    self.token = raw_create(prover._code("EuroToken"))
    self.meters = raw_create(prover._code("SmartMeters"))
    # first block, period, subscription, declaration, payment; price, cap, estimate, least deposit, limit
    self.supply = Contract(
        raw_create(
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
    )
    prover._in_any_state(self.token)
    prover._in_any_state(self.meters)
    prover._in_any_state(self.supply.address)


@external
def check_nobody_withdraws_anothers_deposit(
    caller: address, customer: address, meter: address, named: address, time: uint64
):
    prover._at(time, time)
    if caller == customer:
        return
    before: uint256 = staticcall self.supply.subscriptionOf(customer, meter)
    prover._call(
        caller, self.supply.address, abi_encode(named, method_id=method_id("withdraw(address)"))
    )
    prover._prove(staticcall self.supply.subscriptionOf(customer, meter) == before)


@external
def check_nobody_ends_anothers_subscription(
    caller: address,
    customer: address,
    meter: address,
    named: address,
    named_meter: address,
    time: uint64,
):
    """
    @notice But the supplier, here this proof, above the credit limit of 2 EUR.
    """
    prover._at(time, time)
    before: uint256 = staticcall self.supply.subscriptionOf(customer, meter)
    debt_ueur: uint256 = (before >> 64) & (2**80 - 1)
    if caller == customer or (caller == self and debt_ueur > 2_000_000):
        return
    prover._call(
        caller,
        self.supply.address,
        abi_encode(named, named_meter, method_id=method_id("unsubscribeUser(address,address)")),
    )
    prover._prove(staticcall self.supply.subscriptionOf(customer, meter) == before)


@external
def check_only_the_meter_declares(
    caller: address, customer: address, meter: address, energy_wh: uint256, block_number: uint64
):
    """
    @notice In the declaration phase of period 0.
    """
    if caller == meter or block_number < 1_020 or block_number >= 1_025:
        return
    prover._at(block_number, block_number)
    before: uint256 = staticcall self.supply.subscriptionOf(customer, meter)
    prover._call(
        caller,
        self.supply.address,
        abi_encode(
            convert(0, uint256), energy_wh, method_id=method_id("declarePeriod(uint256,uint256)")
        ),
    )
    prover._prove(staticcall self.supply.subscriptionOf(customer, meter) == before)


@external
def check_only_the_supplier_sets_prices(caller: address, period: uint256, price: uint256, time: uint64):
    """
    @notice The supplier is who deployed the contract, here this proof.
    """
    prover._at(time, time)
    if caller == self:
        return
    done: bool = prover._call(
        caller,
        self.supply.address,
        abi_encode(period, price, method_id=method_id("setPrice(uint256,uint256)")),
    )
    prover._prove(not done)
