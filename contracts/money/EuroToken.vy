# pragma version 0.4.3
# pragma evm-version cancun
"""
@title Euro token
@license Apache-2.0
@notice ERC-20 money of the market: one unit is one micro-euro (6 decimals).
@dev Who deploys is the issuer. Nobody can take or freeze another account's tokens.
@custom:units amounts in µEUR
"""

from ethereum.ercs import IERC20
from ethereum.ercs import IERC20Detailed

implements: IERC20
implements: IERC20Detailed

name: public(constant(String[10])) = "Euro token"
symbol: public(constant(String[4])) = "EURT"
decimals: public(constant(uint8)) = 6

ISSUER: public(immutable(address))

_balance_of: HashMap[address, uint256]
_allowance: HashMap[address, HashMap[address, uint256]]
_total_supply: uint256


@deploy
def __init__():
    """
    @notice The deployer becomes the issuer, for good.
    """
    ISSUER = msg.sender


@external
def mint(to: address, amount: uint256):
    """
    @notice Issue new tokens. Issuer only.
    @param to Account that receives them
    @param amount How many
    @custom:units amount in µEUR
    """
    assert msg.sender == ISSUER, "euro token: not the issuer"
    assert to != empty(address), "euro token: to the zero address"
    self._total_supply += amount
    self._balance_of[to] += amount
    log IERC20.Transfer(sender=empty(address), receiver=to, value=amount)


@external
def transfer(to: address, amount: uint256) -> bool:
    """
    @notice Send own tokens.
    @return Always true; a transfer that cannot be made reverts
    @custom:units amount in µEUR
    """
    self._transfer(msg.sender, to, amount)
    return True


@external
def transferFrom(owner: address, to: address, amount: uint256) -> bool:
    """
    @notice Send tokens that their owner allowed the caller to send.
    @dev An allowance of 2**256 - 1 is not used up.
    @return Always true; a transfer that cannot be made reverts
    @custom:units amount in µEUR
    """
    allowed: uint256 = self._allowance[owner][msg.sender]
    assert allowed >= amount, "euro token: allowance too low"
    if allowed != max_value(uint256):
        self._allowance[owner][msg.sender] = allowed - amount
    self._transfer(owner, to, amount)
    return True


@external
def approve(spender: address, amount: uint256) -> bool:
    """
    @notice Allow a spender to send up to an amount of the caller's tokens.
    @return Always true
    @custom:units amount in µEUR
    """
    self._allowance[msg.sender][spender] = amount
    log IERC20.Approval(owner=msg.sender, spender=spender, value=amount)
    return True


@external
@view
def totalSupply() -> uint256:
    """
    @return Tokens in existence
    @custom:units µEUR
    """
    return self._total_supply


@external
@view
def balanceOf(account: address) -> uint256:
    """
    @return Tokens of an account
    @custom:units µEUR
    """
    return self._balance_of[account]


@external
@view
def allowance(owner: address, spender: address) -> uint256:
    """
    @return What the spender may still send of the owner's tokens
    @custom:units µEUR
    """
    return self._allowance[owner][spender]


@internal
def _transfer(owner: address, to: address, amount: uint256):
    assert to != empty(address), "euro token: to the zero address"
    balance: uint256 = self._balance_of[owner]
    assert balance >= amount, "euro token: balance too low"
    self._balance_of[owner] = balance - amount
    self._balance_of[to] += amount
    log IERC20.Transfer(sender=owner, receiver=to, value=amount)
