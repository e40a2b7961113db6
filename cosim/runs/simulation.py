"""Puts the domain objects of a run into the simulators, and the simulators into a world."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cosim.attacks.preparation import prepare_attack
from cosim.devices.delivery import Devices
from cosim.dso.operator import GridOperator
from cosim.dso.procurement import DsoNetwork
from cosim.evm.hashing import keccak
from cosim.grid.catalogue import GridCase
from cosim.grid.limits import Limits
from cosim.grid.power_flow import PowerFlow, make_power_flow
from cosim.mechanisms.deployment import Deployment
from cosim.mechanisms.local_market.books import MarketBooks, Terms
from cosim.mechanisms.local_market.pricing import ClearingForm, PricingRule
from cosim.mechanisms.local_market.session import MarketSession
from cosim.mechanisms.play import Service
from cosim.prosumers.bidding import Bidders
from cosim.prosumers.population import Population
from cosim.results.writer import TableWriter
from cosim.runs.world import CoSimulation, WorldSettings
from cosim.scenario import Scenario
from cosim.simulators.devices import initial_delivery
from cosim.simulators.grid import ReferenceCheck, initial_flow
from cosim.simulators.recorder import RunState
from cosim.simulators.settling import ledger_balances
from cosim.timing import StageTimer
from cosim.units import ueur_from_eur, wh_from_kwh


@dataclass(frozen=True)
class Simulation:
    """A wired world and what is asked of it afterwards."""

    world: CoSimulation
    reference_check: ReferenceCheck
    recorder: RunState


def build_simulation(
    scenario: Scenario,
    scenario_file: Path,
    grid: GridCase,
    population: Population,
    bidders: Bidders,
    deployment: Deployment,
    services: Sequence[Service],
    writer: TableWriter,
    timer: StageTimer,
    progress: Callable[[int, bool], None],
    interrupted: Callable[[], bool],
) -> Simulation:
    """Wire one run.

    Raises
    ------
    ScenarioError
        If a simulator that the scenario names cannot be started or connected.
    """
    limits = Limits(**scenario.grid.limits.model_dump())
    engine = make_power_flow(scenario.grid.power_flow, grid.net)
    reference_check = ReferenceCheck(
        _reference(scenario, grid), sample(scenario.time.intervals, scenario.grid.reference_sample)
    )
    operator = GridOperator(
        DsoNetwork(
            engine, limits, scenario.dso.loading_margin_percent, scenario.dso.voltage_margin_pu
        ),
        scenario.time.step_s,
        procure=scenario.dso.procure,
        request_margin=scenario.dso.request_margin,
        max_rounds=scenario.dso.max_rounds,
        curtail=scenario.dso.curtail,
    )
    market = scenario.market
    attack = prepare_attack(scenario, deployment)
    session = MarketSession(
        deployment, scenario.clock(), market.clearing, market.reveal_s, attack.ledger
    )
    books = MarketBooks(
        population.names,
        Terms(
            retail_price_ueur_per_kwh=ueur_from_eur(market.retail_eur_per_kwh),
            feed_in_price_ueur_per_kwh=ueur_from_eur(market.feed_in_eur_per_kwh),
            penalty_ueur_per_kwh=ueur_from_eur(scenario.dso.penalty_eur_per_kwh),
            silent_estimate_wh=wh_from_kwh(market.silent_estimate_kwh),
            rule=PricingRule(market.pricing),
            form=ClearingForm(market.clearing),
            is_sealed=market.reveal_s > 0,
            sealed_deposit_ueur=ueur_from_eur(market.sealed_deposit_eur),
            clearing_bond_ueur=ueur_from_eur(market.clearing_bond_eur),
        ),
        deployment.members,
        keccak,
        attack.meters,
    )
    books.open(ledger_balances(session))
    devices = Devices(population)
    state = RunState()
    domains: dict[str, dict[str, Any]] = {
        "bidders": {
            "bidders": bidders,
            "deviation": attack.deviation,
            "n_intervals": scenario.time.intervals,
        },
        "market": {
            "session": session,
            "books": books,
            "services": tuple(services),
            "price_cap_ueur_per_kwh": ueur_from_eur(scenario.dso.price_cap_eur_per_kwh),
            "eur_per_eth": scenario.ledger.eur_per_eth,
        },
        "dso": {"operator": operator, "names": population.names},
        "devices": {"devices": devices, "deviation": attack.deviation},
        "grid": {"engine": engine, "reference_check": reference_check},
        "recorder": {
            "writer": writer,
            "names": population.names,
            "buses": grid.connection_points["bus"].to_numpy(),
            "topology": engine.topology,
            "limits": limits,
            "state": state,
            "progress": progress,
            "interrupted": interrupted,
        },
    }
    world = CoSimulation(
        WorldSettings(
            step_s=scenario.time.step_s,
            n_intervals=scenario.time.intervals,
            domains=domains,
            initial_delivery=initial_delivery(devices),
            initial_flow=initial_flow(engine.topology, population.n),
            initial_prices={"interval": -1, "price_ueur_per_kwh": 0, "volume_wh": 0},
            foreign=scenario.simulators,
            scenario_file=str(scenario_file),
        ),
        timer,
    )
    return Simulation(world, reference_check, state)


def sample(n_intervals: int, size: int) -> tuple[int, ...]:
    """Intervals to be solved again: evenly spread, the middle of each part of the run."""
    size = min(size, n_intervals)
    return tuple(int((i + 0.5) * n_intervals / size) for i in range(size))


def _reference(scenario: Scenario, grid: GridCase) -> PowerFlow:
    """The engine that the run does not use."""
    other = "fixed-point" if scenario.grid.power_flow == "pandapower" else "pandapower"
    return make_power_flow(other, grid.net)
