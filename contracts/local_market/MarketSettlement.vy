# pragma version 0.4.3
# pragma evm-version cancun
# pragma optimize gas
"""
@title Settlement of the local market
@license Apache-2.0
@notice What follows delivery: fills of a committed clearing are claimed, meters report, silent ones
        are estimated, and trades and the residual with the supplier are settled.
@dev Keeps no money: accounts, escrow and dues are the market's, which pays what is computed here,
     and takes every position's reading and claim once. What this contract needs of the market's terms it
     takes from the market when it is deployed, and refuses to exist for a market that names
     another settlement.
     Who pays rounds up, who is paid rounds down, the difference goes to the supplier. No call of
     one account can stop another's.
     The supplier's prices of an interval are in retail_prices.vy. It bills them, charges on local
     trades among them, and owes network charges and taxes to those they are for, from the moment
     they arise, whether or not the account can pay.
@custom:units energy in Wh, net injection positive; money in µEUR; prices in µEUR/kWh; time in s
"""

import IBilateralTrades
import ISettledMarket
import ISmartMeters
import batches
import clearing_rules
import commitments
import community_records
import fill_tree
import order_book
import positions
import refusals
import retail_prices as retail

initializes: retail
exports: retail.__interface__

MASK_10: constant(uint256) = order_book.MASK_10
MASK_41: constant(uint256) = order_book.MASK_41
MASK_64: constant(uint256) = order_book.MASK_64
MAX_DEPTH: constant(uint256) = fill_tree.MAX_DEPTH
MAX_INTERVAL: constant(uint256) = 2**64  # any later one is as far away
BILATERAL_FORM: constant(uint256) = 3  # interval_books.vy

# a tally of claims: pot 64 | bought 41 | sold 41 | orders claimed or given up 10
BOUGHT_AT: constant(uint256) = 64
SOLD_AT: constant(uint256) = 105
DONE_AT: constant(uint256) = 146

LOCAL_MARKET: public(immutable(address))
DSO: public(immutable(address))
STATE: public(immutable(address))
BILATERAL: public(immutable(address))
SUPPLIER: public(immutable(address))
SILENT_ESTIMATE_WH: public(immutable(uint256))
SUBMISSIONS: public(immutable(address))
_METERS: immutable(address)
_RULE: immutable(uint256)
_HIGHEST_RETAIL: immutable(uint256)
_SEALED_DEPOSIT_UEUR: immutable(uint256)
_FIRST_DELIVERY_S: immutable(uint256)
_STEP_S: immutable(uint256)
_ORDER_LEAD_S: immutable(uint256)
_METERING_S: immutable(uint256)
_CHALLENGE_S: immutable(uint256)

_tally_of: HashMap[uint256, uint256]

event FillClaimed:
    interval: indexed(uint256)
    account: indexed(address)
    is_sell: bool
    energy_wh: uint256

event SurplusPaid:
    interval: indexed(uint256)
    amount_ueur: uint256

event MeterReported:
    interval: indexed(uint256)
    account: indexed(address)
    net_wh: int256
    estimated: bool

