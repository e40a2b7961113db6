"""The part of a run between its scenario and its closed tables: set up, play, let go.

What playing takes of memory is gone when :func:`play_out` returns, so that indicators and report of
a long run have the place.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandapower

from cosim.errors import Terminated, UserError
from cosim.evm.contracts import runtime_code_hash
from cosim.evm.engine import choose_engine
from cosim.evm.hashing import keccak
from cosim.grid.areas import areas_of
from cosim.inputs.kept import ReadFiles
from cosim.inputs.long_series import let_go
from cosim.mechanisms.deployment import Deployment
from cosim.mechanisms.local_market.tariffs import with_values
from cosim.prosumers.end_of_run import storage_rows
from cosim.prosumers.forecasts import forecast_rows
from cosim.results.inputs import write_inputs
from cosim.results.writer import TableWriter
from cosim.runs.checkpoint.checkpoints import Checkpoints, begin_checkpoints
from cosim.runs.interrupts import Interrupts
from cosim.runs.preparation import (
    begin_consensus,
    node_engine,
    prepare_grid,
    prepare_ledger,
    prepare_prosumers,
    write_out_graph,
)
from cosim.runs.simulation import Hooks, Prepared, Simulation, build_simulation
from cosim.runs.world import CoSimulation
from cosim.scenario import Scenario
from cosim.simulators.recorder import RunInterrupted
from cosim.timing import StageTimer

if TYPE_CHECKING:
    from cosim.evm.options import NodeSettings

Progress = Callable[[int, bool], None]

_DAYS_AT_ONCE = 32
"""Days of forecasts that are written before what was read of them is given back."""


@dataclass(frozen=True)
class Asked:
    """Request for a run, as :func:`run_scenario` takes it; intervals of a chunk."""

    scenario: Scenario
    scenario_file: Path
    node: NodeSettings | None
    resume: bool
    checkpoint: int | None
    every: int
    trust: bool
    progress: Progress


@dataclass(frozen=True)
class Opened:
    """Objects that are open while a run is played."""

    writer: TableWriter
    timer: StageTimer
    interrupts: Interrupts
    stack: ExitStack
    read: ReadFiles


@dataclass(frozen=True)
class Ended:
    """Outcome of a run when its tables are closed.

    Parameters
    ----------
    scenario : Scenario
        As run.
    settled : int
        Intervals that were delivered, recorded and settled.
    contracts, chain, power_flow : mapping
        Entries of the manifest.
    """

    scenario: Scenario
    settled: int
    contracts: dict[str, dict[str, Any]]
    chain: dict[str, Any]
    power_flow: dict[str, Any]

    @property
    def complete(self) -> bool:
        """False when the user interrupted the run."""
        return self.settled == self.scenario.time.intervals


def play_out(asked: Asked, at: Opened) -> Ended:
    """Set a run up, play it, and close its tables; nothing else of it is kept."""
    scenario, scenario_file, resume = asked.scenario, asked.scenario_file, asked.resume
    writer, timer, interrupts = at.writer, at.timer, at.interrupts
    with timer.measure("set-up"), _naming(scenario_file):
        scenario = with_values(scenario)
        grid = prepare_grid(scenario)
        scenario = write_out_graph(scenario, grid)
        population, bidders = prepare_prosumers(scenario, grid)
        engine = None
        if asked.node is not None:
            engine = at.stack.enter_context(
                node_engine(scenario, population, asked.node, writer.folder, resume)
            )
        deployment, deviation = prepare_ledger(
            scenario, scenario_file, population, engine, areas_of(grid.connection_points)
        )
        begin_consensus(scenario, deployment.chain, deployment.prosumers)
        simulation = build_simulation(
            Prepared(scenario, scenario_file, grid, population, bidders, deployment, deviation),
            Hooks(writer, timer, asked.progress, interrupts.stop),
        )
        checkpoints = None
        if asked.every or (resume and asked.node is None):
            checkpoints = begin_checkpoints(
                simulation,
                writer,
                at.read,
                asked.every,
                is_wanted=asked.checkpoint is not None or resume,
            )
            if checkpoints is not None:
                if resume:
                    checkpoints.go_on(trust=asked.trust)
                checkpoints.begin()
    if interrupts.stop():
        raise KeyboardInterrupt
    let_go()
    with timer.measure("mosaik"), _naming(scenario_file):
        _play(simulation, checkpoints, timer)
    domain = simulation.domain
    if interrupts.is_terminated and checkpoints is not None and checkpoints.landed:
        raise Terminated(checkpoints.intervals_done, writer.folder)
    done = domain.state.intervals_done
    if not domain.state.intervals_settled:
        raise KeyboardInterrupt  # there is nothing to report yet
    for n, rows in enumerate(forecast_rows(domain.bidders.forecasts, population.names, done)):
        writer.append("forecasts", rows)
        if n % _DAYS_AT_ONCE == 0:
            let_go()
    for rows in storage_rows(population.storages, population.names):
        writer.append("storages", rows)
    writer.close()
    (writer.folder / "scenario.yaml").write_text(scenario.to_yaml(), encoding="utf-8")
    pandapower.to_json(grid.net, str(writer.folder / "network.json"))
    write_inputs(writer.folder, at.read, scenario)
    reference = domain.reference_check
    deployment = domain.session.deployment  # where it went on from a checkpoint, another object
    return Ended(
        scenario,
        domain.state.intervals_settled,
        contracts=_contracts(deployment),
        chain=_chain(scenario, deployment),
        power_flow={
            "engine": scenario.grid.power_flow,
            "reference_engine": reference.reference.name,
            "reference_intervals": reference.done,
            "largest_difference_vm_pu": reference.vm_pu,
            "largest_difference_loading_percent": reference.loading_percent,
            "tolerance_pu": reference.tolerance_pu,
        },
    )


@contextmanager
def _naming(scenario_file: Path) -> Iterator[None]:
    """Add the scenario's file to errors of its fields that only the set-up can find."""
    try:
        yield
    except UserError as error:
        if error.file is not None or error.field is None:
            raise
        raise type(error)(
            error.problem, file=scenario_file, field=error.field, remedy=error.remedy
        ) from error


