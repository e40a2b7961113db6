# pragma version 0.4.3
"""
@title Retail prices of the local market's supplier
@license Apache-2.0
@notice What the supplier charges and pays in an interval, what of it it passes on as network charge
        and taxes, and what of these a buyer owes on energy that is traded locally.
@dev What is passed on is never more than customers were billed since it is owed: charges may exceed
     the retail price, where the energy part is negative or the supplier announces what it likes.
     Charges beyond a bill stay owed, and later bills cover them. Without this a supplier that means
     to leave would announce charges without bound, for them to be passed on to a DSO or a state
     that it is one with, sooner than the notice of a withdrawal would be over.
     Prices stand until an announced change. The search for those of an interval goes back from the
     latest change in doubling steps, so what it costs grows with the logarithm of the changes that
     came after the interval, whoever announced how many.
     A word of prices is, from the lowest bit, retail 31 | feed-in 31 | network 31 | taxes 31 |
     first interval 64. Energy is what the other parts leave of the retail price; it may be negative.
@custom:units energy in Wh; money in µEUR; prices in µEUR/kWh
"""

import order_book
import refusals

MASK_31: constant(uint256) = order_book.MASK_31
MASK_64: constant(uint256) = order_book.MASK_64
MASK_96: constant(uint256) = 2**96 - 1
FEED_IN_AT: constant(uint256) = 31
NETWORK_AT: constant(uint256) = 62
TAXES_AT: constant(uint256) = 93
FROM_AT: constant(uint256) = 124
OWED_TAXES_AT: constant(uint256) = 96
COVERED_AT: constant(uint256) = 192
OWED_MASK: constant(uint256) = 2**192 - 1
PPM: constant(uint256) = 1_000_000
MAX_HALVINGS: constant(uint256) = 64
MAX_CHANGES: constant(uint256) = 2**62

LOCAL_NETWORK_PPM: public(immutable(uint256))
LOCAL_TAXES_PPM: public(immutable(uint256))
PRICES_CHANGE: public(immutable(bool))
CHARGES: public(immutable(bool))
_HIGHEST_RETAIL: immutable(uint256)
_BASE: immutable(uint256)

# announced changes, counted from 1; what stands before the first is in _BASE
_change_at: HashMap[uint256, uint256]
_n_changes: uint256
# charges that the supplier has not passed on: network 96 | taxes 96 | covered by bills 64. A reading
# adds less than 2**55, so no chain has the blocks for an overflow; what is covered stops at 2**64
_owed: uint256

event PricesAnnounced:
    from_interval: indexed(uint256)
    retail_ueur_per_kwh: uint256
    feed_in_ueur_per_kwh: uint256
    network_ueur_per_kwh: uint256
    taxes_ueur_per_kwh: uint256

event ChargesSettled:
    interval: indexed(uint256)
    account: indexed(address)
    local_ueur: uint256
    network_ueur: uint256
    taxes_ueur: uint256

event ChargesPassedOn:
    network_ueur: uint256
    taxes_ueur: uint256


