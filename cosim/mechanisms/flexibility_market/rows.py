"""Rows of ``requests``, ``flexibility``, ``margins`` and ``pivotal``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from cosim.mechanisms.flexibility_market.calling import Calling
from cosim.mechanisms.flexibility_market.curves import settled_by_block
from cosim.mechanisms.flexibility_market.outcomes import AppraisedRound, Request, Wish
from cosim.mechanisms.flexibility_market.terms import FlexibilityTerms
from cosim.messages import Columns

Names = np.ndarray[Any, Any]


def requests_columns(
    interval: int, wishes: Sequence[Wish], numbers: Sequence[int | None]
) -> Columns:
    """Return the rows of ``requests``: what the DSO wanted, and what it asked for.

    Parameters
    ----------
    interval : int
    wishes : sequence of Wish
    numbers : sequence of int or None
        Of their requests on the ledger.
    """
    return {
        "interval": interval,
        "round": [one.round for one in wishes],
        "direction": ["up" if one.direction > 0 else "down" for one in wishes],
        "wanted_wh": [one.wanted_wh for one in wishes],
        "asked_wh": [one.asked_wh for one in wishes],
        "request": list(numbers),
    }


def flexibility_columns(
    interval: int,
    names: Names,
    requests: Sequence[Request],
    terms: FlexibilityTerms,
    calling: Calling,
) -> Columns:
    """Return the rows of ``flexibility``: every block of every offer to every request.

    ``calling`` tells whom the interval's draw let be awarded.
    """
    offers = [
        (request, o, k, offered, settled)
        for request in requests
        for o, blocks in enumerate(request.blocks)
        for k, (offered, settled) in enumerate(
            zip(
                blocks,
                settled_by_block(
                    blocks,
                    request.awarded_wh[o],
                    request.delivered_wh[o],
                    terms.penalty_ueur_per_kwh,
                    request.penalty_ueur[o],
                ),
                strict=True,
            )
        )
    ]
    columns: Columns = {
        "interval": interval,
        "request": [request.number for request, *_ in offers],
        "prosumer": [names[request.prosumers[o]] for request, o, *_ in offers],
        "block": [k for _, _, k, _, _ in offers],
        "direction": ["up" if request.direction > 0 else "down" for request, *_ in offers],
        "offered_wh": [offered.energy_wh for *_, offered, _ in offers],
        "awarded_wh": [settled.awarded_wh for *_, settled in offers],
        "delivered_wh": [settled.delivered_wh for *_, settled in offers],
        "price_ueur_per_kwh": [offered.price_ueur_per_kwh for *_, offered, _ in offers],
        "paid_ueur": [settled.paid_ueur for *_, settled in offers],
        "penalty_ueur": [settled.penalty_ueur for *_, settled in offers],
        "baseline_wh": [
            request.measured_wh.get(o) if terms.baselines.is_measured else request.baselines_wh[o]
            for request, o, *_ in offers
        ],
    }
    if terms.calling.is_random:
        called = [
            calling.is_called(interval, names[request.prosumers[o]]) for request, o, *_ in offers
        ]
        columns = {**columns, "called": called}
    if terms.baselines.is_limit:
        return {**columns, "idle_wh": [request.idle_wh[o] for request, o, *_ in offers]}
    return columns


def appraisal_tables(
    interval: int, names: Names, rounds: Sequence[AppraisedRound], is_random: bool = False
) -> Mapping[str, Columns]:
    """Return the rows of ``margins`` and ``pivotal``: every round of awards.

    ``is_random`` tells whether calls are drawn, of which ``margins`` then has columns.
    """
    appraised = [each.appraisal for each in rounds]
    found = [(each, k) for each in rounds for k in range(each.appraisal.pivotal.size)]
    draws = [each.draw for each in rounds if each.draw is not None]
    drawn: Columns = {}
    if is_random:
        drawn = {
            "seed": [one.seed for one in draws],
            "sellers": [one.sellers for one in draws],
            "called": [one.called for one in draws],
            "called_ueur": [one.called_ueur() for one in draws],
            "called_suffice": [one.appraisal.called_suffice for one in draws],
            "every_ueur": [one.every_ueur() for one in draws],
            "every_suffice": [one.appraisal.every_suffice for one in draws],
        }
    return {
        "margins": {
            "interval": interval,
            "request": [each.request for each in rounds],
            "violated": [one.violated for one in appraised],
            "needed_wh": [int(one.needed_wh.sum()) for one in appraised],
            "needed_ueur": [each.needed_ueur() for each in rounds],
            "sufficient": [one.sufficient for one in appraised],
            **drawn,
        },
        "pivotal": {
            "interval": interval,
            "request": [each.request for each, _ in found],
            "prosumer": [names[each.appraisal.pivotal[k]] for each, k in found],
            "element": [each.appraisal.element[k] for each, k in found],
            "element_idx": [each.appraisal.element_idx[k] for each, k in found],
            "quantity": [each.appraisal.quantity[k] for each, k in found],
        },
    }
