"""Command ``run``: a scenario or a study."""

from __future__ import annotations

import argparse
import os
import time
import warnings
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from cosim.cli.options import (
    EXIT_FAILED,
    EXIT_INTERRUPTED,
    not_negative,
    positive,
    tell_slow_engine,
)
from cosim.errors import Interrupted, SlowEngineWarning, UserError
from cosim.evm.options import NodeSettings
from cosim.plugins.evm_engine import builds_blocks, engine_names

NODE_URL = "COSIM_NODE_URL"
"""Environment variable with the URL of the node."""


def add_run(commands: Any) -> None:
    """Add the command to those of the command line."""
    run = commands.add_parser("run", help="run a scenario and write its result folder")
    run.add_argument(
        "scenario",
        type=Path,
        metavar="SCENARIO",
        help="a scenario or study file (YAML), or the name of one that comes with cosim",
    )
    run.add_argument("--out", type=Path, help="result folder [results/<scenario name>]")
    run.add_argument("--engine", choices=engine_names(), help="EVM engine [as the scenario]")
    run.add_argument("--url", help=f"of the node of engine rpc [{NODE_URL} in the environment]")
    run.add_argument(
        "--timeout", type=float, default=20.0, help="wait so long for an answer of the node [20 s]"
    )
    run.add_argument(
        "--patience", type=float, default=60.0, help="try so long before the node is gone [60 s]"
    )
    run.add_argument(
        "--resume", action="store_true", help="go on where the run stopped, at its last checkpoint"
    )
    run.add_argument(
        "--checkpoint",
        type=not_negative,
        metavar="N",
        help="intervals between two checkpoints, 0 for none [a day]",
    )
    run.add_argument(
        "--force",
        action="store_true",
        help="replace an earlier result there, and begin anew where a run stopped",
    )
    run.add_argument(
        "--trust",
        action="store_true",
        help="let the scenario start the programs and import the modules that it names, and "
        "--resume go on from a checkpoint that somebody else wrote",
    )
    run.add_argument(
        "--jobs", type=positive, metavar="N", help="runs of a study at once [one per core]"
    )
    run.add_argument(
        "--compare",
        action="store_true",
        help="play it also without market, without flexibility and without relief, and compute "
        "the central optimum",
    )
    run.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from cosim import api  # here, so that a plug-in that cannot be used is an error of the command
    from cosim.scenario import load_scenario
    from cosim.scenario.loading import find_scenario
    from cosim.scenario.trust import require_trust
    from cosim.studies.study import is_study

    file = find_scenario(options.scenario)
    if options.compare or is_study(file):
        return _run_study(options, file)
    scenario = load_scenario(file)
    require_trust(scenario, file, options.trust)
    if options.engine:
        scenario = scenario.replace(ledger={"engine": options.engine})
    url = options.url
    if builds_blocks(scenario.ledger.engine):
        url = url or os.environ.get(NODE_URL)
    node = NodeSettings(url, options.timeout, options.patience) if url else None
    tell_slow_engine(scenario.ledger.engine)
    # imported after the scenario is known to be sound: pandapower takes seconds to import
    from cosim.report.indicators import read_indicators
    from cosim.report.summary import print_setting, print_summary, print_tables
    from cosim.results.manifest import is_complete
    from cosim.results.parts import unfinished
    from cosim.results.reader import Results

    console = Console()
    begin = time.monotonic()
    folder = options.out or Path("results") / scenario.name
    if options.resume and not options.force and is_complete(folder):
        result = api.run(scenario, folder, resume=True)
        console.print(
            f"{scenario.name}: complete already, nothing is left to play; result: {result.folder}",
            soft_wrap=True,
        )
        return 0
    with (
        _RunProgress(console, scenario.name, scenario.time.intervals) as progress,
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore", SlowEngineWarning)  # told above
        try:
            result = api.run(
                scenario,
                options.out,
                force=options.force,
                progress=progress.tell,
                node=node,
                resume=options.resume,
                checkpoint=options.checkpoint,
                trust=options.trust,
            )
        except Interrupted as so_far:
            result = api.open_result(so_far.folder)
    results = Results(result.folder)
    print_setting(results, console)
    print_summary(read_indicators(results), console)
    print_tables(results, console)
    state = "complete" if result.complete else "INCOMPLETE (interrupted)"
    console.print(
        f"{scenario.name}: {state}, {result.manifest['intervals_done']} of "
        f"{scenario.time.intervals} intervals in {time.monotonic() - begin:.1f} s"
    )
    console.print(f"result: {result.folder}", soft_wrap=True)
    console.print(f"report: {result.report}", soft_wrap=True)
    if not result.complete and unfinished(result.folder) is not None:
        console.print("go on from the last checkpoint: the same command with --resume")
    return 0 if result.complete else EXIT_INTERRUPTED


def _run_study(options: argparse.Namespace, file: Path) -> int:
    from cosim.studies.counterfactuals import COUNTERFACTUALS
    from cosim.studies.declaration import CENTRAL_OPTIMUM
    from cosim.studies.study import load_study

    of_one_run = {
        "--engine rpc": builds_blocks(options.engine),
        "--url": options.url,
        "--resume": options.resume,
        "--checkpoint": options.checkpoint,
    }
    if given := [option for option, value in of_one_run.items() if value]:
        why = "with --compare plays" if options.compare else "is a study of"
        raise UserError(
            f"{why} several runs, and {' and '.join(given)} can be of one only",
            file=file,
            remedy=f"leave out {' and '.join(given)}; --resume goes on with one scenario, and "
            "'cosim sweep' keeps the runs of a campaign that are done",
        )
    study = load_study(
        file,
        {"ledger.engine": options.engine} if options.engine else None,
        (*COUNTERFACTUALS, CENTRAL_OPTIMUM) if options.compare else None,
    )
    # imported after the study is known to be sound: pandapower takes seconds to import
    from cosim.studies.runner import run_study
    from cosim.studies.screen import StudyProgress, print_study

    console = Console()
    begin = time.monotonic()
    tell_slow_engine(*(one.scenario.ledger.engine for one in study.runs))
    out = options.out or Path("results") / (
        f"{study.name}.compared" if options.compare else study.name
    )
    with StudyProgress(console, study) as progress:
        result = run_study(
            study,
            out,
            jobs=options.jobs,
            force=options.force,
            progress=progress.tell,
            trust=options.trust,
        )
    print_study(result, console)
    console.print(f"{study.name}: {len(result.runs)} runs in {time.monotonic() - begin:.1f} s")
    console.print(f"result: {result.folder}", soft_wrap=True)
    console.print(f"report: {result.report}", soft_wrap=True)
    return 0 if result.as_expected else EXIT_FAILED


class _RunProgress:
    """A progress bar with the interval, violations so far, and time left."""

    def __init__(self, console: Console, name: str, n_intervals: int) -> None:
        self._violated = 0
        self._since: int | None = None
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("interval {task.completed}/{task.total}"),
            TextColumn("{task.fields[violated]}"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=console,
        )
        self._task = self._bar.add_task(name, total=n_intervals, violated="0 with violations")

    def tell(self, interval: int, violated: bool) -> None:
        if self._since is None:
            self._since = interval
        self._violated += violated
        counted = f"{self._violated} with violations"
        if self._since:  # what was played before the run stopped is not counted
            counted += f" since interval {self._since}"
        self._bar.update(self._task, completed=interval + 1, violated=counted)

    def __enter__(self) -> _RunProgress:
        self._bar.__enter__()
        return self

    def __exit__(self, *details: object) -> None:
        self._bar.__exit__(None, None, None)
