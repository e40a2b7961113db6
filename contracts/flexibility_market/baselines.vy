# pragma version 0.4.3
"""
@title Baselines of flexibility
@license Apache-2.0
@notice Net injection that an activation is measured against: nominated by the seller, within a
        registered range, read from its meter, or the registered capacity itself.
@dev A baseline that is measured is taken when the offer is settled, from readings of earlier
     intervals that the local market has by then. Intervals in which an account was awarded
     anything are no history. What each kind pays for is on the page of the contract.
@custom:units energy in Wh, net injection positive; time in s
"""

import ILocalMarket
import order_book

NOMINATION: constant(uint256) = 0
BOUNDED_NOMINATION: constant(uint256) = 1
METER_BEFORE: constant(uint256) = 2
HIGH_X_OF_Y: constant(uint256) = 3
CAPACITY_LIMIT: constant(uint256) = 4

MAX_LOOK_BACK: constant(uint256) = 96
MAX_DAYS: constant(uint256) = 10
MAX_ADJUSTING: constant(uint256) = 16
DAY_S: constant(uint256) = 86_400
MAX_ENERGY_WH: constant(int256) = 2**32 - 1
MASK_34: constant(uint256) = 2**34 - 1
SIGNED_OFFSET: constant(int256) = 2**32

LOCAL_MARKET: immutable(address)
BASELINE: public(immutable(uint256))
LOOK_BACK: public(immutable(uint256))
HIGH_DAYS: public(immutable(uint256))
OF_DAYS: public(immutable(uint256))
ADJUSTING: public(immutable(uint256))
ADJUSTING_GAP: public(immutable(uint256))
_PER_DAY: immutable(uint256)
_STEP_S: immutable(uint256)

# low + offset 34 | high + offset 34 | registered 1
_ranges: HashMap[address, uint256]
# one bit per interval with an award, 256 a word
_awarded: HashMap[address, HashMap[uint256, uint256]]

event RangeRegistered:
    account: indexed(address)
    low_wh: int256
    high_wh: int256

event BaselineMeasured:
    request: indexed(uint256)
    account: indexed(address)
    baseline_wh: int256


@deploy
def __init__(
    local_market: address,
    baseline: uint256,
    look_back: uint256,
    high_days: uint256,
    of_days: uint256,
    adjusting: uint256,
    adjusting_gap: uint256,
):
    """
    @param local_market Keeps readings and the times of delivery
    @param baseline Kind: 0 nomination, 1 within the registered range, 2 meter before, 3 high X of Y, 4 capacity limit
    @param look_back Intervals (meter before) or days (high X of Y) that history is looked for in
    @param high_days, of_days X and Y
    @param adjusting, adjusting_gap Intervals of the same day that adjust high X of Y, and how many
           lie between the last of them and the interval
    """
    assert baseline <= CAPACITY_LIMIT, "flexibility market: no such baseline"
    step_s: uint256 = 0
    per_day: uint256 = 0
    if baseline == METER_BEFORE or baseline == HIGH_X_OF_Y:
        assert 0 < look_back and look_back <= MAX_LOOK_BACK, "flexibility market: look-back out of range"
        start_s: uint256 = staticcall ILocalMarket(local_market).deliveryStartOf(0)
        step_s = staticcall ILocalMarket(local_market).deliveryStartOf(1) - start_s
        # so that whoever settles an interval knows all readings of earlier ones
        assert (
            staticcall ILocalMarket(local_market).reportDeadlineOf(0) < start_s + 2 * step_s
        ), "flexibility market: meters report too late"
        if baseline == HIGH_X_OF_Y:
            assert (
                0 < high_days and high_days <= of_days and of_days <= MAX_DAYS
            ), "flexibility market: days out of range"
            assert (
                adjusting <= MAX_ADJUSTING and adjusting_gap <= MAX_ADJUSTING
            ), "flexibility market: adjustment out of range"
            assert DAY_S % step_s == 0, "flexibility market: no whole intervals a day"
            per_day = DAY_S // step_s
    LOCAL_MARKET = local_market
    BASELINE = baseline
    LOOK_BACK = look_back
    HIGH_DAYS = high_days
    OF_DAYS = of_days
    ADJUSTING = adjusting
    ADJUSTING_GAP = adjusting_gap
    _PER_DAY = per_day
    _STEP_S = step_s


