# pragma version 0.4.3
"""
@title Refusals of the local market
@license Apache-2.0
@notice One cause, one text, which begins with the market's name.
@dev A text spelt out at every assertion takes 150 bytes of code, and the market has more than fifty,
     while EIP-170 leaves a contract 24 576 bytes in all. Here each takes 60.
"""


@internal
@pure
def _require(condition: bool, cause: String[32]):
    if not condition:
        raise concat("local market: ", cause)
