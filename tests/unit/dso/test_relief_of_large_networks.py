"""Relief of a network whose power flow is solved by sparse factors."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.areas import joined_areas
from cosim.dso.procurement import DsoNetwork, Offers
from cosim.grid.fixed_point import FixedPointEngine
from cosim.grid.limits import Limits
from cosim.grid.network_model import build_network_model


def test_awards_are_those_of_the_dense_form(rural3):
    net = joined_areas(rural3, 2)[0]
    n = len(net.sgen)
    assert build_network_model(net).response.is_sparse
    rng = np.random.default_rng(5)
    p_mw = rng.normal(0.0, 0.002, n)
    p_mw[n // 2 :] += 0.0045
    offers = Offers(
        prosumer=np.arange(n),
        direction=np.full(n, -1),
        energy_mw=np.maximum(p_mw, 0.0),
        price=rng.uniform(50.0, 200.0, n),
    )
    nothing = np.zeros(n)
    found = [
        DsoNetwork(FixedPointEngine(net, sparse=sparse), Limits()).procure(
            p_mw, nothing, offers, nothing, nothing
        )
        for sparse in (True, False)
    ]
    assert all(one.relieved for one in found)
    assert found[0].awarded_mw.sum() > 0.05
    assert found[0].awarded_mw == pytest.approx(found[1].awarded_mw, abs=1e-7)
    assert found[0].awarded_mw[: n // 2].max() == 0.0
