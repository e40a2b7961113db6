# pragma version 0.4.3
# pragma evm-version cancun
# pragma optimize gas
"""
@title Bilateral trades of the local market
@license Apache-2.0
@notice Who may trade with whom, and which pairs of an interval's orders do. A matching is proposed by
        anyone, checked here pair by pair, and replaced by a better one until delivery begins.
@dev The graph is the root of a tree over its edges, from seller to buyer; an edge is proven once, by
     anyone, before it is first used. Without a root everybody may trade with everybody.
     A pair trades at the midpoint of its limit prices, of which the buyer's counts without the
     edge's fee and penalty; the buyer pays the fee on top. The penalty is what the buyer would
     rather not pay for this seller's energy: it is paid by nobody. What a matching gains is the sum
     of energy * (bid - ask - fee - penalty) in µEUR/1000, then its energy.
     Orders, escrow and accounts are the market's, readings and payment the settlement's, which asks
     tradedOf(). Keeps no money, and nobody can take or make a trade once delivery has begun.
     Python model: cosim/mechanisms/local_market/bilateral/.
@custom:units energy in Wh; money in µEUR; prices in µEUR/kWh; time in s
"""

import IBilateralTrades
import IMatchedMarket
import IMatchedSettlement
import order_book

implements: IBilateralTrades

MAX_PAIRS: constant(uint256) = order_book.MAX_ORDERS - 1  # all that a best matching needs
MAX_DEPTH: constant(uint256) = 18  # 2**18 edges: every pair of 512 accounts, both ways
MAX_INTERVAL: constant(uint256) = 2**64  # any later one is as far away
BILATERAL: constant(uint256) = 3  # the form of clearing, interval_books.vy
MASK_10: constant(uint256) = order_book.MASK_10
MASK_31: constant(uint256) = order_book.MASK_31
MASK_32: constant(uint256) = order_book.MASK_32
MASK_41: constant(uint256) = order_book.MASK_41
MASK_64: constant(uint256) = order_book.MASK_64

# a pair, as it is proposed: seller's arrival index 10 | buyer's 10 | energy 32
BUYER_AT: constant(uint256) = 10
TRADED_AT: constant(uint256) = 20
# an edge: fee 31 | penalty 31 | proven
PENALTY_AT: constant(uint256) = 31
PROVEN: constant(uint256) = 1 << 62
# what an account trades: energy 32 | a buyer's energy * price in µEUR/1000 in 64 bits, nothing of a
# seller | earned by the seller, or by the buyer's sellers, 64 | number of the matching 32 | interval 64
SPENT_AT: constant(uint256) = 32
EARNED_AT: constant(uint256) = 96
NUMBER_AT: constant(uint256) = 160
INTERVAL_AT: constant(uint256) = 32  # above the number
# the best matching: energy 41 | gain in µEUR/1000 in 80 bits | number 32
GAIN_AT: constant(uint256) = 41
BEST_NUMBER_AT: constant(uint256) = 121

LOCAL_MARKET: public(immutable(address))
GRAPH: public(immutable(bytes32))
FEE_UEUR_PER_KWH: public(immutable(uint256))
PENALTY_UEUR_PER_KWH: public(immutable(uint256))
_FIRST_DELIVERY_S: immutable(uint256)
_STEP_S: immutable(uint256)
_KNOWN_S: immutable(uint256)
_RING: immutable(uint256)

_edge_of: HashMap[address, HashMap[address, uint256]]
_traded_of: HashMap[uint256, HashMap[address, uint256]]
_best_of: HashMap[uint256, uint256]

event GraphFixed:
    graph: bytes32
    fee_ueur_per_kwh: uint256
    penalty_ueur_per_kwh: uint256

event EdgeProven:
    seller: indexed(address)
    buyer: indexed(address)
    fee_ueur_per_kwh: uint256
    penalty_ueur_per_kwh: uint256

