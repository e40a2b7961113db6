"""Rows of ``flexibility``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from cosim.mechanisms.flexibility_market.outcomes import Request
from cosim.messages import Columns

Names = np.ndarray[Any, Any]


def flexibility_columns(interval: int, names: Names, requests: Sequence[Request]) -> Columns:
    """Return the rows of ``flexibility``: every offer to every request."""
    offers = [(request, o) for request in requests for o in range(len(request.prosumers))]
    return {
        "interval": interval,
        "request": [request.number for request, _ in offers],
        "prosumer": [names[request.prosumers[o]] for request, o in offers],
        "direction": ["up" if request.direction > 0 else "down" for request, _ in offers],
        "offered_wh": [request.offered_wh[o] for request, o in offers],
        "awarded_wh": [request.awarded_wh[o] for request, o in offers],
        "delivered_wh": [request.delivered_wh[o] for request, o in offers],
        "price_ueur_per_kwh": [request.prices_ueur_per_kwh[o] for request, o in offers],
        "paid_ueur": [request.paid_ueur[o] for request, o in offers],
        "penalty_ueur": [request.penalty_ueur[o] for request, o in offers],
        "baseline_wh": [request.baselines_wh[o] for request, o in offers],
    }