@deploy
def __init__(
    highest_retail_ueur_per_kwh: uint256,
    retail_ueur_per_kwh: uint256,
    feed_in_ueur_per_kwh: uint256,
    network_ueur_per_kwh: uint256,
    taxes_ueur_per_kwh: uint256,
    local_network_ppm: uint256,
    local_taxes_ppm: uint256,
    prices_change: bool,
    charges: bool,
):
    assert local_network_ppm <= PPM and local_taxes_ppm <= PPM, "local market: share above one"
    LOCAL_NETWORK_PPM = local_network_ppm
    LOCAL_TAXES_PPM = local_taxes_ppm
    PRICES_CHANGE = prices_change
    CHARGES = charges
    _HIGHEST_RETAIL = highest_retail_ueur_per_kwh
    assert charges or (
        network_ueur_per_kwh == 0 and taxes_ueur_per_kwh == 0
    ), "local market: nobody to pass charges to"
    assert retail_ueur_per_kwh <= highest_retail_ueur_per_kwh, "local market: price out of range"
    assert (
        network_ueur_per_kwh <= MASK_31 and taxes_ueur_per_kwh <= MASK_31
    ), "local market: price out of range"
    # immutables are not known to functions here: the shares are given
    assert feed_in_ueur_per_kwh + network_ueur_per_kwh * local_network_ppm // PPM + (
        taxes_ueur_per_kwh * local_taxes_ppm // PPM
    ) <= retail_ueur_per_kwh, "local market: feed-in above retail"
    _BASE = (
        retail_ueur_per_kwh
        | (feed_in_ueur_per_kwh << FEED_IN_AT)
        | (network_ueur_per_kwh << NETWORK_AT)
        | (taxes_ueur_per_kwh << TAXES_AT)
    )


# --- views ------------------------------------------------------------------------------------


@external
@view
def pricesAt(interval: uint256) -> (uint256, uint256, uint256, uint256):
    """
    @return Retail and feed-in price of an interval, and what of the retail price is network charge
            and taxes
    @custom:units µEUR/kWh
    """
    prices: uint256 = self._prices_at(interval)
    return self._retail(prices), self._feed_in(prices), self._network(prices), self._taxes(prices)


@external
@view
def localLimitsAt(interval: uint256) -> (uint256, uint256):
    """
    @return Price above which buying locally costs more than retail, and the feed-in price
    @custom:units µEUR/kWh
    """
    prices: uint256 = self._prices_at(interval)
    return (
        self._retail(prices) - self._local_network(prices) - self._local_taxes(prices),
        self._feed_in(prices),
    )


@external
@view
def owedCharges() -> (uint256, uint256, uint256):
    """
    @return Network charges and taxes that the supplier has not passed on yet, and what of the two
            customers were billed for, which is all that can be passed on now
    @custom:units µEUR
    """
    owed: uint256 = self._owed
    return owed & MASK_96, (owed >> OWED_TAXES_AT) & MASK_96, owed >> COVERED_AT


# --- internal ---------------------------------------------------------------------------------


@internal
@pure
def _retail(prices: uint256) -> uint256:
    return prices & MASK_31


@internal
@pure
def _feed_in(prices: uint256) -> uint256:
    return (prices >> FEED_IN_AT) & MASK_31


@internal
@pure
def _network(prices: uint256) -> uint256:
    return (prices >> NETWORK_AT) & MASK_31


@internal
@pure
def _taxes(prices: uint256) -> uint256:
    return (prices >> TAXES_AT) & MASK_31


@internal
@view
def _local_network(prices: uint256) -> uint256:
    return unsafe_div(self._network(prices) * LOCAL_NETWORK_PPM, PPM)


@internal
@view
def _local_taxes(prices: uint256) -> uint256:
    return unsafe_div(self._taxes(prices) * LOCAL_TAXES_PPM, PPM)


@internal
@view
def _prices_at(interval: uint256) -> uint256:
    if not PRICES_CHANGE:
        return _BASE
    return self._last_change(interval)


@internal
@view
def _last_change(interval: uint256) -> uint256:
    """
    @dev The last change that begins no later than an interval.
    """
    above: uint256 = self._n_changes + 1  # begins later, or is none
    at: uint256 = self._n_changes
    back: uint256 = 1
    for _: uint256 in range(MAX_HALVINGS):
        if at == 0:
            break
        word: uint256 = self._change_at[at]
        if word >> FROM_AT <= interval:
            # the latest change is what is mostly asked for
            if above == at + 1:
                return word
            break
        above = at
        at = at - min(back, at)
        back *= 2
    # change `at` begins no later, change `above` does
    for _: uint256 in range(MAX_HALVINGS):
        if above - at <= 1:
            break
        middle: uint256 = (at + above) // 2
        if self._change_at[middle] >> FROM_AT <= interval:
            at = middle
        else:
            above = middle
    return _BASE if at == 0 else self._change_at[at]


