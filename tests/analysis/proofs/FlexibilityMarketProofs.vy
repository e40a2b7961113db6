# pragma version 0.4.3
# pragma evm-version cancun
"""
@title What no call to the flexibility market can do, in whatever state it is
@license Apache-2.0
"""

from ethereum.ercs import IERC20

import prover

interface Market:
    def balanceOf(account: address) -> uint256: view

DSO: constant(address) = 0x000000000000000000000000000000000000bEEF
PENALTY_UEUR_PER_KWH: constant(uint256) = 600_000
token: address
market: Market


@external
def setUp():
    self.token = raw_create(prover._code("EuroToken"))
    local_market: address = raw_create(prover._code("AnyLocalMarket"))
    self.market = Market(
        raw_create(
            prover._code("FlexibilityMarket"),
            self.token,
            local_market,
            DSO,
            PENALTY_UEUR_PER_KWH,
            False,
            convert(0, uint256),
            convert(0, uint256),
            convert(0, uint256),
            convert(0, uint256),
            convert(0, uint256),
            convert(0, uint256),
            convert(0, uint256),
            convert(0, uint256),
            empty(bytes32),
        )
    )
    prover._in_any_state(local_market)
    prover._in_any_state(self.token)
    prover._in_any_state(self.market.address)


@external
def check_a_withdrawal_takes_from_its_caller_only(caller: address, holder: address, amount: uint256, time: uint64):
    """
    @notice Books and tokens change by the amount, at one account, or not at all.
    """
    prover._at(time, time)
    if caller == holder or caller == self.market.address:
        return
    before: uint256 = staticcall self.market.balanceOf(caller)
    others: uint256 = staticcall self.market.balanceOf(holder)
    tokens: uint256 = staticcall IERC20(self.token).balanceOf(caller)
    done: bool = prover._call(
        caller, self.market.address, abi_encode(amount, method_id=method_id("withdraw(uint256)"))
    )
    moved: uint256 = amount if done else 0
    prover._prove(moved <= before)
    prover._prove(staticcall self.market.balanceOf(caller) == unsafe_sub(before, moved))
    prover._prove(staticcall self.market.balanceOf(holder) == others)
    prover._prove(staticcall IERC20(self.token).balanceOf(caller) == unsafe_add(tokens, moved))


@external
def check_an_offer_takes_from_its_caller_only(
    caller: address,
    holder: address,
    request: uint256,
    energy_wh: uint256,
    price: uint256,
    further_wh: uint256,
    further_price: uint256,
    baseline_wh: int256, time: uint64
):
    prover._at(time, time)
    if caller == holder:
        return
    others: uint256 = staticcall self.market.balanceOf(holder)
    energies_wh: DynArray[uint256, 4] = [energy_wh, further_wh]
    prices: DynArray[uint256, 4] = [price, further_price]
    prover._call(
        caller,
        self.market.address,
        abi_encode(
            request,
            baseline_wh,
            energies_wh,
            prices,
            method_id=method_id("offer(uint256,int256,uint256[],uint256[])"),
        ),
    )
    prover._prove(staticcall self.market.balanceOf(holder) == others)


@external
def check_nobody_but_the_dso_registers_a_range(
    caller: address, account: address, low_wh: int256, high_wh: int256, time: uint64
):
    prover._at(time, time)
    if caller == DSO:
        return
    accounts: DynArray[address, 1] = [account]
    lows: DynArray[int256, 1] = [low_wh]
    highs: DynArray[int256, 1] = [high_wh]
    done: bool = prover._call(
        caller,
        self.market.address,
        abi_encode(
            accounts, lows, highs, method_id=method_id("registerRanges(address[],int256[],int256[])")
        ),
    )
    prover._prove(not done)


@external
def check_nobody_but_the_dso_opens_a_request(
    caller: address, interval: uint256, is_up: bool, quantity_wh: uint256, price_cap: uint256, time: uint64
):
    prover._at(time, time)
    if caller == DSO:
        return
    done: bool = prover._call(
        caller,
        self.market.address,
        abi_encode(
            interval,
            is_up,
            quantity_wh,
            price_cap,
            method_id=method_id("openRequest(uint256,bool,uint256,uint256)"),
        ),
    )
    prover._prove(not done)
