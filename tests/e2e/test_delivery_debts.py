"""A penalty beyond bond, payment and balance, in a run: a recorded debt that can be verified."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from cosim.api import run
from cosim.scenario import Scenario
from cosim.verify.verification import verify

HOUSEHOLD = "LV1.101 Bus 10"


def test_what_bond_and_balance_do_not_cover_is_a_debt(tmp_path: Path) -> None:
    scenario = Scenario.model_validate(
        {
            "name": "debt",
            "seed": 20160524,
            "time": {"start": "2016-05-24T10:00:00", "intervals": 4},
            "grid": {"network": "1-LV-rural1--1-sw"},
            "prosumers": {
                "forecast": {"model": {"name": "nowcast"}},
                "scaling": {"load": 4, "pv": 2},
                "battery": {"mode": "arbitrage"},
            },
            # it offers what it cannot do: its consumption falls, against what it sold
            "attack": {"kind": "phantom_baseline", "prosumers": [HOUSEHOLD], "energy_kwh": 0.05},
            "market": {"account": "prepaid", "account_eur": 0.15},
            "dso": {"settlement": "usef", "baseline": "meter_before"},
        }
    )
    result = run(scenario, out=tmp_path / "debt")
    offers = pd.read_parquet(result.folder / "tables" / "flexibility.parquet")
    own = offers[offers["prosumer"] == HOUSEHOLD].set_index("interval")
    settled = pd.read_parquet(result.folder / "tables" / "settlement.parquet")
    metered = settled[settled["prosumer"] == HOUSEHOLD].set_index("interval")["metered_wh"]
    # against the reading of interval 0, the last without an award
    assert own["baseline_wh"].tolist() == [metered[0]] * len(own)
    wrong_wh = metered[2] - metered[0]
    assert wrong_wh > 0
    assert own.loc[2, "delivered_wh"] == 0
    assert own.loc[2, "penalty_ueur"] == (50 + wrong_wh) * 600
    debts = pd.read_parquet(result.folder / "tables" / "flexibility_debts.parquet")
    # 60 000 were deposited, and 3 950 earned in interval 1; the bond of interval 3 is locked
    bond = 50 * 600
    owed = int(own.loc[2, "penalty_ueur"] - (60_000 + own.loc[1, "paid_ueur"] - bond))
    after = owed - bond - int(own.loc[3, "paid_ueur"] - own.loc[3, "penalty_ueur"])
    assert owed > after > 0
    assert debts.to_dict("records") == [
        {"interval": 2, "prosumer": HOUSEHOLD, "debt_ueur": owed},
        {"interval": 3, "prosumer": HOUSEHOLD, "debt_ueur": after},
    ]
    assert result.indicators["flexibility_debts_eur"] == after / 1e6
    done = verify(result.folder, parts=("files", "ledger", "indicators"))
    assert done.failed == []
    (check,) = (check for check in done.checks if check.name == "flexibility_debts")
    assert check.compared > 0
    debts.loc[1, "debt_ueur"] += 1
    debts.to_parquet(result.folder / "tables" / "flexibility_debts.parquet")
    forged = verify(result.folder, parts=("ledger",))
    assert "flexibility_debts" in forged.failed
