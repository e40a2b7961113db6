"""Baselines of flexibility: terms, and the exact model of ``baselines.vy``.

A baseline is what an account would have injected without the activation. Nobody observes it; each
kind here is another way of agreeing on it:

- ``nomination``: the seller states it, and is believed.
- ``bounded_nomination``: the seller states it within the range that its devices can reach.
- ``meter_before``: the last reading without activation (meter before – meter after, as in USEF's
  and NAESB's baseline documents).
- ``high_x_of_y``: mean of the X highest of the last Y days without activation at the same time of
  day, moved by the mean difference of the hours before on the same day (NAESB baseline type I with
  same-day adjustment, here additive and without a cap).
- ``capacity_limit``: none. The award is a limit below the registered capacity ("drop to").
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from cosim.mechanisms.accounts import ContractModel
from cosim.mechanisms.flexibility_market.settings import (
    BASELINE_KINDS,
    DAY_S,
    MEASURED_KINDS,
    RANGED_KINDS,
    BaselineSettings,
)
from cosim.mechanisms.local_market.orders import MAX_ENERGY_WH, Reading


@dataclass(frozen=True)
class BaselineTerms:
    """Terms of baselines, under the names of the contract's constructor.

    Parameters
    ----------
    kind : str
        One of ``BASELINE_KINDS``.
    look_back : int
        Intervals (``meter_before``) or days (``high_x_of_y``) that history is looked for in.
    high_days, of_days : int
        X and Y.
    adjusting, adjusting_gap : int
        Intervals that adjust ``high_x_of_y``, and those between the last of them and the interval.
    """

    kind: str = "nomination"
    look_back: int = 0
    high_days: int = 0
    of_days: int = 0
    adjusting: int = 0
    adjusting_gap: int = 0

    @classmethod
    def of(cls, settings: BaselineSettings) -> Self:
        """Take over a scenario's section, as far as its kind of baseline uses it."""
        match settings.kind:
            case "meter_before":
                return cls(settings.kind, settings.look_back_intervals)
            case "high_x_of_y":
                return cls(
                    settings.kind,
                    settings.look_back_days,
                    settings.x_days,
                    settings.y_days,
                    settings.adjustment_intervals,
                    settings.adjustment_gap_intervals,
                )
        return cls(settings.kind)

    @property
    def baseline(self) -> int:
        """Number of the kind in the contract."""
        return BASELINE_KINDS.index(self.kind)

    @property
    def is_measured(self) -> bool:
        """True if it is taken from readings when an offer is settled."""
        return self.kind in MEASURED_KINDS

    @property
    def is_ranged(self) -> bool:
        """True if it needs registered ranges."""
        return self.kind in RANGED_KINDS

    @property
    def is_limit(self) -> bool:
        """True if awards are limits below the registered capacity."""
        return self.kind == "capacity_limit"

    @property
    def is_nominated(self) -> bool:
        """True if the seller states it, so that it must be the schedule that the DSO knows."""
        return self.kind in ("nomination", "bounded_nomination")

    @property
    def most_readings(self) -> int:
        """Most readings that one settlement asks for, beyond the interval's own."""
        if self.kind == "meter_before":
            return self.look_back
        return self.look_back + self.adjusting * (self.high_days + 1) if self.is_measured else 0

    def kept_intervals(self, step_s: int) -> int:
        """Return how many intervals of history a settlement may ask for."""
        if not self.is_measured:
            return 0
        if self.kind == "meter_before":
            return self.look_back
        days = self.look_back + 1
        return days * (DAY_S // step_s) + self.adjusting + self.adjusting_gap


@dataclass(frozen=True)
class NetRange:
    """Least and greatest net injection of an account in an interval. [Wh]"""

    low_wh: int
    high_wh: int


class Baselines(ContractModel):
    """State of ``baselines.vy``.

    Parameters
    ----------
    terms : BaselineTerms
    step_s : int
        Length of an interval. [s]
    start_s : int
        Start of interval 0, Unix time. [s]
    """

    subject = "flexibility market"

    def __init__(self, terms: BaselineTerms, step_s: int = 900, start_s: int = 0) -> None:
        self.terms = terms
        self._step_s = step_s
        self._start_s = start_s
        self._ranges: dict[str, NetRange] = {}
        self._awarded: dict[str, set[int]] = defaultdict(set)
        self._readings: dict[str, dict[int, int]] = defaultdict(dict)

    # --- before delivery ---

    def register(self, account: str, own: NetRange) -> None:
        """Register the range of an account.

        Raises
        ------
        ContractRevert
            If it is none.
        """
        is_range = -MAX_ENERGY_WH <= own.low_wh <= own.high_wh <= MAX_ENERGY_WH
        self._require(is_range, "range out of range")
        self._ranges[account] = own

    def range_of(self, account: str) -> NetRange | None:
        """Return the registered range of an account, if it has one."""
        return self._ranges.get(account)

    def admitted(
        self,
        interval: int,
        account: str,
        is_up: bool,
        bought_wh: int,
        stated_wh: int,
        energy_wh: int,
    ) -> int:
        """Return the baseline to keep with an offer; 0 where it will be measured. [Wh]

        Parameters
        ----------
        interval : int
        account : str
        is_up : bool
            Net injection is to be raised.
        bought_wh, stated_wh, energy_wh : int
            Awarded before, the baseline that the seller states, and what is offered. [Wh]

        Raises
        ------
        ContractRevert
            If the account has no history, or the offer leaves its range.
        """
        if self.terms.kind == "nomination":
            return stated_wh
        if self.terms.is_measured:
            self._require(self._has_history(interval, account), "no baseline")
            return 0
        own = self._ranges.get(account)
        self._require(own is not None, "no registered range")
        assert own is not None
        baseline_wh = stated_wh
        if self.terms.is_limit:
            baseline_wh = own.low_wh if is_up else own.high_wh
        within = own.low_wh <= baseline_wh <= own.high_wh
        self._require(within, "baseline beyond the range")
        changed_wh = baseline_wh + (bought_wh + energy_wh) * (1 if is_up else -1)
        self._require(own.low_wh <= changed_wh <= own.high_wh, "offer beyond the range")
        return baseline_wh

    def mark(self, interval: int, account: str) -> None:
        """Note that an account was awarded something: the interval is no history."""
        if self.terms.is_measured:
            self._awarded[account].add(interval)

    # --- after delivery ---

    def read(self, interval: int, readings: Mapping[str, Reading]) -> None:
        """Note the readings of an interval, and forget those that nothing can ask for any more."""
        if not self.terms.is_measured:
            return
        oldest = interval - self.terms.kept_intervals(self._step_s)
        for account, reading in readings.items():
            own = self._readings[account]
            if not reading.estimated:
                own[interval] = reading.net_wh
            for past in [past for past in own if past < oldest]:
                del own[past]

    def measured(self, interval: int, account: str, is_up: bool) -> int | None:
        """Return the baseline of an account by its readings; None if there is none. [Wh]"""
        readings, awarded = self._readings[account], self._awarded[account]
        if self.terms.kind == "meter_before":
            for past in range(interval - 1, max(interval - self.terms.look_back, 0) - 1, -1):
                if past not in awarded and past in readings:
                    return readings[past]
            return None
        terms, per_day = self.terms, DAY_S // self._step_s
        days = [
            back * per_day
            for back in range(1, terms.look_back + 1)
            if back * per_day <= interval
            and self._day_is_free(interval, back, account)
            and interval - back * per_day in readings
        ][: terms.of_days]
        return high_x_of_y(
            interval,
            readings,
            sorted(days),
            1 if is_up else -1,
            terms.high_days,
            [
                place
                for k in range(terms.adjusting)
                if (place := interval - 1 - terms.adjusting_gap - k) >= 0 and place not in awarded
            ],
        )

    # --- parts ---

    def _has_history(self, interval: int, account: str) -> bool:
        """Return True if there are intervals without activation to take a baseline from."""
        if self.terms.kind == "meter_before":
            first = max(interval - self.terms.look_back, 0)
            return any(past not in self._awarded[account] for past in range(first, interval))
        per_day = DAY_S // self._step_s
        free = sum(
            self._day_is_free(interval, back, account)
            for back in range(1, self.terms.look_back + 1)
            if back * per_day <= interval
        )
        return free >= self.terms.high_days

    def _day_is_free(self, interval: int, back: int, account: str) -> bool:
        """Return True if nothing was awarded on the calendar day (UTC) so many days before."""
        per_day = DAY_S // self._step_s
        start_s = self._start_s + interval * self._step_s
        first = interval - start_s % DAY_S // self._step_s - back * per_day
        return not any(first <= past < first + per_day for past in self._awarded[account])


def high_x_of_y(
    interval: int,
    readings: Mapping[int, int],
    days: Sequence[int],
    direction: int,
    x: int,
    adjusting: Sequence[int],
) -> int | None:
    """Return the mean of the X highest days, moved by what the same day was off it before.

    Parameters
    ----------
    interval : int
    readings : mapping of int to int
        Net injection by interval. [Wh]
    days : sequence of int
        The Y days, by how many intervals each lies before, the last first.
    direction : int
        +1: injection is raised, high is consumption; -1: it is lowered, high is injection.
    x : int
    adjusting : sequence of int
        Intervals before on the same day; those without a reading on it and all X days are left out.

    Returns
    -------
    int or None
        None with fewer than X days. Divisions round towards zero. [Wh]
    """
    if len(days) < x:
        return None
    highest = sorted(days, key=lambda back: (direction * readings[interval - back], back))[:x]
    baseline_wh = _towards_zero(sum(readings[interval - back] for back in highest), x)
    off_wh = n_used = 0
    for place in adjusting:
        same = [place - back for back in (0, *highest)]
        if all(each in readings for each in same):
            own, *others = (readings[each] for each in same)
            off_wh += x * own - sum(others)
            n_used += 1
    if n_used:
        baseline_wh += _towards_zero(off_wh, x * n_used)
    return max(min(baseline_wh, MAX_ENERGY_WH), -MAX_ENERGY_WH)


def _towards_zero(numerator: int, denominator: int) -> int:
    quotient = abs(numerator) // denominator
    return quotient if numerator >= 0 else -quotient


def clipped(own: NetRange, schedule_wh: int) -> int:
    """Return a schedule within a range. [Wh]"""
    return min(max(schedule_wh, own.low_wh), own.high_wh)