@internal
def _announce(
    from_interval: uint256,
    retail_ueur_per_kwh: uint256,
    feed_in_ueur_per_kwh: uint256,
    network_ueur_per_kwh: uint256,
    taxes_ueur_per_kwh: uint256,
):
    refusals._require(PRICES_CHANGE, "prices are fixed")
    refusals._require(
        CHARGES or (network_ueur_per_kwh == 0 and taxes_ueur_per_kwh == 0),
        "nobody to pass charges to",
    )
    refusals._require(
        retail_ueur_per_kwh <= _HIGHEST_RETAIL
        and feed_in_ueur_per_kwh <= retail_ueur_per_kwh
        and network_ueur_per_kwh <= MASK_31
        and taxes_ueur_per_kwh <= MASK_31
        and from_interval <= MASK_64,
        "price out of range",
    )
    n: uint256 = self._n_changes
    refusals._require(
        from_interval > self._change_at[n] >> FROM_AT and n < MAX_CHANGES, "announced already"
    )
    prices: uint256 = (
        retail_ueur_per_kwh
        | (feed_in_ueur_per_kwh << FEED_IN_AT)
        | (network_ueur_per_kwh << NETWORK_AT)
        | (taxes_ueur_per_kwh << TAXES_AT)
    )
    refusals._require(
        self._feed_in(prices) + self._local_network(prices) + self._local_taxes(prices)
        <= retail_ueur_per_kwh,
        "feed-in above retail",
    )
    self._change_at[n + 1] = prices | (from_interval << FROM_AT)
    self._n_changes = n + 1
    log PricesAnnounced(
        from_interval=from_interval,
        retail_ueur_per_kwh=retail_ueur_per_kwh,
        feed_in_ueur_per_kwh=feed_in_ueur_per_kwh,
        network_ueur_per_kwh=network_ueur_per_kwh,
        taxes_ueur_per_kwh=taxes_ueur_per_kwh,
    )


@internal
def _charge(
    interval: uint256,
    account: address,
    prices: uint256,
    supplied_wh: uint256,
    supply_bill_ueur: uint256,
    local_wh: uint256,
) -> uint256:
    """
    @dev Note what the supplier owes: the charges in the price of what it supplied, and those on
         what was traded locally. Who pays rounds up, who is paid rounds down. The bill covers what
         is owed, earlier charges among it, and nothing that will be owed later.
    @return What the account owes on top of its bill
    """
    local_network: uint256 = self._local_network(prices)
    local_taxes: uint256 = self._local_taxes(prices)
    local_ueur: uint256 = order_book._due_ueur(local_wh, local_network + local_taxes)
    network_ueur: uint256 = order_book._earned_ueur(
        supplied_wh, self._network(prices)
    ) + order_book._earned_ueur(local_wh, local_network)
    taxes_ueur: uint256 = order_book._earned_ueur(
        supplied_wh, self._taxes(prices)
    ) + order_book._earned_ueur(local_wh, local_taxes)
    before: uint256 = self._owed
    owed: uint256 = unsafe_add(before & OWED_MASK, network_ueur | (taxes_ueur << OWED_TAXES_AT))
    covered_ueur: uint256 = min(
        min(
            unsafe_add(before >> COVERED_AT, unsafe_add(supply_bill_ueur, local_ueur)),
            unsafe_add(owed & MASK_96, owed >> OWED_TAXES_AT),
        ),
        MASK_64,
    )
    owed |= covered_ueur << COVERED_AT
    if owed != before:
        self._owed = owed
    log ChargesSettled(
        interval=interval,
        account=account,
        local_ueur=local_ueur,
        network_ueur=network_ueur,
        taxes_ueur=taxes_ueur,
    )
    return local_ueur
