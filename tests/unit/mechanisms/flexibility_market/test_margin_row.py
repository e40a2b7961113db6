"""Row and tile of what the DSO's margins cost."""

from __future__ import annotations

from dataclasses import fields, replace

import pandas as pd
import pytest

from cosim.mechanisms.flexibility_market.indicators import FlexibilityIndicators
from cosim.mechanisms.flexibility_market.panel import flexibility_tiles

ROW = "… of it for the DSO's margins, at the prices asked"
TILE = "Of it for the DSO's margins"
NOTHING = FlexibilityIndicators(**{field.name: 0 for field in fields(FlexibilityIndicators)})
BOUGHT = replace(NOTHING, award_rounds=28, award_rounds_unviolated=2)


def shown(i: FlexibilityIndicators) -> tuple[str | None, str | None]:
    """Text of the row, and note of the tile."""
    none = pd.DataFrame(columns=["prosumer", "element", "element_idx"])
    notes = {tile.title: tile.note for tile in flexibility_tiles(i, none)}
    return dict(i.rows()).get(ROW), notes.get(TILE)


def test_without_flexibility_there_is_neither() -> None:
    assert shown(NOTHING) == (None, None)


@pytest.mark.parametrize(("left_out", "is_told"), [(0, False), (3, True)])
def test_offers_that_do_not_suffice_are_told_where_there_are_some(
    left_out: int, is_told: bool
) -> None:
    for text in shown(replace(BOUGHT, award_rounds_insufficient=left_out)):
        assert text is not None
        assert "2 of 28 rounds bought" in text
        assert ("suffic" in text) == is_told
        assert ("not counted" in text) == is_told
