# pragma version 0.4.3
# pragma evm-version cancun
# pragma optimize codesize
"""
@title Local market
@license Apache-2.0
@notice An energy community's double auction in delivery intervals: orders with escrow, open or
        sealed, clearing by one of six rules in one of three forms, settlement against the meter,
        residual with the supplier.
@dev What is here: accounts, metering and settlement. The rest by subject in the modules: times
     in market_clock, members in community, orders in order_window, clearing in clearing_forms and
     committed_clearing, arithmetic in clearing_rules, and what is kept in interval_books.
     Who pays rounds up, who is paid rounds down, the difference goes to the supplier. No call of
     one account can stop another's.
     At every moment token.balanceOf(this) is at least, and but for tokens sent here outside
     deposit() equal to, the sum of balanceOf over accounts, of lockedOf over orders, and of potOf
     and bondOf over intervals.
@custom:units energy in Wh, net injection positive; money in µEUR; prices in µEUR/kWh; time in s
"""

import ILocalMarket
import clearing_forms as forms
import clearing_rules
import committed_clearing as committed
import community
import escrow_accounts as accounts
import interval_books as books
import market_clock as clock
import order_book
import order_window as window
import refusals
import supplier_dues as dues

implements: ILocalMarket
initializes: accounts
initializes: dues[accounts := accounts]
initializes: clock
initializes: community[clock := clock, dues := dues]
initializes: books
initializes: window[
    accounts := accounts, books := books, clock := clock, community := community, dues := dues
]
initializes: forms[accounts := accounts, books := books, clock := clock, dues := dues]
initializes: committed[
    accounts := accounts, books := books, clock := clock, dues := dues, forms := forms
]
exports: (
    accounts.TOKEN,
    dues.SUPPLIER,
    clock.__interface__,
    community.__interface__,
    books.__interface__,
    window.__interface__,
    forms.__interface__,
    committed.__interface__,
)

SILENT_ESTIMATE_WH: public(immutable(uint256))

event MeterReported:
    interval: indexed(uint256)
    account: indexed(address)
    net_wh: int256
    estimated: bool

event IntervalSettled:
    interval: indexed(uint256)
    account: indexed(address)
    contracted_wh: int256
    metered_wh: int256
    trade_ueur: int256
    supplier_ueur: int256

event DepositForfeited:
    interval: indexed(uint256)
    account: indexed(address)
    amount_ueur: uint256


@deploy
def __init__(
    token: address,
    meters: address,
    supplier: address,
    retail_price_ueur_per_kwh: uint256,
    feed_in_price_ueur_per_kwh: uint256,
    first_delivery_s: uint256,
    step_s: uint256,
    order_lead_s: uint256,
    gate_closure_s: uint256,
    metering_s: uint256,
    silent_estimate_wh: uint256,
    rule: uint256,
    form: uint256,
    reveal_s: uint256,
    sealed_deposit_ueur: uint256,
    challenge_s: uint256,
    clearing_bond_ueur: uint256,
):
    """
    @param token ERC-20 with 6 decimals
    @param meters Registry of smart meters
    @param supplier Account that buys and sells the residual
    @param retail_price_ueur_per_kwh What the supplier is paid for energy it delivers
    @param feed_in_price_ueur_per_kwh What the supplier pays for energy it takes
    @param first_delivery_s Start of interval 0, Unix time
    @param step_s Length of an interval
    @param order_lead_s How long before delivery the order window opens
    @param gate_closure_s How long before delivery it closes
    @param metering_s How long after delivery meters may report
    @param silent_estimate_wh Consumption settled for a meter that stays silent
    @param rule Pricing: 0 midpoint, 1 pay-as-bid, 2 McAfee, 3 mid-market rate, 4 supply-demand
           ratio, 5 bill sharing
    @param form Clearing: 0 on chain, 1 verified, 2 committed
    @param reveal_s How long after gate closure sealed orders are revealed; 0: orders are open
    @param sealed_deposit_ueur What a sealed order locks until it is revealed
    @param challenge_s How long a committed clearing can be challenged
    @param clearing_bond_ueur What committing to a clearing locks for as long
    """
    assert silent_estimate_wh <= order_book.MAX_ENERGY_WH, "local market: energy out of range"
    accounts.__init__(token)
    dues.__init__(supplier)
    clock.__init__(
        first_delivery_s, step_s, order_lead_s, gate_closure_s, metering_s, reveal_s, challenge_s
    )
    community.__init__(meters)
    books.__init__(
        retail_price_ueur_per_kwh, feed_in_price_ueur_per_kwh, sealed_deposit_ueur, rule, form
    )
    committed.__init__(clearing_bond_ueur)
    SILENT_ESTIMATE_WH = silent_estimate_wh


# --- accounts ---------------------------------------------------------------------------------


@external
@nonreentrant
def deposit(amount_ueur: uint256):
    """
    @notice Move approved tokens into the market; a debt to the supplier is repaid out of them.
    """
    refusals._require(accounts._deposit(msg.sender, amount_ueur), "token transfer failed")
    dues._settle(msg.sender, 0)


@external
@nonreentrant
def withdraw(amount_ueur: uint256):
    """
    @notice Move tokens of the free balance out of the market. The supplier leaves what it owes.
    """
    refusals._require(amount_ueur <= dues._available(msg.sender), "balance too low")
    refusals._require(accounts._withdraw(msg.sender, amount_ueur), "token transfer failed")


@external
@nonreentrant
def collectClaim():
    """
    @notice Collect what the supplier owes the caller, as far as it can pay by now.
    """
    refusals._require(dues._claim(msg.sender) != 0, "no claim")
    dues._settle(msg.sender, 0)