event ReadingPassedOver:
    interval: indexed(uint256)
    meter: indexed(address)
    cause: uint256

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
    local_market: address,
    silent_estimate_wh: uint256,
    base_retail_ueur_per_kwh: uint256,
    base_feed_in_ueur_per_kwh: uint256,
    base_network_ueur_per_kwh: uint256,
    base_taxes_ueur_per_kwh: uint256,
    local_network_ppm: uint256,
    local_taxes_ppm: uint256,
    prices_change: bool,
    dso: address,
    state: address,
    bilateral: address,
):
    """
    @param local_market The market, deployed with this contract's address
    @param silent_estimate_wh Consumption settled for a meter that stays silent
    @param base_retail_ueur_per_kwh What the supplier is paid for energy, until prices change
    @param base_feed_in_ueur_per_kwh What it pays for energy, until prices change
    @param base_network_ueur_per_kwh Network charge in the retail price, until prices change
    @param base_taxes_ueur_per_kwh Taxes and levies in the retail price, until prices change
    @param local_network_ppm Share of the network charge on energy traded locally, in millionths
    @param local_taxes_ppm Share of the taxes on energy traded locally, in millionths
    @param prices_change Whether the supplier may announce other prices
    @param dso Who network charges are for; zero where there are no charges
    @param state Who taxes and levies are for; zero where there are none
    @param bilateral The BilateralTrades of a market that is cleared by pairs; zero of others
    """
    assert silent_estimate_wh <= order_book.MAX_ENERGY_WH, "local market: energy out of range"
    market: ISettledMarket = ISettledMarket(local_market)
    assert staticcall market.SETTLEMENT() == self, "local market: settled elsewhere"
    assert (staticcall market.FORM() == BILATERAL_FORM) == (
        bilateral != empty(address)
    ), "local market: cleared otherwise"
    LOCAL_MARKET = local_market
    BILATERAL = bilateral
    SILENT_ESTIMATE_WH = silent_estimate_wh
    SUBMISSIONS = staticcall market.SUBMISSIONS()
    _METERS = staticcall market.METERS()
    _RULE = staticcall market.RULE()
    _HIGHEST_RETAIL = staticcall market.RETAIL_PRICE_UEUR_PER_KWH()
    retail.__init__(
        _HIGHEST_RETAIL,
        base_retail_ueur_per_kwh,
        base_feed_in_ueur_per_kwh,
        base_network_ueur_per_kwh,
        base_taxes_ueur_per_kwh,
        local_network_ppm,
        local_taxes_ppm,
        prices_change,
        dso != empty(address) and state != empty(address),
    )
    DSO = dso
    STATE = state
    SUPPLIER = staticcall market.SUPPLIER()
    _SEALED_DEPOSIT_UEUR = staticcall market.SEALED_DEPOSIT_UEUR()
    _FIRST_DELIVERY_S = staticcall market.FIRST_DELIVERY_S()
    _STEP_S = staticcall market.STEP_S()
    _ORDER_LEAD_S = staticcall market.ORDER_LEAD_S()
    _METERING_S = staticcall market.METERING_S()
    _CHALLENGE_S = staticcall market.CHALLENGE_S()


# --- prices -----------------------------------------------------------------------------------


@external
@nonreentrant
def announcePrices(
    from_interval: uint256,
    retail_ueur_per_kwh: uint256,
    feed_in_ueur_per_kwh: uint256,
    network_ueur_per_kwh: uint256,
    taxes_ueur_per_kwh: uint256,
):
    """
    @notice Change the prices from an interval on, before its order window opens. The supplier only.
    @param from_interval First interval of these prices, after that of the last change
    @param retail_ueur_per_kwh What the supplier is paid for energy, at most what the market says
    @param feed_in_ueur_per_kwh What it pays; with all local charges not above the retail price
    @param network_ueur_per_kwh Network charge in the retail price
    @param taxes_ueur_per_kwh Taxes and levies in the retail price
    """
    refusals._require(msg.sender == SUPPLIER, "not the supplier")
    start_s: uint256 = self._delivery_end_s(from_interval) - _STEP_S
    refusals._require(block.timestamp + _ORDER_LEAD_S < start_s, "order window is open")
    retail._announce(
        from_interval,
        retail_ueur_per_kwh,
        feed_in_ueur_per_kwh,
        network_ueur_per_kwh,
        taxes_ueur_per_kwh,
    )