@internal
@view
def _takes_any() -> bool:
    """
    @return Whether the seller's word is taken for it
    """
    return BASELINE == NOMINATION


@internal
@view
def _is_measured() -> bool:
    """
    @return Whether it is taken from readings when an offer is settled
    """
    return BASELINE == METER_BEFORE or BASELINE == HIGH_X_OF_Y


@internal
def _register(account: address, low_wh: int256, high_wh: int256):
    """
    @dev Note the least and the greatest net injection of an account in an interval.
    """
    assert (
        -MAX_ENERGY_WH <= low_wh and low_wh <= high_wh and high_wh <= MAX_ENERGY_WH
    ), "flexibility market: range out of range"
    word: uint256 = convert(low_wh + SIGNED_OFFSET, uint256)
    word |= convert(high_wh + SIGNED_OFFSET, uint256) << 34
    self._ranges[account] = word | (1 << 68)
    log RangeRegistered(account=account, low_wh=low_wh, high_wh=high_wh)


@internal
@view
def _range(account: address) -> (bool, int256, int256):
    """
    @return Whether there is one; least and greatest net injection
    """
    word: uint256 = self._ranges[account]
    if word == 0:
        return False, 0, 0
    return (
        True,
        convert(word & MASK_34, int256) - SIGNED_OFFSET,
        convert((word >> 34) & MASK_34, int256) - SIGNED_OFFSET,
    )


@internal
@view
def _admitted(
    interval: uint256, account: address, is_up: bool, bought_wh: uint256, stated_wh: int256, energy_wh: uint256
) -> int256:
    """
    @dev Refuse an offer that its baseline does not allow.
    @param bought_wh Awarded to the account for the interval already
    @param stated_wh Baseline as the seller states it; counts where it is nominated
    @return Baseline to keep with the offer; 0 where it will be measured
    """
    if self._is_measured():
        assert self._has_history(interval, account), "flexibility market: no baseline"
        return 0
    registered: bool = False
    low_wh: int256 = 0
    high_wh: int256 = 0
    registered, low_wh, high_wh = self._range(account)
    assert registered, "flexibility market: no registered range"
    baseline_wh: int256 = stated_wh
    if BASELINE == CAPACITY_LIMIT:
        baseline_wh = low_wh if is_up else high_wh
    assert (
        low_wh <= baseline_wh and baseline_wh <= high_wh
    ), "flexibility market: baseline beyond the range"
    change_wh: int256 = convert(bought_wh + energy_wh, int256)
    changed_wh: int256 = baseline_wh + change_wh if is_up else baseline_wh - change_wh
    assert (
        low_wh <= changed_wh and changed_wh <= high_wh
    ), "flexibility market: offer beyond the range"
    return baseline_wh


@internal
def _mark(interval: uint256, account: address):
    """
    @dev Note that an account was awarded something: the interval is no history.
    """
    self._awarded[account][interval >> 8] |= 1 << (interval & 255)


@internal
@view
def _was_awarded(interval: uint256, account: address) -> bool:
    return (self._awarded[account][interval >> 8] >> (interval & 255)) & 1 == 1


@internal
@view
def _day_is_free(interval: uint256, back: uint256, account: address) -> bool:
    """
    @return Whether the account was awarded nothing on the calendar day (UTC) so many days before
    """
    start_s: uint256 = staticcall ILocalMarket(LOCAL_MARKET).deliveryStartOf(interval)
    since: uint256 = (start_s % DAY_S) // _STEP_S + back * _PER_DAY
    first: uint256 = interval - since if interval > since else 0
    # until the next day, which began since - per_day intervals ago
    last: uint256 = interval + _PER_DAY - since - 1
    place: uint256 = first
    for _: uint256 in range(MAX_LOOK_BACK):
        if place > last:
            break
        upto: uint256 = min(last, place | 255)
        mask: uint256 = max_value(uint256) >> (255 - (upto - place))
        if (self._awarded[account][place >> 8] >> (place & 255)) & mask != 0:
            return False
        place = upto + 1
    return True


