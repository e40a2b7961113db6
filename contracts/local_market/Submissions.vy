# pragma version 0.4.3
# pragma evm-version cancun
# pragma optimize gas
"""
@title Submissions to the local market
@license Apache-2.0
@notice Batches of orders and of readings: somebody sends what several want to be sent, n at a time.
        What makes it theirs is either a role or a signature: the aggregator that an account
        appointed, the head end of the meters, or whoever brings what the account or the meter
        signed.
@dev The third contract of a market, which takes batches from it and from nobody else. Keeps no
     money. An entry that nobody authorised is passed over, like one that the market refuses: no
     entry of a batch can stop another.
     Signatures are typed data by EIP-712 for this contract on this chain, compact by EIP-2098 and
     only with the lower s. They need no nonce: an account has one order in an interval, a meter one
     reading, so a signature that was used once is worth nothing any more. One that was given away
     and not used holds until the interval's gate closes.
@custom:units energy in Wh, net injection positive; prices in µEUR/kWh
"""

import IBatchedMarket
import IBatchedSettlement
import batches
import order_book

MAX_BATCH: public(constant(uint256)) = batches.MAX_BATCH
PARITY: constant(uint256) = 1 << 255
# half of the order of the curve: n - s would be a second signature of the same
HALF_ORDER: constant(uint256) = (
    57896044618658097711785492504343953926418782139537452191302581570759080747168
)

DOMAIN_TYPE: constant(bytes32) = keccak256(
    "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
)
NAME: constant(bytes32) = keccak256("Local market")
VERSION: constant(bytes32) = keccak256("1")
ORDER_TYPE: constant(bytes32) = keccak256(
    "Order(uint256 interval,address account,bool is_sell,uint256 energy_wh,uint256 price_ueur_per_kwh)"
)
READING_TYPE: constant(bytes32) = keccak256(
    "Reading(uint256 interval,address meter,int256 net_wh)"
)

LOCAL_MARKET: public(immutable(address))
SETTLEMENT: public(immutable(address))
HEAD_END: public(immutable(address))

# an appointment: aggregator 160 | highest price of a bid 31 | lowest price of an ask 31
LOWEST_ASK_AT: constant(uint256) = 191
HIGHEST_BID_AT: constant(uint256) = 160

_appointment_of: HashMap[address, uint256]

event AggregatorAppointed:
    account: indexed(address)
    aggregator: indexed(address)
    highest_bid_ueur_per_kwh: uint256
    lowest_ask_ueur_per_kwh: uint256

event EntryPassedOver:
    interval: indexed(uint256)
    sender: indexed(address)
    whose: indexed(address)
    cause: uint256


@deploy
def __init__(local_market: address, head_end: address):
    """
    @param local_market The market, deployed with this contract's address
    @param head_end Account that reports for every meter without its signature; zero: nobody does
    """
    market: IBatchedMarket = IBatchedMarket(local_market)
    assert staticcall market.SUBMISSIONS() == self, "submissions: sent elsewhere"
    LOCAL_MARKET = local_market
    SETTLEMENT = staticcall market.SETTLEMENT()
    HEAD_END = head_end


@external
@nonreentrant
def appoint(
    aggregator: address, highest_bid_ueur_per_kwh: uint256, lowest_ask_ueur_per_kwh: uint256
):
    """
    @notice Let an account send one's orders from now on, in place of any before; zero: nobody.
            Own orders can be placed all the same.
    @dev Without limits the aggregator can sell to a member at any price, through an accomplice.
    @param aggregator Who may send
    @param highest_bid_ueur_per_kwh The most that a bid of it may offer
    @param lowest_ask_ueur_per_kwh The least that an ask of it may ask for
    """
    assert (
        highest_bid_ueur_per_kwh <= order_book.MASK_31
        and lowest_ask_ueur_per_kwh <= order_book.MASK_31
    ), "submissions: price out of range"
    self._appointment_of[msg.sender] = (
        convert(aggregator, uint256)
        | (highest_bid_ueur_per_kwh << HIGHEST_BID_AT)
        | (lowest_ask_ueur_per_kwh << LOWEST_ASK_AT)
    )
    log AggregatorAppointed(
        account=msg.sender,
        aggregator=aggregator,
        highest_bid_ueur_per_kwh=highest_bid_ueur_per_kwh,
        lowest_ask_ueur_per_kwh=lowest_ask_ueur_per_kwh,
    )


@external
@nonreentrant
def sendOrders(interval: uint256, orders: DynArray[uint256, MAX_BATCH]):
    """
    @notice Place orders of accounts that appointed the caller, in this order, within the limits of
            the appointments.
    @param interval The interval
    @param orders Words: account 160 | energy 32 | 10 unused | price 31 | 1 of a sale
    """
    sent: DynArray[uint256, MAX_BATCH] = []
    for order: uint256 in orders:
        account: address = order_book._owner(order)
        appointment: uint256 = self._appointment_of[account]
        price: uint256 = order_book._price_ueur_per_kwh(order)
        within: bool = price <= (appointment >> HIGHEST_BID_AT) & order_book.MASK_31
        if (order >> order_book.SIDE_AT) & 1 == 1:
            within = price >= appointment >> LOWEST_ASK_AT
        if not self._is_by(convert(appointment & order_book.MASK_160, address)):
            self._pass_over(interval, account, batches.NOT_AUTHORISED)
        elif not within:
            self._pass_over(interval, account, batches.BEYOND_APPOINTMENT)
        else:
            sent.append(order)
    extcall IBatchedMarket(LOCAL_MARKET).placeOrders(interval, sent)


