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
from cosim.errors import CosimError, UserError
from cosim.resources import folder

if TYPE_CHECKING:
    from cosim.ledger.rpc import NodeSettings

NODE_URL = "COSIM_NODE_URL"
"""Environment variable with the URL of the node."""

EXIT_FAILED = 1
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
        "--jobs", type=_jobs, metavar="N", help="runs of a study at once [one per core]"
    )
    run.set_defaults(run=_run)

    report = commands.add_parser("report", help="write the report of a result folder anew")
    report.add_argument("result", type=Path, metavar="RESULT")
    report.add_argument(
        "--figures", type=Path, metavar="DIR", help="also draw a study's figures there, as SVG"
    )
    report.set_defaults(run=_report)

    verify = commands.add_parser("verify", help="check a result folder without trusting its author")
    verify.add_argument("result", type=Path, metavar="RESULT")
    verify.add_argument(
        "--engine",
        choices=("revm", "py-evm", "rpc"),
        default="revm",
        help="what the transactions are replayed on [revm]",
    )
    verify.add_argument("--url", help="a fresh node, for the engine rpc")
    verify.add_argument(
        "--every", type=_positive, default=1, metavar="N", help="solve every N-th interval [1]"
    )
    verify.add_argument(
        "--jobs", type=_positive, default=1, metavar="N", help="processes that solve [1]"
    )
    verify.add_argument(
        "--only",
        action="append",
        choices=("files", "ledger", "grid", "indicators"),
        help="check this part alone; may be given again [all]",
    )
    verify.set_defaults(run=_verify)

    export = commands.add_parser(
        "export-transactions", help="write a run's transactions as raw signed ones, with test keys"
    )
    export.add_argument("result", type=Path, metavar="RESULT")
    export.add_argument("--out", type=Path, help="folder to be made [RESULT-transactions]")
    export.add_argument("--max-fee-gwei", type=float, help="for a node with a base fee")
    export.add_argument("--force", action="store_true", help="replace an earlier export there")
    export.set_defaults(run=_export_transactions)

    schema = commands.add_parser("schema", help="print the JSON schema of scenario files")
    schema.add_argument("--markdown", action="store_true", help="print docs/scenarios.md instead")
    schema.set_defaults(run=_schema)

    gas = commands.add_parser("gas", help="measure what the contracts' transactions cost")
    gas.add_argument("--engine", choices=("revm", "py-evm"), default="revm", help="[revm]")
    forms = gas.add_mutually_exclusive_group()
    forms.add_argument("--json", action="store_true", help="print contract, method and gas as JSON")
    forms.add_argument("--csv", action="store_true", help="print gas of clearing by form and size")
    forms.add_argument("--markdown", action="store_true", help="print docs/gas.md")
    forms.add_argument("--figure", type=Path, metavar="SVG", help="draw gas of clearing")
    gas.set_defaults(run=_gas)

    reversal = commands.add_parser("reversal", help="how probable it is that a trade is reverted")
    reversal.add_argument("--share", type=float, nargs="+", metavar="Q", help="of the hash power")
    reversal.add_argument("--confirmations", type=int, nargs="+", metavar="Z", help="blocks on top")
    reversal.add_argument("--races", type=int, metavar="N", help="of each kind [100000]")
    reversal.add_argument("--seed", type=int, help="of the races [1]")
    forms = reversal.add_mutually_exclusive_group()
    forms.add_argument("--csv", action="store_true", help="print it as CSV")
    forms.add_argument("--markdown", action="store_true", help="print docs/finality.md")
    forms.add_argument("--figure", type=Path, metavar="SVG", help="draw it")
    reversal.set_defaults(run=_reversal)

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
    from cosim.campaign.study import is_study
    from cosim.scenario import load_scenario

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
    from cosim.analysis.gas_comparison import print_gas_comparison
    from cosim.analysis.summary import print_summary
    from cosim.experiment import run_scenario

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
    print_gas_comparison(result.folder, console)
    state = "complete" if result.complete else "INCOMPLETE (interrupted)"
    console.print(
        f"{scenario.name}: {state}, {result.intervals_done} of {scenario.time.intervals} intervals "
        f"in {time.monotonic() - begin:.1f} s"
    )
    console.print(f"result: {result.folder}", soft_wrap=True)
    console.print(f"report: {result.report}", soft_wrap=True)
    return 0 if result.complete else EXIT_INTERRUPTED


def _run_study(options: argparse.Namespace, file: Path) -> int:
    from cosim.campaign.study import load_study

    if options.engine == "rpc" or options.url or options.resume:
        raise UserError(
            "is a study, and a node can play one run only",
            file=file,
            remedy="leave out --engine rpc, --url and --resume, or run a scenario.yaml of its runs",
        )
    study = load_study(file, {"ledger.engine": options.engine} if options.engine else None)
    # imported after the study is known to be sound: pandapower takes seconds to import
    from cosim.campaign.runner import run_study
    from cosim.campaign.screen import StudyProgress, print_study

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


