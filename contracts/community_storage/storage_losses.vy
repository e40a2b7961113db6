# pragma version 0.4.3
"""
@title Losses of the community storage
@license Apache-2.0
@notice Bills for what the battery drew beyond its members' nominations, and credits for less than
        no loss, by share.
@dev They accrue per share: a call works on the accounts that it names, never on all members.
@custom:units energy in Wh; money in µEUR; prices in µEUR/kWh
"""

import escrow_accounts as accounts
import order_book
import storage_book as book
import storage_terms as agreed
import supplier_dues as dues

uses: accounts
uses: agreed
uses: dues

MASK_128: constant(uint256) = 2**128 - 1

# packed, see storage_book.vy
_account_of: HashMap[address, uint256]

# sums since deployment, and up to where they are settled for an account: billed 128 | credited 128
_per_share: uint256
_settled_per_share_of: HashMap[address, uint256]
# billed too much, and credited too little, because shares do not divide the amounts
_overbilled_ueur: uint256
_uncredited_ueur: uint256
# what the owner owes the members, and what of it is paid and not yet theirs
_owner_owes_ueur: uint256
_set_aside_ueur: uint256

event MembersCredited:
    paid_ueur: uint256
    credited_ueur_per_share: uint256

event LossesSettled:
    account: indexed(address)
    billed_ueur: uint256
    credited_ueur: uint256


@deploy
def __init__():
    """
    @notice The owner starts with all shares: no energy, no nomination.
    """
    self._account_of[agreed.OWNER] = agreed.TOTAL_SHARES


@external
@nonreentrant
def settle(members: DynArray[address, agreed.MAX_BATCH]):
    """
    @notice Collect what accounts were billed for losses, and pay what they were credited. Anyone may
            call, in any portions; accounts with nothing to settle are passed over.
    @dev What an account cannot pay stays its debt to the owner, and stops nobody.
    @param members Whose bills
    """
    for account: address in members:
        self._settle(account)


# --- views ------------------------------------------------------------------------------------


@external
@view
def accruedOf(account: address) -> (uint256, uint256):
    """
    @return What was billed and what was credited to the account and is not settled yet
    @custom:units µEUR
    """
    return self._accrued(account)


@external
@view
def ownerOwes() -> uint256:
    """
    @return What the owner owes the members and could not pay by now
    @custom:units µEUR
    """
    return self._owner_owes_ueur


@external
@view
def setAside() -> uint256:
    """
    @return What the owner paid to the members and settle() has not yet handed to them
    @custom:units µEUR
    """
    return self._set_aside_ueur


@external
@view
def perShare() -> (uint256, uint256):
    """
    @return What one share was billed and credited since deployment
    @custom:units µEUR
    """
    return self._per_share & MASK_128, self._per_share >> 128


# --- internal ---------------------------------------------------------------------------------


@internal
def _bill_members(loss_wh: uint256, price_ueur_per_kwh: uint256) -> uint256:
    """
    @dev Bill a loss to all shares alike. Rounded up to whole µEUR per share; what that is too much
         is taken off the next bill.
    @return Amount per share
    """
    bill_ueur: uint256 = order_book._due_ueur(loss_wh, price_ueur_per_kwh)
    per_share: uint256 = 0
    if bill_ueur > self._overbilled_ueur:
        per_share = (bill_ueur - self._overbilled_ueur + agreed.TOTAL_SHARES - 1) // agreed.TOTAL_SHARES
    self._overbilled_ueur = self._overbilled_ueur + per_share * agreed.TOTAL_SHARES - bill_ueur
    self._per_share += per_share
    return per_share


@internal
def _credit_members():
    """
    @dev Let the owner pay what it owes the members, as far as it can, and credit it to all shares
         alike. Rounded down to whole µEUR per share; the rest is credited next time.
    """
    owed_ueur: uint256 = self._owner_owes_ueur
    if owed_ueur == 0:
        return
    paid_ueur: uint256 = min(owed_ueur, accounts._free(agreed.OWNER))
    if paid_ueur == 0:
        return
    accounts._debit(agreed.OWNER, paid_ueur)
    self._owner_owes_ueur = owed_ueur - paid_ueur
    self._set_aside_ueur += paid_ueur
    due_ueur: uint256 = self._uncredited_ueur + paid_ueur
    per_share: uint256 = due_ueur // agreed.TOTAL_SHARES
    self._uncredited_ueur = due_ueur % agreed.TOTAL_SHARES
    self._per_share += per_share << 128
    log MembersCredited(paid_ueur=paid_ueur, credited_ueur_per_share=per_share)


@internal
@view
def _accrued(account: address) -> (uint256, uint256):
    shares: uint256 = book._account(self._account_of[account]).shares
    now: uint256 = self._per_share
    settled: uint256 = self._settled_per_share_of[account]
    billed: uint256 = (now & MASK_128) - (settled & MASK_128)
    credited: uint256 = (now >> 128) - (settled >> 128)
    return shares * billed, shares * credited


@internal
def _settle(account: address):
    """
    @dev The owner's own shares cost it nothing here: it has paid the losses in the local market.
    """
    billed_ueur: uint256 = 0
    credited_ueur: uint256 = 0
    if self._settled_per_share_of[account] != self._per_share:
        billed_ueur, credited_ueur = self._accrued(account)
        self._settled_per_share_of[account] = self._per_share
    if account == agreed.OWNER:
        billed_ueur = 0
    if billed_ueur + credited_ueur != 0:
        self._set_aside_ueur -= credited_ueur
        accounts._credit(account, credited_ueur)
        log LossesSettled(account=account, billed_ueur=billed_ueur, credited_ueur=credited_ueur)
    if account != agreed.OWNER:
        dues._settle(account, convert(billed_ueur, int256))
