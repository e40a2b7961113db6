"""Proof by certificates: consumption matched hour by hour, against a claim over the whole run.

With issued certificates I(h), consumption C(h) and retired certificates R(h), each summed over all
members in every delivery hour h,

* hourly matching is ``sum R / sum C``: what the community proved;
* its limit is ``sum min(I, C) / sum C``: what it could have proved had everybody bought;
* matching over the run is ``min(sum I, sum C) / sum C``: what certificates without an hour, as
  guarantees of origin by the year are, would let it claim.

The difference of the last two is energy that was produced in other hours than it was consumed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
import pandas as pd

from cosim.report.indicator import IndicatorSet, Meaning, Rows, ratio
from cosim.report.text import number, percent
from cosim.results.reader import Results
from cosim.units import WH_PER_KWH, eur_from_ueur

SUMS = ("issued_wh", "consumed_wh", "sold_wh", "retired_wh", "held_wh", "paid_ueur")


def by_hour(results: Results) -> pd.DataFrame:
    """Return sums over all members, a row per delivery hour.

    Parameters
    ----------
    results : Results

    Returns
    -------
    pandas.DataFrame
        Indexed by ``hour`` (Unix time / 3600), with the columns of :data:`SUMS`.
    """
    rows = results.frame("certificates", ("interval", "hour", *SUMS))
    return rows.groupby("hour")[list(SUMS)].sum()


@dataclass(frozen=True)
class CertificateIndicators(IndicatorSet):
    """Indicators of certificates, as the module's docstring defines them."""

    certificates_issued_kwh: Annotated[float, Meaning("kWh", "over all delivery hours")]
    certificates_sold_kwh: Annotated[float, Meaning("kWh", "over all delivery hours")]
    certificates_retired_kwh: Annotated[float, Meaning("kWh", "over all delivery hours")]
    certificates_paid_eur: Annotated[float, Meaning("EUR", "by buyers")]
    hourly_matching: Annotated[float | None, Meaning("-", "consumption proved hour by hour")]
    hourly_matching_limit: Annotated[float | None, Meaning("-", "the same, had everybody bought")]
    run_matching: Annotated[float | None, Meaning("-", "claimed over the run, without hours")]

    def rows(self) -> Rows:
        """Return what the terminal's summary shows of them."""
        return [
            (
                "Certificates issued / sold / retired",
                f"{number(self.certificates_issued_kwh)} / {number(self.certificates_sold_kwh)} / "
                f"{number(self.certificates_retired_kwh, 'kWh')}",
            ),
            ("Consumption matched hour by hour", percent(self.hourly_matching)),
            ("… had everybody bought", percent(self.hourly_matching_limit)),
            ("… claimed over the whole run, without hours", percent(self.run_matching)),
        ]


def certificate_indicators(results: Results) -> CertificateIndicators:
    """Return the indicators of the certificates of a run."""
    hours = by_hour(results)
    issued, consumed = hours["issued_wh"], hours["consumed_wh"]
    sums = {name: int(hours[name].sum()) for name in SUMS}
    total_wh = sums["consumed_wh"]
    return CertificateIndicators(
        certificates_issued_kwh=sums["issued_wh"] / WH_PER_KWH,
        certificates_sold_kwh=sums["sold_wh"] / WH_PER_KWH,
        certificates_retired_kwh=sums["retired_wh"] / WH_PER_KWH,
        certificates_paid_eur=eur_from_ueur(sums["paid_ueur"]),
        hourly_matching=ratio(sums["retired_wh"], total_wh),
        hourly_matching_limit=ratio(int(np.minimum(issued, consumed).sum()), total_wh),
        run_matching=ratio(min(sums["issued_wh"], total_wh), total_wh),
    )
