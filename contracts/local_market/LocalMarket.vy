# pragma version 0.4.3
# pragma evm-version cancun
# pragma optimize codesize
"""
@title Local market
@license Apache-2.0
@notice An energy community's double auction in delivery intervals: orders with escrow, open or
        sealed, and clearing by one of six rules in one of three forms. What follows delivery is
        MarketSettlement.vy.
@dev What is here: accounts, and the one door through which the settlement notes claims and
     readings and pays what follows. The rest by subject in the modules: times in market_clock,
     members in community, orders in order_window, clearing in clearing_forms and
     committed_clearing, arithmetic in clearing_rules and positions, and what is kept in
     interval_books.
     Who pays rounds up, who is paid rounds down, the difference goes to the supplier. No call of
     one account can stop another's.
     At every moment token.balanceOf(this) is at least, and but for tokens sent here outside
     deposit() equal to, the sum of balanceOf over accounts, of bondOf over intervals, and of the
     settlement's lockedOf over orders and potOf over intervals.
@custom:units energy in Wh, net injection positive; money in µEUR; prices in µEUR/kWh; time in s
"""

import ILocalMarket
import clearing_forms as forms
import committed_clearing as committed
import community
import credit_lines as credit
import escrow_accounts as accounts
import interval_books as books
import market_clock as clock
import order_window as window
import positions
import refusals
import supplier_dues as dues
import withdrawal_notice as notice

implements: ILocalMarket
initializes: accounts
initializes: dues[accounts := accounts]
initializes: credit[accounts := accounts, clock := clock, dues := dues]
initializes: clock
initializes: community[clock := clock, dues := dues]
initializes: notice[clock := clock, dues := dues]
initializes: books[clock := clock]
initializes: window[
    accounts := accounts,
    books := books,
    clock := clock,
    community := community,
    credit := credit,
    dues := dues,
]
initializes: forms[accounts := accounts, books := books, clock := clock, dues := dues]
initializes: committed[
    accounts := accounts, books := books, clock := clock, dues := dues, forms := forms
]
exports: (
    accounts.TOKEN,
    dues.SUPPLIER,
    credit.__interface__,
    notice.__interface__,
    clock.__interface__,
    community.__interface__,
    books.__interface__,
    window.__interface__,
    forms.__interface__,
    committed.__interface__,
)


@deploy
def __init__(
    token: address,
    meters: address,
    supplier: address,
    settlement: address,
    submissions: address,
    retail_price_ueur_per_kwh: uint256,
    first_delivery_s: uint256,
    step_s: uint256,
    order_lead_s: uint256,
    gate_closure_s: uint256,
    metering_s: uint256,
    rule: uint256,
    form: uint256,
    reveal_s: uint256,
    sealed_deposit_ueur: uint256,
    challenge_s: uint256,
    clearing_bond_ueur: uint256,
    ring: uint256,
):
    """
    @param token ERC-20 with 6 decimals
    @param meters Registry of smart meters
    @param supplier Account that buys and sells the residual
    @param settlement The MarketSettlement of this market, which is deployed after it
    @param submissions The Submissions of this market, through which batches come; zero: none come
    @param retail_price_ueur_per_kwh The most that the supplier is paid for energy it delivers; its
           prices are the settlement's
    @param first_delivery_s Start of interval 0, Unix time
    @param step_s Length of an interval
    @param order_lead_s How long before delivery the order window opens
    @param gate_closure_s How long before delivery it closes
    @param metering_s How long after delivery meters may report
    @param rule Pricing: 0 midpoint, 1 pay-as-bid, 2 McAfee, 3 mid-market rate, 4 supply-demand
           ratio, 5 bill sharing
    @param form Clearing: 0 on chain, 1 verified, 2 committed, 3 bilateral
    @param reveal_s How long after gate closure sealed orders are revealed; 0: orders are open
    @param sealed_deposit_ueur What a sealed order locks until it is revealed
    @param challenge_s How long a committed clearing can be challenged
    @param clearing_bond_ueur What committing to a clearing locks for as long
    @param ring Intervals after which slots of orders and positions are used again; 0: never
    """
    accounts.__init__(token)
    dues.__init__(supplier)
    clock.__init__(
        first_delivery_s,
        step_s,
        order_lead_s,
        gate_closure_s,
        metering_s,
        reveal_s,
        challenge_s,
        ring,
    )
    community.__init__(meters)
    books.__init__(
        settlement, submissions, retail_price_ueur_per_kwh, sealed_deposit_ueur, rule, form
    )
    committed.__init__(clearing_bond_ueur)


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
    @notice Move tokens of the free balance out of the market. The supplier leaves what it owes, and
            takes what it announced.
    """
    refusals._require(amount_ueur <= dues._available(msg.sender), "balance too low")
    if msg.sender == dues.SUPPLIER:
        notice._use(amount_ueur)
    refusals._require(accounts._withdraw(msg.sender, amount_ueur), "token transfer failed")


@external
@nonreentrant
def collectClaim():
    """
    @notice Collect what the supplier owes the caller, as far as it can pay by now.
    """
    refusals._require(dues._claim(msg.sender) != 0, "no claim")
    dues._settle(msg.sender, 0)


# --- settlement -------------------------------------------------------------------------------


@external
@view
def recordsOf(
    interval: uint256, account: address, with_membership: bool
) -> (uint256, uint256, uint256, uint256):
    """
    @return Position, order and clearing, each the word that is kept (positions.vy, order_book.vy,
            clearing_rules.vy); the word of the membership (community_records.vy) if it is asked for
    """
    position: uint256 = books._position(interval, account)
    membership: uint256 = 0
    if with_membership:
        membership = community._membership_of[account]
    return (
        position,
        positions._order(position, account),
        books._clearing_of[interval],
        membership,
    )


@external
@nonreentrant
def record(
    interval: uint256,
    account: address,
    noted: uint256,
    released_ueur: uint256,
    supplier_gains_ueur: uint256,
    due_ueur: int256,
):
    """
    @notice Note a claim, a reading or the settlement in a position, once, and pay what follows. The
            settlement only.
    @param interval The interval
    @param account Whose position it is
    @param noted What is noted as bits of a position
    @param released_ueur What the account gets of what is held for its order
    @param supplier_gains_ueur What the supplier gets of what is held in the interval
    @param due_ueur What the account owes the supplier for the residual, negative if it is owed
    """
    self._require_settlement()
    position: uint256 = books._position(interval, account)
    refusals._require(
        position
        & (
            positions.IN_USE
            | positions.SETTLED
            | (noted & (positions.KNOWN | positions.CLAIMED))
        )
        == 0,
        "already recorded",
    )
    books._position_of[interval % clock.RING][account] = (
        position | (noted & positions.NOTED) | (interval << positions.INTERVAL_AT)
    )
    accounts._credit(account, released_ueur)
    accounts._credit(dues.SUPPLIER, supplier_gains_ueur)
    if noted & positions.SETTLED != 0:
        dues._settle(account, due_ueur)


@external
@nonreentrant
def passOn(account: address, amount_ueur: uint256) -> uint256:
    """
    @notice Pay an account out of what the supplier may take out of its balance. The settlement only.
    @return What was paid
    @custom:units µEUR
    """
    self._require_settlement()
    paid_ueur: uint256 = min(amount_ueur, dues._available(dues.SUPPLIER))
    accounts._debit(dues.SUPPLIER, paid_ueur)
    accounts._credit(account, paid_ueur)
    return paid_ueur


@internal
@view
def _require_settlement():
    refusals._require(msg.sender == books.SETTLEMENT, "not the settlement")


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
