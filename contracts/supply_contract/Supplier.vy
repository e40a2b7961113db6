# pragma version 0.4.3
# pragma evm-version cancun
# pragma optimize codesize
# pragma experimental-codegen
"""
@title Electricity supply contract
@license Apache-2.0
@notice A supplier and its customers without a market operator: a customer subscribes with a deposit
        and a meter, the meter declares what was consumed, the bill is paid out of the deposit,
        and the supplier is credited what was paid.
@dev Phases are counted in blocks. With S(p) = first_block + p * period_blocks, period p is the
     blocks [S(p), S(p + 1)). Customers subscribe before S(p), from subscription_blocks before S(0)
     on. The meter declares in the declaration_blocks from S(p + 1) on, the customer pays in the
     payment_blocks after that; from then on anybody pays for it, and anybody finalises.
     At every moment token.balanceOf(this) is at least, and but for tokens sent here outside
     subscribeUser() and topUp() equal to, the deposits of all subscriptionOf() plus the proceeds
     and the takings of accountsOf(). The token moves exactly the amount it is asked to, or fails.
     Written for size, as deploying it may cost no more than deploying the published contract: state
     and terms are packed words, which are changed by adding to their fields where the field cannot
     overflow, and the texts of refusals are numbers. Functions that call the token are guarded
     against reentrancy and call it last, when all is booked; the others call nobody but the
     registry of meters, and only to read.
@custom:units energy in Wh, consumption positive; money in µEUR; prices in µEUR/kWh; time in blocks
"""

from ethereum.ercs import IERC20

import ISmartMeters

WH_PER_KWH: constant(uint256) = 1_000
MAX_ENERGY_WH: constant(uint256) = 2**32 - 2
MAX_PRICE_UEUR_PER_KWH: constant(uint256) = 2**31 - 1
# as the end of a subscription: rolling
MAX_PERIODS: constant(uint256) = 2**24 - 1
# earlier periods that a declaration bills by the way
MAX_BEHIND: constant(uint256) = 64
# changes of price after a period with which its price still counts
MAX_CHANGES: constant(uint256) = 256

MASK_24: constant(uint256) = 2**24 - 1
MASK_32: constant(uint256) = 2**32 - 1
MASK_40: constant(uint256) = 2**40 - 1
MASK_64: constant(uint256) = 2**64 - 1
MASK_80: constant(uint256) = 2**80 - 1
MASK_96: constant(uint256) = 2**96 - 1

# The texts of refusals: 22 letters at most, and their number in the lowest byte. As text each would
# take 60 to 110 bytes of code at every place of its use.
# "supplier: not open yet"
NOT_OPEN: constant(uint256) = 8749591101225736779503608624140
# "supplier: not your meter"
NOT_YOUR_METER: constant(uint256) = 573413202422014716847334278264353294
# "supplier: meter in use"
METER_IN_USE: constant(uint256) = 8667268414506123059826271675660
# "supplier: deposit out of range"
DEPOSIT_OUT_OF_RANGE: constant(uint256) = 146729279193142117567263973574584811292647825564948
# "supplier: nothing to end"
NOTHING_TO_END: constant(uint256) = 573413224685587624364368347427398670
# "supplier: bills to come"
BILLS_TO_COME: constant(uint256) = 1996028653710581511942136048477453
# "supplier: not declaration phase"
NOT_DECLARATION_PHASE: constant(uint256) = 41318775754280947587452264260319928599116994323899669
# "supplier: energy out of range"
ENERGY_OUT_OF_RANGE: constant(uint256) = 579069987095654506618525144209929435934255179027
# "supplier: not subscribed"
NOT_SUBSCRIBED: constant(uint256) = 573413202414789145731328252519474190
# "supplier: already declared"
ALREADY_DECLARED: constant(uint256) = 33151540192957271507246969663607999390736
# "supplier: not payment phase"
NOT_PAYMENT_PHASE: constant(uint256) = 9620277154102214411239774454704599295288593
# "supplier: not your bill yet"
NOT_YOUR_BILL: constant(uint256) = 9620277154285864059726363582446272042595345
# "supplier: no bill due"
NO_BILL_DUE: constant(uint256) = 34177694777430118008148550923
# "supplier: payments not over"
PAYMENTS_NOT_OVER: constant(uint256) = 9789744818553600717780806173726858168070673
# "supplier: already final"
ALREADY_FINAL: constant(uint256) = 1975985776958302945332774786133005
# "supplier: not the supplier"
NOT_THE_SUPPLIER: constant(uint256) = 37579207633530829547151322038232974455312
# "supplier: price above the cap"
PRICE_ABOVE_CAP: constant(uint256) = 641958431897299834017390029731905806566957346835
# "supplier: price is fixed"
PRICE_IS_FIXED: constant(uint256) = 583857792569051523604754932976411662
# "supplier: token transfer failed"
TRANSFER_FAILED: constant(uint256) = 43563592427903361757899858679444189756987300387316757
# what each begins with
PREFIX: constant(uint256) = 545238516681562785987104

