"""Domain objects of a run, put into the simulators, and these into worlds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cosim.attacks.deviations import Deviation
from cosim.devices.delivery import Devices
from cosim.devices.population import Population
from cosim.dso.operator import GridOperator
from cosim.dso.procurement import DsoNetwork
from cosim.grid.catalogue import GridCase
from cosim.grid.limits import Limits, check, check_delivered
from cosim.grid.operation import make_operated
from cosim.grid.power_flow import PowerFlow
from cosim.grid.reference import ReferenceCheck, make_reference, sample
from cosim.grid.tap_control import TapControls
from cosim.mechanisms.deployment import Deployment
from cosim.mechanisms.session import Session
from cosim.messages import PricesMessage
from cosim.prosumers.bidding import Bidders
from cosim.results.writer import TableWriter
from cosim.runs.preparation import dso_network, metering_of
from cosim.runs.world import CoSimulation, WorldSettings
from cosim.scenario import Scenario
from cosim.simulators.bidders import BiddersParts
from cosim.simulators.devices import DevicesParts
from cosim.simulators.dso import DsoParts
from cosim.simulators.grid import GridParts, initial_flow
from cosim.simulators.market import MarketParts
from cosim.simulators.recorder import RecorderParts
from cosim.simulators.state import RunState
from cosim.timing import StageTimer


@dataclass(frozen=True)
class Domain:
    """Objects of a run that change while it is played, by whose they are.

    Parameters
    ----------
    bidders : Bidders
    deviation : Deviation
    session : Session
    operator : GridOperator
    devices : Devices
    engine, dso_engine : PowerFlow
        Of the grid and of the DSO's model of it; the same where they do not differ.
    reference_check : ReferenceCheck
    state : RunState
    """

    bidders: Bidders
    deviation: Deviation
    session: Session
    operator: GridOperator
    devices: Devices
    engine: PowerFlow
    dso_engine: PowerFlow
    reference_check: ReferenceCheck
    state: RunState


@dataclass(frozen=True)
class Prepared:
    """Parts that a run starts with.

    Parameters
    ----------
    scenario : Scenario
    scenario_file : Path
        Named in errors.
    grid : GridCase
    population : Population
    bidders : Bidders
    deployment : Deployment
    deviation : Deviation
    """

    scenario: Scenario
    scenario_file: Path
    grid: GridCase
    population: Population
    bidders: Bidders
    deployment: Deployment
    deviation: Deviation


@dataclass(frozen=True)
class Hooks:
    """Ends of a run towards its caller: rows and progress out, interrupts in.

    Parameters
    ----------
    writer : TableWriter
    timer : StageTimer
    progress : callable
        Told of every interval that is recorded and whether its schedules violated a limit.
    interrupted : callable
        Whether the user wants the run to stop.
    """

    writer: TableWriter
    timer: StageTimer
    progress: Callable[[int, bool], None]
    interrupted: Callable[[], bool]


class Simulation:
    """A run that can be played, stretch by stretch.

    Parameters
    ----------
    prepared : Prepared
    hooks : Hooks
    domain : Domain

    Attributes
    ----------
    domain : Domain
        Where the run is.
    """

    def __init__(self, prepared: Prepared, hooks: Hooks, domain: Domain) -> None:
        self.prepared = prepared
        self.hooks = hooks
        self.domain = domain

    def world(self, n_steps: int) -> CoSimulation:
        """Wire a world that plays the next steps.

        Raises
        ------
        ScenarioError
            If a simulator that the scenario names cannot be started or connected.
        """
        scenario, state = self.prepared.scenario, self.domain.state
        return CoSimulation(
            WorldSettings(
                step_s=scenario.time.step_s,
                n_steps=n_steps,
                parts=self._parts(),
                state=state,
                first=state.intervals_done,
                foreign=scenario.simulators,
                scenario_file=str(self.prepared.scenario_file),
            ),
            self.hooks.timer,
        )

    def _parts(self) -> dict[str, object]:
        """Return the domain objects by role."""
        scenario, grid, hooks, domain = (
            self.prepared.scenario,
            self.prepared.grid,
            self.hooks,
            self.domain,
        )
        limits, engine = Limits(**scenario.grid.limits.model_dump()), domain.engine
        topology = engine.topology
        return {
            "bidders": BiddersParts(domain.bidders, domain.deviation, scenario.time.intervals),
            "market": MarketParts(domain.session),
            "dso": DsoParts(domain.operator),
            "devices": DevicesParts(domain.devices, domain.deviation),
            "grid": GridParts(engine, domain.reference_check, domain.dso_engine),
            "recorder": RecorderParts(
                writer=hooks.writer,
                names=self.prepared.population.names,
                bus_of_point=grid.connection_points["bus"].to_numpy(),
                bus_idx=topology.bus_idx,
                line_idx=topology.line_idx,
                trafo_idx=topology.trafo_idx,
                controlled_idx=TapControls.of(grid.net).trafo_idx,
                delivered_check=lambda flow: check_delivered(flow, limits, topology),
                violates=lambda p, q: (
                    check(engine.solve_again(p, q), limits, topology).any_violated
                ),
                state=domain.state,
                progress=hooks.progress,
                interrupted=hooks.interrupted,
            ),
        }


def build_simulation(prepared: Prepared, hooks: Hooks) -> Simulation:
    """Return a run at its beginning."""
    scenario, grid, population = prepared.scenario, prepared.grid, prepared.population
    limits = Limits(**scenario.grid.limits.model_dump())
    tap_waits = scenario.grid.tap_delay_s // scenario.time.step_s
    engine = make_operated(scenario.grid.power_flow, grid.net, grid.slack_vm_pu, tap_waits)
    reference_check = ReferenceCheck(
        make_reference(engine, grid.net, grid.slack_vm_pu),
        sample(scenario.time.intervals, scenario.grid.reference_sample),
    )
    modelled = dso_network(scenario, grid.net)
    dso_engine = engine
    if modelled is not grid.net:
        dso_engine = make_operated(scenario.grid.power_flow, modelled, grid.slack_vm_pu, tap_waits)
    network = DsoNetwork(
        dso_engine,
        limits,
        scenario.dso.loading_margin_percent,
        scenario.dso.voltage_margin_pu,
        metering=metering_of(scenario, population.names),
    )
    operator = GridOperator(
        network,
        scenario.time.step_s,
        scenario.dso.made_instruments(scenario.market.position == "binding"),
        population.names,
    )
    session = Session(
        prepared.deployment, scenario.clock(), scenario.ledger.eur_per_eth, hooks.timer
    )
    session.announced = operator.announce(0)
    devices = Devices(population)
    state = RunState(
        in_flight={
            "delivery": devices.initial(),
            "flow": initial_flow(engine.topology, population.n),
            "prices": PricesMessage(-1, *np.zeros((2, population.n), dtype=np.int64)),
        }
    )
    domain = Domain(
        bidders=prepared.bidders,
        deviation=prepared.deviation,
        session=session,
        operator=operator,
        devices=devices,
        engine=engine,
        dso_engine=dso_engine,
        reference_check=reference_check,
        state=state,
    )
    return Simulation(prepared, hooks, domain)
