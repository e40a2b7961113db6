# pragma version 0.4.3
# pragma evm-version cancun
"""
@title What the flexibility book promises, for every record
@license Apache-2.0
"""

import flexibility_book as book
import prover

LARGEST: constant(int256) = 2**32 - 1


@external
@pure
def check_a_request_is_read_as_written(
    interval: uint64,
    is_up: bool,
    closed: bool,
    quantity_wh: uint32,
    price_cap: uint32,
    awarded_wh: uint32,
    awarded_ueur: uint64,
):
    if price_cap >= 2**31:
        return
    written: book.Request = book.Request(
        interval=convert(interval, uint256),
        is_up=is_up,
        closed=closed,
        quantity_wh=convert(quantity_wh, uint256),
        price_cap_ueur_per_kwh=convert(price_cap, uint256),
        awarded_wh=convert(awarded_wh, uint256),
        awarded_ueur=convert(awarded_ueur, uint256),
    )
    read: book.Request = book._request(book._packed_request(written))
    prover._prove(read.interval == written.interval)
    prover._prove(read.is_up == written.is_up and read.closed == written.closed)
    prover._prove(read.quantity_wh == written.quantity_wh)
    prover._prove(read.price_cap_ueur_per_kwh == written.price_cap_ueur_per_kwh)
    prover._prove(read.awarded_wh == written.awarded_wh)
    prover._prove(read.awarded_ueur == written.awarded_ueur)


@external
@pure
def check_an_offer_is_read_as_written(
    energy_wh: uint32,
    price: uint32,
    baseline_wh: int256,
    awarded_wh: uint32,
    earlier_wh: uint64,
    settled: bool,
    is_curve: bool,
):
    if price >= 2**31 or baseline_wh > LARGEST or baseline_wh < -LARGEST:
        return
    written: book.Offer = book.Offer(
        energy_wh=convert(energy_wh, uint256),
        price_ueur_per_kwh=convert(price, uint256),
        baseline_wh=baseline_wh,
        awarded_wh=convert(awarded_wh, uint256),
        earlier_wh=convert(earlier_wh, uint256),
        settled=settled,
        is_curve=is_curve,
        further=0,
    )
    word: uint256 = book._packed_offer(written)
    prover._prove(word != 0)
    read: book.Offer = book._offer(word)
    prover._prove(read.energy_wh == written.energy_wh)
    prover._prove(read.price_ueur_per_kwh == written.price_ueur_per_kwh)
    prover._prove(read.baseline_wh == baseline_wh)
    prover._prove(read.awarded_wh == written.awarded_wh)
    prover._prove(read.earlier_wh == written.earlier_wh)
    prover._prove(read.settled == settled)
    prover._prove(read.is_curve == is_curve)


@external
@pure
def check_blocks_are_read_as_written(
    energy_wh: uint32,
    price: uint32,
    first_wh: uint32,
    second_wh: uint32,
    second_price: uint32,
    third_price: uint32,
):
    """
    @notice Of a curve of three blocks.
    """
    if max(price, max(second_price, third_price)) >= 2**31 or first_wh == 0 or second_wh == 0:
        return
    first: uint256 = convert(first_wh, uint256)
    both: uint256 = first + convert(second_wh, uint256)
    if convert(energy_wh, uint256) <= both:
        return
    offer: book.Offer = empty(book.Offer)
    offer.energy_wh = convert(energy_wh, uint256)
    offer.price_ueur_per_kwh = convert(price, uint256)
    offer.further = book._packed_block(1, first, convert(second_price, uint256))
    offer.further |= book._packed_block(2, both, convert(third_price, uint256))
    found_wh: uint256 = 0
    found: uint256 = 0
    found_wh, found = book._block(offer, 0)
    prover._prove(found_wh == first and found == convert(price, uint256))
    found_wh, found = book._block(offer, 1)
    prover._prove(found_wh == both - first and found == convert(second_price, uint256))
    found_wh, found = book._block(offer, 2)
    prover._prove(found_wh == offer.energy_wh - both and found == convert(third_price, uint256))
    found_wh, found = book._block(offer, 3)
    prover._prove(found_wh == 0)


@external
@pure
def check_a_position_is_read_as_written(awarded_wh: uint64, is_up: bool, baseline_wh: int256):
    if baseline_wh > LARGEST or baseline_wh < -LARGEST:
        return
    word: uint256 = book._packed_position(
        book.Position(
            awarded_wh=convert(awarded_wh, uint256), is_up=is_up, baseline_wh=baseline_wh
        )
    )
    prover._prove(word != 0)
    read: book.Position = book._position(word)
    prover._prove(read.awarded_wh == convert(awarded_wh, uint256))
    prover._prove(read.is_up == is_up)
    prover._prove(read.baseline_wh == baseline_wh)


@external
@pure
def check_delivery_is_at_most_the_award_and_the_change(
    is_up: bool, net_wh: int256, baseline_wh: int256, awarded_wh: uint32, earlier_wh: uint64
):
    """
    @notice Nobody is paid for more than was awarded, nor for energy that an earlier request bought.
    """
    if max(net_wh, baseline_wh) > LARGEST or min(net_wh, baseline_wh) < -LARGEST:
        return
    offer: book.Offer = empty(book.Offer)
    offer.baseline_wh = baseline_wh
    offer.awarded_wh = convert(awarded_wh, uint256)
    offer.earlier_wh = convert(earlier_wh, uint256)
    delivered: int256 = convert(book._delivered_wh(offer, is_up, net_wh), int256)
    change: int256 = net_wh - baseline_wh if is_up else baseline_wh - net_wh
    left: int256 = max(change - convert(earlier_wh, int256), 0)
    prover._prove(delivered == min(left, convert(awarded_wh, int256)))


@external
@pure
def check_delivery_and_wrong_way_exclude_each_other(
    is_up: bool, net_wh: int256, baseline_wh: int256, awarded_wh: uint32, earlier_wh: uint64
):
    """
    @notice Nobody is paid and fined for one change; what counts as the wrong way is that change.
    """
    if max(net_wh, baseline_wh) > LARGEST or min(net_wh, baseline_wh) < -LARGEST:
        return
    offer: book.Offer = empty(book.Offer)
    offer.baseline_wh = baseline_wh
    offer.awarded_wh = convert(awarded_wh, uint256)
    offer.earlier_wh = convert(earlier_wh, uint256)
    delivered: uint256 = book._delivered_wh(offer, is_up, net_wh)
    wrong_way: uint256 = book._wrong_way_wh(offer, is_up, net_wh)
    prover._prove(delivered == 0 or wrong_way == 0)
    change: int256 = net_wh - baseline_wh if is_up else baseline_wh - net_wh
    counted: bool = earlier_wh == 0 and change < 0
    prover._prove(convert(wrong_way, int256) == (-change if counted else 0))
