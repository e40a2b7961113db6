"""One run, from scenario to result folder: named stages, progress, a clean end.

A run reads: open the grid, build the population, set the contracts up, wire the world, play it,
check it, publish the result. Nothing appears under the result's name before all of that is done.
"""

from __future__ import annotations

import gc
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from threadpoolctl import threadpool_limits

from cosim.evm.journal import JOURNAL
from cosim.inputs.kept import noting
from cosim.inputs.long_series import let_go
from cosim.plugins.blame import naming_plug_ins
from cosim.report.indicators import Indicators, compute_indicators
from cosim.report.report import write_report
from cosim.results.manifest import build_manifest, write_manifest
from cosim.results.parts import CHECKPOINT
from cosim.results.reader import Results
from cosim.results.schemas import tables_of
from cosim.results.writer import TableWriter
from cosim.runs.checkpoint.checkpoints import intervals_of_chunk
from cosim.runs.interrupts import interruptible
from cosim.runs.playing import Asked, Ended, Opened, Progress, play_out
from cosim.scenario import Scenario
from cosim.scenario.trust import require_trust
from cosim.timing import StageTimer

if TYPE_CHECKING:
    from cosim.evm.options import NodeSettings


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
        ended = play_out(
            Asked(scenario, scenario_file, node, resume, checkpoint, every, trust, progress),
            Opened(writer, timer, interrupts, stack, read),
        )
        # what was played is gone before the tables are read: a long run's would not fit twice
        gc.collect()
        let_go()
        results = Results(writer.folder, intervals=ended.settled)
        indicators = _publish(ended, results, timer)
        writer.keep()
        if report:
            write_report(results, indicators)  # with the tables that are read already
        folder = writer.finish(ended.complete)
    return RunResult(
        folder=folder,
        report=folder / "report.html",
        complete=ended.complete,
        intervals_done=ended.settled,
        indicators=indicators,
    )


def _publish(ended: Ended, results: Results, timer: StageTimer) -> Indicators:
    """Write indicators and manifest of a folder whose tables are closed."""
    folder, scenario = results.folder, ended.scenario
    manifest = build_manifest(
        folder,
        name=scenario.name,
        seed=scenario.seed,
        complete=ended.complete,
        intervals=scenario.time.intervals,
        intervals_done=results.n_intervals,
        start=scenario.time.start.isoformat(),
        step_s=scenario.time.step_s,
        contracts=ended.contracts,
        chain=ended.chain,
        power_flow=ended.power_flow,
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
