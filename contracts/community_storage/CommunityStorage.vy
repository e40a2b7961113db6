# pragma version 0.4.3
# pragma evm-version cancun
"""
@title Community storage
@license Apache-2.0
@notice Members of the local market own shares of one battery. In each interval a member nominates
        what it charges or discharges, within its share; conversion losses are borne in kind, and
        what the battery's meter shows beyond the nominations is billed by share.
@dev A charged Wh counts as consumed, and a discharged one as produced, behind the member's meter: the
     member's meter reports its net injection less what was charged plus what was discharged, and
     the battery's meter its own plus the sum. So the battery's account in the local market
     holds nothing but losses, which its owner pays there and gets back here at the same prices.
     Shares carry those losses; therefore nobody gets shares without asking for them. Bills and
     credits accrue by share: a call works on the accounts that it names, never on all members.
     At every moment token.balanceOf(this) is at least, and but for tokens sent here outside
     deposit() equal to, the sum of balanceOf over accounts and setAside().
@custom:units energy in Wh, net injection positive, charging positive; money in µEUR; prices in
              µEUR/kWh; efficiencies in permille; time in s
"""

import ILocalMarket
import ISmartMeters
import ISupplierPrices
import escrow_accounts as accounts
import order_book
import storage_book as book
import supplier_dues as dues

initializes: accounts
initializes: dues[accounts := accounts]

MAX_BATCH: public(constant(uint256)) = 256
MAX_SHARES: public(constant(uint256)) = 1_000_000
MAX_ENERGY_WH: public(constant(uint256)) = order_book.MAX_ENERGY_WH
MAX_PRICE_UEUR_PER_KWH: public(constant(uint256)) = order_book.MAX_PRICE_UEUR_PER_KWH
MAX_AMOUNT_UEUR: constant(uint256) = 2**96
MAX_INTERVAL: constant(uint256) = 2**64  # any later one is as far away
MASK_128: constant(uint256) = 2**128 - 1
PERMILLE: constant(uint256) = book.PERMILLE

TOKEN: public(immutable(address))
LOCAL_MARKET: public(immutable(address))
METERS: public(immutable(address))
OWNER: public(immutable(address))
METER: public(immutable(address))
TOTAL_SHARES: public(immutable(uint256))
SHARE_PRICE_UEUR: public(immutable(uint256))
CAPACITY_WH: public(immutable(uint256))
POWER_WH: public(immutable(uint256))
CHARGE_PERMILLE: public(immutable(uint256))
DISCHARGE_PERMILLE: public(immutable(uint256))
LOSS_LIMIT_WH: public(immutable(uint256))
RETAIL_PRICE_UEUR_PER_KWH: public(immutable(uint256))
FEED_IN_PRICE_UEUR_PER_KWH: public(immutable(uint256))
PRICES: public(immutable(address))
ORDER_LEAD_S: public(immutable(uint256))
GATE_CLOSURE_S: public(immutable(uint256))

_account_of: HashMap[address, uint256]
_nomination_of: HashMap[uint256, HashMap[address, int256]]
_nominated: HashMap[uint256, uint256]
_reading_of: HashMap[uint256, uint256]

# shares 32 | price
_offer_of: HashMap[address, HashMap[address, uint256]]

# sums since deployment, and up to where they are settled for an account: billed 128 | credited 128
_per_share: uint256
_settled_per_share_of: HashMap[address, uint256]
# billed too much, and credited too little, because shares do not divide the amounts
_overbilled_ueur: uint256
_uncredited_ueur: uint256
# what the owner owes the members, and what of it is paid and not yet theirs
_owner_owes_ueur: uint256
_set_aside_ueur: uint256

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

event EnergyNominated:
    interval: indexed(uint256)
    account: indexed(address)
    energy_wh: int256
    account_wh: uint256

event StorageReported:
    interval: indexed(uint256)
    net_wh: int256
    loss_wh: int256
    billed_ueur_per_share: uint256

