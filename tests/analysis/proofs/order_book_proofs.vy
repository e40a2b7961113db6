# pragma version 0.4.3
# pragma evm-version cancun
"""
@title What the order book promises, for every order
@license Apache-2.0
"""

import order_book
import prover


@internal
@pure
def _fits(energy_wh: uint256, price: uint256) -> bool:
    return (
        energy_wh <= order_book.MAX_ENERGY_WH and price <= order_book.MAX_PRICE_UEUR_PER_KWH
    )


@external
@pure
def check_amounts_are_of_the_product(energy_wh: uint256, price: uint256):
    """
    @notice An amount depends on energy times price only.
    """
    if not self._fits(energy_wh, price):
        return
    product: uint256 = energy_wh * price
    prover._prove(order_book._due_ueur(energy_wh, price) == order_book._due_ueur(product, 1))
    prover._prove(order_book._earned_ueur(energy_wh, price) == order_book._earned_ueur(product, 1))


@external
@pure
def check_due_is_earned_or_one_more(product: uint256):
    """
    @notice Who pays rounds up, who is paid rounds down, by less than 1 µEUR together.
    """
    if product >= 2**63:
        return
    due: uint256 = order_book._due_ueur(product, 1)
    earned: uint256 = order_book._earned_ueur(product, 1)
    prover._prove(due == earned or due == earned + 1)


@external
@pure
def check_an_order_is_read_as_written(
    owner: address, is_sell: bool, energy_wh: uint256, price: uint256
):
    if not self._fits(energy_wh, price):
        return
    order: uint256 = order_book._order(owner, is_sell, energy_wh, price)
    prover._prove(order_book._owner(order) == owner)
    prover._prove(order_book._is_sell(order) == is_sell)
    prover._prove(order_book._energy_wh(order) == energy_wh)
    prover._prove(order_book._price_ueur_per_kwh(order) == price)
    prover._prove(not order_book._is_sealed(order))


@internal
@pure
def _sorting_key(order: uint256, index: uint256) -> uint256:
    """
    @dev A sorting key as both loops of clearing_forms.vy build it in place, to save the call.
    """
    key: uint256 = order | (index << order_book.INDEX_AT)
    if key >> order_book.SIDE_AT == 0:
        key ^= order_book.PRICE_BITS
    return key


@external
@pure
def check_keys_ascend_in_merit_order(
    is_sell: bool, energy_a: uint256, price_a: uint256, energy_b: uint256, price_b: uint256
):
    """
    @notice Of two orders of a side the better price comes first, and at one price the earlier.
    """
    if not self._fits(energy_a, price_a) or not self._fits(energy_b, price_b):
        return
    a: uint256 = order_book._order(empty(address), is_sell, energy_a, price_a)
    b: uint256 = order_book._order(empty(address), is_sell, energy_b, price_b)
    first: bool = self._sorting_key(a, 0) < self._sorting_key(b, 1)
    better: bool = price_a < price_b if is_sell else price_a > price_b
    prover._prove(first == (better or price_a == price_b))


@external
@pure
def check_bids_come_before_asks(
    energy_a: uint256, price_a: uint256, energy_b: uint256, price_b: uint256, arrival: uint256
):
    if not self._fits(energy_a, price_a) or not self._fits(energy_b, price_b):
        return
    if arrival >= order_book.MAX_ORDERS:
        return
    bid: uint256 = order_book._order(empty(address), False, energy_a, price_a)
    ask: uint256 = order_book._order(empty(address), True, energy_b, price_b)
    prover._prove(self._sorting_key(bid, arrival) < self._sorting_key(ask, 0))


@external
@pure
def check_a_key_is_read_as_written(
    is_sell: bool, energy_wh: uint256, price: uint256, arrival: uint256
):
    if not self._fits(energy_wh, price) or arrival >= order_book.MAX_ORDERS:
        return
    written: uint256 = order_book._order(empty(address), is_sell, energy_wh, price)
    order: uint256 = 0
    index: uint256 = 0
    order, index = order_book._order_of_key(self._sorting_key(written, arrival))
    prover._prove(index == arrival)
    prover._prove(order_book._price_ueur_per_kwh(order) == price)
    prover._prove(order_book._energy_wh(order) == energy_wh)
    prover._prove(order_book._is_sell(order) == is_sell)