@external
@nonreentrant
def passOnCharges():
    """
    @notice Pay DSO and state what the supplier billed for them, as far as its balance in the
            market goes, the DSO first. Anyone may call; the rest stays owed.
    @dev Charges that no bill covers yet are not paid: see retail_prices.vy.
    """
    owed: uint256 = retail._owed
    covered_ueur: uint256 = owed >> retail.COVERED_AT
    refusals._require(covered_ueur != 0, "no charges to pass on")
    network_ueur: uint256 = min(owed & retail.MASK_96, covered_ueur)
    taxes_ueur: uint256 = min(
        (owed >> retail.OWED_TAXES_AT) & retail.MASK_96, unsafe_sub(covered_ueur, network_ueur)
    )
    network_ueur = extcall ISettledMarket(LOCAL_MARKET).passOn(DSO, network_ueur)
    taxes_ueur = extcall ISettledMarket(LOCAL_MARKET).passOn(STATE, taxes_ueur)
    retail._owed = owed - (
        network_ueur
        | (taxes_ueur << retail.OWED_TAXES_AT)
        | ((network_ueur + taxes_ueur) << retail.COVERED_AT)
    )
    log retail.ChargesPassedOn(network_ueur=network_ueur, taxes_ueur=taxes_ueur)


# --- claims -----------------------------------------------------------------------------------


@external
@nonreentrant
def claimFill(
    interval: uint256, account: address, filled_wh: uint256, proof: DynArray[bytes32, MAX_DEPTH]
):
    """
    @notice Prove what was filled of an account's order, once, after the challenge window and as long
            as meters may report. Anyone may call for anyone. Settles who has reported.
    @dev A claim moves what a buyer pays into the interval's pot, and what a seller earns out of it,
         so that a wrong root that nobody challenges takes at most the escrow of its own interval.
    @param interval The interval
    @param account Whose order it is
    @param filled_wh What was filled of it, also if that is nothing
    @param proof Nodes of the tree beside the way from the order's leaf to the root, from the leaf up
    """
    position: uint256 = 0
    order: uint256 = 0
    word: uint256 = 0
    commitment: uint256 = 0
    root: bytes32 = empty(bytes32)
    position, order, word, commitment, root = staticcall ISettledMarket(
        LOCAL_MARKET
    ).claimRecordsOf(interval, account)
    clearing: clearing_rules.Clearing = clearing_rules._unpacked(word)
    refusals._require(clearing.committed, "no committed clearing")
    refusals._require(
        commitments._is_final(commitment, _CHALLENGE_S), "clearing may still be challenged"
    )
    refusals._require(
        block.timestamp <= self._delivery_end_s(interval) + _METERING_S, "too late to claim"
    )
    refusals._require(order != 0 and not order_book._is_sealed(order), "no order")
    refusals._require(position & positions.CLAIMED == 0, "already claimed")
    refusals._require(
        fill_tree._root_of_proof((position & MASK_10) - 1, filled_wh, proof) == root,
        "not in the root",
    )
    refusals._require(filled_wh <= order_book._energy_wh(order), "fill above the order")
    price: uint256 = clearing_rules._price_of(order, clearing, _RULE)
    limit: uint256 = order_book._price_ueur_per_kwh(order)
    is_sell: bool = order_book._is_sell(order)
    refusals._require(
        filled_wh == 0 or price == limit or (price > limit) == is_sell, "price beyond the order"
    )

    # no sum leaves its field, even if the root is wrong: every order is claimed once, within limits
    tally: uint256 = self._tally_of[interval]
    trade_ueur: uint256 = positions._amount_ueur(is_sell, filled_wh, price)
    if is_sell:
        refusals._require(trade_ueur <= tally & MASK_64, "buyers have not paid in")
        tally = unsafe_add(unsafe_sub(tally, trade_ueur), filled_wh << SOLD_AT)
    else:
        tally = unsafe_add(tally, trade_ueur | (filled_wh << BOUGHT_AT))
    rest_ueur: uint256 = self._count(interval, tally, clearing.volume, commitment)
    claim: uint256 = positions.CLAIMED | (filled_wh << positions.CLAIM_AT)
    log FillClaimed(interval=interval, account=account, is_sell=is_sell, energy_wh=filled_wh)
    if position & positions.KNOWN != 0:
        self._settle(
            interval, account, position, order, clearing, positions._net_wh(position), claim, rest_ueur
        )
    else:
        self._record(interval, account, claim, 0, rest_ueur, 0)


# --- metering and settlement ------------------------------------------------------------------