event MembersCredited:
    paid_ueur: uint256
    credited_ueur_per_share: uint256

event LossesSettled:
    account: indexed(address)
    billed_ueur: uint256
    credited_ueur: uint256


@deploy
def __init__(
    token: address,
    local_market: address,
    meters: address,
    owner: address,
    meter: address,
    total_shares: uint256,
    share_price_ueur: uint256,
    capacity_wh: uint256,
    power_wh: uint256,
    charge_permille: uint256,
    discharge_permille: uint256,
    loss_limit_wh: uint256,
    retail_price_ueur_per_kwh: uint256,
    feed_in_price_ueur_per_kwh: uint256,
    prices: address,
    order_lead_s: uint256,
    gate_closure_s: uint256,
):
    """
    @param token ERC-20 with 6 decimals
    @param local_market Keeps members and the times of delivery
    @param meters Registry of smart meters
    @param owner Account of the battery: sells the shares, pays for losses in the local market
    @param meter The battery's meter
    @param total_shares How many shares there are; the owner starts with all of them
    @param share_price_ueur What the owner sells one for
    @param capacity_wh What the accounts can hold together
    @param power_wh What can be charged, or discharged, in one interval
    @param charge_permille Part of the charged energy that reaches the account
    @param discharge_permille Part of the energy taken from the account that is discharged
    @param loss_limit_wh Most loss of one interval that is billed; the owner bears the rest
    @param retail_price_ueur_per_kwh What the supplier is paid for losses
    @param feed_in_price_ueur_per_kwh What the supplier pays for less than no loss
    @param prices Settlement that knows both prices of every interval; zero where they never change
    @param order_lead_s How long before delivery nominations open
    @param gate_closure_s How long before delivery they close
    """
    assert owner != empty(address), "community storage: zero address"
    assert 0 < total_shares and total_shares <= MAX_SHARES, "community storage: shares out of range"
    assert share_price_ueur < MAX_AMOUNT_UEUR, "community storage: price out of range"
    assert 0 < capacity_wh and capacity_wh <= MAX_ENERGY_WH, "community storage: energy out of range"
    assert 0 < power_wh and power_wh <= MAX_ENERGY_WH, "community storage: energy out of range"
    assert 0 < charge_permille and charge_permille <= PERMILLE, "community storage: efficiency out of range"
    assert (
        0 < discharge_permille and discharge_permille <= PERMILLE
    ), "community storage: efficiency out of range"
    assert loss_limit_wh <= MAX_ENERGY_WH, "community storage: energy out of range"
    assert (
        retail_price_ueur_per_kwh <= MAX_PRICE_UEUR_PER_KWH
    ), "community storage: price out of range"
    assert (
        feed_in_price_ueur_per_kwh <= retail_price_ueur_per_kwh
    ), "community storage: feed-in above retail"
    assert gate_closure_s < order_lead_s, "community storage: no order window"
    accounts.__init__(token)
    dues.__init__(owner)
    TOKEN = token
    LOCAL_MARKET = local_market
    METERS = meters
    OWNER = owner
    METER = meter
    TOTAL_SHARES = total_shares
    SHARE_PRICE_UEUR = share_price_ueur
    CAPACITY_WH = capacity_wh
    POWER_WH = power_wh
    CHARGE_PERMILLE = charge_permille
    DISCHARGE_PERMILLE = discharge_permille
    LOSS_LIMIT_WH = loss_limit_wh
    RETAIL_PRICE_UEUR_PER_KWH = retail_price_ueur_per_kwh
    FEED_IN_PRICE_UEUR_PER_KWH = feed_in_price_ueur_per_kwh
    PRICES = prices
    ORDER_LEAD_S = order_lead_s
    GATE_CLOSURE_S = gate_closure_s
    self._account_of[owner] = total_shares  # no energy, no nomination


# --- money ------------------------------------------------------------------------------------


