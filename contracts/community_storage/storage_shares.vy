# pragma version 0.4.3
"""
@title Shares of the community storage
@license Apache-2.0
@notice Who holds which part of the battery, and how shares change hands.
@custom:units energy in Wh, money in µEUR
"""

import ILocalMarket
import escrow_accounts as accounts
import storage_book as book
import storage_losses as losses
import storage_terms as agreed
import supplier_dues as dues

uses: accounts
uses: agreed
uses: dues
uses: losses

# shares 32 | price
_offer_of: HashMap[address, HashMap[address, uint256]]

event SharesOffered:
    account: indexed(address)
    to: indexed(address)
    shares: uint256
    price_ueur: uint256

event SharesTransferred:
    account: indexed(address)
    to: indexed(address)
    shares: uint256
    price_ueur: uint256


@external
@nonreentrant
def buyShares(shares: uint256):
    """
    @notice Buy shares that the owner still has, at the price set at deployment.
    """
    price_ueur: uint256 = min(shares, agreed.TOTAL_SHARES) * agreed.SHARE_PRICE_UEUR
    self._transfer_shares(agreed.OWNER, msg.sender, shares, price_ueur)


@external
@nonreentrant
def offerShares(to: address, shares: uint256, price_ueur: uint256):
    """
    @notice Offer shares to an account, for a price in all; replaces an earlier offer to it, and 0
            shares take it back.
    """
    assert shares <= agreed.TOTAL_SHARES, "community storage: shares out of range"
    assert price_ueur < agreed.MAX_AMOUNT_UEUR, "community storage: price out of range"
    self._offer_of[msg.sender][to] = shares | (price_ueur << 32)
    log SharesOffered(account=msg.sender, to=to, shares=shares, price_ueur=price_ueur)


@external
@nonreentrant
def acceptShares(account: address, shares: uint256, price_ueur: uint256):
    """
    @notice Take the shares that an account offered to the caller, and pay for them.
    @param account Who offered
    @param shares How many shares it offered
    @param price_ueur What it asked for all of them
    """
    offer: uint256 = self._offer_of[account][msg.sender]
    assert (
        shares != 0 and offer & book.MASK_32 == shares and offer >> 32 == price_ueur
    ), "community storage: no such offer"
    self._offer_of[account][msg.sender] = 0
    self._transfer_shares(account, msg.sender, shares, price_ueur)


# --- views ------------------------------------------------------------------------------------


@external
@view
def accountOf(account: address) -> (uint256, uint256, uint256):
    """
    @return Shares, stored energy, and the first interval that the account may nominate next
    @custom:units energy in Wh
    """
    record: book.Account = book._account(losses._account_of[account])
    return record.shares, record.energy_wh, record.next_interval


@external
@view
def limitsOf(account: address) -> (uint256, uint256):
    """
    @return How much energy the account can hold, and how much it can nominate in one interval
    @custom:units Wh
    """
    shares: uint256 = book._account(losses._account_of[account]).shares
    return agreed._share_of(agreed.CAPACITY_WH, shares), agreed._share_of(agreed.POWER_WH, shares)


@external
@view
def offerOf(account: address, to: address) -> (uint256, uint256):
    """
    @return How many shares the account offers to another, and what it asks for all of them
    @custom:units µEUR
    """
    offer: uint256 = self._offer_of[account][to]
    return offer & book.MASK_32, offer >> 32


# --- internal ---------------------------------------------------------------------------------


@internal
def _transfer_shares(account: address, to: address, shares: uint256, price_ueur: uint256):
    """
    @dev Both accounts are settled first, so that bills up to now stay with who held the shares. What
         was nominated with the shares is past its gate closure, so nobody can nominate with
         them twice; the stored energy fits the shares that stay.
    """
    assert account != to, "community storage: own shares"
    assert 0 < shares and shares <= agreed.TOTAL_SHARES, "community storage: shares out of range"
    losses._settle(account)
    losses._settle(to)
    giver: book.Account = book._account(losses._account_of[account])
    assert shares <= giver.shares, "community storage: not enough shares"
    assert dues._debt(account) == 0, "community storage: debt unpaid"
    if giver.next_interval != 0:
        assert (
            block.timestamp + agreed.GATE_CLOSURE_S
            >= staticcall ILocalMarket(agreed.LOCAL_MARKET).deliveryStartOf(giver.next_interval - 1)
        ), "community storage: nomination pending"
    giver.shares -= shares
    assert (
        giver.energy_wh <= agreed._share_of(agreed.CAPACITY_WH, giver.shares)
    ), "community storage: above share of capacity"
    assert price_ueur <= accounts._free(to), "community storage: balance too low"
    losses._account_of[account] = book._packed_account(giver)
    taker: book.Account = book._account(losses._account_of[to])
    taker.shares += shares
    losses._account_of[to] = book._packed_account(taker)
    accounts._debit(to, price_ueur)
    accounts._credit(account, price_ueur)
    log SharesTransferred(account=account, to=to, shares=shares, price_ueur=price_ueur)