def _jobs(text: str) -> int:
    """A number of processes, at least 1."""
    number = int(text)
    if number < 1:
        raise ValueError
    return number


_jobs.__name__ = "number of runs (1 or more)"  # argparse names it in its message


def _node(options: argparse.Namespace, engine: str) -> NodeSettings | None:
    """Where the node is, if the engine is one."""
    from cosim.ledger.rpc import NodeSettings

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
    return NodeSettings(url, options.timeout, options.patience)


def _scenario_file(given: Path) -> Path:
    """The file given, or the scenario of that name that comes with cosim."""
    if given.exists() or given.is_absolute() or ".." in given.parts:
        return given
    scenarios = folder("scenarios")
    own = (scenarios / f"{given}.yaml", scenarios / "attacks" / f"{given}.yaml")
    return next((file for file in own if file.is_file()), given)


def _report(options: argparse.Namespace) -> int:
    from cosim.campaign.results import is_study_folder

    if is_study_folder(options.result):
        from cosim.campaign.report import write_study_figures, write_study_report

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
    from cosim.analysis.report import write_report

    print(f"report: {write_report(options.result)}")
    return 0


def _verify(options: argparse.Namespace) -> int:
    from cosim.publishing.report import print_verification
    from cosim.publishing.study import check_study, study_runs
    from cosim.publishing.verification import PARTS, Verification, verify

    if options.engine == "rpc" and not options.url:
        raise UserError(
            "is missing", field="--url", remedy="give the address of a fresh node, http://..."
        )
    console = Console()
    begin = time.monotonic()
    runs = study_runs(options.result)
    if runs is not None and options.engine == "rpc":
        raise UserError(
            "is a study, and a node can replay one run only",
            file=options.result,
            remedy=f"verify its runs one by one, each on a fresh node, e.g. {runs[0]}",
        )
    passed = True
    if runs is not None:
        own = Verification(options.result, options.engine, [check_study(options.result)])
        print_verification(own, console)
        passed = own.passed
    for result in runs if runs is not None else [options.result]:
        with console.status(f"verifying {result}"):
            done = verify(
                result,
                options.engine,
                options.url,
                every=options.every,
                jobs=options.jobs,
                parts=options.only or PARTS,
            )
        print_verification(done, console)
        passed = passed and done.passed
    console.print(f"verified on {options.engine} in {time.monotonic() - begin:.1f} s")
    return 0 if passed else EXIT_FAILED


def _export_transactions(options: argparse.Namespace) -> int:
    from cosim.publishing.export import export_transactions

    begin = time.monotonic()
    done = export_transactions(
        options.result, options.out, max_fee_gwei=options.max_fee_gwei, force=options.force
    )
    spent = time.monotonic() - begin
    print(
        f"{done.n_transactions} transactions of {done.n_senders} test accounts signed by "
        f"{'coincurve' if done.fast else 'pure Python (coincurve is missing)'} in {spent:.1f} s"
    )
    print(f"export: {done.folder}")
    return 0


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not above 0")
    return number


def _schema(options: argparse.Namespace) -> int:
    from cosim.scenario import json_schema
    from cosim.scenario_page import markdown

    if options.markdown:
        print(markdown(), end="")
        return 0
    print(json.dumps(json_schema(), indent=2))
    return 0


def _gas(options: argparse.Namespace) -> int:
    from cosim.ledger.engine import create_engine
    from cosim.ledger.gas import measure_clearing, measure_methods
    from cosim.ledger.gas.tables import as_csv, as_json, as_markdown, screen_tables

    engine = create_engine(options.engine)
    if options.figure:
        from cosim.analysis.gas_chart import clearing_chart

        options.figure.write_text(
            clearing_chart(as_csv(measure_clearing(engine))), encoding="utf-8"
        )
        print(f"figure: {options.figure}")
    elif options.csv:
        print(as_csv(measure_clearing(engine)), end="")
    elif options.json:
        print(as_json(measure_methods(engine)), end="")
    elif options.markdown:
        clearing = measure_clearing(create_engine(options.engine))
        print(as_markdown(measure_methods(engine), clearing), end="")
    else:
        Console().print(*screen_tables(measure_methods(engine)), sep="\n")
    return 0


def _reversal(options: argparse.Namespace) -> int:
    from cosim.ledger.reversal_tables import as_csv, as_markdown, compare_given, screen_table

    rows = compare_given(options.share, options.confirmations, options.races, options.seed)
    if options.figure:
        from cosim.analysis.finality_chart import finality_chart

        options.figure.write_text(finality_chart(as_csv(rows)), encoding="utf-8")
        print(f"figure: {options.figure}")
    elif options.csv or options.markdown:
        print(as_csv(rows) if options.csv else as_markdown(rows), end="")
    else:
        Console().print(screen_table(rows))
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