@external
@nonreentrant
def deposit(amount_ueur: uint256):
    """
    @notice Move approved tokens into the storage; a debt to the owner is repaid out of them.
    """
    assert accounts._deposit(msg.sender, amount_ueur), "community storage: token transfer failed"
    self._settle(msg.sender)


@external
@nonreentrant
def withdraw(amount_ueur: uint256):
    """
    @notice Move tokens of the free balance out of the storage. Bills up to now are settled first,
            and the owner pays what it owes the members.
    """
    self._settle(msg.sender)
    if msg.sender == OWNER:
        self._credit_members()
    assert amount_ueur <= accounts._free(msg.sender), "community storage: balance too low"
    assert accounts._withdraw(msg.sender, amount_ueur), "community storage: token transfer failed"


# --- shares -----------------------------------------------------------------------------------


@external
@nonreentrant
def buyShares(shares: uint256):
    """
    @notice Buy shares that the owner still has, at the price set at deployment.
    """
    price_ueur: uint256 = min(shares, TOTAL_SHARES) * SHARE_PRICE_UEUR
    self._transfer_shares(OWNER, msg.sender, shares, price_ueur)


@external
@nonreentrant
def offerShares(to: address, shares: uint256, price_ueur: uint256):
    """
    @notice Offer shares to an account, for a price in all; replaces an earlier offer to it, and 0
            shares take it back.
    """
    assert shares <= TOTAL_SHARES, "community storage: shares out of range"
    assert price_ueur < MAX_AMOUNT_UEUR, "community storage: price out of range"
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


# --- nominations ------------------------------------------------------------------------------


@external
@nonreentrant
def nominate(interval: uint256, energy_wh: int256):
    """
    @notice Charge (positive) or discharge the caller's account in an interval. Final. Members of the
            local market only, one interval after the other.
    @param interval Delivery interval in whose order window it is
    @param energy_wh Energy at the connection point
    """
    start_s: uint256 = staticcall ILocalMarket(LOCAL_MARKET).deliveryStartOf(interval)
    assert block.timestamp + ORDER_LEAD_S >= start_s, "community storage: window not open"
    assert block.timestamp + GATE_CLOSURE_S < start_s, "community storage: gate closed"
    assert msg.sender != OWNER, "community storage: owner stores nothing"
    assert staticcall ILocalMarket(LOCAL_MARKET).isMember(msg.sender), "community storage: not a member"
    account: book.Account = book._account(self._account_of[msg.sender])
    assert account.next_interval != interval + 1, "community storage: nomination exists"
    assert account.next_interval <= interval, "community storage: later interval nominated"
    energy: uint256 = convert(abs(energy_wh), uint256)
    assert 0 < energy and energy <= MAX_ENERGY_WH, "community storage: energy out of range"
    assert energy <= self._share_of(POWER_WH, account.shares), "community storage: above share of power"

    nominated: book.Nominated = book._nominated(self._nominated[interval])
    if energy_wh > 0:
        assert dues._debt(msg.sender) == 0, "community storage: debt unpaid"
        credited_wh: uint256 = book._credited_wh(energy, CHARGE_PERMILLE)
        account.energy_wh += credited_wh
        assert (
            account.energy_wh <= self._share_of(CAPACITY_WH, account.shares)
        ), "community storage: above share of capacity"
        nominated.charged_wh += energy
        nominated.credited_wh += credited_wh
    else:
        debited_wh: uint256 = book._debited_wh(energy, DISCHARGE_PERMILLE)
        assert debited_wh <= account.energy_wh, "community storage: account too low"
        account.energy_wh -= debited_wh
        nominated.discharged_wh += energy
        nominated.debited_wh += debited_wh
    account.next_interval = interval + 1
    self._account_of[msg.sender] = book._packed_account(account)
    self._nominated[interval] = book._packed_nominated(nominated)
    self._nomination_of[interval][msg.sender] = energy_wh
    log EnergyNominated(
        interval=interval, account=msg.sender, energy_wh=energy_wh, account_wh=account.energy_wh
    )


# --- metering and settlement ------------------------------------------------------------------


