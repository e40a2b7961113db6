"""What certificates prove: consumption matched hour by hour, against a claim over the whole run.

With issued certificates I(h), consumption C(h) and retired certificates R(h), each summed over all
members in every delivery hour h,

* hourly matching is ``sum R / sum C``: what the community proved;
* its limit is ``sum min(I, C) / sum C``: what it could have proved had everybody bought;
* matching over the run is ``min(sum I, sum C) / sum C``: what certificates without an hour, as
  guarantees of origin by the year are, would let it claim.

The difference of the last two is energy that was produced in other hours than it was consumed.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import plotly.graph_objects as go

from cosim.report.chart_style import AFTER, AMBER, GREEN, MILLISECONDS, SKY, Chart, styled
from cosim.results.reader import Results
from cosim.units import SECONDS_PER_HOUR, WH_PER_KWH, eur_from_ueur

SUMS = ("issued_wh", "consumed_wh", "sold_wh", "retired_wh", "held_wh", "paid_ueur")


def by_hour(results: Results) -> Any:
    """Sums over all members, a row per delivery hour.

    Parameters
    ----------
    results : Results

    Returns
    -------
    pandas.DataFrame
        Indexed by ``hour`` (Unix time / 3600), with the columns of :data:`SUMS`; empty without
        certificates.
    """
    rows = results.frame("certificates", ("interval", "hour", *SUMS))
    return rows.groupby("hour")[list(SUMS)].sum()


def certificate_indicators(results: Results) -> dict[str, Any]:
    """Indicators of the certificates, as the module's docstring defines them.

    Returns
    -------
    dict of str to float or None
        Empty without certificates; None without consumption to divide by. [kWh, EUR, -]
    """
    hours = by_hour(results)
    if hours.empty:
        return {}
    issued, consumed = hours["issued_wh"], hours["consumed_wh"]
    total_wh = int(consumed.sum())

    def share(energy_wh: int) -> float | None:
        return energy_wh / total_wh if total_wh else None

    return {
        "certificates_issued_kwh": int(issued.sum()) / WH_PER_KWH,
        "certificates_sold_kwh": int(hours["sold_wh"].sum()) / WH_PER_KWH,
        "certificates_retired_kwh": int(hours["retired_wh"].sum()) / WH_PER_KWH,
        "certificates_paid_eur": eur_from_ueur(int(hours["paid_ueur"].sum())),
        "hourly_matching": share(int(hours["retired_wh"].sum())),
        "hourly_matching_limit": share(int(np.minimum(issued, consumed).sum())),
        "run_matching": share(min(int(issued.sum()), total_wh)),
    }


def certificates_chart(results: Results) -> Chart:
    """Certificates and consumption of every delivery hour."""
    hours = by_hour(results)
    starts = hours.index.to_numpy()
    ends_h = np.append(starts, starts[-1:] + 1)
    times = (ends_h * (SECONDS_PER_HOUR * MILLISECONDS)).astype("datetime64[ms]").astype(str)
    kwh = hours / WH_PER_KWH
    own = kwh["retired_wh"] - kwh["sold_wh"]
    figure = go.Figure()
    for values, name, colour in (
        (own, "retired by the producer [kWh]", GREEN),
        (kwh["sold_wh"], "sold and retired by the buyer [kWh]", SKY),
        (kwh["held_wh"], "left over [kWh]", AMBER),
    ):
        figure.add_trace(
            go.Bar(
                x=times[:-1].tolist(),
                y=np.round(values.to_numpy(), 4),
                name=name,
                marker={"color": colour, "line": {"width": 0}},
                offset=0,
                width=SECONDS_PER_HOUR * MILLISECONDS,
            )
        )
    consumed = kwh["consumed_wh"].to_numpy()
    figure.add_trace(
        go.Scatter(
            x=times.tolist(),
            y=np.round(np.append(consumed, consumed[-1:]), 4),
            name="consumption [kWh]",
            mode="lines",
            line={"color": AFTER, "width": 2, "shape": "hv"},
        )
    )
    figure.update_layout(barmode="stack")
    return Chart(
        "certificates",
        "Certificates by delivery hour",
        "A bar is the certified PV generation of an hour. What the members retired proves as much "
        "of the consumption of the same hour; what is left over proves nothing, however much is "
        "consumed at other hours.",
        styled(figure, ["energy [kWh]"]),
        wide=True,
    )
