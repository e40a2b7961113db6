# pragma version 0.4.3
# pragma evm-version cancun
"""
@title What no call to the euro token can do, in whatever state it is
@license Apache-2.0
"""

from ethereum.ercs import IERC20

import prover

token: address


@external
def setUp():
    self.token = raw_create(prover._code("EuroToken"))
    prover._in_any_state(self.token)


@external
def check_nobody_takes_anothers_tokens(caller: address, holder: address):
    """
    @notice Without an allowance no call of another lowers a balance.
    """
    if caller == holder or staticcall IERC20(self.token).allowance(holder, caller) != 0:
        return
    before: uint256 = staticcall IERC20(self.token).balanceOf(holder)
    prover._any_call(caller, self.token, "EuroToken")
    prover._prove(staticcall IERC20(self.token).balanceOf(holder) >= before)


@external
def check_an_allowance_is_the_most_that_is_taken(
    caller: address, owner: address, to: address, amount: uint256
):
    allowed: uint256 = staticcall IERC20(self.token).allowance(owner, caller)
    done: bool = prover._call(
        caller,
        self.token,
        abi_encode(
            owner, to, amount, method_id=method_id("transferFrom(address,address,uint256)")
        ),
    )
    left: uint256 = staticcall IERC20(self.token).allowance(owner, caller)
    if not done:
        prover._prove(left == allowed)
        return
    prover._prove(amount <= allowed)
    prover._prove(left == (allowed if allowed == max_value(uint256) else unsafe_sub(allowed, amount)))


@external
def check_nobody_but_the_issuer_changes_the_supply(caller: address):
    if caller == self:
        return
    before: uint256 = staticcall IERC20(self.token).totalSupply()
    prover._any_call(caller, self.token, "EuroToken")
    prover._prove(staticcall IERC20(self.token).totalSupply() == before)


@external
def check_a_transfer_makes_and_burns_nothing(caller: address, to: address, amount: uint256):
    if caller == to:
        return
    before: uint256 = staticcall IERC20(self.token).balanceOf(caller)
    before_to: uint256 = staticcall IERC20(self.token).balanceOf(to)
    done: bool = prover._call(
        caller, self.token, abi_encode(to, amount, method_id=method_id("transfer(address,uint256)"))
    )
    moved: uint256 = amount if done else 0
    prover._prove(staticcall IERC20(self.token).balanceOf(caller) == unsafe_sub(before, moved))
    prover._prove(staticcall IERC20(self.token).balanceOf(to) == unsafe_add(before_to, moved))
    prover._prove(before >= moved)


@external
def check_a_transfer_leaves_others_alone(caller: address, to: address, amount: uint256, other: address):
    if other == caller or other == to:
        return
    before: uint256 = staticcall IERC20(self.token).balanceOf(other)
    prover._call(
        caller, self.token, abi_encode(to, amount, method_id=method_id("transfer(address,uint256)"))
    )
    prover._prove(staticcall IERC20(self.token).balanceOf(other) == before)
