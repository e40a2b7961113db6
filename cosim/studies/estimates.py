"""Mean over seeds, and the interval that it is known to.

Runs with seeds of their own are independent replications of a simulation that ends at a fixed
time, and one number of each is one observation (Law, Simulation Modeling and Analysis, 5th ed.
2015, section 9.4.1). The mean's interval is Student's t with n - 1 degrees of freedom, the
"fixed-sample-size procedure" there, and the confidence limits of the `NIST/SEMATECH e-Handbook
<https://www.itl.nist.gov/div898/handbook/eda/section3/eda352.htm>`_, section 1.3.5.2. A difference
of two variants that are played with the same seeds is one observation per seed (paired t, Law,
section 10.2.1; common random numbers, section 11.2).

Simplified: observations are taken as normal. For skewed ones, such as minutes of violation that
are mostly zero, few seeds give intervals that hold the mean less often than they say.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from scipy.special import stdtrit

CONFIDENCE = 0.95
"""Probability with which an interval holds the mean."""


@dataclass(frozen=True)
class Estimate:
    """A mean over seeds.

    Parameters
    ----------
    n : int
        Seeds that have a value.
    mean : float or None
        None without any.
    deviation, half_width : float or None
        Sample standard deviation, and half of the mean's interval; None with fewer than two.
    """

    n: int
    mean: float | None
    deviation: float | None
    half_width: float | None

    @property
    def low(self) -> float | None:
        """Lower end of the interval."""
        if self.mean is None or self.half_width is None:
            return None
        return self.mean - self.half_width

    @property
    def high(self) -> float | None:
        """Upper end of the interval."""
        if self.mean is None or self.half_width is None:
            return None
        return self.mean + self.half_width


def estimate(values: Sequence[float | None]) -> Estimate:
    """Return mean and interval of the values that there are.

    Parameters
    ----------
    values : sequence of float or None
        One per seed; None where a run has no such value.

    Raises
    ------
    ValueError
        If a value is not finite.
    """
    known = [value for value in values if value is not None]
    if not all(map(math.isfinite, known)):
        raise ValueError("a value that is not finite has no mean")
    n = len(known)
    if n < 2:
        return Estimate(n, known[0] if known else None, None, None)
    deviation = statistics.stdev(known)
    half_width = float(stdtrit(n - 1, 0.5 + CONFIDENCE / 2)) * deviation / math.sqrt(n)
    return Estimate(n, statistics.fmean(known), deviation, half_width)
