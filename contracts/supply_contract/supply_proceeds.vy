# pragma version 0.4.3
"""
@title The supplier's side of the supply contract
@license Apache-2.0
@notice Prices of the periods, what was paid for them, and its way to the supplier.
@custom:units money in µEUR, prices in µEUR/kWh
"""

from ethereum.ercs import IERC20

import supply_refusals as refusals
import supply_terms as agreed
import supply_words as words

uses: agreed

# changes of price after a period with which its price still counts
MAX_CHANGES: constant(uint256) = 256

TOKEN: immutable(address)
SUPPLIER: immutable(address)

# the supplier's packed word
_accounts: uint256
# by first period of a price: the supplier's word before, which holds the price before
_accounts_before: HashMap[uint256, uint256]

event PeriodFinalized:
    period: indexed(uint256)
    paid_ueur: uint256

event ProceedsWithdrawn:
    amount_ueur: uint256

event PriceSet:
    period: indexed(uint256)
    price_ueur_per_kwh: uint256


@deploy
def __init__(token: address, price_ueur_per_kwh: uint256):
    TOKEN = token
    SUPPLIER = msg.sender
    self._accounts = price_ueur_per_kwh << words.PRICE_AT
    log PriceSet(period=0, price_ueur_per_kwh=price_ueur_per_kwh)


@external
def finalize(period: uint256):
    """
    @notice Credit the supplier with what was paid for a period. Anybody, after the payment phase.
    @dev Makes earlier periods final, too. What is paid for a final period is credited at once.
    """
    if period >= agreed._begun(agreed.OVER):
        refusals._refuse(refusals.PAYMENTS_NOT_OVER)
    accounts: uint256 = self._accounts
    if period < ((accounts << words.OPEN_PERIOD_UP) >> words.OPEN_PERIOD_DOWN):
        refusals._refuse(refusals.ALREADY_FINAL)
    self._accounts = self._closed(accounts, unsafe_add(period, 1))


@external
def setPrice(period: uint256, price_ueur_per_kwh: uint256):
    """
    @notice Set the price from a period on. Supplier only, subscription_blocks before the period at
            the latest, so that customers can leave before it, and in the order of the periods.
    """
    if msg.sender != SUPPLIER:
        refusals._refuse(refusals.NOT_THE_SUPPLIER)
    if price_ueur_per_kwh > agreed.TERMS & agreed.MASK_32:
        refusals._refuse(refusals.PRICE_ABOVE_CAP)
    accounts: uint256 = self._accounts
    since: uint256 = accounts >> words.SINCE_AT
    if period < max(agreed._begun(agreed.OPEN), since) or period >= agreed.MAX_PERIODS:
        refusals._refuse(refusals.PRICE_IS_FIXED)
    if period != since:
        self._accounts_before[period] = accounts
    self._accounts = (
        ((accounts << 56) >> 56) | (price_ueur_per_kwh << words.PRICE_AT) | (period << words.SINCE_AT)
    )
    log PriceSet(period=period, price_ueur_per_kwh=price_ueur_per_kwh)


@external
@nonreentrant
def withdrawProceeds():
    """
    @notice Send the supplier what it was credited. Anybody.
    """
    accounts: uint256 = self._accounts
    self._accounts = (accounts >> 96) << 96
    log ProceedsWithdrawn(amount_ueur=(accounts << words.PROCEEDS_UP) >> words.PROCEEDS_DOWN)
    self._pay_out(SUPPLIER, (accounts << words.PROCEEDS_UP) >> words.PROCEEDS_DOWN)


@external
@view
def accountsOf() -> (uint256, uint256, uint256):
    """
    @return Proceeds that the supplier can withdraw, takings of the open period, the open period
    @custom:units µEUR, µEUR, -
    """
    accounts: uint256 = self._accounts
    return (
        (accounts << words.PROCEEDS_UP) >> words.PROCEEDS_DOWN,
        (accounts << words.TAKINGS_UP) >> words.TAKINGS_DOWN,
        (accounts << words.OPEN_PERIOD_UP) >> words.OPEN_PERIOD_DOWN,
    )


@external
@view
def priceOf(period: uint256) -> uint256:
    """
    @return Price of a period, by what is set so far
    @custom:units µEUR/kWh
    """
    return self._price(self._accounts, period)


# --- internal ---------------------------------------------------------------------------------


@internal
@view
def _price(latest: uint256, period: uint256) -> uint256:
    """
    @dev Looks back over changes of price, of which each period has one at most. A price with
         MAX_CHANGES after it has lapsed, so that a supplier who sets ever more only loses: what is
         billed at it is free.
    """
    accounts: uint256 = latest
    for change: uint256 in range(MAX_CHANGES):
        if period >= accounts >> words.SINCE_AT:
            return (accounts << words.PRICE_UP) >> words.PRICE_DOWN
        accounts = self._accounts_before[accounts >> words.SINCE_AT]
    return 0


@internal
def _closed(accounts: uint256, open_period: uint256) -> uint256:
    """
    @return The supplier's word with the takings credited and another open period
    """
    takings_ueur: uint256 = (accounts << words.TAKINGS_UP) >> words.TAKINGS_DOWN
    log PeriodFinalized(period=unsafe_sub(open_period, 1), paid_ueur=takings_ueur)
    return unsafe_add(
        ((accounts >> words.PRICE_AT) << words.PRICE_AT)
        | ((accounts << words.PROCEEDS_UP) >> words.PROCEEDS_DOWN),
        takings_ueur | (open_period << words.OPEN_PERIOD_AT),
    )


@internal
def _pay_out(account: address, amount_ueur: uint256):
    self._check(extcall IERC20(TOKEN).transfer(account, amount_ueur))


@internal
@pure
def _check(moved: bool):
    if not moved:
        refusals._refuse(refusals.TRANSFER_FAILED)