event PairMatched:
    interval: indexed(uint256)
    seller: indexed(address)
    buyer: indexed(address)
    matching: uint256
    energy_wh: uint256
    price_ueur_per_kwh: uint256
    fee_ueur_per_kwh: uint256

event MatchingAccepted:
    interval: indexed(uint256)
    matching: uint256
    gain_mueur: uint256
    volume_wh: uint256
    n_pairs: uint256


@deploy
def __init__(
    local_market: address,
    graph: bytes32,
    fee_ueur_per_kwh: uint256,
    penalty_ueur_per_kwh: uint256,
):
    """
    @param local_market The market, deployed with a settlement that asks this contract
    @param graph Root of the tree of edges; zero: everybody may trade with everybody
    @param fee_ueur_per_kwh Fee of every pair where there is no root
    @param penalty_ueur_per_kwh Penalty of every pair where there is no root
    """
    market: IMatchedMarket = IMatchedMarket(local_market)
    assert staticcall market.FORM() == BILATERAL, "bilateral trades: cleared otherwise"
    settlement: IMatchedSettlement = IMatchedSettlement(staticcall market.SETTLEMENT())
    assert staticcall settlement.BILATERAL() == self, "bilateral trades: settled elsewhere"
    assert (
        fee_ueur_per_kwh <= MASK_31 and penalty_ueur_per_kwh <= MASK_31
    ), "bilateral trades: price out of range"
    LOCAL_MARKET = local_market
    GRAPH = graph
    FEE_UEUR_PER_KWH = fee_ueur_per_kwh
    PENALTY_UEUR_PER_KWH = penalty_ueur_per_kwh
    _FIRST_DELIVERY_S = staticcall market.FIRST_DELIVERY_S()
    _STEP_S = staticcall market.STEP_S()
    _RING = staticcall market.RING()
    # the orders of an interval are known so long before its delivery begins
    _KNOWN_S = staticcall market.GATE_CLOSURE_S() - staticcall market.REVEAL_S()
    log GraphFixed(
        graph=graph, fee_ueur_per_kwh=fee_ueur_per_kwh, penalty_ueur_per_kwh=penalty_ueur_per_kwh
    )


@external
@nonreentrant
def proveEdge(
    seller: address,
    buyer: address,
    fee_ueur_per_kwh: uint256,
    penalty_ueur_per_kwh: uint256,
    proof: DynArray[bytes32, MAX_DEPTH],
):
    """
    @notice Show that an edge is in the graph, so that the pair can be matched. Anyone may call.
    @param seller Who may sell
    @param buyer Who may buy of it
    @param fee_ueur_per_kwh What the buyer pays on top of the price
    @param penalty_ueur_per_kwh What the buyer would rather not pay for this seller's energy
    @param proof Neighbours on the way from the edge's leaf to the root, from the leaf up
    """
    assert GRAPH != empty(bytes32), "bilateral trades: everybody may trade"
    assert self._edge_of[seller][buyer] == 0, "bilateral trades: already proven"
    assert (
        fee_ueur_per_kwh <= MASK_31 and penalty_ueur_per_kwh <= MASK_31
    ), "bilateral trades: price out of range"
    node: bytes32 = keccak256(abi_encode(seller, buyer, fee_ueur_per_kwh, penalty_ueur_per_kwh))
    for neighbour: bytes32 in proof:
        # the smaller of two nodes first, so that no index is needed; a leaf is longer than two nodes
        if convert(neighbour, uint256) < convert(node, uint256):
            node = keccak256(concat(neighbour, node))
        else:
            node = keccak256(concat(node, neighbour))
    assert node == GRAPH, "bilateral trades: not in the graph"
    self._edge_of[seller][buyer] = (
        fee_ueur_per_kwh | (penalty_ueur_per_kwh << PENALTY_AT) | PROVEN
    )
    log EdgeProven(
        seller=seller,
        buyer=buyer,
        fee_ueur_per_kwh=fee_ueur_per_kwh,
        penalty_ueur_per_kwh=penalty_ueur_per_kwh,
    )