@external
@nonreentrant
def report(interval: uint256, net_wh: int256):
    """
    @notice Report the metered energy of an interval, once, and settle it. Called by the meter.
    @dev Waits for nobody: an interval that was not cleared is settled as one without trades, and an
         order whose committed fill is not claimed is settled by its claim or, after the last
         moment for claims, by settleSilent().
    @param interval An interval that was delivered
    @param net_wh Net injection: positive feeds the grid, negative is consumption
    """
    customer: address = empty(address)
    since_s: uint256 = 0
    customer, since_s = self._registration_of(msg.sender)
    position: uint256 = 0
    order: uint256 = 0
    word: uint256 = 0
    membership: uint256 = 0
    position, order, word, membership = self._records(interval, customer, True)
    refusals._require(
        customer != empty(address) and community_records._meter(membership) == msg.sender,
        "unknown meter",
    )
    start_s: uint256 = self._require_metering(interval)
    refusals._require(community_records._from_interval(membership) <= interval, "not a member")
    # so that nobody else can be or become the customer of whom this meter reports the interval
    refusals._require(since_s <= start_s, "meter changed hands")
    refusals._require(
        convert(abs(net_wh), uint256) <= order_book.MAX_ENERGY_WH, "energy out of range"
    )
    refusals._require(position != positions.IN_USE, "slot is in use")
    refusals._require(position & positions.KNOWN == 0, "already reported")
    self._take(interval, customer, position, order, word, net_wh)


@external
@nonreentrant
def reportAll(interval: uint256, readings: DynArray[uint256, batches.MAX_BATCH]):
    """
    @notice Report readings of several meters, each as report() would. Submissions.vy only, which
            knows that they are the meters'. A reading that would be refused alone is passed over.
    @param interval An interval that was delivered
    @param readings Words: meter 160 | net_wh + 2**32 in 33 bits
    """
    refusals._require(msg.sender == SUBMISSIONS, "not the submissions")
    start_s: uint256 = self._require_metering(interval)
    for reading: uint256 in readings:
        meter: address = batches._meter(reading)
        net_wh: int256 = batches._net_wh(reading)
        customer: address = empty(address)
        since_s: uint256 = 0
        customer, since_s = self._registration_of(meter)
        position: uint256 = 0
        order: uint256 = 0
        word: uint256 = 0
        membership: uint256 = 0
        position, order, word, membership = self._records(interval, customer, True)
        cause: uint256 = 0
        if customer == empty(address) or community_records._meter(membership) != meter:
            cause = batches.UNKNOWN_METER
        elif community_records._from_interval(membership) > interval:
            cause = batches.NOT_A_MEMBER
        elif since_s > start_s:
            cause = batches.METER_CHANGED_HANDS
        elif convert(abs(net_wh), uint256) > order_book.MAX_ENERGY_WH:
            cause = batches.ENERGY_OUT_OF_RANGE
        elif position == positions.IN_USE:
            cause = batches.SLOT_IN_USE
        elif position & positions.KNOWN != 0:
            cause = batches.ALREADY_REPORTED
        if cause != 0:
            log ReadingPassedOver(interval=interval, meter=meter, cause=cause)
            continue
        self._take(interval, customer, position, order, word, net_wh)


@external
@nonreentrant
def settleSilent(interval: uint256, account: address):
    """
    @notice Settle a member whose meter did not report in time by the agreed estimate, or who reported
            and whose fill nobody claimed in time. Anyone may call.
    @dev Consumption is estimated of who has had its meter since before the interval began, and not for
         intervals before it joined. Of others an order is settled as if nothing had been metered.
    """
    refusals._require(
        block.timestamp > self._delivery_end_s(interval) + _METERING_S, "meter may still report"
    )
    position: uint256 = 0
    order: uint256 = 0
    word: uint256 = 0
    membership: uint256 = 0
    position, order, word, membership = self._records(interval, account, True)
    refusals._require(position != positions.IN_USE, "slot is in use")
    refusals._require(position & positions.SETTLED == 0, "already reported")
    net_wh: int256 = 0
    reading: uint256 = 0
    if position & positions.KNOWN != 0:
        net_wh = positions._net_wh(position)
    else:
        if self._is_metered(interval, account, membership):
            net_wh = -convert(SILENT_ESTIMATE_WH, int256)
        else:
            refusals._require(position & MASK_10 != 0, "not a member")
        reading = positions._reading(net_wh, True)
    clearing: clearing_rules.Clearing = clearing_rules._unpacked(word)
    rest_ueur: uint256 = 0
    if self._is_unclaimed(position, order, clearing):
        rest_ueur = self._give_up(interval, account, clearing.volume)
    self._settle(interval, account, position, order, clearing, net_wh, reading, rest_ueur)


