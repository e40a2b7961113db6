"""What published gas costs at the published prices; expected.json names the source."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cosim.units import UEUR_PER_EUR, fee_ueur, wei_from_gwei

EXPECTED = json.loads((Path(__file__).parent / "expected.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("row", EXPECTED["eur"], ids=lambda row: row["what"])
def test_fee_of_published_gas(row):
    fee_wei = row["gas"] * wei_from_gwei(EXPECTED["gas_price_gwei"])
    fee = fee_ueur(fee_wei, EXPECTED["eur_per_eth"])
    assert int(fee / UEUR_PER_EUR * 100) / 100 == row["eur"]


def test_the_deployment_that_the_slides_price_at_another_rate():
    fee = fee_ueur(1_408_078 * wei_from_gwei(3), EXPECTED["eur_per_eth"])
    assert fee == 434_040
    assert fee_ueur(1_408_078 * wei_from_gwei(2), EXPECTED["eur_per_eth"]) // 10_000 == 28
