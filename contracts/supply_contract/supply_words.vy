# pragma version 0.4.3
"""
@title Packed words of the supply contract
@license Apache-2.0
@notice Fields of the word of a subscription, and of the supplier's word.
@dev A field is read by shifting the word up, until the field is at its top, and then down: less
     code than a mask as long as the field, and than a function. Positions count from the lowest bit.
@custom:units money in µEUR, prices in µEUR/kWh
"""

# Subscription, one word per customer and meter:
# deposit 64 | debt 80 | next period to be billed 24 | period after the last 24 | declared 32,
# which is 1 + the energy declared for the next period to be billed, or 0. No bill is above 2**53,
# so the debt of all periods fits.
DEPOSIT_UP: constant(uint256) = 192
DEPOSIT_DOWN: constant(uint256) = 192
DEBT_AT: constant(uint256) = 64
DEBT_UP: constant(uint256) = 112
DEBT_DOWN: constant(uint256) = 176
NEXT_AT: constant(uint256) = 144
NEXT_UP: constant(uint256) = 88
NEXT_DOWN: constant(uint256) = 232
END_AT: constant(uint256) = 168
END_UP: constant(uint256) = 64
END_DOWN: constant(uint256) = 232
DECLARED_AT: constant(uint256) = 192

# The supplier's word: proceeds 96 | takings 80 | open period 24 | price 32 | its first period 24.
# The takings were paid for the open period, which is the first that is not final.
PROCEEDS_UP: constant(uint256) = 160
PROCEEDS_DOWN: constant(uint256) = 160
TAKINGS_AT: constant(uint256) = 96
TAKINGS_UP: constant(uint256) = 80
TAKINGS_DOWN: constant(uint256) = 176
OPEN_PERIOD_AT: constant(uint256) = 176
OPEN_PERIOD_UP: constant(uint256) = 56
OPEN_PERIOD_DOWN: constant(uint256) = 232
PRICE_AT: constant(uint256) = 200
PRICE_UP: constant(uint256) = 24
PRICE_DOWN: constant(uint256) = 224
SINCE_AT: constant(uint256) = 232