# --- metering and settlement ------------------------------------------------------------------


@external
@nonreentrant
def report(interval: uint256, net_wh: int256):
    """
    @notice Report the metered energy of an interval, once, and settle it. Called by the meter.
    @param interval An interval that was delivered and cleared
    @param net_wh Net injection: positive feeds the grid, negative is consumption
    """
    customer: address = community._customer_of(msg.sender)
    refusals._require(
        block.timestamp >= clock._delivery_start_s(interval) + clock.STEP_S,
        "not yet delivered",
    )
    refusals._require(block.timestamp <= clock._report_deadline_s(interval), "too late to report")
    refusals._require(community._joined_by(customer, interval), "not a member")
    refusals._require(convert(abs(net_wh), uint256) <= order_book.MAX_ENERGY_WH, "energy out of range")
    self._settle(interval, customer, net_wh, False)


@external
@nonreentrant
def settleSilent(interval: uint256, account: address):
    """
    @notice Settle a member whose meter did not report in time by the agreed estimate. Anyone may call.
    @dev Who has no order in the interval is settled only while its meter is valid, and not for
         intervals before it joined.
    """
    refusals._require(block.timestamp > clock._report_deadline_s(interval), "meter may still report")
    if books._position_of[interval][account] & order_book.MASK_10 == 0:
        refusals._require(
            community._is_member(account) and community._joined_by(account, interval),
            "not a member",
        )
    self._settle(interval, account, -convert(SILENT_ESTIMATE_WH, int256), True)


# --- views ------------------------------------------------------------------------------------


@external
@view
def balanceOf(account: address) -> uint256:
    """
    @return Free balance: neither escrow nor owed
    @custom:units µEUR
    """
    return accounts._free(account)


@external
@view
def debtOf(account: address) -> uint256:
    """
    @return What the account owes the supplier; repaid first out of whatever it receives
    @custom:units µEUR
    """
    return dues._debt(account)


@external
@view
def claimOf(account: address) -> uint256:
    """
    @return What the supplier owes the account; collectClaim() pays it when the supplier can
    @custom:units µEUR
    """
    return dues._claim(account)


@external
@view
def claimsTotal() -> uint256:
    """
    @return What the supplier owes to all accounts; it cannot withdraw that much of its balance
    @custom:units µEUR
    """
    return dues._claims_total


# --- internal ---------------------------------------------------------------------------------


@internal
def _settle(interval: uint256, account: address, net_wh: int256, estimated: bool):
    """
    @dev Release the order's escrow, pay the trade out of or into it, and settle the residual with
         the supplier. Needs no other account's settlement: what a seller earns was taken from the
         buyers' escrow by the clearing or by their claims.
    """
    clearing: clearing_rules.Clearing = books._clearing(interval)
    refusals._require(clearing.cleared, "not cleared")
    position: uint256 = books._position_of[interval][account]
    refusals._require(position & books.KNOWN == 0, "already reported")
    contracted_wh: int256 = 0
    trade_ueur: int256 = 0
    if position != 0:
        contracted_wh, trade_ueur = self._settle_order(
            interval, account, position, clearing, estimated
        )

    supplier_ueur: int256 = 0
    residual_wh: int256 = net_wh - contracted_wh
    if residual_wh < 0:
        supplier_ueur = -convert(
            order_book._due_ueur(convert(-residual_wh, uint256), books.RETAIL_PRICE_UEUR_PER_KWH),
            int256,
        )
    else:
        supplier_ueur = convert(
            order_book._earned_ueur(
                convert(residual_wh, uint256), books.FEED_IN_PRICE_UEUR_PER_KWH
            ),
            int256,
        )

    books._position_of[interval][account] = (
        position
        | books.KNOWN
        | (convert(estimated, uint256) << books.ESTIMATED_AT)
        | (convert(net_wh + books.NET_OFFSET, uint256) << books.NET_AT)
    )
    dues._settle(account, -supplier_ueur)
    log MeterReported(interval=interval, account=account, net_wh=net_wh, estimated=estimated)
    log IntervalSettled(
        interval=interval,
        account=account,
        contracted_wh=contracted_wh,
        metered_wh=net_wh,
        trade_ueur=trade_ueur,
        supplier_ueur=supplier_ueur,
    )


@internal
def _settle_order(
    interval: uint256,
    account: address,
    position: uint256,
    clearing: clearing_rules.Clearing,
    estimated: bool,
) -> (int256, int256):
    """
    @dev Release what the market holds for an order. A sealed order forfeits its deposit.
    @return Contracted energy, sold positive, and what the trade brought the account
    """
    order: uint256 = books._order_at(interval, position)
    if order_book._is_sealed(order):
        accounts._credit(dues.SUPPLIER, books.SEALED_DEPOSIT_UEUR)
        log DepositForfeited(
            interval=interval, account=account, amount_ueur=books.SEALED_DEPOSIT_UEUR
        )
        return 0, 0
    if clearing.committed and position & books.CLAIMED == 0:
        refusals._require(estimated, "fill not claimed")
        committed._give_up(interval, clearing.volume)
    filled_wh: uint256 = books._filled_wh(order, position, clearing)
    accounts._credit(account, books._released_ueur(order, filled_wh, clearing))
    contracted_wh: int256 = convert(filled_wh, int256)
    trade_ueur: int256 = convert(books._trade_ueur(order, filled_wh, clearing), int256)
    if order_book._is_sell(order):
        return contracted_wh, trade_ueur
    return -contracted_wh, -trade_ueur