TOKEN: immutable(address)
METERS: immutable(address)
SUPPLIER: immutable(address)

# Six numbers of 40 bits: the blocks at which subscription opens, supply, declaration and payment
# start, and payment ends for period 0; for period p they come p times the last number later.
TIMES: immutable(uint256)
OPEN: constant(uint256) = 0
START: constant(uint256) = 40
DECLARATION: constant(uint256) = 80
PAYMENT: constant(uint256) = 120
OVER: constant(uint256) = 160
LENGTH: constant(uint256) = 200

# price cap 32 | silent estimate 32 | least deposit 64
TERMS: immutable(uint256)
ESTIMATE_AT: constant(uint256) = 32
LEAST_AT: constant(uint256) = 64

# One word per customer and meter, from the lowest bit:
# deposit 64 | debt 80 | next period to be billed 24 | period after the last 24 | declared 32,
# which is 1 + the energy declared for the next period to be billed, or 0. No bill is above 2**53,
# so the debt of all periods fits.
_subscription_of: HashMap[address, HashMap[address, uint256]]
DEBT_AT: constant(uint256) = 64
NEXT_AT: constant(uint256) = 144
END_AT: constant(uint256) = 168
DECLARED_AT: constant(uint256) = 192

# One word for the supplier, from the lowest bit:
# proceeds 96 | takings 80 | open period 24 | price 32 | its first period 24.
# The takings were paid for the open period, which is the first that is not final.
_accounts: uint256
TAKINGS_AT: constant(uint256) = 96
OPEN_PERIOD_AT: constant(uint256) = 176
PRICE_AT: constant(uint256) = 200
SINCE_AT: constant(uint256) = 232

# by first period of a price: the supplier's word before, which holds the price before
_accounts_before: HashMap[uint256, uint256]

event SubscriptionChanged:
    customer: indexed(address)
    meter: indexed(address)
    deposit_ueur: uint256
    debt_ueur: uint256
    next_period: uint256
    end_period: uint256

event PeriodDeclared:
    period: indexed(uint256)
    customer: indexed(address)
    meter: indexed(address)
    energy_wh: uint256

event PeriodPaid:
    period: indexed(uint256)
    customer: indexed(address)
    meter: indexed(address)
    energy_wh: uint256
    bill_ueur: uint256
    paid_ueur: uint256

event PeriodFinalized:
    period: indexed(uint256)
    paid_ueur: uint256

event PriceSet:
    period: indexed(uint256)
    price_ueur_per_kwh: uint256


@deploy
def __init__(
    token: address,
    meters: address,
    first_block: uint256,
    period_blocks: uint256,
    subscription_blocks: uint256,
    declaration_blocks: uint256,
    payment_blocks: uint256,
    price_ueur_per_kwh: uint256,
    price_cap_ueur_per_kwh: uint256,
    silent_estimate_wh: uint256,
    least_deposit_ueur: uint256,
):
    """
    @notice The deployer becomes the supplier, for good.
    @param token ERC-20 with 6 decimals
    @param meters Registry of meters
    @param first_block First block of period 0
    @param period_blocks Length of a period
    @param subscription_blocks How long customers may subscribe before period 0, and how long before
           each period its price is known
    @param declaration_blocks How long meters may declare after a period
    @param payment_blocks How long after that nobody but the customer pays
    @param price_ueur_per_kwh Price from period 0 on, until another is set
    @param price_cap_ueur_per_kwh Highest price that can be set
    @param silent_estimate_wh Billed for a period in which the meter stayed silent
    @param least_deposit_ueur Least deposit of a new subscription
    """
    assert (
        max(first_block, period_blocks) < 2**38
        and price_ueur_per_kwh <= price_cap_ueur_per_kwh
        and price_cap_ueur_per_kwh <= MAX_PRICE_UEUR_PER_KWH
        and silent_estimate_wh <= MAX_ENERGY_WH
        and least_deposit_ueur <= MASK_64
    ), "supplier: terms out of range"
    assert (
        min(declaration_blocks, payment_blocks) != 0
        and max(declaration_blocks, payment_blocks) < period_blocks
        and declaration_blocks + payment_blocks <= period_blocks
    ), "supplier: phases do not fit"
    assert (
        0 < subscription_blocks
        and subscription_blocks <= first_block
        and block.number <= first_block - subscription_blocks
    ), "supplier: no time to subscribe"
    TOKEN = token
    METERS = meters
    SUPPLIER = msg.sender
    declaration: uint256 = first_block + period_blocks
    payment: uint256 = declaration + declaration_blocks
    TIMES = (
        (first_block - subscription_blocks)
        | (first_block << START)
        | (declaration << DECLARATION)
        | (payment << PAYMENT)
        | ((payment + payment_blocks) << OVER)
        | (period_blocks << LENGTH)
    )
    TERMS = (
        price_cap_ueur_per_kwh
        | (silent_estimate_wh << ESTIMATE_AT)
        | (least_deposit_ueur << LEAST_AT)
    )
    self._accounts = price_ueur_per_kwh << PRICE_AT
    log PriceSet(period=0, price_ueur_per_kwh=price_ueur_per_kwh)


