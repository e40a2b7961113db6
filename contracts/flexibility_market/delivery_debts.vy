# pragma version 0.4.3
"""
@title Debts for flexibility that was not delivered
@license Apache-2.0
@notice What an account owes the DSO beyond its bond, its payment and its free balance.
@dev As with the local market's dues to its supplier: who owes pays at once whatever its free
     balance holds, the rest stays recorded, is repaid out of what the account gets later, and
     stops nobody.
@custom:units amounts in µEUR
"""

import escrow_accounts as escrow

uses: escrow

_debt_of: HashMap[address, uint256]

event DebtChanged:
    account: indexed(address)
    debt_ueur: uint256


@internal
def _charge(account: address, creditor: address, added_ueur: uint256):
    """
    @dev Add to what an account owes, and let it pay what it has.
    """
    before: uint256 = self._debt_of[account]
    owed: uint256 = before + added_ueur
    if owed == 0:
        return
    paid: uint256 = min(owed, escrow._free(account))
    escrow._debit(account, paid)
    escrow._credit(creditor, paid)
    debt: uint256 = owed - paid
    if debt != before:
        self._debt_of[account] = debt
        log DebtChanged(account=account, debt_ueur=debt)
