# pragma version 0.4.3
"""
@title Credit lines of the supplier
@license Apache-2.0
@notice Up to a limit that the supplier agreed to, an account may promise more than its free balance
        holds.
@dev The supplier lends the difference out of its own free balance at the moment of the promise, so
     that whoever is promised money is paid in tokens that are here, and the supplier alone carries
     the risk. What is lent is a due like any other (supplier_dues.vy): it is repaid first out of
     whatever the account receives. Bills for energy that was drawn may leave a debt above the limit;
     then no order is taken any more.
     A limit is raised with the notice that a withdrawal has (withdrawal_notice.vy), so that no
     money leaves by loans that members could not see when they ordered, and at once only before
     the first order window opens. It is cut at once.
@custom:units amounts in µEUR; time in s
"""

import batches
import escrow_accounts as accounts
import market_clock as clock
import refusals
import supplier_dues as dues

uses: accounts
uses: clock
uses: dues

MASK_104: constant(uint256) = 2**104 - 1
NEXT_AT: constant(uint256) = 104
FROM_AT: constant(uint256) = 208

# limit until a Unix time 104 | limit after it 104 | that time 48
_credit_limit_of: HashMap[address, uint256]

event CreditGranted:
    account: indexed(address)
    limit_ueur: uint256
    from_s: uint256

event CreditLent:
    account: indexed(address)
    amount_ueur: uint256


@external
@nonreentrant
def grantCredit(account: address, limit_ueur: uint256):
    """
    @notice Agree to the debt up to which an account may promise money that it does not have. A raise
            holds once all that was open at this moment is metered. The supplier only; what is lent
            already stays lent.
    """
    refusals._require(msg.sender == dues.SUPPLIER, "not the supplier")
    before: uint256 = self._limit(account)
    limit: uint256 = min(limit_ueur, MASK_104)
    from_s: uint256 = block.timestamp
    word: uint256 = limit << NEXT_AT
    # before the first order window opens nobody relies on what the supplier has
    if limit > before and from_s + clock.ORDER_LEAD_S >= clock.FIRST_DELIVERY_S:
        from_s += clock._notice_s()
        word |= before | (from_s << FROM_AT)
    self._credit_limit_of[account] = word
    log CreditGranted(account=account, limit_ueur=limit, from_s=from_s)


@external
@view
def creditLimitOf(account: address) -> uint256:
    """
    @return Debt up to which the supplier lends to an account now
    @custom:units µEUR
    """
    return self._limit(account)


@internal
@view
def _limit(account: address) -> uint256:
    word: uint256 = self._credit_limit_of[account]
    if block.timestamp > word >> FROM_AT:
        word >>= NEXT_AT
    return word & MASK_104


@internal
@view
def _refusal(account: address, amount_ueur: uint256) -> uint256:
    """
    @dev Why an account cannot promise an amount (batch_batches.vy), or zero if it can.
    """
    free: uint256 = dues._available(account)
    if amount_ueur > free:
        limit: uint256 = self._limit(account)
        if limit == 0:
            return batches.BALANCE_TOO_LOW
        lent: uint256 = amount_ueur - free
        after: int256 = dues._dues_of[account] + convert(lent, int256)
        if convert(max(after, 0), uint256) > limit:
            return batches.CREDIT_LIMIT_REACHED
        if lent > dues._available(dues.SUPPLIER):
            return batches.SUPPLIER_CANNOT_LEND
    elif free == 0 and dues._debt(account) > self._limit(account):
        # there is nothing to lock, but who owes too much trades no more; who owes has nothing free
        return batches.CREDIT_LIMIT_REACHED
    return 0


@internal
def _take(account: address, amount_ueur: uint256):
    """
    @dev Take an amount out of the free balance of an account that can promise it, and lend it what
         is missing.
    """
    free: uint256 = dues._available(account)
    if amount_ueur > free:
        lent: uint256 = amount_ueur - free
        accounts._debit(dues.SUPPLIER, lent)
        accounts._credit(account, lent)
        log CreditLent(account=account, amount_ueur=lent)
        before: int256 = dues._dues_of[account]
        dues._note(account, before, before + convert(lent, int256))
    accounts._debit(account, amount_ueur)