@external
@nonreentrant
def proposeMatching(interval: uint256, pairs: DynArray[uint256, MAX_PAIRS]):
    """
    @notice Match orders of an interval from when they are known until delivery begins. Anyone may
            call; a matching that gains more takes the place of the one before it.
    @dev Neither limit of an order, price and energy, is exceeded by anything proposed, and no pair is
         outside the graph. Whoever delivers knows from the first second what it has sold.
    @param interval The interval
    @param pairs Words of a seller's and a buyer's arrival index in 10 bits each, lowest first, and
           their energy in 32 bits; ascending by seller, then by buyer
    """
    start_s: uint256 = _FIRST_DELIVERY_S + min(interval, MAX_INTERVAL) * _STEP_S
    assert block.timestamp + _KNOWN_S >= start_s, "bilateral trades: orders not known"
    assert block.timestamp < start_s, "bilateral trades: delivery has begun"
    best: uint256 = self._best_of[interval]
    number: uint256 = (best >> BEST_NUMBER_AT) + 1
    gain: uint256 = 0
    volume_wh: uint256 = 0
    last: uint256 = 0
    for pair: uint256 in pairs:
        place: uint256 = ((pair & MASK_10) << BUYER_AT) | ((pair >> BUYER_AT) & MASK_10)
        assert place >= last, "bilateral trades: pairs not ascending"
        last = place + 1
        energy_wh: uint256 = pair >> TRADED_AT
        assert 0 < energy_wh and energy_wh <= MASK_32, "bilateral trades: energy out of range"
        gain += self._match(interval, number, pair & MASK_10, place & MASK_10, energy_wh)
        volume_wh += energy_wh
    assert (gain << GAIN_AT) | volume_wh > best & (
        (1 << BEST_NUMBER_AT) - 1
    ), "bilateral trades: no better than before"
    self._best_of[interval] = volume_wh | (gain << GAIN_AT) | (number << BEST_NUMBER_AT)
    log MatchingAccepted(
        interval=interval,
        matching=number,
        gain_mueur=gain,
        volume_wh=volume_wh,
        n_pairs=len(pairs),
    )


# --- views ------------------------------------------------------------------------------------


@external
@view
def tradedOf(interval: uint256, account: address) -> (uint256, uint256, uint256):
    """
    @return Energy that the account trades in the interval; what it pays or earns; what of a buyer's
            payment no seller earns
    @custom:units energy in Wh, money in µEUR
    """
    word: uint256 = self._traded_of[interval % _RING][account]
    if word == 0 or word >> NUMBER_AT != self._numbered(
        interval, self._best_of[interval] >> BEST_NUMBER_AT
    ):
        return 0, 0, 0
    earned_ueur: uint256 = (word >> EARNED_AT) & MASK_64
    spent: uint256 = (word >> SPENT_AT) & MASK_64
    if spent == 0:
        return word & MASK_32, earned_ueur, 0
    paid_ueur: uint256 = (spent + order_book.WH_PER_KWH - 1) // order_book.WH_PER_KWH
    return word & MASK_32, paid_ueur, paid_ueur - earned_ueur


@external
@view
def matchingOf(interval: uint256) -> (uint256, uint256, uint256):
    """
    @return Number of the matching that stands, 0 for none; what it gains; its energy
    @custom:units gain in µEUR/1000, energy in Wh
    """
    best: uint256 = self._best_of[interval]
    return (
        best >> BEST_NUMBER_AT,
        (best >> GAIN_AT) & ((1 << (BEST_NUMBER_AT - GAIN_AT)) - 1),
        best & MASK_41,
    )


