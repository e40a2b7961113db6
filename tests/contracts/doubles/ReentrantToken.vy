# pragma version 0.4.3
# pragma evm-version cancun
"""
@title A token that calls the market back while the market moves tokens
@dev It is an account of the market itself, so a call back has a balance to go for.
"""

interface Market:
    def deposit(amount_ueur: uint256): nonpayable
    def withdraw(amount_ueur: uint256): nonpayable

armed: public(bool)
calls: public(uint256)
successes: public(uint256)


@external
def transferFrom(owner: address, to: address, amount: uint256) -> bool:
    self._call_back(amount)
    return True


@external
def transfer(to: address, amount: uint256) -> bool:
    self._call_back(amount)
    return True


@external
def arm(armed: bool):
    self.armed = armed


@external
def deposit(market: address, amount: uint256):
    extcall Market(market).deposit(amount)


@external
def withdraw(market: address, amount: uint256):
    extcall Market(market).withdraw(amount)


@internal
def _call_back(amount: uint256):
    if not self.armed:
        return
    self.calls += 1
    success: bool = raw_call(
        msg.sender,
        abi_encode(amount, method_id=method_id("withdraw(uint256)")),
        revert_on_failure=False,
    )
    if success:
        self.successes += 1
