# pragma version 0.4.3
# pragma evm-version cancun
"""
@title Flexibility market
@license Apache-2.0
@notice The DSO buys changes of net injection in a delivery interval: request with escrow and price
        cap, offers with bond, awards, and settlement of what the meter shows against the
        contracted baseline, with payment and penalty as in USEF.
@dev Requests, offers and awards end when delivery starts. A meter that stayed silent counts as
     nothing delivered, whether or not the local market settled its estimate by then, so every
     award can be settled once the local market's report deadline has passed. An offer states its
     baseline; the DSO awards only offers whose baseline is the schedule it knows.
     An offer is a curve of blocks whose prices do not fall. An award takes the cheapest first, and
     so does delivery: after those of earlier requests, block by block.
     At every moment token.balanceOf(this) is at least, and but for tokens sent here outside
     deposit() equal to, the sum of balanceOf over accounts, escrowOf over requests and lockedOf
     over offers.
@custom:units energy in Wh, net injection positive; money in µEUR; prices in µEUR/kWh; time in s
"""

import ILocalMarket
import baselines
import delivery_debts as debts
import delivery_settlement as delivery
import escrow_accounts as escrow
import flexibility_book as book
import offer_records as records
import order_book
import random_calling as calling

initializes: escrow
initializes: baselines
initializes: debts[escrow := escrow]
initializes: records
initializes: calling[records := records]
initializes: delivery[
    baselines := baselines,
    calling := calling,
    debts := debts,
    escrow := escrow,
    records := records,
]

exports: (
    escrow.TOKEN,
    records.__interface__,
    calling.__interface__,
    delivery.__interface__,
    baselines.BASELINE,
    baselines.LOOK_BACK,
    baselines.HIGH_DAYS,
    baselines.OF_DAYS,
    baselines.ADJUSTING,
    baselines.ADJUSTING_GAP,
)

MAX_BATCH: public(constant(uint256)) = book.MAX_BATCH
MAX_BLOCKS: public(constant(uint256)) = book.MAX_BLOCKS
MAX_ENERGY_WH: public(constant(uint256)) = order_book.MAX_ENERGY_WH
MAX_PRICE_UEUR_PER_KWH: public(constant(uint256)) = order_book.MAX_PRICE_UEUR_PER_KWH

event RequestOpened:
    request: indexed(uint256)
    interval: indexed(uint256)
    is_up: bool
    quantity_wh: uint256
    price_cap_ueur_per_kwh: uint256

# one for each block of the offer, the cheapest first
event OfferPlaced:
    request: indexed(uint256)
    account: indexed(address)
    energy_wh: uint256
    price_ueur_per_kwh: uint256
    baseline_wh: int256

event OfferAwarded:
    request: indexed(uint256)
    account: indexed(address)
    energy_wh: uint256


@deploy
def __init__(
    token: address,
    local_market: address,
    dso: address,
    penalty_ueur_per_kwh: uint256,
    is_uncapped: bool,
    baseline: uint256,
    look_back: uint256,
    high_days: uint256,
    of_days: uint256,
    adjusting: uint256,
    adjusting_gap: uint256,
    calling_ppm: uint256,
    uncalled_penalty_ueur_per_kwh: uint256,
    last_link: bytes32,
):
    """
    @param token ERC-20 with 6 decimals
    @param local_market Keeps members, readings and the times of delivery
    @param dso Opens requests and awards offers, and registers ranges
    @param penalty_ueur_per_kwh What awarded but undelivered energy costs
    @param is_uncapped What changes the other way costs it as well; beyond the bond it is a debt
    @param baseline, look_back, high_days, of_days, adjusting, adjusting_gap As in baselines
    @param calling_ppm, uncalled_penalty_ueur_per_kwh, last_link As in random_calling
    """
    assert (
        calling_ppm == 0 or baseline <= baselines.BOUNDED_NOMINATION
    ), "flexibility market: calls are drawn for nominations"
    records.__init__(local_market, dso, penalty_ueur_per_kwh, uncalled_penalty_ueur_per_kwh)
    calling.__init__(calling_ppm, uncalled_penalty_ueur_per_kwh, last_link)
    delivery.__init__(is_uncapped)
    escrow.__init__(token)
    baselines.__init__(
        local_market, baseline, look_back, high_days, of_days, adjusting, adjusting_gap
    )


@external
@nonreentrant
def deposit(amount_ueur: uint256):
    """
    @notice Move approved tokens into the market.
    """
    assert escrow._deposit(msg.sender, amount_ueur), "flexibility market: token transfer failed"
    if delivery.IS_UNCAPPED:
        debts._charge(msg.sender, records.DSO, 0)


@external
@nonreentrant
def withdraw(amount_ueur: uint256):
    """
    @notice Move tokens of the free balance out of the market.
    """
    assert amount_ueur <= escrow._free(msg.sender), "flexibility market: balance too low"
    assert escrow._withdraw(msg.sender, amount_ueur), "flexibility market: token transfer failed"


