"""Conversion losses are rounded against the account, by less than 1 Wh."""

import pytest
from market_world import address
from storage_world import StorageWorld


@pytest.mark.parametrize(
    ("discharged", "debited"),
    [
        (997, 1_000),  # no rest
        (665, 668),  # 665 000 = 667 · 997 + 1: a rest of 1 counts whole
        (664, 666),  # 664 000 = 665 · 997 + 995
    ],
)
def test_any_rest_is_debited(discharged: int, debited: int) -> None:
    world = StorageWorld("revm", charge_permille=1_000, discharge_permille=997)
    world.enter("ann", shares=10, amount=1_000)
    world.open_window(0)
    world.nominate("ann", 3_000)
    world.open_window(1)
    world.nominate("ann", -discharged, interval=1)
    shares, energy_wh, next_interval = world.storage.get("accountOf", address("ann"))
    assert (shares, energy_wh) == (10, 3_000 - debited)
    assert next_interval == 2
