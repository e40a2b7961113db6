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
     At most one subscription with a meter is for a period: when another customer of the meter
     subscribes, the one before ends, and the meter declares for who subscribed last alone.
     At every moment token.balanceOf(this) is at least, and but for tokens sent here outside
     subscribeUser() and topUp() equal to, the deposits of all subscriptionOf() plus the proceeds
     and the takings of accountsOf(). The token moves exactly the amount it is asked to, or fails.
     Written for size, as deploying it may cost no more than deploying the published contract: words
     are packed, and changed by adding to a field that cannot overflow. Functions that call the token
     are guarded against reentrancy and call it last; the others only read the registry of meters.
@custom:units energy in Wh, consumption positive; money in µEUR; prices in µEUR/kWh; time in blocks
"""

from ethereum.ercs import IERC20

import ISmartMeters
import supply_proceeds as proceeds
import supply_refusals as refusals
import supply_terms as agreed
import supply_words as words

initializes: agreed
initializes: proceeds[agreed := agreed]

exports: (
    proceeds.finalize,
    proceeds.setPrice,
    proceeds.withdrawProceeds,
    proceeds.accountsOf,
    proceeds.priceOf,
)

WH_PER_KWH: constant(uint256) = 1_000
# earlier periods that a declaration bills by the way
MAX_BEHIND: constant(uint256) = 64

METERS: immutable(address)

# packed, see supply_words.vy
_subscription_of: HashMap[address, HashMap[address, uint256]]
# by meter: who subscribed with it last; it declares for nobody else
_holder_of: HashMap[address, address]

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
    credit_limit_ueur: uint256,
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
    @param least_deposit_ueur Least deposit of a new subscription, above 0, so that who owes cannot
           subscribe
    @param credit_limit_ueur With a debt above it the supplier may end a subscription
    """
    agreed.__init__(
        first_block,
        period_blocks,
        subscription_blocks,
        declaration_blocks,
        payment_blocks,
        price_ueur_per_kwh,
        price_cap_ueur_per_kwh,
        silent_estimate_wh,
        least_deposit_ueur,
        credit_limit_ueur,
    )
    proceeds.__init__(token, price_ueur_per_kwh)
    METERS = meters


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
    if agreed._begun(agreed.OPEN) == 0:
        refusals._refuse(refusals.NOT_OPEN)
    if self._customer_of(meter) != msg.sender:
        refusals._refuse(refusals.NOT_YOUR_METER)
    subscription: uint256 = self._word(msg.sender, meter)
    if (
        ((subscription << words.NEXT_UP) >> words.NEXT_DOWN)
        != ((subscription << words.END_UP) >> words.END_DOWN)
    ):
        refusals._refuse(refusals.METER_IN_USE)
    period: uint256 = agreed._begun(agreed.START)
    holder: address = self._holder_of[meter]
    if holder != msg.sender:
        self._holder_of[meter] = msg.sender
        self._finish(holder, meter, period)
    end_period: uint256 = agreed.MAX_PERIODS
    # 0 becomes the largest number here
    if unsafe_sub(n_periods, 1) < unsafe_sub(agreed.MAX_PERIODS, period):
        end_period = unsafe_add(period, n_periods)
    self._add(
        meter,
        ((subscription << 112) >> 112) | (period << words.NEXT_AT) | (end_period << words.END_AT),
        deposit_ueur,
        agreed.TERMS >> agreed.LEAST_AT,
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
def unsubscribeUser(customer: address, meter: address):
    """
    @notice End a subscription: the customer with the present period, and before its first one at
            once; the supplier, if the customer's debt is above the credit limit, with the last
            period whose price is fixed.
    """
    moment: uint256 = agreed.START
    if msg.sender != customer:
        moment = agreed.OPEN
        debt_ueur: uint256 = (self._word(customer, meter) << words.DEBT_UP) >> words.DEBT_DOWN
        if msg.sender != proceeds.SUPPLIER or debt_ueur <= (agreed.TERMS << 128) >> 192:
            refusals._refuse(refusals.NOT_YOURS_TO_END)
    if not self._finish(customer, meter, agreed._begun(moment)):
        refusals._refuse(refusals.NOTHING_TO_END)


@external
@nonreentrant
def withdraw(meter: address):
    """
    @notice Move out what is left of a deposit of the caller after the last bill.
    """
    subscription: uint256 = self._word(msg.sender, meter)
    if (
        ((subscription << words.NEXT_UP) >> words.NEXT_DOWN)
        != ((subscription << words.END_UP) >> words.END_DOWN)
    ):
        refusals._refuse(refusals.BILLS_TO_COME)
    self._change(msg.sender, meter, (subscription >> 64) << 64)
    proceeds._pay_out(msg.sender, (subscription << words.DEPOSIT_UP) >> words.DEPOSIT_DOWN)


# --- periods ----------------------------------------------------------------------------------


@external
def declarePeriod(period: uint256, energy_wh: uint256):
    """
    @notice Declare what was consumed in a period. Its meter only, once, in the declaration phase.
    @dev Up to MAX_BEHIND earlier periods that nobody paid for are billed by the way.
    @param period A period that has ended
    @param energy_wh Consumption
    """
    if period >= agreed._begun(agreed.DECLARATION) or period < agreed._begun(agreed.PAYMENT):
        refusals._refuse(refusals.NOT_DECLARATION_PHASE)
    if energy_wh > agreed.MAX_ENERGY_WH:
        refusals._refuse(refusals.ENERGY_OUT_OF_RANGE)
    customer: address = self._customer_of(msg.sender)
    subscription: uint256 = self._word(customer, msg.sender)
    for behind: uint256 in range(MAX_BEHIND):
        if ((subscription << words.NEXT_UP) >> words.NEXT_DOWN) >= period:
            break
        subscription = self._bill(customer, msg.sender, subscription)
    if (
        ((subscription << words.NEXT_UP) >> words.NEXT_DOWN) != period
        or period >= (subscription << words.END_UP) >> words.END_DOWN
        or self._holder_of[msg.sender] != customer
    ):
        refusals._refuse(refusals.NOT_SUBSCRIBED)
    if subscription >> words.DECLARED_AT != 0:
        refusals._refuse(refusals.ALREADY_DECLARED)
    self._store(
        customer, msg.sender, subscription | (unsafe_add(energy_wh, 1) << words.DECLARED_AT)
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
    if period >= agreed._begun(agreed.PAYMENT):
        refusals._refuse(refusals.NOT_PAYMENT_PHASE)
    if msg.sender != customer and period >= agreed._begun(agreed.OVER):
        refusals._refuse(refusals.NOT_YOUR_BILL)
    subscription: uint256 = self._word(customer, meter)
    if (
        period != ((subscription << words.NEXT_UP) >> words.NEXT_DOWN)
        or period >= ((subscription << words.END_UP) >> words.END_DOWN)
    ):
        refusals._refuse(refusals.NO_BILL_DUE)
    self._store(customer, meter, self._bill(customer, meter, subscription))


# --- views ------------------------------------------------------------------------------------


@external
@view
def terms() -> (address, address, address, uint256, uint256):
    """
    @return Token, registry of meters, supplier, and the packed words agreed.TIMES and agreed.TERMS
    """
    return proceeds.TOKEN, METERS, proceeds.SUPPLIER, agreed.TIMES, agreed.TERMS


@external
@view
def subscriptionOf(customer: address, meter: address) -> uint256:
    """
    @return The packed word of a subscription
    """
    return self._word(customer, meter)


# --- internal ---------------------------------------------------------------------------------


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
def _bill(customer: address, meter: address, subscription: uint256) -> uint256:
    """
    @dev Bill the next period, and book what is paid of it.
    @return The subscription after that, which the caller stores
    """
    accounts: uint256 = proceeds._accounts
    period: uint256 = (subscription << words.NEXT_UP) >> words.NEXT_DOWN
    energy_wh: uint256 = (agreed.TERMS >> agreed.ESTIMATE_AT) & agreed.MASK_32
    if subscription >> words.DECLARED_AT != 0:
        energy_wh = unsafe_sub(subscription >> words.DECLARED_AT, 1)
    bill_ueur: uint256 = unsafe_div(
        unsafe_add(unsafe_mul(energy_wh, proceeds._price(accounts, period)), WH_PER_KWH - 1), WH_PER_KWH
    )
    paid_ueur: uint256 = min(bill_ueur, (subscription << words.DEPOSIT_UP) >> words.DEPOSIT_DOWN)
    if period > ((accounts << words.OPEN_PERIOD_UP) >> words.OPEN_PERIOD_DOWN):
        accounts = proceeds._closed(accounts, period)
    booked: uint256 = paid_ueur
    if period == ((accounts << words.OPEN_PERIOD_UP) >> words.OPEN_PERIOD_DOWN):
        booked = paid_ueur << words.TAKINGS_AT
    proceeds._accounts = unsafe_add(accounts, booked)
    log PeriodPaid(
        period=period,
        customer=customer,
        meter=meter,
        energy_wh=energy_wh,
        bill_ueur=bill_ueur,
        paid_ueur=paid_ueur,
    )
    return unsafe_add(
        unsafe_sub((subscription << 64) >> 64, paid_ueur),
        (unsafe_sub(bill_ueur, paid_ueur) << words.DEBT_AT) | (1 << words.NEXT_AT),
    )


@internal
def _add(meter: address, subscription: uint256, amount_ueur: uint256, least_ueur: uint256):
    """
    @dev Add to a deposit of the caller, repay the debt out of it, and take the tokens.
    """
    debt_ueur: uint256 = (subscription << words.DEBT_UP) >> words.DEBT_DOWN
    deposit_ueur: uint256 = unsafe_add(
        (subscription << words.DEPOSIT_UP) >> words.DEPOSIT_DOWN, amount_ueur
    )
    repaid_ueur: uint256 = min(debt_ueur, deposit_ueur)
    deposit_ueur = unsafe_sub(deposit_ueur, repaid_ueur)
    if deposit_ueur < least_ueur or max(deposit_ueur, amount_ueur) > agreed.MASK_64:
        refusals._refuse(refusals.DEPOSIT_OUT_OF_RANGE)
    proceeds._accounts = unsafe_add(proceeds._accounts, repaid_ueur)
    self._change(
        msg.sender,
        meter,
        ((subscription >> words.NEXT_AT) << words.NEXT_AT)
        | deposit_ueur
        | (unsafe_sub(debt_ueur, repaid_ueur) << words.DEBT_AT),
    )
    proceeds._check(extcall IERC20(proceeds.TOKEN).transferFrom(msg.sender, self, amount_ueur))


@internal
def _finish(customer: address, meter: address, end_period: uint256) -> bool:
    """
    @dev Let a subscription end earlier.
    @return Whether it would have ended later
    """
    subscription: uint256 = self._word(customer, meter)
    end_before: uint256 = (subscription << words.END_UP) >> words.END_DOWN
    if end_period >= end_before:
        return False
    self._change(
        customer,
        meter,
        unsafe_sub(subscription, unsafe_sub(end_before, end_period) << words.END_AT),
    )
    return True


@internal
def _change(customer: address, meter: address, subscription: uint256):
    """
    @dev Store a subscription with another deposit or end.
    """
    self._store(customer, meter, subscription)
    log SubscriptionChanged(
        customer=customer,
        meter=meter,
        deposit_ueur=(subscription << words.DEPOSIT_UP) >> words.DEPOSIT_DOWN,
        debt_ueur=(subscription << words.DEBT_UP) >> words.DEBT_DOWN,
        next_period=(subscription << words.NEXT_UP) >> words.NEXT_DOWN,
        end_period=(subscription << words.END_UP) >> words.END_DOWN,
    )