@internal
@view
def _has_history(interval: uint256, account: address) -> bool:
    """
    @return Whether there are intervals without activation that a baseline can be taken from
    """
    free: uint256 = 0
    for k: uint256 in range(LOOK_BACK, bound=MAX_LOOK_BACK):
        back: uint256 = k + 1
        if BASELINE == METER_BEFORE:
            if back > interval:
                break
            if not self._was_awarded(interval - back, account):
                return True
        else:
            if back * _PER_DAY > interval:
                break
            if self._day_is_free(interval, back, account):
                free += 1
                if free == HIGH_DAYS:
                    return True
    return False


@internal
@view
def _read(interval: uint256, account: address) -> (bool, int256):
    """
    @return Whether the interval has a reading of the meter, and the reading
    """
    known: bool = False
    estimated: bool = False
    net_wh: int256 = 0
    known, estimated, net_wh = staticcall ILocalMarket(LOCAL_MARKET).readingOf(interval, account)
    return known and not estimated, net_wh


@internal
@view
def _measured(interval: uint256, account: address, is_up: bool) -> (bool, int256):
    """
    @return Whether there is a baseline, and the baseline
    """
    if BASELINE == METER_BEFORE:
        return self._meter_before(interval, account)
    return self._high_x_of_y(interval, account, is_up)


@internal
@view
def _meter_before(interval: uint256, account: address) -> (bool, int256):
    for k: uint256 in range(LOOK_BACK, bound=MAX_LOOK_BACK):
        if k >= interval:
            break
        before: uint256 = interval - 1 - k
        if self._was_awarded(before, account):
            continue
        known: bool = False
        net_wh: int256 = 0
        known, net_wh = self._read(before, account)
        if known:
            return True, net_wh
    return False, 0


@internal
@view
def _high_x_of_y(interval: uint256, account: address, is_up: bool) -> (bool, int256):
    """
    @dev Mean of the X highest of the last Y days without activation, and the mean by which the
         account was off it on the same day before the interval. High is consumption where
         injection is raised, injection where it is lowered. Divisions round towards zero.
    """
    readings: DynArray[int256, MAX_DAYS] = []
    ago: DynArray[uint256, MAX_DAYS] = []
    for k: uint256 in range(LOOK_BACK, bound=MAX_LOOK_BACK):
        back: uint256 = (k + 1) * _PER_DAY
        if back > interval or len(readings) == OF_DAYS:
            break
        if not self._day_is_free(interval, k + 1, account):
            continue
        known: bool = False
        net_wh: int256 = 0
        known, net_wh = self._read(interval - back, account)
        if known:
            readings.append(-net_wh if is_up else net_wh)
            ago.append(back)
    if len(readings) < HIGH_DAYS:
        return False, 0

    # the X highest come first; of equal ones the most recent
    total_wh: int256 = 0
    for k: uint256 in range(HIGH_DAYS, bound=MAX_DAYS):
        best: uint256 = k
        for other: uint256 in range(k + 1, len(readings), bound=MAX_DAYS):
            if readings[other] > readings[best] or (
                readings[other] == readings[best] and ago[other] < ago[best]
            ):
                best = other
        reading_wh: int256 = readings[best]
        back: uint256 = ago[best]
        readings[best] = readings[k]
        ago[best] = ago[k]
        readings[k] = reading_wh
        ago[k] = back
        total_wh += reading_wh
    n_days: int256 = convert(HIGH_DAYS, int256)
    baseline_wh: int256 = (-total_wh if is_up else total_wh) // n_days

    off_wh: int256 = 0
    n_used: int256 = 0
    for k: uint256 in range(ADJUSTING, bound=MAX_ADJUSTING):
        before: uint256 = 1 + ADJUSTING_GAP + k
        if before > interval:
            break
        place: uint256 = interval - before
        if self._was_awarded(place, account):
            continue
        is_whole: bool = True
        own_wh: int256 = 0
        for d: uint256 in range(HIGH_DAYS + 1, bound=MAX_DAYS + 1):
            back: uint256 = ago[d - 1] if d > 0 else 0
            known: bool = False
            net_wh: int256 = 0
            if back <= place:
                known, net_wh = self._read(place - back, account)
            if not known:
                is_whole = False
                break
            own_wh += net_wh * n_days if d == 0 else -net_wh
        if is_whole:
            off_wh += own_wh
            n_used += 1
    if n_used > 0:
        baseline_wh += off_wh // (n_days * n_used)
    return True, max(min(baseline_wh, MAX_ENERGY_WH), -MAX_ENERGY_WH)