# --- before delivery --------------------------------------------------------------------------


@external
@nonreentrant
def registerRanges(
    accounts: DynArray[address, MAX_BATCH],
    lows_wh: DynArray[int256, MAX_BATCH],
    highs_wh: DynArray[int256, MAX_BATCH],
):
    """
    @notice Register the least and the greatest net injection of accounts in an interval, by the
            ratings of their devices and connections. DSO only; offers made before keep theirs.
    """
    assert msg.sender == records.DSO, "flexibility market: not the DSO"
    assert (
        len(accounts) == len(lows_wh) and len(accounts) == len(highs_wh)
    ), "flexibility market: lists differ in length"
    for k: uint256 in range(len(accounts), bound=MAX_BATCH):
        baselines._register(accounts[k], lows_wh[k], highs_wh[k])


@external
@nonreentrant
def openRequest(
    interval: uint256, is_up: bool, quantity_wh: uint256, price_cap_ueur_per_kwh: uint256
) -> uint256:
    """
    @notice Ask for a change of net injection, with its cost at the price cap in escrow. DSO only.
    @param interval Delivery interval
    @param is_up Raise net injection, or else lower it
    @param quantity_wh Most energy that will be awarded
    @param price_cap_ueur_per_kwh Highest price an offer may ask
    @return Number of the request, counted from 1
    """
    assert msg.sender == records.DSO, "flexibility market: not the DSO"
    assert interval < 2**64, "flexibility market: interval out of range"
    records._check_before_delivery(interval)
    assert 0 < quantity_wh and quantity_wh <= MAX_ENERGY_WH, "flexibility market: energy out of range"
    assert (
        price_cap_ueur_per_kwh <= MAX_PRICE_UEUR_PER_KWH
    ), "flexibility market: price out of range"
    escrow_ueur: uint256 = order_book._due_ueur(quantity_wh, price_cap_ueur_per_kwh)
    assert escrow_ueur <= escrow._free(records.DSO), "flexibility market: balance too low"

    escrow._debit(records.DSO, escrow_ueur)
    request_id: uint256 = records._n_requests + 1
    records._n_requests = request_id
    records._requests[request_id] = book._packed_request(
        book.Request(
            interval=interval,
            is_up=is_up,
            closed=False,
            quantity_wh=quantity_wh,
            price_cap_ueur_per_kwh=price_cap_ueur_per_kwh,
            awarded_wh=0,
            awarded_ueur=0,
        )
    )
    log RequestOpened(
        request=request_id,
        interval=interval,
        is_up=is_up,
        quantity_wh=quantity_wh,
        price_cap_ueur_per_kwh=price_cap_ueur_per_kwh,
    )
    return request_id


@external
@nonreentrant
def offer(
    request_id: uint256,
    baseline_wh: int256,
    energies_wh: DynArray[uint256, MAX_BLOCKS],
    prices_ueur_per_kwh: DynArray[uint256, MAX_BLOCKS],
):
    """
    @notice Offer blocks to a request, with the penalty for delivering nothing as a bond. Members
            only.
    @param request_id An open request
    @param baseline_wh Net injection without the activation
    @param energies_wh Most energy of each block that may be awarded, at least one
    @param prices_ueur_per_kwh Price asked for each, none below the one before, at most the cap
    """
    request: book.Request = records._existing_request(request_id)
    records._check_before_delivery(request.interval)
    assert (
        convert(abs(baseline_wh), uint256) <= MAX_ENERGY_WH
    ), "flexibility market: baseline out of range"
    assert len(energies_wh) == len(prices_ueur_per_kwh), "flexibility market: lists differ in length"
    assert (
        staticcall ILocalMarket(records.LOCAL_MARKET).isMember(msg.sender)
    ), "flexibility market: not a member"
    assert records._offers[request_id][msg.sender] == 0, "flexibility market: offer exists"
    offer: book.Offer = empty(book.Offer)
    price: uint256 = 0
    for k: uint256 in range(len(energies_wh), bound=MAX_BLOCKS):
        energy_wh: uint256 = energies_wh[k]
        assert 0 < energy_wh and energy_wh <= MAX_ENERGY_WH, "flexibility market: energy out of range"
        assert price <= prices_ueur_per_kwh[k], "flexibility market: price below the one before"
        price = prices_ueur_per_kwh[k]
        assert price <= request.price_cap_ueur_per_kwh, "flexibility market: price above the cap"
        if k == 0:
            offer.price_ueur_per_kwh = price
        else:
            offer.further |= book._packed_block(k, offer.energy_wh, price)
        offer.energy_wh += energy_wh
        offer.baseline_wh = self._admitted_baseline(request, baseline_wh, offer.energy_wh)
        log OfferPlaced(
            request=request_id,
            account=msg.sender,
            energy_wh=energy_wh,
            price_ueur_per_kwh=price,
            baseline_wh=offer.baseline_wh,
        )
    assert (
        0 < offer.energy_wh and offer.energy_wh <= MAX_ENERGY_WH
    ), "flexibility market: energy out of range"
    if calling._is_random():
        calling._enter(
            request.interval,
            request_id,
            msg.sender,
            offer.energy_wh,
            offer.price_ueur_per_kwh,
            offer.baseline_wh,
            offer.further,
        )
    bond_ueur: uint256 = order_book._due_ueur(offer.energy_wh, records.BOND_UEUR_PER_KWH)
    assert bond_ueur <= escrow._free(msg.sender), "flexibility market: balance too low"

    escrow._debit(msg.sender, bond_ueur)
    if offer.further != 0:
        offer.is_curve = True
        records._further_blocks[request_id][msg.sender] = offer.further
    records._offers[request_id][msg.sender] = book._packed_offer(offer)


