# pragma version 0.4.3
# pragma evm-version cancun
"""
@title Local market
@license Apache-2.0
@notice An energy community's double auction in delivery intervals: open orders with escrow,
        clearing at one price, settlement against the meter, residual with the supplier.
@dev Time of an interval k, with start = first_delivery + k * step:
     orders in [start - order lead, start - gate closure); clear from then on; readings in
     [start + step, start + step + metering]. Who pays rounds up, who is paid rounds down, the
     difference goes to the supplier. No call of one account can stop another's.
     At every moment token.balanceOf(this) is at least, and but for tokens sent here outside
     deposit() equal to, the sum of balanceOf over accounts and of lockedOf over orders.
@custom:units energy in Wh, net injection positive; money in µEUR; prices in µEUR/kWh; time in s
"""

import ISmartMeters
import ILocalMarket
import escrow_accounts as accounts
import order_book
import supplier_dues as dues

implements: ILocalMarket
initializes: accounts
initializes: dues[accounts := accounts]

MAX_ORDERS: public(constant(uint256)) = order_book.MAX_ORDERS
MAX_ENERGY_WH: public(constant(uint256)) = order_book.MAX_ENERGY_WH
MAX_PRICE_UEUR_PER_KWH: public(constant(uint256)) = order_book.MAX_PRICE_UEUR_PER_KWH
MAX_INTERVAL: constant(uint256) = 2**64  # any later one is as far away
MASK_10: constant(uint256) = order_book.MASK_10
MASK_160: constant(uint256) = order_book.MASK_160

# a position: order index + 1 in 10 bits | reading known | reading estimated | net_wh + 2**32
KNOWN: constant(uint256) = 1 << 10
ESTIMATED: constant(uint256) = 1 << 11
NET_AT: constant(uint256) = 12
NET_OFFSET: constant(int256) = 2**32

# a membership: meter 160 | first interval
FROM_AT: constant(uint256) = 160

TOKEN: public(immutable(address))
METERS: public(immutable(address))
SUPPLIER: public(immutable(address))
RETAIL_PRICE_UEUR_PER_KWH: public(immutable(uint256))
FEED_IN_PRICE_UEUR_PER_KWH: public(immutable(uint256))
FIRST_DELIVERY_S: public(immutable(uint256))
STEP_S: public(immutable(uint256))
ORDER_LEAD_S: public(immutable(uint256))
GATE_CLOSURE_S: public(immutable(uint256))
METERING_S: public(immutable(uint256))
SILENT_ESTIMATE_WH: public(immutable(uint256))

_membership_of: HashMap[address, uint256]
_orders: HashMap[uint256, uint256[MAX_ORDERS]]
_position_of: HashMap[uint256, HashMap[address, uint256]]
_clearing_of: HashMap[uint256, uint256]

event MemberJoined:
    account: indexed(address)
    meter: indexed(address)
    from_interval: uint256

event OrderPlaced:
    interval: indexed(uint256)
    account: indexed(address)
    is_sell: bool
    energy_wh: uint256
    price_ueur_per_kwh: uint256

event OrderFilled:
    interval: indexed(uint256)
    account: indexed(address)
    is_sell: bool
    energy_wh: uint256