@external
@nonreentrant
def reportStorage(interval: uint256, net_wh: int256):
    """
    @notice Report the metered energy of the battery, once per interval. Called by its meter.
    @dev A loss is billed at the retail price of the interval, up to the limit; its opposite is paid
         by the owner at the feed-in price. A meter that stays silent harms only the owner: nothing is billed.
    @param interval An interval that was delivered
    @param net_wh Net injection: positive feeds the grid
    """
    assert msg.sender == METER, "community storage: not the battery's meter"
    assert staticcall ISmartMeters(METERS).customerOf(METER) == OWNER, "community storage: meter not registered"
    assert (
        block.timestamp >= staticcall ILocalMarket(LOCAL_MARKET).deliveryStartOf(
            min(interval, MAX_INTERVAL) + 1
        )
    ), "community storage: not yet delivered"
    assert (
        block.timestamp <= staticcall ILocalMarket(LOCAL_MARKET).reportDeadlineOf(interval)
    ), "community storage: too late to report"
    assert self._reading_of[interval] == 0, "community storage: already reported"
    assert convert(abs(net_wh), uint256) <= MAX_ENERGY_WH, "community storage: energy out of range"
    self._reading_of[interval] = book._packed_reading(net_wh)
    loss_wh: int256 = book._loss_wh(book._nominated(self._nominated[interval]), net_wh)
    billed: uint256 = 0
    if loss_wh > 0:
        billed = self._bill_members(
            min(convert(loss_wh, uint256), LOSS_LIMIT_WH), self._prices_at(interval)[0]
        )
    elif loss_wh < 0:
        self._owner_owes_ueur += order_book._earned_ueur(
            convert(-loss_wh, uint256), self._prices_at(interval)[1]
        )
    log StorageReported(
        interval=interval, net_wh=net_wh, loss_wh=loss_wh, billed_ueur_per_share=billed
    )
    self._credit_members()


@external
@nonreentrant
def settle(members: DynArray[address, MAX_BATCH]):
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
def balanceOf(account: address) -> uint256:
    """
    @return Free balance
    @custom:units µEUR
    """
    return accounts._free(account)


@external
@view
def debtOf(account: address) -> uint256:
    """
    @return What the account owes the owner; repaid first out of whatever it deposits
    @custom:units µEUR
    """
    return dues._debt(account)


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


@external
@view
def accountOf(account: address) -> (uint256, uint256, uint256):
    """
    @return Shares, stored energy, and the first interval that the account may nominate next
    @custom:units energy in Wh
    """
    record: book.Account = book._account(self._account_of[account])
    return record.shares, record.energy_wh, record.next_interval


@external
@view
def limitsOf(account: address) -> (uint256, uint256):
    """
    @return How much energy the account can hold, and how much it can nominate in one interval
    @custom:units Wh
    """
    shares: uint256 = book._account(self._account_of[account]).shares
    return self._share_of(CAPACITY_WH, shares), self._share_of(POWER_WH, shares)


@external
@view
def offerOf(account: address, to: address) -> (uint256, uint256):
    """
    @return How many shares the account offers to another, and what it asks for all of them
    @custom:units µEUR
    """
    offer: uint256 = self._offer_of[account][to]
    return offer & book.MASK_32, offer >> 32


@external
@view
def nominationOf(interval: uint256, account: address) -> int256:
    """
    @return What the account charges (positive) or discharges; 0 means no nomination
    @custom:units Wh
    """
    return self._nomination_of[interval][account]


@external
@view
def nominatedOf(interval: uint256) -> (uint256, uint256, uint256, uint256):
    """
    @return What all accounts charge, and discharge; what that adds to accounts, and takes from them
    @custom:units Wh
    """
    nominated: book.Nominated = book._nominated(self._nominated[interval])
    return (
        nominated.charged_wh,
        nominated.discharged_wh,
        nominated.credited_wh,
        nominated.debited_wh,
    )


