# pragma version 0.4.3
"""
@title Notice of the supplier's withdrawals
@license Apache-2.0
@notice The supplier says ahead what it will take out of the market, so that what it promised to pay for
        feed-in is paid out of the balance that members saw when they ordered.
@dev One notice at a time; another takes its place.
@custom:units amounts in µEUR; time in s
"""

import market_clock as clock
import refusals
import supplier_dues as dues

uses: clock
uses: dues

MASK_128: constant(uint256) = 2**128 - 1
UNTIL_AT: constant(uint256) = 128

# amount 128 | Unix time after which it may be taken 128
_notice: uint256

event WithdrawalAnnounced:
    amount_ueur: uint256
    until_s: uint256


@external
@nonreentrant
def announceWithdrawal(amount_ueur: uint256):
    """
    @notice Say what the supplier will withdraw, once all that was open at this moment is metered and
            a step has passed, in which the rest is settled. The supplier only.
    """
    refusals._require(msg.sender == dues.SUPPLIER, "not the supplier")
    amount: uint256 = min(amount_ueur, MASK_128)
    until_s: uint256 = block.timestamp + clock._notice_s()
    self._notice = amount | (until_s << UNTIL_AT)
    log WithdrawalAnnounced(amount_ueur=amount, until_s=until_s)


@external
@view
def withdrawalNotice() -> (uint256, uint256):
    """
    @return What the supplier may withdraw, and the Unix time after which
    @custom:units amount in µEUR, time in s
    """
    return self._notice & MASK_128, self._notice >> UNTIL_AT


@internal
def _use(amount_ueur: uint256):
    """
    @dev Take an amount off the notice, which must be over.
    """
    notice: uint256 = self._notice
    refusals._require(
        amount_ueur <= notice & MASK_128 and block.timestamp > notice >> UNTIL_AT,
        "withdrawal not announced",
    )
    self._notice = unsafe_sub(notice, amount_ueur)