@external
@nonreentrant
def sendSignedOrders(
    interval: uint256,
    orders: DynArray[uint256, MAX_BATCH],
    signatures: DynArray[bytes32, 2 * MAX_BATCH],
):
    """
    @notice Place orders that their accounts signed, in this order. Anyone may call.
    @param interval The interval
    @param orders As for sendOrders()
    @param signatures Two words an order: r, and s with the parity in the highest bit
    """
    assert len(signatures) == 2 * len(orders), "submissions: signatures missing"
    domain: bytes32 = self._domain()
    sent: DynArray[uint256, MAX_BATCH] = []
    at: uint256 = 0
    for order: uint256 in orders:
        account: address = order_book._owner(order)
        content: bytes32 = keccak256(
            abi_encode(
                ORDER_TYPE,
                interval,
                account,
                (order >> order_book.SIDE_AT) & 1 == 1,
                order_book._energy_wh(order),
                order_book._price_ueur_per_kwh(order),
            )
        )
        if self._signed(domain, content, signatures[at], signatures[at + 1], account):
            sent.append(order)
        else:
            self._pass_over(interval, account, batches.NOT_AUTHORISED)
        at += 2
    extcall IBatchedMarket(LOCAL_MARKET).placeOrders(interval, sent)


@external
@nonreentrant
def sendReadings(interval: uint256, readings: DynArray[uint256, MAX_BATCH]):
    """
    @notice Report readings of meters. The head end only.
    @param interval An interval that was delivered
    @param readings Words: meter 160 | net_wh + 2**32 in 33 bits
    """
    assert self._is_by(HEAD_END), "submissions: not the head end"
    extcall IBatchedSettlement(SETTLEMENT).reportAll(interval, readings)


@external
@nonreentrant
def sendSignedReadings(
    interval: uint256,
    readings: DynArray[uint256, MAX_BATCH],
    signatures: DynArray[bytes32, 2 * MAX_BATCH],
):
    """
    @notice Report readings that their meters signed. Anyone may call.
    @param interval An interval that was delivered
    @param readings As for sendReadings()
    @param signatures Two words a reading: r, and s with the parity in the highest bit
    """
    assert len(signatures) == 2 * len(readings), "submissions: signatures missing"
    domain: bytes32 = self._domain()
    sent: DynArray[uint256, MAX_BATCH] = []
    at: uint256 = 0
    for reading: uint256 in readings:
        meter: address = batches._meter(reading)
        net_wh: int256 = batches._net_wh(reading)
        content: bytes32 = keccak256(abi_encode(READING_TYPE, interval, meter, net_wh))
        if self._signed(domain, content, signatures[at], signatures[at + 1], meter):
            sent.append(reading)
        else:
            self._pass_over(interval, meter, batches.NOT_AUTHORISED)
        at += 2
    extcall IBatchedSettlement(SETTLEMENT).reportAll(interval, sent)


@external
@view
def appointmentOf(account: address) -> (address, uint256, uint256):
    """
    @return Who may send the account's orders, the highest price of its bids, the lowest of its asks
    @custom:units prices in µEUR/kWh
    """
    appointment: uint256 = self._appointment_of[account]
    return (
        convert(appointment & order_book.MASK_160, address),
        (appointment >> HIGHEST_BID_AT) & order_book.MASK_31,
        appointment >> LOWEST_ASK_AT,
    )


@external
@view
def domainSeparator() -> bytes32:
    """
    @return What binds signatures to this contract on this chain
    """
    return self._domain()


@internal
@view
def _is_by(role: address) -> bool:
    """
    @dev The call is by who has a role; the zero address is nobody.
    """
    return msg.sender == role and role != empty(address)


@internal
def _pass_over(interval: uint256, whose: address, cause: uint256):
    log EntryPassedOver(interval=interval, sender=msg.sender, whose=whose, cause=cause)


@internal
@view
def _domain() -> bytes32:
    # not kept: after a split of the chain a signature is worth nothing on the other branch
    return keccak256(abi_encode(DOMAIN_TYPE, NAME, VERSION, chain.id, self))


@internal
@view
def _signed(
    domain: bytes32, content: bytes32, r: bytes32, parity_and_s: bytes32, by: address
) -> bool:
    """
    @dev Whether an account signed typed data. ecrecover() answers zero to what nobody signed.
    """
    s: uint256 = convert(parity_and_s, uint256) & ~PARITY
    if s > HALF_ORDER or by == empty(address):
        return False
    digest: bytes32 = keccak256(concat(b"\x19\x01", domain, content))
    v: uint256 = 27 + (convert(parity_and_s, uint256) >> 255)
    return ecrecover(digest, v, convert(r, uint256), s) == by