# --- customers --------------------------------------------------------------------------------


@external
@nonreentrant
def subscribeUser(meter: address, n_periods: uint256, deposit_ueur: uint256):
    """
    @notice Subscribe from the next period on, with a meter of the caller that serves no other
            subscription, and move approved tokens into the deposit.
    @dev What an earlier subscription left in its deposit counts, its debt is repaid first.
    @param meter A registered meter of the caller
    @param n_periods For how many periods, 0 for rolling
    @param deposit_ueur Tokens to move
    """
    if self._begun(OPEN) == 0:
        self._refuse(NOT_OPEN)
    if self._customer_of(meter) != msg.sender:
        self._refuse(NOT_YOUR_METER)
    subscription: uint256 = self._word(msg.sender, meter)
    if self._next(subscription) != self._end(subscription):
        self._refuse(METER_IN_USE)
    period: uint256 = self._begun(START)
    end_period: uint256 = MAX_PERIODS
    # 0 becomes the largest number here
    if unsafe_sub(n_periods, 1) < unsafe_sub(MAX_PERIODS, period):
        end_period = unsafe_add(period, n_periods)
    self._add(
        meter,
        (subscription & (2**NEXT_AT - 1)) | (period << NEXT_AT) | (end_period << END_AT),
        deposit_ueur,
        TERMS >> LEAST_AT,
    )


@external
@nonreentrant
def topUp(meter: address, amount_ueur: uint256):
    """
    @notice Move approved tokens into the deposit of a subscription of the caller; a debt is repaid
            first.
    """
    self._add(meter, self._word(msg.sender, meter), amount_ueur, 0)


@external
def unsubscribeUser(meter: address):
    """
    @notice End a subscription of the caller with the present period; before its first one, at once.
    """
    subscription: uint256 = self._word(msg.sender, meter)
    end_period: uint256 = max(self._begun(START), self._next(subscription))
    if end_period >= self._end(subscription):
        self._refuse(NOTHING_TO_END)
    self._change(meter, (subscription & ~(MASK_24 << END_AT)) | (end_period << END_AT))


@external
@nonreentrant
def withdraw(meter: address):
    """
    @notice Move out what is left of a deposit of the caller after the last bill.
    """
    subscription: uint256 = self._word(msg.sender, meter)
    if self._next(subscription) != self._end(subscription):
        self._refuse(BILLS_TO_COME)
    self._change(meter, subscription & ~MASK_64)
    self._pay_out(msg.sender, subscription & MASK_64)


# --- periods ----------------------------------------------------------------------------------


@external
def declarePeriod(period: uint256, energy_wh: uint256):
    """
    @notice Declare what was consumed in a period. Its meter only, once, in the declaration phase.
    @dev Up to MAX_BEHIND earlier periods that nobody paid for are billed by the way.
    @param period A period that has ended
    @param energy_wh Consumption
    """
    if period >= self._begun(DECLARATION) or period < self._begun(PAYMENT):
        self._refuse(NOT_DECLARATION_PHASE)
    if energy_wh > MAX_ENERGY_WH:
        self._refuse(ENERGY_OUT_OF_RANGE)
    customer: address = self._customer_of(msg.sender)
    subscription: uint256 = self._word(customer, msg.sender)
    for behind: uint256 in range(MAX_BEHIND):
        if self._next(subscription) >= period:
            break
        subscription = self._bill(customer, msg.sender, subscription)
    if self._next(subscription) != period or period >= self._end(subscription):
        self._refuse(NOT_SUBSCRIBED)
    if subscription >> DECLARED_AT != 0:
        self._refuse(ALREADY_DECLARED)
    self._store(
        customer, msg.sender, subscription | (unsafe_add(energy_wh, 1) << DECLARED_AT)
    )
    log PeriodDeclared(period=period, customer=customer, meter=msg.sender, energy_wh=energy_wh)


