"""Random placements of PV: the network's own systems, dealt out anew.

Which customers will have PV is what studies of hosting capacity do not know, so they draw it
(Torquato and others, IEEE Trans. Power Delivery 33, 2018, doi:10.1109/TPWRD.2018.2798707).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from cosim.devices.pv import Photovoltaics
from cosim.errors import ScenarioError
from cosim.prosumers.elements import Element
from cosim.seeds import child_seed

_PLACEMENT_SEED = 22
"""Key of the draw below a scenario's seed; no other draw has it."""


def with_pv_placed(
    elements: Sequence[Element], names: Sequence[str], share: float | None, seed: int
) -> tuple[Element, ...]:
    """Return elements in which a share of the connection points has one PV system each.

    Parameters
    ----------
    elements : sequence of Element
        Of the network; everything but its PV stays.
    names : sequence of str
        Its connection points.
    share : float or None
        Of the connection points, rounded to whole ones; None leaves PV where it is. [-]
    seed : int
        Of the scenario.

    Returns
    -------
    tuple of Element
        The points are the first of a permutation, and the rating and profile of each are those of
        a system of the network, drawn with replacement: with the same seed a larger share has the
        systems of the smaller one, and more.

    Raises
    ------
    ScenarioError
        If the network has no PV to draw from.
    """
    if share is None:
        return tuple(elements)
    kind = Photovoltaics.kind
    systems = [element for element in elements if element.kind == kind]
    if not systems:
        raise ScenarioError(
            "the network has no PV, of which ratings and profiles could be drawn",
            field="prosumers.pv_share",
            remedy="leave it out, or take a network with PV",
        )
    rng = np.random.default_rng(child_seed(np.random.SeedSequence(seed), _PLACEMENT_SEED))
    order = rng.permutation(len(names))
    drawn = rng.integers(0, len(systems), size=len(names))
    n = round(share * len(names))
    chosen = sorted(zip(order[:n].tolist(), drawn[:n].tolist(), strict=True))
    placed = [replace(systems[k], connection_point=names[i]) for i, k in chosen]
    return (*(element for element in elements if element.kind != kind), *placed)