@external
@view
def edgeOf(seller: address, buyer: address) -> (bool, uint256, uint256):
    """
    @return Whether the pair can be matched: its edge was proven, or needs no proof; fee and penalty
    @custom:units µEUR/kWh
    """
    if GRAPH == empty(bytes32):
        return True, FEE_UEUR_PER_KWH, PENALTY_UEUR_PER_KWH
    edge: uint256 = self._edge_of[seller][buyer]
    return edge != 0, edge & MASK_31, (edge >> PENALTY_AT) & MASK_31


# --- internal ---------------------------------------------------------------------------------


@internal
@view
def _order_at(interval: uint256, index: uint256) -> (address, uint256):
    """
    @dev Owner and word of an order by its arrival index.
    """
    owner: address = staticcall IMatchedMarket(LOCAL_MARKET).ownerAt(interval, index)
    assert owner != empty(address), "bilateral trades: no order"
    position: uint256 = 0
    order: uint256 = 0
    clearing: uint256 = 0
    membership: uint256 = 0
    position, order, clearing, membership = staticcall IMatchedMarket(LOCAL_MARKET).recordsOf(
        interval, owner, False
    )
    return owner, order


@internal
@pure
def _numbered(interval: uint256, number: uint256) -> uint256:
    """
    @dev The number of a matching and its interval, which intervals a ring apart differ by.
    """
    return number | (interval << INTERVAL_AT)


@internal
def _match(
    interval: uint256, number: uint256, ask_index: uint256, bid_index: uint256, energy_wh: uint256
) -> uint256:
    """
    @dev Match a pair.
    @return What it gains, in µEUR/1000
    """
    seller: address = empty(address)
    buyer: address = empty(address)
    ask: uint256 = 0
    bid: uint256 = 0
    seller, ask = self._order_at(interval, ask_index)
    buyer, bid = self._order_at(interval, bid_index)
    assert order_book._is_sell(ask) and not order_book._is_sell(bid), "bilateral trades: wrong side"
    fee: uint256 = FEE_UEUR_PER_KWH
    penalty: uint256 = PENALTY_UEUR_PER_KWH
    if GRAPH != empty(bytes32):
        edge: uint256 = self._edge_of[seller][buyer]
        assert edge != 0, "bilateral trades: edge not proven"
        fee = edge & MASK_31
        penalty = (edge >> PENALTY_AT) & MASK_31
    lowest: uint256 = order_book._price_ueur_per_kwh(ask)
    highest: uint256 = order_book._price_ueur_per_kwh(bid)
    assert highest >= lowest + fee + penalty, "bilateral trades: no price suits both"
    highest -= fee + penalty
    price: uint256 = (lowest + highest) // 2
    earned_ueur: uint256 = order_book._earned_ueur(energy_wh, price)
    self._add(
        interval, number, seller, energy_wh | (earned_ueur << EARNED_AT), order_book._energy_wh(ask)
    )
    self._add(
        interval,
        number,
        buyer,
        energy_wh | (energy_wh * (price + fee) << SPENT_AT) | (earned_ueur << EARNED_AT),
        order_book._energy_wh(bid),
    )
    log PairMatched(
        interval=interval,
        seller=seller,
        buyer=buyer,
        matching=number,
        energy_wh=energy_wh,
        price_ueur_per_kwh=price,
        fee_ueur_per_kwh=fee,
    )
    return energy_wh * (highest - lowest)


@internal
def _add(
    interval: uint256, number: uint256, account: address, traded: uint256, ordered_wh: uint256
):
    """
    @dev Add to what an account trades. No sum leaves its field: its energy is at most that of one
         order, and a price is at most a limit of 31 bits.
    """
    word: uint256 = self._traded_of[interval % _RING][account]
    numbered: uint256 = self._numbered(interval, number)
    if word >> NUMBER_AT != numbered:
        word = numbered << NUMBER_AT
    assert (word & MASK_32) + (traded & MASK_32) <= ordered_wh, "bilateral trades: above the order"
    self._traded_of[interval % _RING][account] = word + traded
