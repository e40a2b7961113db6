# pragma version 0.4.3
# pragma evm-version cancun
"""
@title A token that can say no instead of reverting
"""

refuses: bool


@external
def refuse():
    self.refuses = True


@external
def transferFrom(owner: address, to: address, amount: uint256) -> bool:
    return not self.refuses


@external
def transfer(to: address, amount: uint256) -> bool:
    return not self.refuses
