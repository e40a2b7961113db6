"""Command ``sweep``: a campaign of many runs."""

from __future__ import annotations

import argparse
import re
import time
from pathlib import Path
from typing import Any

from rich.console import Console

from cosim.cli.options import EXIT_FAILED, positive, tell_slow_engine
from cosim.errors import UserError
from cosim.plugins.evm_engine import builds_blocks, engine_names

KEPT = "what is finished is kept; the same command goes on"


def add_sweep(commands: Any) -> None:
    """Add the command to those of the command line."""
    sweep = commands.add_parser(
        "sweep", help="play the runs of a campaign that are missing in its folder"
    )
    sweep.add_argument(
        "campaign",
        metavar="CAMPAIGN",
        help="a file with a section campaign, or a study, or the name of one that comes with cosim",
    )
    sweep.add_argument("--out", type=Path, help="folder of the campaign [results/<name>]")
    sweep.add_argument(
        "--jobs", type=positive, metavar="N", help="runs at once; workers of --dask [one per core]"
    )
    sweep.add_argument(
        "--dask",
        metavar="ADDRESS",
        help="play runs on a Dask scheduler; local, slurm and pbs start one [processes here]",
    )
    sweep.add_argument(
        "--write-slurm",
        type=Path,
        metavar="FILE",
        help="play nothing: write an array script for sbatch, of --jobs tasks",
    )
    sweep.add_argument(
        "--part", type=_part, metavar="K/N", help="play part K of N alone, of an array script"
    )
    sweep.add_argument("--retry", action="store_true", help="play failed runs again, too")
    sweep.add_argument("--engine", choices=engine_names(), help="EVM engine [as the scenario]")
    sweep.add_argument(
        "--trust",
        action="store_true",
        help="let the scenario start the programs and import the modules that it names",
    )
    sweep.set_defaults(run=_sweep)


def _part(text: str) -> tuple[int, int]:
    """K/N with K from 1 to N."""
    found = re.fullmatch(r"(\d+)/(\d+)", text)
    number, n = (int(found[1]), int(found[2])) if found else (0, 0)
    if not 1 <= number <= n:
        raise argparse.ArgumentTypeError(f"{text!r} is no part such as 1/8 or 8/8")
    return number, n


def _sweep(options: argparse.Namespace) -> int:
    from cosim.campaigns.campaign import load_campaign
    from cosim.campaigns.sweep import default_folder
    from cosim.scenario.loading import find_scenario

    if builds_blocks(options.engine):
        raise UserError(
            "a campaign has many runs, and a node can play one run only",
            field="--engine",
            remedy="leave out --engine rpc, or run a scenario.yaml of its runs",
        )
    overrides = {"ledger.engine": options.engine} if options.engine else None
    campaign = load_campaign(find_scenario(options.campaign), overrides)
    out = options.out or default_folder(campaign)
    if options.write_slurm:
        return _write_slurm(options, campaign, out)
    # imported after the campaign is known to be sound
    from cosim.campaigns.screen import SweepProgress, print_sweep, summary
    from cosim.campaigns.sweep import sweep

    tell_slow_engine(*(run.scenario.ledger.engine for run in campaign.runs))
    console = Console()
    begin = time.monotonic()
    with SweepProgress(console, campaign.name) as progress:
        try:
            result = sweep(
                campaign,
                out,
                jobs=options.jobs,
                dask=options.dask,
                retry=options.retry,
                part=options.part,
                progress=progress.tell,
                trust=options.trust,
            )
        except KeyboardInterrupt as stopped:  # while tables are written
            raise KeyboardInterrupt(str(stopped) or KEPT) from None
    if options.part is None:
        print_sweep(result, console)
    spent = time.monotonic() - begin
    console.print(f"{campaign.name}: {summary(result)}, in {spent:.1f} s")
    if result.errors and not options.retry:
        console.print("failed runs stay failed; --retry plays them again")
    console.print(f"result: {result.folder}", soft_wrap=True)
    if options.part is None:
        console.print(f"table: {result.parquet}", soft_wrap=True)
        console.print(f"report: {result.report}", soft_wrap=True)
    if result.interrupted:
        raise KeyboardInterrupt(KEPT)
    return EXIT_FAILED if result.errors else 0


def _write_slurm(options: argparse.Namespace, campaign: Any, out: Path) -> int:
    from cosim.campaigns.batch import write_slurm
    from cosim.campaigns.folder import CampaignFolder
    from cosim.campaigns.sweep import missing_runs
    from cosim.scenario.trust import require_trust

    for run in campaign.runs:
        require_trust(run.scenario, campaign.file, options.trust)
    missing = len(missing_runs(CampaignFolder(out), campaign, options.retry, None))
    if not missing:
        print(f"{campaign.name}: nothing is missing, so no script was written")
        return 0
    n_parts = min(options.jobs or missing, missing)
    further = ["--engine", options.engine] if options.engine else []
    further += ["--retry"] if options.retry else []
    further += ["--trust"] if options.trust else []
    write_slurm(options.write_slurm, options.campaign, out, missing, n_parts, further)
    print(f"script: {options.write_slurm} ({missing} runs in {n_parts} parts)")
    print(f"submit it: sbatch {options.write_slurm}")
    return 0
