"""A shared battery's indicators and money, by hand."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from cosim.mechanisms.community_storage import CommunityStorageMechanism
from cosim.mechanisms.community_storage.indicators import storage_indicators
from cosim.mechanisms.community_storage.panel import storage_chart
from cosim.report.costs import costs_by_prosumer, money_by_role, other_costs, physical_wh
from cosim.report.subjects import subjects
from cosim.results.reader import Results
from cosim.results.writer import TableWriter

MEMBERS = ["roof", "flat", "shared"]


def recorded(folder: Path, with_storage: bool = True) -> Results:
    """At noon the roof stores 2 of 4 kWh, at night the flat takes 1 of 3 kWh out."""
    writer = TableWriter(folder)
    settled = ([2_000, -400, -10], [-600, -2_000, -110])
    nominated = ([2_000, 0, 2_000], [0, -1_000, -1_000])
    accepted = ([True, True, True], [True, True, True])
    if with_storage:
        for k in (0, 1):
            writer.append(
                "storage",
                {
                    "interval": k, "prosumer": MEMBERS, "shares": [5, 4, 1],
                    "nominated_wh": nominated[k], "accepted": accepted[k],
                    "allocated_wh": [-nominated[k][0], -nominated[k][1], nominated[k][2]],
                    "account_wh": [1_900, 2_000 - 1_075 * k, 3_900 - 1_075 * k],
                    "loss_wh": [None, None, (10, 110)[k]], "billed_ueur": [150, 120, 0],
                    "credited_ueur": [0, 20, 0], "debt_ueur": 0, "fees_ueur": [7, 0, 1],
                },
            )  # fmt: skip
    power = ([16.0, 0.0, 0.0], [0.0, 0.0, 0.0])
    load = ([0.0, 1.6, 0.04], [2.4, 12.0, 0.04])
    battery = ([0.0, 0.0, 8.0], [0.0, 0.0, -3.6])
    for k in (0, 1):
        zeros = [0.0, 0.0, 0.0]
        writer.append(
            "prosumers",
            {
                "interval": k, "prosumer": MEMBERS, "bus": [1, 2, 3], "p_inject_mw": zeros,
                "q_inject_mvar": zeros, "load_p_mw": load[k], "pv_p_mw": power[k],
                "pv_curtailed_p_mw": zeros, "ev_p_mw": zeros, "heat_pump_p_mw": zeros,
                "battery_p_mw": battery[k], "shed_p_mw": zeros, "soc_mwh": zeros,
                "deferred_mwh": zeros, "metered_wh": 0, "imbalance_wh": 0,
            },
        )  # fmt: skip
        writer.append(
            "settlement",
            {
                "interval": k, "prosumer": MEMBERS, "contracted_wh": 0, "metered_wh": settled[k],
                "residual_wh": settled[k], "traded_ueur": 0,
                "supplier_ueur": [160, -120, -3], "flexibility_ueur": 0, "fees_ueur": 2,
                "estimated": False,
            },
        )  # fmt: skip
    writer.close()
    data = {
        "time": {"start": "2016-05-24T12:00:00", "step_s": 900},
        "market": {
            "retail_eur_per_kwh": 0.3,
            "feed_in_eur_per_kwh": 0.08,
            "pricing": "midpoint",
            "clearing": "on_chain",
            "reveal_s": 0,
        },
        "community_storage": {"name": "shared"} if with_storage else None,
    }
    (writer.folder / "scenario.yaml").write_text(yaml.safe_dump(data))
    return Results(writer.folder, intervals=2)


@pytest.fixture
def shared(tmp_path: Path) -> Results:
    return recorded(tmp_path / "run")


def test_indicators(shared: Results) -> None:
    # own use without the battery: 1.6 of 16 MW at noon, nothing at night; 16 MW are consumed
    assert storage_indicators(shared, "shared").as_dict() == {
        "storage_charged_kwh": 2.0,
        "storage_discharged_kwh": 1.0,
        "storage_loss_kwh": 0.12,
        "storage_billed_eur": pytest.approx(500e-6),
        "storage_debts_eur": 0.0,
        "self_consumption_without_storage": pytest.approx(0.1),
        "self_sufficiency_without_storage": pytest.approx(0.1),
    }


def test_bills_are_the_owners_receipts_and_fees_are_lost(shared: Results) -> None:
    costs = costs_by_prosumer(shared)
    assert costs.other_ueur.to_dict() == {"roof": -314, "flat": -200, "shared": 498}
    assert costs.cost_ueur.to_dict() == {
        "roof": 314 + 4 - 320,
        "flat": 200 + 4 + 240,
        "shared": -498 + 4 + 6,
    }
    money = money_by_role(shared)
    assert money.fees.tolist() == [6 + 8, 6 + 8]
    assert money.sum(axis=1).tolist() == [0, 0]
    assert -money.prosumers.sum() == costs.cost_ueur.sum()


def test_what_was_metered_is_known_before_the_allocation(shared: Results) -> None:
    assert physical_wh(shared).tolist() == [4_000, -400, -2_010, -600, -3_000, 890]


def test_chart_shows_members_and_accounts(shared: Results) -> None:
    charged, discharged, stored = storage_chart(shared, "shared").figure.data
    assert list(charged.y) == [2.0, 0.0]
    assert list(discharged.y) == [0.0, -1.0]
    assert list(stored.y)[:2] == [3.9, 2.825]


def test_a_run_without_a_shared_battery_has_nothing_of_it(tmp_path: Path) -> None:
    alone = recorded(tmp_path / "alone", with_storage=False)
    assert not [each for each in subjects(alone) if isinstance(each, CommunityStorageMechanism)]
    assert other_costs(alone).empty
    assert physical_wh(alone).tolist() == [2_000, -400, -10, -600, -2_000, -110]
    costs = costs_by_prosumer(alone)
    assert costs.other_ueur.tolist() == [0, 0, 0]
    assert costs.cost_ueur.tolist() == [4 - 320, 4 + 240, 4 + 6]