# --- views ------------------------------------------------------------------------------------


@external
@view
def orderOf(interval: uint256, account: address) -> (bool, uint256, uint256, uint256):
    """
    @return Whether it sells, its price, its energy, and how much of it was filled; energy 0 means
            that there is none, or that it is sealed
    @custom:units price in µEUR/kWh, energy in Wh
    """
    position: uint256 = 0
    order: uint256 = 0
    word: uint256 = 0
    membership: uint256 = 0
    position, order, word, membership = self._records(interval, account, False)
    if order_book._is_sealed(order):
        return False, 0, 0, 0
    return (
        order_book._is_sell(order),
        order_book._price_ueur_per_kwh(order),
        order_book._energy_wh(order),
        positions._filled_wh(order, position, clearing_rules._unpacked(word), _RULE),
    )


@external
@view
def isSealed(interval: uint256, account: address) -> bool:
    """
    @return Whether the account committed to an order that it has not revealed
    """
    position: uint256 = 0
    order: uint256 = 0
    word: uint256 = 0
    membership: uint256 = 0
    position, order, word, membership = self._records(interval, account, False)
    return order_book._is_sealed(order)


@external
@view
def lockedOf(interval: uint256, account: address) -> uint256:
    """
    @return What the market holds for an account's order: its escrow, or the deposit while it is
            sealed; once its fill is known and until settlement the escrow less the price of what
            it bought or with the proceeds of what it sold; of bilateral trades less what the
            sellers earn of that price
    @custom:units µEUR
    """
    position: uint256 = 0
    order: uint256 = 0
    word: uint256 = 0
    membership: uint256 = 0
    position, order, word, membership = self._records(interval, account, False)
    if order == 0 or position & positions.SETTLED != 0:
        return 0
    if order_book._is_sealed(order):
        return _SEALED_DEPOSIT_UEUR
    if BILATERAL != empty(address):
        traded_wh: uint256 = 0
        paid_ueur: uint256 = 0
        gains_ueur: uint256 = 0
        traded_wh, paid_ueur, gains_ueur = staticcall IBilateralTrades(BILATERAL).tradedOf(
            interval, account
        )
        return positions._released_ueur(order, paid_ueur, _HIGHEST_RETAIL) + gains_ueur
    clearing: clearing_rules.Clearing = clearing_rules._unpacked(word)
    filled_wh: uint256 = positions._filled_wh(order, position, clearing, _RULE)
    trade_ueur: uint256 = positions._trade_ueur(order, filled_wh, clearing, _RULE)
    return positions._released_ueur(order, trade_ueur, _HIGHEST_RETAIL)


@external
@view
def potOf(interval: uint256) -> uint256:
    """
    @return What buyers' claims paid in and sellers' claims have not taken out; held by the market
    @custom:units µEUR
    """
    return self._tally_of[interval] & MASK_64


@external
@view
def isClaimed(interval: uint256, account: address) -> bool:
    """
    @return Whether an order's fill of a committed clearing was claimed
    """
    position: uint256 = 0
    order: uint256 = 0
    word: uint256 = 0
    membership: uint256 = 0
    position, order, word, membership = self._records(interval, account, False)
    return position & positions.CLAIMED != 0


# --- internal ---------------------------------------------------------------------------------


