"""Colours of heat maps: those of the map where it shows the same, and the limit at their bar."""

from __future__ import annotations

from typing import Any

from cosim.report.chart_style import LOADING, VOLTAGE, round_ticks
from cosim.report.map_data import scales
from cosim.results.reader import Results

_SCALES: dict[str, list[list[Any]]] = {
    "voltage": [[k / (len(VOLTAGE) - 1), colour] for k, colour in enumerate(VOLTAGE)],
    "loading": [[k / (len(LOADING) - 1), colour] for k, colour in enumerate(LOADING)],
    "high": [[0.0, "#f1f1ef"], [0.4, "#c3d3ef"], [0.7, "#8f83c0"], [1.0, "#4a1486"]],
    "both": [[0.0, "#2d3a8c"], [0.5, "#f1f1ef"], [1.0, "#8f4205"]],
}
_BOUNDS = {"voltage": "vm_pu", "loading": "loading_percent"}
_APART = 1 / 12
"""Ticks nearer to the limit, of the length of the bar, would overlap with it and are left out."""


def heat_scale(results: Results, scale: str, limit: float | None) -> dict[str, Any]:
    """Return colours, their bounds and the bar of a heat map, as plotly takes them.

    Parameters
    ----------
    results : Results
    scale : str
        ``voltage`` and ``loading`` as in the map; ``high``: the higher, the darker; ``both``: with
        zero in the middle.
    limit : float or None
        Of the quantity, in its unit.
    """
    bar: dict[str, Any] = {"thickness": 12, "outlinewidth": 0, "tickfont": {"size": 11}}
    found: dict[str, Any] = {"colorscale": _SCALES[scale], "colorbar": bar}
    if scale == "both":
        found["zmid"] = 0.0
    if scale in _BOUNDS:
        low, high = scales(results.scenario_fields["grid"]["limits"])[_BOUNDS[scale]]
        found |= {"zmin": low, "zmax": high}
        if limit is not None:
            ticks = round_ticks(low, high)
            ticks = [tick for tick in ticks if abs(tick - limit) > (high - low) * _APART]
            bar["tickvals"] = [*ticks, limit]
            bar["ticktext"] = [*(f"{tick:g}" for tick in ticks), f"<b>limit {limit:g}</b>"]
    return found
