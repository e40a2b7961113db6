"""Energy delivered for an award, and against it: as in ``flexibility_book.vy``."""

from __future__ import annotations

from typing import NamedTuple


class Change(NamedTuple):
    """Direction of a request, reading, baseline and earlier awards of an account. [Wh]"""

    is_up: bool
    net_wh: int
    baseline_wh: int
    earlier_wh: int


def delivered_wh(
    is_up: bool, net_wh: int, baseline_wh: int, earlier_wh: int, awarded_wh: int
) -> int:
    """Energy delivered for an award.

    The change against the baseline in the direction of the request, less what earlier requests
    bought of it, between 0 and the award.

    Parameters
    ----------
    is_up : bool
        The request raises net injection.
    net_wh, baseline_wh : int
        Metered net injection, and the one without activation. [Wh]
    earlier_wh, awarded_wh : int
        Awarded by earlier requests, and by this one. [Wh]

    Returns
    -------
    int
        [Wh]
    """
    change_wh = (net_wh - baseline_wh) * (1 if is_up else -1) - earlier_wh
    return min(max(change_wh, 0), awarded_wh)


def wrong_way_wh(is_up: bool, net_wh: int, baseline_wh: int, earlier_wh: int) -> int:
    """Energy by which an account changed its injection against the request. [Wh]

    Counted once, with the first award of the account in an interval.

    Parameters
    ----------
    is_up, net_wh, baseline_wh, earlier_wh
        As in :func:`delivered_wh`.
    """
    change_wh = (net_wh - baseline_wh) * (1 if is_up else -1)
    return max(-change_wh, 0) if earlier_wh == 0 else 0
