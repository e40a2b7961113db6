"""One run, from scenario to result folder: named stages, progress, a clean end.

A run reads: open the grid, build the population, set the contracts up, wire the world, play it,
check it, publish the result. Nothing appears under the result's name before all of that is done.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandapower
from threadpoolctl import threadpool_limits

from cosim.errors import Terminated, UserError
from cosim.evm.contracts import runtime_code_hash
from cosim.evm.engine import choose_engine
from cosim.evm.hashing import keccak
from cosim.evm.journal import JOURNAL
from cosim.grid.areas import areas_of
from cosim.inputs.kept import noting
from cosim.inputs.long_series import let_go
from cosim.mechanisms.deployment import Deployment
from cosim.mechanisms.local_market.tariffs import with_values
from cosim.plugins.blame import naming_plug_ins
from cosim.prosumers.end_of_run import storage_rows
from cosim.prosumers.forecasts import forecast_rows
from cosim.report.indicators import Indicators, compute_indicators
from cosim.report.report import write_report
from cosim.results.inputs import write_inputs
from cosim.results.manifest import build_manifest, write_manifest
from cosim.results.parts import CHECKPOINT
from cosim.results.reader import Results
from cosim.results.schemas import tables_of
from cosim.results.writer import TableWriter
from cosim.runs.checkpoint.checkpoints import Checkpoints, begin_checkpoints, intervals_of_chunk
from cosim.runs.interrupts import interruptible
from cosim.runs.preparation import (
    begin_consensus,
    node_engine,
    prepare_grid,
    prepare_ledger,
    prepare_prosumers,
    write_out_graph,
)
from cosim.runs.simulation import Domain, Hooks, Prepared, Simulation, build_simulation
from cosim.runs.world import CoSimulation
from cosim.scenario import Scenario
from cosim.scenario.trust import require_trust
from cosim.simulators.recorder import RunInterrupted
from cosim.timing import StageTimer

if TYPE_CHECKING:
    from cosim.evm.options import NodeSettings

Progress = Callable[[int, bool], None]

_DAYS_AT_ONCE = 32
"""Days of forecasts that are written before what was read of them is given back."""


@dataclass(frozen=True)
class RunResult:
    """Result folder of a run, and its indicators.

    Parameters
    ----------
    folder : Path
        The result folder.
    report : Path
        Its report.
    complete : bool
        False when the user interrupted the run.
    intervals_done : int
        Intervals that were delivered, recorded and settled.
    indicators : Indicators
    """

    folder: Path
    report: Path
    complete: bool
    intervals_done: int
    indicators: Indicators


def run_scenario(
    scenario: Scenario,
    scenario_file: Path,
    out: Path,
    *,
    force: bool = False,
    progress: Progress = lambda interval, violated: None,
    node: NodeSettings | None = None,
    resume: bool = False,
    checkpoint: int | None = None,
    report: bool = True,
    trust: bool = False,
) -> RunResult:
    """Run a scenario and write its result folder.

    Parameters
    ----------
    scenario : Scenario
    scenario_file : Path
        Where it was read from; named in errors.
    out : Path
        Result folder to be.
    force : bool
        Replace an earlier result there, once this run is finished.
    progress : callable
        Told of every interval that is recorded and whether its schedules violated a limit.
    node : NodeSettings, optional
        Where the node is, if the scenario's engine is ``rpc``.
    resume : bool
        Go on with a run that ended before its end: from its last checkpoint or, on a node, with
        its journal, which answers as far as it reaches.
    checkpoint : int, optional
        Intervals between two checkpoints, 0 for none; default: a day. Runs on a node, and with
        simulators of others, have none.
    report : bool
        Write the report, too.
    trust : bool
        Start the programs, and import the modules, that the scenario names as its simulators;
        and go on from a checkpoint that somebody else wrote.

    Returns
    -------
    RunResult

    Raises
    ------
    UserError
        For anything the user can mend; nothing is left behind.
    NodeError
        If the node is gone; a journal is left behind, from which the run can be resumed.
    Terminated
        If the process was asked to end (SIGTERM); the last checkpoint is left behind.
    RunError
        If the run's numbers cannot be trusted, or a plug-in fails; nothing is left behind.
    """
    require_trust(scenario, scenario_file, trust)
    timer = StageTimer()
    every = intervals_of_chunk(scenario, scenario_file, checkpoint, on_node=node is not None)
    # one BLAS thread: the matrices are small, and sums must not depend on the number of cores
    with (
        naming_plug_ins(),
        threadpool_limits(limits=1, user_api="blas"),
        interruptible() as interrupts,
        TableWriter(
            out,
            force=force,
            resumable=JOURNAL if node else CHECKPOINT if every or resume else None,
            resume=resume,
            tables=tables_of(scenario),
            keeps_parts=every > 0,
        ) as writer,
        ExitStack() as stack,
        noting() as read,
    ):
        with timer.measure("set-up"), _naming(scenario_file):
            scenario = with_values(scenario)
            grid = prepare_grid(scenario)
            scenario = write_out_graph(scenario, grid)
            population, bidders = prepare_prosumers(scenario, grid)
            engine = None
            if node is not None:
                engine = stack.enter_context(
                    node_engine(scenario, population, node, writer.folder, resume)
                )
            deployment, deviation = prepare_ledger(
                scenario, scenario_file, population, engine, areas_of(grid.connection_points)
            )
            begin_consensus(scenario, deployment.chain, deployment.prosumers)
            simulation = build_simulation(
                Prepared(scenario, scenario_file, grid, population, bidders, deployment, deviation),
                Hooks(writer, timer, progress, interrupts.stop),
            )
            checkpoints = None
            if every or (resume and node is None):
                checkpoints = begin_checkpoints(
                    simulation, writer, read, every, is_wanted=checkpoint is not None or resume
                )
                if checkpoints is not None:
                    if resume:
                        checkpoints.go_on(trust=trust)
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
        complete = domain.state.intervals_settled == scenario.time.intervals
        if not domain.state.intervals_settled:
            raise KeyboardInterrupt  # there is nothing to report yet
        for n, rows in enumerate(forecast_rows(domain.bidders.forecasts, population.names, done)):
            writer.append("forecasts", rows)
            if n % _DAYS_AT_ONCE == 0:
                let_go()
        for rows in storage_rows(population.storages, population.names):
            writer.append("storages", rows)
        writer.close()
        let_go()  # what was buffered, before the tables are read
        (writer.folder / "scenario.yaml").write_text(scenario.to_yaml(), encoding="utf-8")
        pandapower.to_json(grid.net, str(writer.folder / "network.json"))
        write_inputs(writer.folder, read, scenario)
        results = Results(writer.folder, intervals=domain.state.intervals_settled)
        indicators = _publish(scenario, results, domain, complete, timer)
        writer.keep()
        if report:
            write_report(results, indicators)  # with the tables that are read already
        folder = writer.finish(complete)
    return RunResult(
        folder=folder,
        report=folder / "report.html",
        complete=complete,
        intervals_done=domain.state.intervals_settled,
        indicators=indicators,
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


@contextmanager
def _seldom_collected() -> Iterator[None]:
    """Let the garbage collector look at what the set-up built no more, and at the rest seldom.

    A run makes few cycles and many short-lived objects; the default thresholds cost some
    per cent of it.
    """
    thresholds = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)
        gc.unfreeze()


def _caused_by_interrupt(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, RunInterrupted):
            return True
        error = error.__cause__ or error.__context__
    return False


def _publish(
    scenario: Scenario,
    results: Results,
    domain: Domain,
    complete: bool,
    timer: StageTimer,
) -> Indicators:
    """Write indicators and manifest of a folder whose tables are closed."""
    folder, deployment = results.folder, domain.session.deployment
    reference = domain.reference_check
    power_flow = {
        "engine": scenario.grid.power_flow,
        "reference_engine": reference.reference.name,
        "reference_intervals": reference.done,
        "largest_difference_vm_pu": reference.vm_pu,
        "largest_difference_loading_percent": reference.loading_percent,
        "tolerance_pu": reference.tolerance_pu,
    }
    manifest = build_manifest(
        folder,
        name=scenario.name,
        seed=scenario.seed,
        complete=complete,
        intervals=scenario.time.intervals,
        intervals_done=results.n_intervals,
        start=scenario.time.start.isoformat(),
        step_s=scenario.time.step_s,
        contracts=_contracts(deployment),
        chain=_chain(scenario, deployment),
        power_flow=power_flow,
        indicators={},
        timing={},
    )
    write_manifest(folder, manifest)
    with timer.measure("indicators"):
        indicators = compute_indicators(results)
    manifest["indicators"] = indicators.as_dict()
    manifest["timing"] = {stage: round(spent, 6) for stage, spent in timer.seconds.items()}
    write_manifest(folder, manifest)
    results.forget_manifest()
    return indicators


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
