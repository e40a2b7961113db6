"""Resource cost and money by role, worked out by hand from the tables of conftest.py."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from cosim.report.indicators import compute_indicators
from cosim.report.money_panel import money_chart, money_figure
from cosim.report.resource_cost import resource_cost, stored_mwh
from cosim.report.roles import (
    DSO,
    LEDGER,
    MEMBERS,
    OTHERS,
    OUTSIDE,
    PAYMENTS,
    ROLES,
    SUPPLIER,
    UPSTREAM,
    WITH_PV,
    WITHOUT_PV,
    money_over_time,
    money_table,
)
from cosim.results.reader import Results
from cosim.results.writer import TableWriter

SOLAR, HOUSE = "solar house", "house </script><b>2"
WHOLESALE = 0.0785


def fifth_interval(writer: TableWriter) -> None:
    """Draw 20 kW from upstream, charge 4 kW, cut 2 kW, put off 2 kW, and lose 1 kW."""
    names, k, zero = [SOLAR, HOUSE], 4, [0.0, 0.0]
    metered_wh = np.array([-1_000, -3_750])
    writer.append(
        "settlement",
        {
            "interval": k, "prosumer": names, "contracted_wh": 0, "metered_wh": metered_wh,
            "residual_wh": metered_wh, "traded_ueur": 0, "supplier_ueur": metered_wh * 300,
            "flexibility_ueur": 0, "fees_ueur": 0, "estimated": [False, False],
        },
    )  # fmt: skip
    writer.append(
        "prosumers",
        {
            "interval": k, "prosumer": names, "bus": [1, 2], "p_inject_mw": metered_wh * 4e-6,
            "q_inject_mvar": zero, "load_p_mw": zero, "shed_p_mw": [0.0, 0.002], "pv_p_mw": zero,
            "pv_curtailed_p_mw": zero, "ev_p_mw": zero, "heat_pump_p_mw": zero,
            "battery_p_mw": [0.004, 0.0], "soc_mwh": [0.00096, 0.0],
            "deferred_mwh": [0.0, 0.0005], "metered_wh": metered_wh, "imbalance_wh": 0,
        },
    )  # fmt: skip
    writer.append(
        "grid_balance",
        {
            "interval": k, "p_slack_mw": 0.02, "q_slack_mvar": 0.0, "losses_mw": 0.001,
            "converged": [True],
        },
    )  # fmt: skip


@pytest.fixture
def five(another_result: Callable[..., Path]) -> Results:
    return Results(another_result(change=fifth_interval, intervals=5, intervals_done=5))


def test_every_part_of_the_resource_cost(five: Results) -> None:
    cost = resource_cost(five)
    assert cost.upstream_eur == pytest.approx(20 / 4 * WHOLESALE)
    assert cost.wear_eur == pytest.approx((2 + 4 + 5 + 4) / 4 * 0.03)
    assert cost.unserved_eur == pytest.approx(2 / 4 * 10.0)
    assert cost.discomfort_eur == pytest.approx(0.5 * 0.05)
    # 0.96 kWh more than at the start, sold at 96 % less its wear; half a kWh owed is served
    closing_eur = 0.5 * WHOLESALE - 0.96 * 0.96 * (WHOLESALE - 0.03)
    assert cost.closing_eur == pytest.approx(closing_eur)
    assert cost.fuel_eur == 0.0
    assert cost.total_eur == pytest.approx(sum(cost.parts().values()))
    assert compute_indicators(five).welfare_eur == pytest.approx(-cost.total_eur)


@pytest.mark.parametrize("prices", [[WHOLESALE] * 5, [0.01, 0.02, 0.03, 0.04, 0.2]])
def test_energy_counts_at_the_wholesale_price_of_its_interval(
    another_result: Callable[..., Path], prices: list[float]
) -> None:
    """Only interval 4 imports; storages close at the mean."""
    valuation = {"wholesale_eur_per_kwh": {"eur_per_kwh": prices}}
    written = another_result(
        change=fifth_interval, valuation=valuation, intervals=5, intervals_done=5
    )
    cost, table, mean = (
        resource_cost(Results(written)),
        money_table(Results(written)),
        np.mean(prices),
    )
    assert cost.upstream_eur == pytest.approx(20 / 4 * prices[4])
    assert cost.closing_eur == pytest.approx(0.5 * mean - 0.96 * 0.96 * max(mean - 0.03, 0))
    read_kwh = np.array([-0.1, 1.501 - 0.7, 1.0 - 1.001, -0.05, -4.75])
    assert table.amounts_eur[SUPPLIER]["wholesale"] == pytest.approx(read_kwh @ prices)
    assert table.total_eur("wholesale") == pytest.approx(0.0, abs=1e-12)
    inside = [role for role in ROLES if role != UPSTREAM]
    together = sum(table.received_eur(role) + table.in_kind_eur[role] for role in inside)
    assert together == pytest.approx(-cost.total_eur)


def test_wear_and_discomfort_are_those_of_the_scenario(another_result: Callable[..., Path]) -> None:
    own = {
        "battery": {"wear_eur_per_kwh": 0.05},
        "deferral": {"discomfort_eur_per_kwh": 0.4},
    }
    cost = resource_cost(
        Results(another_result(change=fifth_interval, prosumers=own, intervals=5, intervals_done=5))
    )
    assert cost.wear_eur == pytest.approx((2 + 4 + 5 + 4) / 4 * 0.05)
    assert cost.discomfort_eur == pytest.approx(0.5 * 0.4)
    closing_eur = 0.5 * WHOLESALE - 0.96 * 0.96 * (WHOLESALE - 0.05)
    assert cost.closing_eur == pytest.approx(closing_eur)


def test_payments_add_up_to_zero_and_the_community_pays_the_resources(five: Results) -> None:
    table = money_table(five)
    for payment in PAYMENTS:
        assert table.total_eur(payment) == pytest.approx(0.0, abs=1e-12)
    inside = [role for role in ROLES if role != UPSTREAM]
    together = sum(table.received_eur(role) + table.in_kind_eur[role] for role in inside)
    assert together == pytest.approx(-resource_cost(five).total_eur)


def test_money_of_each_role(five: Results) -> None:
    amounts = money_table(five).amounts_eur
    # conftest's four intervals, in µEUR: 95 000 traded, 160 080 fed in, 405 300 drawn
    assert amounts[WITH_PV]["market"] == pytest.approx(0.095)
    assert amounts[WITH_PV]["supply"] == pytest.approx(0.16008 - 0.3)
    assert amounts[WITHOUT_PV]["supply"] == pytest.approx(-0.4053 - 1.125)
    assert amounts[DSO]["flexibility"] == pytest.approx(-0.015)
    assert amounts[LEDGER]["fees"] == pytest.approx(4 * 30e-6)
    # meters read -4 100 Wh in all: the supplier buys that, the DSO the rest of 5 kWh
    read_kwh = (1501 + 1000 - 100 - 700 - 1001 - 50 - 1000 - 3750) / 1000
    assert read_kwh == pytest.approx(-4.1)
    assert amounts[SUPPLIER]["wholesale"] == pytest.approx(read_kwh * WHOLESALE)
    assert amounts[DSO]["losses"] == pytest.approx(-(5 + read_kwh) * WHOLESALE)
    assert amounts[UPSTREAM]["wholesale"] == pytest.approx(-read_kwh * WHOLESALE)


def test_the_network_charge_covers_what_the_dso_spends(five: Results) -> None:
    charge = compute_indicators(five).network_charge_eur_per_kwh
    drawn_kwh = (100 + 700 + 1001 + 50 + 1000 + 3750) / 1000
    assert charge is not None
    assert charge * drawn_kwh == pytest.approx(0.015 + 0.9 * WHOLESALE)


def test_who_is_outside_the_market_pays_the_supplier(another_result: Callable[..., Path]) -> None:
    def move_in(writer: TableWriter) -> None:
        fifth_interval(writer)
        powers = ("load", "shed", "pv", "pv_curtailed", "ev", "heat_pump", "battery")
        for k in range(5):
            writer.append(
                "prosumers",
                {
                    "interval": k, "prosumer": ["neighbour"], "bus": 2, "p_inject_mw": -0.004,
                    "q_inject_mvar": 0.0, "soc_mwh": 0.0, "deferred_mwh": 0.0,
                    "metered_wh": -1_000, "imbalance_wh": 0,
                    **{f"{name}_p_mw": 0.0 for name in powers},
                },
            )  # fmt: skip

    results = Results(another_result(change=move_in, intervals=5, intervals_done=5))
    table = money_table(results)
    assert table.amounts_eur["outside_market"]["supply"] == pytest.approx(-5 * 0.3)
    assert table.amounts_eur[SUPPLIER]["wholesale"] == pytest.approx((-4.1 - 5) * WHOLESALE)
    for payment in PAYMENTS:
        assert table.total_eur(payment) == pytest.approx(0.0, abs=1e-12)
    # the figure over time ends where the table of the whole run does
    over_time = money_over_time(results)
    assert over_time.sum(axis=1).tolist() == pytest.approx([0.0] * 5, abs=1e-12)
    assert over_time[SUPPLIER].sum() == pytest.approx(table.received_eur(SUPPLIER))
    ends = {trace.name: trace.y[-1] for trace in money_chart(results).figure.data}
    members = (WITH_PV, WITHOUT_PV, OTHERS)
    assert ends.pop("members [EUR]") == pytest.approx(
        sum(table.received_eur(role) for role in members), abs=1e-4
    )
    assert ends.keys() == {
        f"{name} [EUR]"
        for name in ("outside the market", "supplier", "DSO", "block producers (fees)", "upstream")
    }
    for name, role in (("outside the market", OUTSIDE), ("DSO", DSO), ("upstream", UPSTREAM)):
        assert ends[f"{name} [EUR]"] == pytest.approx(table.received_eur(role), abs=1e-4)
    assert ends["supplier [EUR]"] == pytest.approx(table.received_eur(SUPPLIER), abs=1e-4)
    assert over_time[MEMBERS].sum() + over_time[LEDGER].sum() < 0


def test_transfers_do_not_change_welfare(another_result: Callable[..., Path]) -> None:
    def pay_more(writer: TableWriter) -> None:
        fifth_interval(writer)
        writer.append(
            "settlement",
            {
                "interval": 4, "prosumer": [SOLAR], "contracted_wh": 0, "metered_wh": [0],
                "residual_wh": 0, "traded_ueur": 0, "supplier_ueur": 0,
                "flexibility_ueur": 7_000_000, "fees_ueur": 1_000_000, "estimated": [False],
            },
        )  # fmt: skip

    one = resource_cost(Results(another_result(change=pay_more, intervals=5, intervals_done=5)))
    assert one.total_eur == pytest.approx(5.0 + 0.1125 + 0.025 + 5 * WHOLESALE + one.closing_eur)


def test_without_a_power_flow_solution_welfare_is_unknown(
    another_result: Callable[..., Path],
) -> None:
    def diverge(writer: TableWriter) -> None:
        fifth_interval(writer)

    folder = another_result(change=diverge, intervals=6, intervals_done=6)
    found = compute_indicators(Results(folder))  # nothing was recorded of the sixth interval
    assert found.welfare_eur is None
    assert found.imported_kwh is None
    assert found.money_by_role_eur["dso"] is None
    assert found.money_by_role_eur["with_generation"] is not None
    assert found.network_charge_eur_per_kwh is None
    (table,) = money_figure(Results(folder)).tables
    assert next(row for row in table.rows if row[0] == "DSO")[-1] == "—"
    assert np.isnan(money_over_time(Results(folder))[DSO]).tolist() == [False] * 5 + [True]


def test_the_report_shows_roles_that_took_part(five: Results) -> None:
    (table,) = money_figure(five).tables
    assert [row[0] for row in table.rows] == [
        "Members with generation", "Members without", "Supplier", "DSO", "Block producers",
        "Together", "Upstream",
    ]  # fmt: skip
    assert table.headings[0] == "Role"
    assert table.headings[-3:] == ("Money", "In kind", "Sum")


def test_a_storage_keeps_less_than_it_takes_and_gives_less_than_it_loses() -> None:
    efficiency = np.full(2, 0.5)
    assert stored_mwh(np.array([4.0, -4.0]), efficiency, efficiency, 0.25).tolist() == [0.5, -2.0]
