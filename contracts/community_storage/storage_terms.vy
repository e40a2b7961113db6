# pragma version 0.4.3
"""
@title Terms of the community storage
@license Apache-2.0
@notice What was agreed when the storage was deployed.
@custom:units energy in Wh; money in µEUR; prices in µEUR/kWh; efficiencies in permille; time in s
"""

import ISupplierPrices
import order_book
import storage_book as book

MAX_BATCH: public(constant(uint256)) = 256
MAX_SHARES: public(constant(uint256)) = 1_000_000
MAX_ENERGY_WH: public(constant(uint256)) = order_book.MAX_ENERGY_WH
MAX_PRICE_UEUR_PER_KWH: public(constant(uint256)) = order_book.MAX_PRICE_UEUR_PER_KWH
MAX_AMOUNT_UEUR: constant(uint256) = 2**96
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


@internal
@view
def _share_of(total_wh: uint256, shares: uint256) -> uint256:
    """
    @dev Rounded down, so the parts are never more than the whole.
    """
    return total_wh * shares // TOTAL_SHARES


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
