# pragma version 0.4.3
# pragma evm-version cancun
"""
@title What is not so, which shows that a proof can fail
@license Apache-2.0
"""

from ethereum.ercs import IERC20

import order_book
import prover

token: address


@external
def setUp():
    self.token = raw_create(prover._code("EuroToken"))
    prover._in_any_state(self.token)


@external
def check_nobody_at_all_changes_the_supply(caller: address):
    """
    @notice The issuer does.
    """
    before: uint256 = staticcall IERC20(self.token).totalSupply()
    prover._any_call(caller, self.token, "EuroToken")
    prover._prove(staticcall IERC20(self.token).totalSupply() == before)


@external
def check_no_call_succeeds(caller: address):
    prover._prove(not prover._any_call(caller, self.token, "EuroToken"))


@external
@pure
def check_due_is_earned(product: uint256):
    """
    @notice Not where the product has a rest.
    """
    if product < 2**63:
        prover._prove(order_book._due_ueur(product, 1) == order_book._earned_ueur(product, 1))