@internal
@view
def _registration_of(meter: address) -> (address, uint256):
    """
    @dev A meter's customer, and since when it is.
    """
    return staticcall ISmartMeters(_METERS).registrationOf(meter)


@internal
@view
def _is_metered(interval: uint256, account: address, membership: uint256) -> bool:
    """
    @dev An account took part with a meter that has been its own since before an interval began.
    """
    customer: address = empty(address)
    since_s: uint256 = 0
    customer, since_s = self._registration_of(community_records._meter(membership))
    return (
        membership != 0
        and customer == account
        and since_s <= self._delivery_end_s(interval) - _STEP_S
        and community_records._from_interval(membership) <= interval
    )


@internal
@view
def _require_metering(interval: uint256) -> uint256:
    """
    @return When the interval began
    """
    end_s: uint256 = self._delivery_end_s(interval)
    refusals._require(block.timestamp >= end_s, "not yet delivered")
    refusals._require(block.timestamp <= end_s + _METERING_S, "too late to report")
    return end_s - _STEP_S


@internal
def _take(
    interval: uint256,
    customer: address,
    position: uint256,
    order: uint256,
    word: uint256,
    net_wh: int256,
):
    """
    @dev Take a customer's reading; settle the interval unless a committed fill is not claimed.
    """
    clearing: clearing_rules.Clearing = clearing_rules._unpacked(word)
    reading: uint256 = positions._reading(net_wh, False)
    if self._is_unclaimed(position, order, clearing):
        self._record(interval, customer, reading, 0, 0, 0)
        log MeterReported(interval=interval, account=customer, net_wh=net_wh, estimated=False)
    else:
        self._settle(interval, customer, position, order, clearing, net_wh, reading, 0)


@internal
@view
def _delivery_end_s(interval: uint256) -> uint256:
    return _FIRST_DELIVERY_S + min(interval, MAX_INTERVAL) * _STEP_S + _STEP_S


@internal
@view
def _records(
    interval: uint256, account: address, with_membership: bool
) -> (uint256, uint256, uint256, uint256):
    return staticcall ISettledMarket(LOCAL_MARKET).recordsOf(interval, account, with_membership)


@internal
def _record(
    interval: uint256,
    account: address,
    noted: uint256,
    released_ueur: uint256,
    supplier_gains_ueur: uint256,
    due_ueur: int256,
):
    extcall ISettledMarket(LOCAL_MARKET).record(
        interval, account, noted, released_ueur, supplier_gains_ueur, due_ueur
    )


@internal
@pure
def _is_unclaimed(
    position: uint256, order: uint256, clearing: clearing_rules.Clearing
) -> bool:
    """
    @dev There is an order with a fill of a committed clearing, which was not claimed.
    """
    return (
        clearing.committed
        and order != 0
        and not order_book._is_sealed(order)
        and position & positions.CLAIMED == 0
    )


