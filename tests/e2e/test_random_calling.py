"""Random calling in a played run: draws, awards, cuts, penalties, and what cosim verify notices."""

from __future__ import annotations

import math
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import cosim
from cosim.scenario import Scenario
from cosim.verify.verification import verify

CALLED, PHANTOM, INTERVALS = 0.5, "LV1.101 Bus 10", 8
CLAIMED_WH, PRICE, PENALTY = 10_000, 79_000, 600_000


def scenario(**changes: Any) -> Scenario:
    return Scenario.model_validate(
        {
            "name": "called",
            "seed": 20160524,
            "time": {"start": "2016-05-24T12:00:00", "intervals": INTERVALS},
            "grid": {"network": "1-LV-rural1--1-sw"},
            "prosumers": {
                "forecast": {"model": {"name": "nowcast"}},
                "scaling": {"load": 4, "pv": 2},
                "battery": {"mode": "arbitrage"},
            },
            "dso": {"baseline": {"calling_probability": CALLED}},
            "attack": {"kind": "phantom_baseline", "prosumers": [PHANTOM]},
            **changes,
        }
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("called") / "run"
    cosim.run(scenario(), out=out)
    return out


@pytest.fixture(scope="module")
def flexibility(folder: Path) -> pd.DataFrame:
    return pd.read_parquet(folder / "tables" / "flexibility.parquet")


def test_only_who_is_called_is_awarded_and_half_are(
    folder: Path, flexibility: pd.DataFrame
) -> None:
    assert flexibility.loc[~flexibility["called"], "awarded_wh"].sum() == 0
    assert flexibility.loc[flexibility["called"], "awarded_wh"].sum() > 100_000
    calls = flexibility.groupby(["interval", "prosumer"])["called"].first()
    n = len(calls)
    assert n == INTERVALS * 13
    assert abs(calls.sum() - CALLED * n) < 4 * math.sqrt(n * CALLED * (1 - CALLED))
    # the same draw for all its blocks, another in each interval
    assert flexibility.groupby(["interval", "prosumer"])["called"].nunique().max() == 1
    assert calls.unstack("interval").T.drop_duplicates().shape[0] == INTERVALS
    rounds = pd.read_parquet(folder / "tables" / "margins.parquet")
    assert list(rounds["called"]) == calls.groupby("interval").sum().tolist()
    assert rounds["seed"].nunique() == INTERVALS


def test_phantom_is_paid_when_called_and_pays_when_not(flexibility: pd.DataFrame) -> None:
    own = flexibility[flexibility["prosumer"] == PHANTOM]
    called, left_out = own[own["called"]], own[~own["called"]]
    assert len(called)
    assert len(left_out)
    assert (called["awarded_wh"] == CLAIMED_WH).all()
    assert (called["paid_ueur"] > 0.98 * PRICE * CLAIMED_WH / 1_000).all()
    # the forecast of its own consumption errs a little; what it made up is never there
    assert (left_out["penalty_ueur"] > 0.98 * PENALTY * CLAIMED_WH / 1_000).all()
    assert (left_out["penalty_ueur"] <= PENALTY * CLAIMED_WH / 1_000).all()


def test_awards_are_dearer_than_among_all_and_the_rest_is_cut(folder: Path) -> None:
    rounds = pd.read_parquet(folder / "tables" / "margins.parquet")
    assert rounds["every_suffice"].all()
    both = rounds[rounds["called_suffice"]]
    assert 0 < len(both) < len(rounds)
    # least-cost programmes round to whole Wh: 1 Wh of each of 13 sellers at the dearest price
    assert (both["called_ueur"] >= both["every_ueur"] - 13 * 300).all()
    assert both["called_ueur"].sum() > 1.05 * both["every_ueur"].sum()
    schedules = pd.read_parquet(folder / "tables" / "schedules.parquet")
    cut = schedules.groupby("interval")["curtailed_wh"].apply(lambda wh: wh.abs().sum())
    short = set(rounds.loc[~rounds["called_suffice"], "interval"])
    assert {int(k) for k in cut.index if cut[k] > 0} == short
    done = cosim.open_result(folder).indicators
    extra = int((both["called_ueur"] - both["every_ueur"]).sum())
    assert done["calling_extra_cost_eur"] == pytest.approx(extra / 1e6, abs=1e-9)
    assert done["calling_rounds_insufficient"] == len(short)
    assert done["made_up_gain_eur_per_kwh"] == 0.0


def test_who_obeys_the_dso_is_not_fined_for_it(folder: Path, flexibility: pd.DataFrame) -> None:
    tables = folder / "tables"
    key = ["interval", "prosumer"]
    schedules = pd.read_parquet(tables / "schedules.parquet").set_index(key)
    metered = pd.read_parquet(tables / "settlement.parquet").set_index(key)["metered_wh"]
    offers = flexibility.groupby(key).agg(
        called=("called", "first"),
        offered_wh=("offered_wh", "sum"),
        penalty_ueur=("penalty_ueur", "sum"),
        baseline_wh=("baseline_wh", "first"),
    )
    offers = offers[~offers["called"]].join(schedules["curtailed_wh"]).join(metered)
    cut = offers[offers["curtailed_wh"] < 0]
    assert len(cut) >= 3
    for _, row in offers.iterrows():
        kept_wh = row["baseline_wh"] + min(row["curtailed_wh"], 0)
        left_wh = min(max(kept_wh - row["metered_wh"], 0), row["offered_wh"])
        assert row["penalty_ueur"] == left_wh * PENALTY // 1_000
    # by the nomination alone, each would owe for all that it was ordered to cut
    assert (cut["penalty_ueur"] < 0.05 * PENALTY * cut["curtailed_wh"].abs() / 1_000).all()


def test_draws_and_penalties_are_verified(folder: Path) -> None:
    done = verify(folder, parts=("files", "ledger", "indicators"))
    assert done.failed == []
    compared = {check.name: check.compared for check in done.checks}
    # digest and seed of each interval, links of all but the first, three cells a round
    assert compared["draws"] == INTERVALS * (1 + 1 + 3) + INTERVALS - 1
    assert compared["deliveries"] == 4 * 13 * INTERVALS


@pytest.mark.parametrize(
    ("table", "column", "check"),
    [
        ("margins", "seed", "draws"),
        ("margins", "called", "draws"),
        ("margins", "sellers", "draws"),
        ("flexibility", "called", "flexibility"),
        ("flexibility", "penalty_ueur", "deliveries"),
    ],
)
def test_forged_draws_are_noticed(
    folder: Path, tmp_path: Path, table: str, column: str, check: str
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    file = copy / "tables" / f"{table}.parquet"
    rows = pd.read_parquet(file)
    before = rows.loc[3, column]
    if column == "seed":
        rows.loc[3, column] = before[::-1]
    else:
        rows.loc[3, column] = not before if before in (True, False) else before + 1
    rows.to_parquet(file)
    done = verify(copy, parts=("ledger",))
    assert check in done.failed


def test_honest_run_is_solved_again(tmp_path: Path) -> None:
    """Draws leave the least-cost awards that a verifier finds from recorded tables alone."""
    out = tmp_path / "honest"
    own = scenario(attack=None, time={"start": "2016-05-24T12:00:00", "intervals": 3})
    cosim.run(own, out=out)
    done = verify(out)
    assert done.failed == []
    margins = [check.compared for check in done.checks if check.name == "margins"]
    assert max(margins) > 3


def test_least_cost_is_what_the_dso_pays_without_a_draw(tmp_path: Path) -> None:
    """In the first interval both runs have the same schedules and the same offers."""
    first = {"start": "2016-05-24T12:00:00", "intervals": 1}
    paid: list[int] = []
    for name, baseline in (("drawn", {"calling_probability": CALLED}), ("plain", "nomination")):
        out = tmp_path / name
        own = scenario(attack=None, time=first, dso={"baseline": baseline})
        cosim.run(own, out=out)
        offers = pd.read_parquet(out / "tables" / "flexibility.parquet")
        assert offers["request"].nunique() == 1
        paid.append(int((offers["awarded_wh"] * offers["price_ueur_per_kwh"] // 1_000).sum()))
    (row,) = pd.read_parquet(tmp_path / "drawn" / "tables" / "margins.parquet").to_dict("records")
    assert row["called_suffice"]
    assert paid == [row["called_ueur"], row["every_ueur"]]
    assert row["called_ueur"] > row["every_ueur"]