event IntervalCleared:
    interval: indexed(uint256)
    price_ueur_per_kwh: uint256
    volume_wh: uint256
    n_orders: uint256

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
    """
    assert retail_price_ueur_per_kwh <= MAX_PRICE_UEUR_PER_KWH, "local market: price out of range"
    assert feed_in_price_ueur_per_kwh <= retail_price_ueur_per_kwh, "local market: feed-in above retail"
    assert silent_estimate_wh <= MAX_ENERGY_WH, "local market: energy out of range"
    assert 0 < step_s and step_s <= MAX_INTERVAL, "local market: step out of range"
    assert gate_closure_s < order_lead_s, "local market: no order window"
    accounts.__init__(token)
    dues.__init__(supplier)
    TOKEN = token
    METERS = meters
    SUPPLIER = supplier
    RETAIL_PRICE_UEUR_PER_KWH = retail_price_ueur_per_kwh
    FEED_IN_PRICE_UEUR_PER_KWH = feed_in_price_ueur_per_kwh
    FIRST_DELIVERY_S = first_delivery_s
    STEP_S = step_s
    ORDER_LEAD_S = order_lead_s
    GATE_CLOSURE_S = gate_closure_s
    METERING_S = metering_s
    SILENT_ESTIMATE_WH = silent_estimate_wh


# --- accounts ---------------------------------------------------------------------------------


@external
@nonreentrant
def deposit(amount_ueur: uint256):
    """
    @notice Move approved tokens into the market; a debt to the supplier is repaid out of them.
    """
    assert accounts._deposit(msg.sender, amount_ueur), "local market: token transfer failed"
    dues._settle(msg.sender, 0)


@external
@nonreentrant
def withdraw(amount_ueur: uint256):
    """
    @notice Move tokens of the free balance out of the market. The supplier leaves what it owes.
    """
    available: uint256 = accounts._free(msg.sender)
    if msg.sender == SUPPLIER:
        available -= min(available, dues._claims_total)
    assert amount_ueur <= available, "local market: balance too low"
    assert accounts._withdraw(msg.sender, amount_ueur), "local market: token transfer failed"


@external
@nonreentrant
def collectClaim():
    """
    @notice Collect what the supplier owes the caller, as far as it can pay by now.
    """
    assert dues._claim(msg.sender) != 0, "local market: no claim"
    dues._settle(msg.sender, 0)


@external
@nonreentrant
def join(meter: address):
    """
    @notice Take part with a meter of one's own, from the next delivery on.
    @dev Again only after the meter that one joined with became invalid.
    @param meter A valid meter whose customer is the caller
    """
    assert msg.sender != SUPPLIER, "local market: supplier cannot join"
    assert staticcall ISmartMeters(METERS).customerOf(meter) == msg.sender, "local market: not your meter"
    assert not self._is_member(msg.sender), "local market: already a member"
    from_interval: uint256 = 0
    if block.timestamp > FIRST_DELIVERY_S:
        from_interval = (block.timestamp - FIRST_DELIVERY_S + STEP_S - 1) // STEP_S
    self._membership_of[msg.sender] = convert(meter, uint256) | (from_interval << FROM_AT)
    log MemberJoined(account=msg.sender, meter=meter, from_interval=from_interval)


# --- orders and clearing ----------------------------------------------------------------------


@external
@nonreentrant
def placeOrder(interval: uint256, is_sell: bool, energy_wh: uint256, price_ueur_per_kwh: uint256):
    """
    @notice Offer or ask for energy of an interval. Locks the escrow until the interval is settled.
    @dev A buyer locks what it may have to pay; a seller what the supplier charges above its price
         for energy that it sells and does not deliver.
    """
    start_s: uint256 = self._delivery_start_s(interval)
    assert block.timestamp + ORDER_LEAD_S >= start_s, "local market: window not open"
    assert block.timestamp + GATE_CLOSURE_S < start_s, "local market: gate closed"
    assert 0 < energy_wh and energy_wh <= MAX_ENERGY_WH, "local market: energy out of range"
    assert price_ueur_per_kwh <= MAX_PRICE_UEUR_PER_KWH, "local market: price out of range"
    assert self._is_member(msg.sender), "local market: not a member"
    assert self._position_of[interval][msg.sender] == 0, "local market: order exists"
    n_orders: uint256 = self._clearing_of[interval]  # before clearing it holds nothing else
    assert n_orders < MAX_ORDERS, "local market: book full"
    escrow: uint256 = self._escrow(is_sell, energy_wh, price_ueur_per_kwh)
    assert accounts._free(msg.sender) >= escrow, "local market: balance too low"

    accounts._debit(msg.sender, escrow)
    self._clearing_of[interval] = n_orders + 1
    self._position_of[interval][msg.sender] = n_orders + 1
    self._orders[interval][n_orders] = order_book._order(
        msg.sender, is_sell, energy_wh, price_ueur_per_kwh
    )
    log OrderPlaced(
        interval=interval,
        account=msg.sender,
        is_sell=is_sell,
        energy_wh=energy_wh,
        price_ueur_per_kwh=price_ueur_per_kwh,
    )


@external
@nonreentrant
def clear(interval: uint256):
    """
    @notice Clear an interval, once, after its gate closure. Anyone may call.
    @dev The largest volume at which bids cross asks, at the midpoint of the last crossing pair.
         Orders better than the margin are filled; at the margin of the long side the rest is
         shared pro rata, and Wh left over by rounding go to the earliest orders.
    """
    assert block.timestamp + GATE_CLOSURE_S >= self._delivery_start_s(interval), "local market: gate open"
    assert not order_book._unpacked(self._clearing_of[interval]).cleared, "local market: already cleared"
    n: uint256 = self._clearing_of[interval]  # before clearing it holds nothing else
    book: uint256[MAX_ORDERS] = empty(uint256[MAX_ORDERS])
    n_bids: uint256 = 0
    for index: uint256 in range(n, bound=MAX_ORDERS):
        order: uint256 = self._orders[interval][index]
        book[index] = order_book._sorting_key(order, index)
        if not order_book._is_sell(order):
            n_bids += 1
    book = order_book._sorted(book, n)
    clearing: order_book.Clearing = order_book._cleared(book, n_bids, n)
    self._clearing_of[interval] = order_book._packed(clearing)

    paid_ueur: uint256 = 0
    earned_ueur: uint256 = 0
    if clearing.volume != 0:
        for k: uint256 in range(n, bound=MAX_ORDERS):
            order: uint256 = 0
            index: uint256 = 0
            order, index = order_book._order_of_key(book[k])
            filled_wh: uint256 = order_book._filled_wh(order, index, clearing)
            if filled_wh == 0:
                continue
            is_sell: bool = order_book._is_sell(order)
            if is_sell:
                earned_ueur += order_book._earned_ueur(filled_wh, clearing.price)
            else:
                paid_ueur += order_book._due_ueur(filled_wh, clearing.price)
            log OrderFilled(
                interval=interval,
                account=order_book._owner(order),
                is_sell=is_sell,
                energy_wh=filled_wh,
            )
    accounts._credit(SUPPLIER, paid_ueur - earned_ueur)
    log IntervalCleared(
        interval=interval,
        price_ueur_per_kwh=clearing.price,
        volume_wh=clearing.volume,
        n_orders=n,
    )


# --- metering and settlement ------------------------------------------------------------------


@external
@nonreentrant
def report(interval: uint256, net_wh: int256):
    """
    @notice Report the metered energy of an interval, once, and settle it. Called by the meter.
    @param interval An interval that was delivered and cleared
    @param net_wh Net injection: positive feeds the grid, negative is consumption
    """
    customer: address = staticcall ISmartMeters(METERS).customerOf(msg.sender)
    membership: uint256 = self._membership_of[customer]
    assert (
        customer != empty(address) and membership & MASK_160 == convert(msg.sender, uint256)
    ), "local market: unknown meter"
    assert block.timestamp >= self._delivery_start_s(interval) + STEP_S, "local market: not yet delivered"
    assert block.timestamp <= self._report_deadline_s(interval), "local market: too late to report"
    assert membership >> FROM_AT <= interval, "local market: not a member"
    assert convert(abs(net_wh), uint256) <= MAX_ENERGY_WH, "local market: energy out of range"
    self._settle(interval, customer, net_wh, False)


@external
@nonreentrant
def settleSilent(interval: uint256, account: address):
    """
    @notice Settle a member whose meter did not report in time by the agreed estimate. Anyone may call.
    @dev Who has no order in the interval is settled only while its meter is valid, and not for
         intervals before it joined.
    """
    assert block.timestamp > self._report_deadline_s(interval), "local market: meter may still report"
    if self._position_of[interval][account] & MASK_10 == 0:
        assert (
            self._is_member(account) and self._membership_of[account] >> FROM_AT <= interval
        ), "local market: not a member"
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
def lockedOf(interval: uint256, account: address) -> uint256:
    """
    @return What the market holds for an account's order: its escrow; from clearing to settlement
            the escrow less the price of what it bought or with the proceeds of what it sold
    @custom:units µEUR
    """
    position: uint256 = self._position_of[interval][account]
    if position & MASK_10 == 0 or position & KNOWN != 0:
        return 0
    clearing: order_book.Clearing = order_book._unpacked(self._clearing_of[interval])
    index: uint256 = (position & MASK_10) - 1
    order: uint256 = self._orders[interval][index]
    return self._released_ueur(order, order_book._filled_wh(order, index, clearing), clearing.price)


@external
@view
def isMember(account: address) -> bool:
    """
    @return Whether the account joined with a meter that is valid now
    """
    return self._is_member(account)


@external
@view
def membershipOf(account: address) -> (address, uint256):
    """
    @return The meter that the account last joined with, and the first interval of that membership
    """
    membership: uint256 = self._membership_of[account]
    return convert(membership & MASK_160, address), membership >> FROM_AT


@external
@view
def orderOf(interval: uint256, account: address) -> (bool, uint256, uint256, uint256):
    """
    @return Whether it sells, its price, its energy, and how much of it was filled; energy 0 means
            that there is none
    @custom:units price in µEUR/kWh, energy in Wh
    """
    position: uint256 = self._position_of[interval][account] & MASK_10
    if position == 0:
        return False, 0, 0, 0
    order: uint256 = self._orders[interval][position - 1]
    clearing: order_book.Clearing = order_book._unpacked(self._clearing_of[interval])
    return (
        order_book._is_sell(order),
        order_book._price_ueur_per_kwh(order),
        order_book._energy_wh(order),
        order_book._filled_wh(order, position - 1, clearing),
    )


@external
@view
def ownerAt(interval: uint256, index: uint256) -> address:
    """
    @return Who placed the order that arrived as number index, counted from 0; zero beyond the last
    """
    if index >= MAX_ORDERS:
        return empty(address)
    return order_book._owner(self._orders[interval][index])


@external
@view
def clearingOf(interval: uint256) -> (bool, uint256, uint256, uint256):
    """
    @return Whether it is cleared, the price, the volume, and the number of orders
    @custom:units price in µEUR/kWh, volume in Wh
    """
    clearing: order_book.Clearing = order_book._unpacked(self._clearing_of[interval])
    return clearing.cleared, clearing.price, clearing.volume, clearing.n_orders


@external
@view
def readingOf(interval: uint256, account: address) -> (bool, bool, int256):
    """
    @return Whether the interval is metered and settled; whether by estimate; net injection
    @custom:units net injection in Wh
    """
    position: uint256 = self._position_of[interval][account]
    if position & KNOWN == 0:
        return False, False, 0
    net_wh: int256 = convert(position >> NET_AT, int256) - NET_OFFSET
    return True, position & ESTIMATED != 0, net_wh


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


@external
@view
def deliveryStartOf(interval: uint256) -> uint256:
    """
    @return Start of delivery as a Unix time
    @custom:units s
    """
    return self._delivery_start_s(interval)


@external
@view
def reportDeadlineOf(interval: uint256) -> uint256:
    """
    @return Last second at which a meter may report the interval, as a Unix time
    @custom:units s
    """
    return self._report_deadline_s(interval)


# --- internal: money --------------------------------------------------------------------------


@internal
def _settle(interval: uint256, account: address, net_wh: int256, estimated: bool):
    """
    @dev Release the order's escrow, pay the trade out of or into it, and settle the residual with
         the supplier. Needs no other account's settlement: what a seller earns was taken from the
         buyers' escrow by clear().
    """
    clearing: order_book.Clearing = order_book._unpacked(self._clearing_of[interval])
    assert clearing.cleared, "local market: not cleared"
    position: uint256 = self._position_of[interval][account]
    assert position & KNOWN == 0, "local market: already reported"

    contracted_wh: int256 = 0
    trade_ueur: int256 = 0
    if position != 0:
        index: uint256 = (position & MASK_10) - 1
        order: uint256 = self._orders[interval][index]
        filled_wh: uint256 = order_book._filled_wh(order, index, clearing)
        if order_book._is_sell(order):
            contracted_wh = convert(filled_wh, int256)
            trade_ueur = convert(order_book._earned_ueur(filled_wh, clearing.price), int256)
        else:
            contracted_wh = -convert(filled_wh, int256)
            trade_ueur = -convert(order_book._due_ueur(filled_wh, clearing.price), int256)
        accounts._credit(account, self._released_ueur(order, filled_wh, clearing.price))

    supplier_ueur: int256 = 0
    residual_wh: int256 = net_wh - contracted_wh
    if residual_wh < 0:
        supplier_ueur = -convert(
            order_book._due_ueur(convert(-residual_wh, uint256), RETAIL_PRICE_UEUR_PER_KWH), int256
        )
    else:
        supplier_ueur = convert(
            order_book._earned_ueur(convert(residual_wh, uint256), FEED_IN_PRICE_UEUR_PER_KWH), int256
        )

    position |= KNOWN | (convert(net_wh + NET_OFFSET, uint256) << NET_AT)
    if estimated:
        position |= ESTIMATED
    self._position_of[interval][account] = position
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
@view
def _escrow(is_sell: bool, energy_wh: uint256, price_ueur_per_kwh: uint256) -> uint256:
    if not is_sell:
        return order_book._due_ueur(energy_wh, price_ueur_per_kwh)
    if price_ueur_per_kwh >= RETAIL_PRICE_UEUR_PER_KWH:
        return 0
    return order_book._due_ueur(energy_wh, RETAIL_PRICE_UEUR_PER_KWH - price_ueur_per_kwh)


@internal
@view
def _released_ueur(order: uint256, filled_wh: uint256, price_ueur_per_kwh: uint256) -> uint256:
    """
    @dev Escrow of an order with what it earned, or without what it paid.
    """
    is_sell: bool = order_book._is_sell(order)
    escrow: uint256 = self._escrow(is_sell, order_book._energy_wh(order), order_book._price_ueur_per_kwh(order))
    if is_sell:
        return escrow + order_book._earned_ueur(filled_wh, price_ueur_per_kwh)
    return escrow - order_book._due_ueur(filled_wh, price_ueur_per_kwh)


# --- internal: membership and time ------------------------------------------------------------


@internal
@view
def _is_member(account: address) -> bool:
    meter: address = convert(self._membership_of[account] & MASK_160, address)
    if meter == empty(address):
        return False
    return staticcall ISmartMeters(METERS).customerOf(meter) == account


@internal
@view
def _delivery_start_s(interval: uint256) -> uint256:
    return FIRST_DELIVERY_S + min(interval, MAX_INTERVAL) * STEP_S


@internal
@view
def _report_deadline_s(interval: uint256) -> uint256:
    return self._delivery_start_s(interval) + STEP_S + METERING_S