@external
@nonreentrant
def award(
    request_id: uint256,
    accounts: DynArray[address, MAX_BATCH],
    energies_wh: DynArray[uint256, MAX_BATCH],
):
    """
    @notice Award offers, all or none; awards to one offer add up. DSO only.
    @dev An account's awards of an interval are all of one direction and one baseline, and stack up
         in the order of its requests: what it delivers counts for the earliest first.
    @param request_id An open request
    @param accounts Whose offers
    @param energies_wh How much is added to the award of each
    """
    assert msg.sender == records.DSO, "flexibility market: not the DSO"
    request: book.Request = records._existing_request(request_id)
    records._check_before_delivery(request.interval)
    assert len(accounts) == len(energies_wh), "flexibility market: lists differ in length"
    is_measured: bool = baselines._is_measured()
    is_random: bool = calling._is_random()
    seed: bytes32 = empty(bytes32)
    if is_random:
        seed = calling._seed_of(request.interval)
        assert seed != empty(bytes32), "flexibility market: not drawn yet"
    for k: uint256 in range(len(accounts), bound=MAX_BATCH):
        account: address = accounts[k]
        energy_wh: uint256 = energies_wh[k]
        assert 0 < energy_wh and energy_wh <= MAX_ENERGY_WH, "flexibility market: energy out of range"
        offer: book.Offer = records._offer_of(request_id, account)
        assert offer.energy_wh != 0, "flexibility market: no such offer"
        if is_random:
            assert calling._is_called(seed, account), "flexibility market: not called"
        assert offer.awarded_wh + energy_wh <= offer.energy_wh, "flexibility market: more than offered"
        assert (
            request.awarded_wh + energy_wh <= request.quantity_wh
        ), "flexibility market: more than requested"
        position: book.Position = book._position(records._positions[request.interval][account])
        if position.awarded_wh == 0:
            position.is_up = request.is_up
            position.baseline_wh = offer.baseline_wh
        assert position.is_up == request.is_up, "flexibility market: awarded in the other direction"
        assert position.baseline_wh == offer.baseline_wh, "flexibility market: baseline differs"
        if offer.awarded_wh == 0:
            offer.earlier_wh = position.awarded_wh
        assert (
            offer.earlier_wh + offer.awarded_wh == position.awarded_wh
        ), "flexibility market: awarded in a later request"

        request.awarded_ueur -= book._earned_ueur(offer, offer.awarded_wh)
        offer.awarded_wh += energy_wh
        request.awarded_ueur += book._earned_ueur(offer, offer.awarded_wh)
        request.awarded_wh += energy_wh
        if is_measured and position.awarded_wh == 0:
            baselines._mark(request.interval, account)
        position.awarded_wh += energy_wh
        records._offers[request_id][account] = book._packed_offer(offer)
        records._positions[request.interval][account] = book._packed_position(position)
        log OfferAwarded(request=request_id, account=account, energy_wh=energy_wh)
    records._requests[request_id] = book._packed_request(request)


# --- views ------------------------------------------------------------------------------------


@external
@view
def rangeOf(account: address) -> (bool, int256, int256):
    """
    @return Whether a range is registered; least and greatest net injection in an interval
    @custom:units Wh
    """
    return baselines._range(account)


@external
@view
def debtOf(account: address) -> uint256:
    """
    @return What the account owes the DSO beyond what it could pay
    @custom:units µEUR
    """
    return debts._debt_of[account]


@external
@view
def balanceOf(account: address) -> uint256:
    """
    @return Free balance: neither escrow nor bond
    @custom:units µEUR
    """
    return escrow._free(account)


# --- internal ---------------------------------------------------------------------------------


@internal
@view
def _admitted_baseline(
    request: book.Request, stated_wh: int256, energy_wh: uint256
) -> int256:
    """
    @return Baseline to keep with an offer of the caller, which its kind may refuse
    """
    if baselines._takes_any():
        return stated_wh
    position: book.Position = book._position(records._positions[request.interval][msg.sender])
    return baselines._admitted(
        request.interval, msg.sender, request.is_up, position.awarded_wh, stated_wh, energy_wh
    )
