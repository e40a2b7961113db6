# pragma version 0.4.3
# pragma evm-version cancun
"""
@title What no call to the local market can do, in whatever state it is
@license Apache-2.0
@dev Of the market on chain at the midpoint; the forms and rules differ in other functions.
"""

from ethereum.ercs import IERC20

import prover

interface Market:
    def balanceOf(account: address) -> uint256: view
    def creditLimitOf(account: address) -> uint256: view
    def withdrawalNotice() -> (uint256, uint256): view

SUPPLIER: constant(address) = 0x000000000000000000000000000000000000bEEF
SETTLEMENT: constant(address) = 0x000000000000000000000000000000000000dEaD
SUBMISSIONS: constant(address) = 0x00000000000000000000000000000000DeaDBeef
NOTHING: constant(uint256) = 0
token: address
meters: address
market: Market


@external
def setUp():
    self.token = raw_create(prover._code("EuroToken"))
    self.meters = raw_create(prover._code("AnyMeters"))
    # highest retail price, first delivery, step, order lead, gate closure, metering; rule, form, reveal, deposit,
    # challenge, bond, ring
    self.market = Market(
        raw_create(
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
    )
    prover._in_any_state(self.token)
    prover._in_any_state(self.meters)
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
def check_an_order_takes_nothing_from_others(
    caller: address,
    holder: address,
    interval: uint256,
    is_sell: bool,
    energy_wh: uint256,
    price: uint256, time: uint64
):
    """
    @notice Who has a credit line borrows what its order lacks from the supplier; nobody else takes anything.
    """
    # before the first order window, when a grant is a word without a past
    prover._at(1, 1)
    if caller == holder or not prover._call(
        SUPPLIER,
        self.market.address,
        abi_encode(caller, NOTHING, method_id=method_id("grantCredit(address,uint256)")),
    ):
        return
    prover._at(time, time)
    others: uint256 = staticcall self.market.balanceOf(holder)
    prover._call(
        caller,
        self.market.address,
        abi_encode(
            interval,
            is_sell,
            energy_wh,
            price,
            method_id=method_id("placeOrder(uint256,bool,uint256,uint256)"),
        ),
    )
    prover._prove(staticcall self.market.balanceOf(holder) == others)


@external
def check_nobody_but_the_settlement_records(
    caller: address,
    interval: uint256,
    account: address,
    noted: uint256,
    released: uint256,
    gains: uint256,
    due: int256,
    time: uint64,
):
    prover._at(time, time)
    if caller == SETTLEMENT:
        return
    done: bool = self._record(caller, interval, account, noted, released, gains, due)
    prover._prove(not done)


@external
def check_no_reading_is_recorded_twice(
    number: uint64, account: address, noted: uint256, again: uint256, time: uint64
):
    """
    @notice Of any interval that ends: beyond 2**64 no clock gets.
    @dev Bit 10 of a position says that its reading is known, bit 45 that its fill is claimed. Bit 78 says
            that it is settled: then nothing is recorded any more.
    """
    prover._at(time, time)
    interval: uint256 = convert(number, uint256)
    if not self._record(SETTLEMENT, interval, account, noted, 0, 0, 0):
        return
    if noted & again & ((1 << 10) | (1 << 45)) == 0 and noted & (1 << 78) == 0:
        return
    prover._prove(not self._record(SETTLEMENT, interval, account, again, 0, 0, 0))


@external
def check_a_credit_limit_is_raised_with_notice(
    caller: address, account: address, limit: uint256, time: uint64, later: uint64
):
    """
    @notice In whatever state, from the first order window on: after any grant no limit is higher than before
            until the notice, 600 + 2 * 900 + 240 s, is over; and nobody but the supplier grants.
    """
    prover._at(time, time)
    if convert(time, uint256) + 600 < 1_700_000_000 or time >= 2**40 or later < time:
        return
    before: uint256 = staticcall self.market.creditLimitOf(account)
    done: bool = prover._call(
        caller,
        self.market.address,
        abi_encode(account, limit, method_id=method_id("grantCredit(address,uint256)")),
    )
    prover._prove(not done or caller == SUPPLIER)
    if not done or later - time > 2_640:
        return
    prover._at(later, later)
    prover._prove(staticcall self.market.creditLimitOf(account) <= before)


@external
def check_the_supplier_withdraws_what_it_announced(amount: uint256, time: uint64):
    """
    @notice In whatever state: no more than the notice names, and only once it is over; what is left of it stands.
    """
    prover._at(time, time)
    announced: uint256 = 0
    until_s: uint256 = 0
    announced, until_s = staticcall self.market.withdrawalNotice()
    done: bool = prover._call(
        SUPPLIER, self.market.address, abi_encode(amount, method_id=method_id("withdraw(uint256)"))
    )
    if not done:
        return
    prover._prove(amount <= announced and convert(time, uint256) > until_s)
    left: uint256 = 0
    left, until_s = staticcall self.market.withdrawalNotice()
    prover._prove(left == announced - amount)


@internal
def _record(
    caller: address,
    interval: uint256,
    account: address,
    noted: uint256,
    released: uint256,
    gains: uint256,
    due: int256,
) -> bool:
    return prover._call(
        caller,
        self.market.address,
        abi_encode(
            interval,
            account,
            noted,
            released,
            gains,
            due,
            method_id=method_id("record(uint256,address,uint256,uint256,uint256,int256)"),
        ),
    )


@external
def check_nobody_but_the_settlement_passes_on_what_the_supplier_has(
    caller: address, account: address, amount: uint256, time: uint64
):
    prover._at(time, time)
    if caller == SETTLEMENT or account == SUPPLIER:
        return
    supplier: uint256 = staticcall self.market.balanceOf(SUPPLIER)
    done: bool = prover._call(
        caller,
        self.market.address,
        abi_encode(account, amount, method_id=method_id("passOn(address,uint256)")),
    )
    prover._prove(not done)
    prover._prove(staticcall self.market.balanceOf(SUPPLIER) == supplier)