def _play(simulation: Simulation, checkpoints: Checkpoints | None, timer: StageTimer) -> None:
    """Play to the end, or until the user interrupts between two intervals.

    A world plays up to the next checkpoint; another one goes on with what is in flight.
    """
    n_intervals = simulation.prepared.scenario.time.intervals
    with _seldom_collected():
        while True:
            done = simulation.domain.state.intervals_done
            end = n_intervals
            if checkpoints is not None:
                end = min(end, checkpoints.boundary(done))
            is_last = end == n_intervals
            # after the last delivery interval one more step settles it
            if not _played(simulation.world(end - done + is_last)) or is_last:
                return
            assert checkpoints is not None
            with timer.measure("checkpoints"):
                checkpoints.land()
            let_go()


def _played(world: CoSimulation) -> bool:
    """Run a world to its end; False if the user interrupted it."""
    try:
        world.run()
    except Exception as error:
        if not _caused_by_interrupt(error):
            raise
        return False
    finally:
        world.shut_down()
    return True


_FROZEN_AT_START = 10_000
"""More objects than any Python freezes when it starts; 3.12 freezes some hundred."""


@contextmanager
def _seldom_collected() -> Iterator[None]:
    """Let the garbage collector look at what the set-up built no more, and at the rest seldom.

    A run makes few cycles and many short-lived objects; the default thresholds cost some
    per cent of it. What the process froze before by itself stays frozen, and nothing is added.
    """
    thresholds, is_ours = gc.get_threshold(), gc.get_freeze_count() < _FROZEN_AT_START
    if is_ours:
        gc.collect()
        gc.freeze()
    gc.set_threshold(50_000, 20, 100)
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)
        if is_ours:
            gc.unfreeze()


def _caused_by_interrupt(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, RunInterrupted):
            return True
        error = error.__cause__ or error.__context__
    return False


def _contracts(deployment: Deployment) -> dict[str, dict[str, Any]]:
    engine = deployment.chain.engine
    return {
        client.name: {
            "address": "0x" + client.address.hex(),
            "runtime_code_hash": runtime_code_hash(engine.code(client.address)),
            "storage_root": "0x" + engine.storage_root(client.address).hex(),
        }
        for client in deployment.clients
    }


def _chain(scenario: Scenario, deployment: Deployment) -> dict[str, Any]:
    chain = deployment.chain
    roots = b"".join(chain.engine.storage_root(c.address) for c in deployment.clients)
    return {
        "engine": choose_engine(scenario.ledger.engine),
        # what decides what the chain includes; every engine gives the same result
        "settings": scenario.ledger.model_dump(exclude={"engine"}),
        "last_block": chain.block,
        "state_digest": "0x" + keccak(roots).hex(),
    }
