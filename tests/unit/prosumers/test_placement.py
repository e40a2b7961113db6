"""PV dealt out at random: how many, whose systems, and that a larger share holds the smaller."""

from __future__ import annotations

import pytest

from cosim.errors import ScenarioError
from cosim.prosumers.elements import Element
from cosim.prosumers.placement import with_pv_placed

NAMES = tuple(f"point {k}" for k in range(20))
LOADS = tuple(Element(name, "load", "H0", 0.002, 0.0) for name in NAMES)
SYSTEMS = (Element("point 3", "pv", "PV1", 0.005, 0.0), Element("point 3", "pv", "PV2", 0.03, 0.0))
ELEMENTS = (*LOADS[:10], *SYSTEMS, *LOADS[10:])


def pv(share: float, seed: int = 1) -> dict[str, tuple[str, float]]:
    placed = [e for e in with_pv_placed(ELEMENTS, NAMES, share, seed) if e.kind == "pv"]
    found = {e.connection_point: (e.profile, e.p_mw) for e in placed}
    assert len(found) == len(placed)  # one system at a point
    assert [NAMES.index(name) for name in found] == sorted(map(NAMES.index, found))
    return found


def test_without_a_share_pv_stays_where_it_is() -> None:
    assert with_pv_placed(ELEMENTS, NAMES, None, 1) == ELEMENTS


def test_a_share_of_the_points_has_a_system_of_the_network() -> None:
    for share, n in ((0.0, 0), (0.24, 5), (0.5, 10), (1.0, 20)):
        assert len(pv(share)) == n
    assert set(pv(1.0).values()) == {("PV1", 0.005), ("PV2", 0.03)}
    others = [e for e in with_pv_placed(ELEMENTS, NAMES, 0.5, 1) if e.kind != "pv"]
    assert others == list(LOADS)


def test_a_larger_share_has_the_systems_of_a_smaller_one() -> None:
    small, large = pv(0.25), pv(0.75)
    assert small.items() < large.items()


def test_seeds_place_it_otherwise() -> None:
    assert pv(0.5) == pv(0.5)
    assert set(pv(0.5)) != set(pv(0.5, seed=2))


def test_a_network_without_pv_has_none_to_draw_from() -> None:
    with pytest.raises(ScenarioError, match="has no PV") as caught:
        with_pv_placed(LOADS, NAMES, 0.5, 1)
    assert caught.value.field == "prosumers.pv_share"