@external
def paymentPeriod(period: uint256, customer: address, meter: address):
    """
    @notice Pay the bill of a period out of the deposit, period by period. From the payment phase on
            the customer, after it anybody.
    @param period The first period of the subscription that is not paid
    @param customer Whose subscription
    @param meter With which meter
    """
    if period >= self._begun(PAYMENT):
        self._refuse(NOT_PAYMENT_PHASE)
    if msg.sender != customer and period >= self._begun(OVER):
        self._refuse(NOT_YOUR_BILL)
    subscription: uint256 = self._word(customer, meter)
    if period != self._next(subscription) or period >= self._end(subscription):
        self._refuse(NO_BILL_DUE)
    self._store(customer, meter, self._bill(customer, meter, subscription))


@external
def finalize(period: uint256):
    """
    @notice Credit the supplier with what was paid for a period. Anybody, after the payment phase.
    @dev Makes earlier periods final, too. What is paid for a final period is credited at once.
    """
    if period >= self._begun(OVER):
        self._refuse(PAYMENTS_NOT_OVER)
    accounts: uint256 = self._accounts
    if period < (accounts >> OPEN_PERIOD_AT) & MASK_24:
        self._refuse(ALREADY_FINAL)
    self._accounts = self._closed(accounts, unsafe_add(period, 1))


# --- supplier ---------------------------------------------------------------------------------


@external
def setPrice(period: uint256, price_ueur_per_kwh: uint256):
    """
    @notice Set the price from a period on. Supplier only, subscription_blocks before the period at
            the latest, so that customers can leave before it, and in the order of the periods.
    """
    if msg.sender != SUPPLIER:
        self._refuse(NOT_THE_SUPPLIER)
    if price_ueur_per_kwh > TERMS & MASK_32:
        self._refuse(PRICE_ABOVE_CAP)
    accounts: uint256 = self._accounts
    since: uint256 = accounts >> SINCE_AT
    if period < max(self._begun(OPEN), since) or period >= MAX_PERIODS:
        self._refuse(PRICE_IS_FIXED)
    if period != since:
        self._accounts_before[period] = accounts
    self._accounts = (
        (accounts & (2**PRICE_AT - 1)) | (price_ueur_per_kwh << PRICE_AT) | (period << SINCE_AT)
    )
    log PriceSet(period=period, price_ueur_per_kwh=price_ueur_per_kwh)


@external
@nonreentrant
def withdrawProceeds():
    """
    @notice Send the supplier what it was credited. Anybody.
    """
    accounts: uint256 = self._accounts
    self._accounts = accounts & ~MASK_96
    self._pay_out(SUPPLIER, accounts & MASK_96)


# --- views ------------------------------------------------------------------------------------


@external
@view
def terms() -> (address, address, address, uint256, uint256):
    """
    @return Token, registry of meters, supplier, and the packed words TIMES and TERMS
    """
    return TOKEN, METERS, SUPPLIER, TIMES, TERMS


@external
@view
def subscriptionOf(customer: address, meter: address) -> uint256:
    """
    @return The packed word of a subscription
    """
    return self._word(customer, meter)