@internal
def _settle(
    interval: uint256,
    account: address,
    position: uint256,
    order: uint256,
    clearing: clearing_rules.Clearing,
    net_wh: int256,
    noted: uint256,
    rest_ueur: uint256,
):
    """
    @dev Release the order's escrow, pay the trade out of or into it, and settle the residual with
         the supplier. Needs no other account's settlement: what a seller earns was taken from the
         buyers' escrow by the clearing or by their claims.
    @param noted What is new in the position but for the settlement: a claim, or a reading
    @param rest_ueur What the supplier gets of the interval's pot
    """
    contracted_wh: int256 = 0
    trade_ueur: int256 = 0
    released_ueur: uint256 = 0
    gains_ueur: uint256 = rest_ueur
    if order_book._is_sealed(order):
        gains_ueur = _SEALED_DEPOSIT_UEUR
        log DepositForfeited(interval=interval, account=account, amount_ueur=gains_ueur)
    elif order != 0:
        filled_wh: uint256 = 0
        amount_ueur: uint256 = 0
        if BILATERAL != empty(address):
            # delivery has ended, so that no other matching can take the place of this one
            filled_wh, amount_ueur, gains_ueur = staticcall IBilateralTrades(BILATERAL).tradedOf(
                interval, account
            )
            if gains_ueur != 0:
                log SurplusPaid(interval=interval, amount_ueur=gains_ueur)
        else:
            # of an interval that was not cleared nothing is filled
            filled_wh = positions._filled_wh(order, position | noted, clearing, _RULE)
            amount_ueur = positions._trade_ueur(order, filled_wh, clearing, _RULE)
        released_ueur = positions._released_ueur(order, amount_ueur, _HIGHEST_RETAIL)
        contracted_wh = convert(filled_wh, int256)
        trade_ueur = convert(amount_ueur, int256)
        if not order_book._is_sell(order):
            contracted_wh = -contracted_wh
            trade_ueur = -trade_ueur

    prices: uint256 = retail._prices_at(interval)
    supplier_ueur: int256 = 0
    supplied_wh: uint256 = 0
    residual_wh: int256 = net_wh - contracted_wh
    if residual_wh < 0:
        supplied_wh = convert(-residual_wh, uint256)
        supplier_ueur = -convert(
            order_book._due_ueur(supplied_wh, retail._retail(prices)), int256
        )
    else:
        supplier_ueur = convert(
            order_book._earned_ueur(convert(residual_wh, uint256), retail._feed_in(prices)), int256
        )
    due_ueur: int256 = -supplier_ueur
    if retail.CHARGES:
        # of what was bought locally, what was drawn
        local_wh: uint256 = convert(max(-max(net_wh, contracted_wh), 0), uint256)
        if supplied_wh != 0 or local_wh != 0:
            due_ueur += convert(
                retail._charge(
                    interval,
                    account,
                    prices,
                    supplied_wh,
                    convert(max(-supplier_ueur, 0), uint256),
                    local_wh,
                ),
                int256,
            )
    self._record(
        interval,
        account,
        noted | positions.SETTLED,
        released_ueur,
        gains_ueur,
        due_ueur,
    )
    if noted & positions.KNOWN != 0:
        log MeterReported(
            interval=interval,
            account=account,
            net_wh=net_wh,
            estimated=positions._estimated(noted),
        )
    log IntervalSettled(
        interval=interval,
        account=account,
        contracted_wh=contracted_wh,
        metered_wh=net_wh,
        trade_ueur=trade_ueur,
        supplier_ueur=supplier_ueur,
    )


@internal
def _give_up(interval: uint256, account: address, volume_wh: uint256) -> uint256:
    """
    @dev Let an order that nobody claimed go unfilled, when nobody can claim it any more.
    @return What the supplier gets of the pot
    """
    position: uint256 = 0
    order: uint256 = 0
    word: uint256 = 0
    commitment: uint256 = 0
    root: bytes32 = empty(bytes32)
    position, order, word, commitment, root = staticcall ISettledMarket(
        LOCAL_MARKET
    ).claimRecordsOf(interval, account)
    return self._count(interval, self._tally_of[interval], volume_wh, commitment)


@internal
def _count(interval: uint256, tally: uint256, volume_wh: uint256, commitment: uint256) -> uint256:
    """
    @dev Count one more order. When nobody can claim out of the pot, because all that was traded is
         claimed or all orders are done, what is left of it is the supplier's.
    @return What the supplier gets of the pot
    """
    counted: uint256 = unsafe_add(tally, 1 << DONE_AT)
    traded: bool = (
        (tally >> BOUGHT_AT) & MASK_41 == volume_wh and (tally >> SOLD_AT) & MASK_41 == volume_wh
    )
    rest_ueur: uint256 = 0
    if traded or counted >> DONE_AT == commitment >> commitments.KNOWN_AT:
        rest_ueur = counted & MASK_64
        if rest_ueur != 0:
            log SurplusPaid(interval=interval, amount_ueur=rest_ueur)
        counted = (counted >> BOUGHT_AT) << BOUGHT_AT
    self._tally_of[interval] = counted
    return rest_ueur