@external
@view
def readingOf(interval: uint256) -> (bool, int256, int256):
    """
    @return Whether the battery's meter reported, its net injection, and the loss
    @custom:units Wh
    """
    reading: book.Reading = book._reading(self._reading_of[interval])
    if not reading.known:
        return False, 0, 0
    nominated: book.Nominated = book._nominated(self._nominated[interval])
    return True, reading.net_wh, book._loss_wh(nominated, reading.net_wh)


# --- internal ---------------------------------------------------------------------------------


@internal
def _transfer_shares(account: address, to: address, shares: uint256, price_ueur: uint256):
    """
    @dev Both accounts are settled first, so that bills up to now stay with who held the shares. What
         was nominated with the shares is past its gate closure, so nobody can nominate with
         them twice; the stored energy fits the shares that stay.
    """
    assert account != to, "community storage: own shares"
    assert 0 < shares and shares <= TOTAL_SHARES, "community storage: shares out of range"
    self._settle(account)
    self._settle(to)
    giver: book.Account = book._account(self._account_of[account])
    assert shares <= giver.shares, "community storage: not enough shares"
    assert dues._debt(account) == 0, "community storage: debt unpaid"
    if giver.next_interval != 0:
        assert (
            block.timestamp + GATE_CLOSURE_S
            >= staticcall ILocalMarket(LOCAL_MARKET).deliveryStartOf(giver.next_interval - 1)
        ), "community storage: nomination pending"
    giver.shares -= shares
    assert (
        giver.energy_wh <= self._share_of(CAPACITY_WH, giver.shares)
    ), "community storage: above share of capacity"
    assert price_ueur <= accounts._free(to), "community storage: balance too low"
    self._account_of[account] = book._packed_account(giver)
    taker: book.Account = book._account(self._account_of[to])
    taker.shares += shares
    self._account_of[to] = book._packed_account(taker)
    accounts._debit(to, price_ueur)
    accounts._credit(account, price_ueur)
    log SharesTransferred(account=account, to=to, shares=shares, price_ueur=price_ueur)


@internal
@view
def _prices_at(interval: uint256) -> (uint256, uint256):
    """
    @return Retail and feed-in price of an interval
    @custom:units µEUR/kWh
    """
    if PRICES == empty(address):
        return RETAIL_PRICE_UEUR_PER_KWH, FEED_IN_PRICE_UEUR_PER_KWH
    retail: uint256 = 0
    feed_in: uint256 = 0
    network: uint256 = 0
    taxes: uint256 = 0
    retail, feed_in, network, taxes = staticcall ISupplierPrices(PRICES).pricesAt(interval)
    return retail, feed_in


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
        per_share = (bill_ueur - self._overbilled_ueur + TOTAL_SHARES - 1) // TOTAL_SHARES
    self._overbilled_ueur = self._overbilled_ueur + per_share * TOTAL_SHARES - bill_ueur
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
    paid_ueur: uint256 = min(owed_ueur, accounts._free(OWNER))
    if paid_ueur == 0:
        return
    accounts._debit(OWNER, paid_ueur)
    self._owner_owes_ueur = owed_ueur - paid_ueur
    self._set_aside_ueur += paid_ueur
    due_ueur: uint256 = self._uncredited_ueur + paid_ueur
    per_share: uint256 = due_ueur // TOTAL_SHARES
    self._uncredited_ueur = due_ueur % TOTAL_SHARES
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
    if account == OWNER:
        billed_ueur = 0
    if billed_ueur + credited_ueur != 0:
        self._set_aside_ueur -= credited_ueur
        accounts._credit(account, credited_ueur)
        log LossesSettled(account=account, billed_ueur=billed_ueur, credited_ueur=credited_ueur)
    if account != OWNER:
        dues._settle(account, convert(billed_ueur, int256))


@internal
@view
def _share_of(total_wh: uint256, shares: uint256) -> uint256:
    """
    @dev Rounded down, so the parts are never more than the whole.
    """
    return total_wh * shares // TOTAL_SHARES
