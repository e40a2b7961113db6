# pragma version 0.4.3
"""
@title Terms and phases of the supply contract
@license Apache-2.0
@notice What was agreed when the contract was deployed, in two packed words, and which phases of
        which periods have come.
@custom:units energy in Wh; money in µEUR; prices in µEUR/kWh; time in blocks
"""

MAX_ENERGY_WH: constant(uint256) = 2**32 - 2
MAX_PRICE_UEUR_PER_KWH: constant(uint256) = 2**31 - 1
# as the end of a subscription: rolling
MAX_PERIODS: constant(uint256) = 2**24 - 1
MASK_32: constant(uint256) = 2**32 - 1
MASK_64: constant(uint256) = 2**64 - 1

# Six numbers of 40 bits: the blocks at which subscription opens, supply, declaration and payment
# start, and payment ends for period 0; for period p they come p times the last number later.
TIMES: immutable(uint256)
OPEN: constant(uint256) = 0
START: constant(uint256) = 40
DECLARATION: constant(uint256) = 80
PAYMENT: constant(uint256) = 120
OVER: constant(uint256) = 160
LENGTH: constant(uint256) = 200

# price cap 32 | silent estimate 32 | credit limit 64 | least deposit 64
TERMS: immutable(uint256)
ESTIMATE_AT: constant(uint256) = 32
LIMIT_AT: constant(uint256) = 64
LEAST_AT: constant(uint256) = 128


@deploy
def __init__(
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
    assert (
        max(first_block, period_blocks) < 2**38
        and price_ueur_per_kwh <= price_cap_ueur_per_kwh
        and price_cap_ueur_per_kwh <= MAX_PRICE_UEUR_PER_KWH
        and silent_estimate_wh <= MAX_ENERGY_WH
        and 0 < least_deposit_ueur
        and max(least_deposit_ueur, credit_limit_ueur) <= MASK_64
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
        | (credit_limit_ueur << LIMIT_AT)
        | (least_deposit_ueur << LEAST_AT)
    )


@internal
@view
def _begun(moment: uint256) -> uint256:
    """
    @dev In how many periods a moment has come. There are MAX_PERIODS of them.
    """
    first: uint256 = (TIMES << unsafe_sub(216, moment)) >> 216
    if block.number < first:
        return 0
    return min(
        unsafe_add(unsafe_div(unsafe_sub(block.number, first), TIMES >> LENGTH), 1), MAX_PERIODS
    )
