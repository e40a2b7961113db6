"""Certificates in a report."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import plotly.graph_objects as go

from cosim.mechanisms.green_certificates.indicators import (
    CertificateIndicators,
    by_hour,
    certificate_indicators,
)
from cosim.mechanisms.green_certificates.settings import CertificateSettings
from cosim.plugins.reported import Reported
from cosim.report.chart_style import AFTER, AMBER, GREEN, MILLISECONDS, SKY, Chart, styled
from cosim.report.panel import ReportPart, Tile
from cosim.report.text import number, percent
from cosim.results.reader import Results
from cosim.units import SECONDS_PER_HOUR, WH_PER_KWH

DEFINITION = (
    "Matching",
    "With certificates issued I, retired R and consumption C summed over all members in each "
    "delivery hour: hour by hour ΣR / ΣC; had everybody bought, Σmin(I, C) / ΣC; over the whole "
    "run, without hours, min(ΣI, ΣC) / ΣC. Certificates are PV generation before own consumption; "
    "a battery neither produces nor consumes.",
)


class CertificatesReported(Reported[CertificateSettings]):
    """Certificates of a run."""

    indicators_type: ClassVar = CertificateIndicators

    def indicators(self, results: Results) -> CertificateIndicators:
        """Return energy that certificates prove."""
        return certificate_indicators(results)

    def report(self, results: Results) -> ReportPart:
        """Return their tile, chart and definition."""
        i = self.indicators(results)
        tile = Tile(
            "Consumption matched hour by hour",
            f"{percent(i.hourly_matching_limit)} had everybody bought; certificates without an "
            f"hour would claim {percent(i.run_matching)}; "
            f"{number(i.certificates_issued_kwh, 'kWh', 0)} certified, "
            f"{number(i.certificates_sold_kwh, 'kWh', 0)} sold",
            percent(i.hourly_matching),
        )
        chart = certificates_chart(results)
        return ReportPart("certificates", "Certificates", (), (tile,), (chart,), (DEFINITION,))


def certificates_chart(results: Results) -> Chart:
    """Draw certificates and consumption of every delivery hour."""
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
