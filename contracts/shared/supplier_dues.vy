# pragma version 0.4.3
"""
@title Dues between accounts and the supplier
@license Apache-2.0
@notice What an account owes the supplier, or the supplier the account, beyond what could be paid.
@dev One signed number per account, so a debt and a claim cancel. Who owes pays at once whatever
     its free balance holds; the rest stays recorded and stops nobody.
@custom:units amounts in µEUR
"""

import escrow_accounts as accounts
import refusals

uses: accounts

SUPPLIER: public(immutable(address))

# positive: the account owes the supplier; negative: the supplier owes the account
_dues_of: HashMap[address, int256]
_claims_total: uint256

event DuesChanged:
    account: indexed(address)
    dues_ueur: int256


@deploy
def __init__(supplier: address):
    SUPPLIER = supplier


@internal
@view
def _debt(account: address) -> uint256:
    return convert(max(self._dues_of[account], 0), uint256)


@internal
@view
def _claim(account: address) -> uint256:
    return convert(max(-self._dues_of[account], 0), uint256)


@internal
@view
def _available(account: address) -> uint256:
    """
    @dev Free balance that an account may take out or lock; the supplier leaves what it owes.
    """
    free: uint256 = accounts._free(account)
    return free - min(free, self._claims_total) if account == SUPPLIER else free


@internal
def _lock(account: address, amount_ueur: uint256):
    """
    @dev Take an amount out of an account's free balance.
    """
    refusals._require(amount_ueur <= self._available(account), "balance too low")
    accounts._debit(account, amount_ueur)


@internal
def _receive(account: address, amount_ueur: uint256):
    """
    @dev Credit what an account gets back; a debt is repaid out of it.
    """
    accounts._credit(account, amount_ueur)
    self._settle(account, 0)


@internal
def _settle(account: address, added_ueur: int256):
    """
    @dev Add to what the account owes the supplier (negative: is owed), and let who owes pay.
    """
    before: int256 = self._dues_of[account]
    dues: int256 = before + added_ueur
    if dues != 0:
        owes: bool = dues > 0
        payer: address = account if owes else SUPPLIER
        paid: uint256 = min(convert(abs(dues), uint256), accounts._free(payer))
        accounts._debit(payer, paid)
        accounts._credit(SUPPLIER if owes else account, paid)
        dues = dues - convert(paid, int256) if owes else dues + convert(paid, int256)
    self._note(account, before, dues)


@internal
def _note(account: address, before: int256, dues: int256):
    """
    @dev Keep what an account owes the supplier from now on.
    """
    if dues == before:
        return
    self._dues_of[account] = dues
    # first add, then subtract: the total is never below one account's claim
    total: uint256 = self._claims_total + convert(max(-dues, 0), uint256)
    self._claims_total = total - convert(max(-before, 0), uint256)
    log DuesChanged(account=account, dues_ueur=dues)
