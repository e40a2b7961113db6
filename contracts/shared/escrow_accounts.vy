# pragma version 0.4.3
"""
@title Escrow accounts
@license Apache-2.0
@notice Free balances that a market keeps for its accounts, out of which it takes escrow.
@dev The market that uses this module guards its external functions against reentrancy, names
     the reason of a refusal, and keeps what it takes out of an account on its own books. The
     token moves exactly the amount it is asked to move, or fails.
@custom:units amounts in µEUR
"""

from ethereum.ercs import IERC20

TOKEN: public(immutable(address))

_free_of: HashMap[address, uint256]

event Deposited:
    account: indexed(address)
    amount_ueur: uint256

event Withdrawn:
    account: indexed(address)
    amount_ueur: uint256


@deploy
def __init__(token: address):
    TOKEN = token


@internal
@view
def _free(account: address) -> uint256:
    return self._free_of[account]


@internal
def _credit(account: address, amount_ueur: uint256):
    if amount_ueur != 0:
        self._free_of[account] += amount_ueur


@internal
def _debit(account: address, amount_ueur: uint256):
    # a debit beyond the balance underflows, which reverts
    if amount_ueur != 0:
        self._free_of[account] -= amount_ueur


@internal
def _deposit(account: address, amount_ueur: uint256) -> bool:
    """
    @dev Take tokens of an account that approved this contract, and credit them.
    @return Whether the token says that it moved them
    """
    self._credit(account, amount_ueur)
    log Deposited(account=account, amount_ueur=amount_ueur)
    return extcall IERC20(TOKEN).transferFrom(account, self, amount_ueur)


@internal
def _withdraw(account: address, amount_ueur: uint256) -> bool:
    """
    @dev Debit an account and send it the tokens.
    @return Whether the token says that it moved them
    """
    self._debit(account, amount_ueur)
    log Withdrawn(account=account, amount_ueur=amount_ueur)
    return extcall IERC20(TOKEN).transfer(account, amount_ueur)
