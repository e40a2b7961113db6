"""The command line: parse, call one function, print where the result is."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from cosim import __version__
from cosim.cli.ledger import add_ledger
from cosim.cli.verification import EXIT_FAILED, add_publishing, positive
from cosim.errors import CosimError, UserError
from cosim.resources import folder

if TYPE_CHECKING:
    from cosim.evm.rpc import NodeSettings

NODE_URL = "COSIM_NODE_URL"
"""Environment variable with the URL of the node."""

EXIT_USER = 2
EXIT_INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code: 0, 1 (run failed), 2 (user error), 130 (interrupted)."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except UserError as error:
        print(f"cosim: {error}", file=sys.stderr)
        return EXIT_USER
    except OSError as error:
        if error.filename is None:
            raise
        trouble = UserError(
            error.strerror or "cannot be used",
            file=error.filename,
            remedy="check the path, its permissions and the room on the disk",
        )
        print(f"cosim: {trouble}", file=sys.stderr)
        return EXIT_USER
    except CosimError as error:
        print(f"cosim: the run stopped: {error}", file=sys.stderr)
        return EXIT_FAILED
    except KeyboardInterrupt:
        print("cosim: interrupted; nothing was written", file=sys.stderr)
        return EXIT_INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="cosim", description="Co-simulate a distribution grid and a blockchain-settled market."
    )
    parser.add_argument("--version", action="version", version=f"cosim {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    run = commands.add_parser("run", help="run a scenario and write its result folder")
    run.add_argument(
        "scenario",
        type=Path,
        metavar="SCENARIO",
        help="a scenario or study file (YAML), or the name of one that comes with cosim",
    )
    run.add_argument("--out", type=Path, help="result folder [results/<scenario name>]")
    run.add_argument(
        "--engine", choices=("revm", "py-evm", "rpc"), help="EVM engine [as the scenario]"
    )
    run.add_argument("--url", help=f"of the node of engine rpc [{NODE_URL} in the environment]")
    run.add_argument(
        "--timeout", type=float, default=20.0, help="wait so long for an answer of the node [20 s]"
    )
    run.add_argument(
        "--patience", type=float, default=60.0, help="try so long before the node is gone [60 s]"
    )
    run.add_argument(
        "--resume", action="store_true", help="go on where a run on a node (rpc) stopped"
    )
    run.add_argument("--force", action="store_true", help="replace an earlier result there")
    run.add_argument(
        "--jobs", type=positive, metavar="N", help="runs of a study at once [one per core]"
    )
    run.set_defaults(run=_run)

    report = commands.add_parser("report", help="write the report of a result folder anew")
    report.add_argument("result", type=Path, metavar="RESULT")
    report.add_argument(
        "--figures", type=Path, metavar="DIR", help="also draw a study's figures there, as SVG"
    )
    report.set_defaults(run=_report)

    add_publishing(commands)
    add_ledger(commands)
    schema = commands.add_parser("schema", help="print the JSON schema of scenario files")
    schema.add_argument("--markdown", action="store_true", help="print docs/scenarios.md instead")
    schema.set_defaults(run=_schema)

    grids = commands.add_parser("grids", help="list and import networks")
    kinds = grids.add_subparsers(required=True, metavar="COMMAND")
    listed = kinds.add_parser("list", help="list the networks that can be named in a scenario")
    listed.set_defaults(run=_grids_list)
    imported = kinds.add_parser(
        "import", help="make a grid folder of simbench:<code> or of a pandapower file.json"
    )
    imported.add_argument("source", help="simbench:<code>, or a pandapower network as JSON")
    imported.add_argument("--points", type=Path, help="connection-point table (CSV: name, bus)")
    imported.add_argument("--elements", type=Path, help="element table (CSV)")
    imported.add_argument("--profiles", type=Path, help="profiles (Parquet or CSV)")
    imported.add_argument("--out", type=Path, help="grid folder to be made [grids/<name>]")
    imported.set_defaults(run=_grids_import)
    return parser


def _run(options: argparse.Namespace) -> int:
    from cosim.scenario import load_scenario
    from cosim.studies.study import is_study

    file = _scenario_file(options.scenario)
    if is_study(file):
        return _run_study(options, file)
    scenario = load_scenario(file)
    if options.engine:
        ledger = scenario.ledger.model_copy(update={"engine": options.engine})
        scenario = scenario.model_copy(update={"ledger": ledger})
    out = options.out or Path("results") / scenario.name
    node = _node(options, scenario.ledger.engine)
    # imported after the scenario is known to be sound: pandapower takes seconds to import
    from cosim.report.summary import print_summary, print_tables
    from cosim.results.reader import Results
    from cosim.runs.experiment import run_scenario

    console = Console()
    begin = time.monotonic()
    with _RunProgress(console, scenario.name, scenario.time.intervals) as progress:
        result = run_scenario(
            scenario,
            file,
            out,
            force=options.force,
            progress=progress.tell,
            node=node,
            resume=options.resume,
        )
    print_summary(result.indicators, console)
    print_tables(Results(result.folder), console)
    state = "complete" if result.complete else "INCOMPLETE (interrupted)"
    console.print(
        f"{scenario.name}: {state}, {result.intervals_done} of {scenario.time.intervals} intervals "
        f"in {time.monotonic() - begin:.1f} s"
    )
    console.print(f"result: {result.folder}", soft_wrap=True)
    console.print(f"report: {result.report}", soft_wrap=True)
    return 0 if result.complete else EXIT_INTERRUPTED


def _run_study(options: argparse.Namespace, file: Path) -> int:
    from cosim.studies.study import load_study

    if options.engine == "rpc" or options.url or options.resume:
        raise UserError(
            "is a study, and a node can play one run only",
            file=file,
            remedy="leave out --engine rpc, --url and --resume, or run a scenario.yaml of its runs",
        )
    study = load_study(file, {"ledger.engine": options.engine} if options.engine else None)
    # imported after the study is known to be sound: pandapower takes seconds to import
    from cosim.studies.runner import run_study
    from cosim.studies.screen import StudyProgress, print_study

    console = Console()
    begin = time.monotonic()
    out = options.out or Path("results") / study.name
    with StudyProgress(console, study) as progress:
        result = run_study(
            study, out, jobs=options.jobs, force=options.force, progress=progress.tell
        )
    print_study(result, console)
    console.print(f"{study.name}: {len(result.runs)} runs in {time.monotonic() - begin:.1f} s")
    console.print(f"result: {result.folder}", soft_wrap=True)
    console.print(f"report: {result.report}", soft_wrap=True)
    return 0 if result.as_expected else EXIT_FAILED


def _node(options: argparse.Namespace, engine: str) -> NodeSettings | None:
    """Where the node is, if the engine is one."""
    url = options.url or os.environ.get(NODE_URL)
    if engine != "rpc":
        if options.url or options.resume:
            raise UserError(
                f"--url and --resume are for runs on a node, and the engine is {engine}",
                remedy="add --engine rpc",
            )
        return None
    if not url:
        raise UserError(
            "engine rpc needs the URL of a node",
            remedy=f"give it with --url or in {NODE_URL}, e.g. http://127.0.0.1:8545 of "
            "anvil --no-mining",
        )
    from cosim.evm.rpc import NodeSettings

    return NodeSettings(url, options.timeout, options.patience)


def _scenario_file(given: Path) -> Path:
    """The file given, or the scenario of that name that comes with cosim."""
    if given.exists() or given.is_absolute() or ".." in given.parts:
        return given
    scenarios = folder("scenarios")
    own = (scenarios / f"{given}.yaml", scenarios / "attacks" / f"{given}.yaml")
    return next((file for file in own if file.is_file()), given)


def _report(options: argparse.Namespace) -> int:
    from cosim.studies.results import is_study_folder

    if is_study_folder(options.result):
        from cosim.studies.report import write_study_figures, write_study_report

        print(f"report: {write_study_report(options.result)}")
        if options.figures:
            for figure in write_study_figures(options.result, options.figures):
                print(f"figure: {figure}")
        return 0
    if options.figures:
        raise UserError(
            "is the result of one run; --figures draws those of a study",
            file=options.result,
            remedy="give the folder of a study, or leave --figures out",
        )
    from cosim.report.report import write_report

    print(f"report: {write_report(options.result)}")
    return 0


def _schema(options: argparse.Namespace) -> int:
    from cosim.scenario import json_schema
    from cosim.scenario.page import markdown

    if options.markdown:
        print(markdown(), end="")
        return 0
    print(json.dumps(json_schema(), indent=2))
    return 0


def _grids_list(options: argparse.Namespace) -> int:
    from cosim.grid.catalogue import list_grids

    table = Table("name", "connection points", "elements", "profiles", "what it is")
    for grid in list_grids():
        table.add_row(
            grid.name,
            str(grid.n_connection_points),
            str(grid.n_elements),
            f"{grid.profiles_start} to {grid.profiles_end}",
            grid.summary,
        )
    Console().print(table)
    return 0


def _grids_import(options: argparse.Namespace) -> int:
    from cosim.grid.importers import import_pandapower, import_simbench

    if options.source.startswith("simbench:"):
        code = options.source.removeprefix("simbench:")
        folder = import_simbench(code, options.out or Path("grids") / code)
    elif options.points is None:
        raise UserError(
            "says not who is connected where",
            file=options.source,
            remedy="give a connection-point table with --points (CSV with columns name, bus)",
        )
    else:
        folder = import_pandapower(
            options.source,
            options.points,
            options.out or Path("grids") / Path(options.source).stem,
            elements=options.elements,
            profiles=options.profiles,
        )
    print(f"grid: {folder}")
    return 0


class _RunProgress:
    """A progress bar with the interval, violations so far, and time left."""

    def __init__(self, console: Console, name: str, n_intervals: int) -> None:
        self._violated = 0
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("interval {task.completed}/{task.total}"),
            TextColumn("{task.fields[violated]} with violations"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=console,
        )
        self._task = self._bar.add_task(name, total=n_intervals, violated=0)

    def tell(self, interval: int, violated: bool) -> None:
        self._violated += violated
        self._bar.update(self._task, completed=interval + 1, violated=self._violated)

    def __enter__(self) -> _RunProgress:
        self._bar.__enter__()
        return self

    def __exit__(self, *details: object) -> None:
        self._bar.__exit__(None, None, None)


if __name__ == "__main__":
    sys.exit(main())