@external
@view
def accountsOf() -> (uint256, uint256, uint256):
    """
    @return Proceeds that the supplier can withdraw, takings of the open period, the open period
    @custom:units µEUR, µEUR, -
    """
    accounts: uint256 = self._accounts
    return (
        accounts & MASK_96,
        (accounts >> TAKINGS_AT) & MASK_80,
        (accounts >> OPEN_PERIOD_AT) & MASK_24,
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
@pure
def _refuse(cause: uint256):
    length: uint256 = cause & 255
    text: uint256 = (PREFIX << 176) | ((cause >> 8) << unsafe_sub(176, unsafe_mul(8, length)))
    raw_revert(
        concat(
            method_id("Error(string)", output_type=bytes4),
            convert(32, bytes32),
            convert(unsafe_add(length, 10), bytes32),
            convert(text, bytes32),
        )
    )


@internal
@view
def _begun(moment: uint256) -> uint256:
    """
    @dev In how many periods a moment has come. There are MAX_PERIODS of them.
    """
    first: uint256 = (TIMES >> moment) & MASK_40
    if block.number < first:
        return 0
    return min(
        unsafe_add(unsafe_div(unsafe_sub(block.number, first), TIMES >> LENGTH), 1), MAX_PERIODS
    )


@internal
@view
def _customer_of(meter: address) -> address:
    return staticcall ISmartMeters(METERS).customerOf(meter)


@internal
@view
def _word(customer: address, meter: address) -> uint256:
    return self._subscription_of[customer][meter]


@internal
def _store(customer: address, meter: address, subscription: uint256):
    self._subscription_of[customer][meter] = subscription


@internal
@pure
def _next(subscription: uint256) -> uint256:
    return (subscription >> NEXT_AT) & MASK_24


@internal
@pure
def _end(subscription: uint256) -> uint256:
    return (subscription >> END_AT) & MASK_24


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
        if period >= accounts >> SINCE_AT:
            return (accounts >> PRICE_AT) & MASK_32
        accounts = self._accounts_before[accounts >> SINCE_AT]
    return 0


@internal
def _bill(customer: address, meter: address, subscription: uint256) -> uint256:
    """
    @dev Bill the next period, and book what is paid of it.
    @return The subscription after that, which the caller stores
    """
    accounts: uint256 = self._accounts
    period: uint256 = self._next(subscription)
    energy_wh: uint256 = (TERMS >> ESTIMATE_AT) & MASK_32
    if subscription >> DECLARED_AT != 0:
        energy_wh = unsafe_sub(subscription >> DECLARED_AT, 1)
    bill_ueur: uint256 = unsafe_div(
        unsafe_add(unsafe_mul(energy_wh, self._price(accounts, period)), WH_PER_KWH - 1), WH_PER_KWH
    )
    paid_ueur: uint256 = min(bill_ueur, subscription & MASK_64)
    if period > (accounts >> OPEN_PERIOD_AT) & MASK_24:
        accounts = self._closed(accounts, period)
    booked: uint256 = paid_ueur
    if period == (accounts >> OPEN_PERIOD_AT) & MASK_24:
        booked = paid_ueur << TAKINGS_AT
    self._accounts = unsafe_add(accounts, booked)
    log PeriodPaid(
        period=period,
        customer=customer,
        meter=meter,
        energy_wh=energy_wh,
        bill_ueur=bill_ueur,
        paid_ueur=paid_ueur,
    )
    return unsafe_add(
        unsafe_sub(subscription & (2**DECLARED_AT - 1), paid_ueur),
        (unsafe_sub(bill_ueur, paid_ueur) << DEBT_AT) | (1 << NEXT_AT),
    )


@internal
def _closed(accounts: uint256, open_period: uint256) -> uint256:
    """
    @return The supplier's word with the takings credited and another open period
    """
    takings_ueur: uint256 = (accounts >> TAKINGS_AT) & MASK_80
    log PeriodFinalized(period=unsafe_sub(open_period, 1), paid_ueur=takings_ueur)
    return unsafe_add(
        accounts & ~((2**PRICE_AT - 1) ^ MASK_96),
        takings_ueur | (open_period << OPEN_PERIOD_AT),
    )


@internal
def _add(meter: address, subscription: uint256, amount_ueur: uint256, least_ueur: uint256):
    """
    @dev Add to a deposit of the caller, repay the debt out of it, and take the tokens.
    """
    debt_ueur: uint256 = (subscription >> DEBT_AT) & MASK_80
    deposit_ueur: uint256 = unsafe_add(subscription & MASK_64, amount_ueur)
    repaid_ueur: uint256 = min(debt_ueur, deposit_ueur)
    deposit_ueur = unsafe_sub(deposit_ueur, repaid_ueur)
    if deposit_ueur < least_ueur or max(deposit_ueur, amount_ueur) > MASK_64:
        self._refuse(DEPOSIT_OUT_OF_RANGE)
    self._accounts = unsafe_add(self._accounts, repaid_ueur)
    self._change(
        meter,
        (subscription & ~(2**NEXT_AT - 1))
        | deposit_ueur
        | (unsafe_sub(debt_ueur, repaid_ueur) << DEBT_AT),
    )
    self._check(extcall IERC20(TOKEN).transferFrom(msg.sender, self, amount_ueur))


@internal
def _pay_out(account: address, amount_ueur: uint256):
    self._check(extcall IERC20(TOKEN).transfer(account, amount_ueur))


@internal
@pure
def _check(moved: bool):
    if not moved:
        self._refuse(TRANSFER_FAILED)


@internal
def _change(meter: address, subscription: uint256):
    """
    @dev Store a subscription that the caller changed.
    """
    self._store(msg.sender, meter, subscription)
    log SubscriptionChanged(
        customer=msg.sender,
        meter=meter,
        deposit_ueur=subscription & MASK_64,
        debt_ueur=(subscription >> DEBT_AT) & MASK_80,
        next_period=self._next(subscription),
        end_period=self._end(subscription),
    )
