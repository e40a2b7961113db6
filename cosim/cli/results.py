"""Commands about a result folder: ``report``, ``verify``, ``sign``, ``export-transactions``."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

from rich.console import Console

from cosim.cli.options import EXIT_FAILED, EXIT_NOT_RERUN, positive, seconds, tell_slow_engine
from cosim.cli.output import stop_if_unread
from cosim.errors import CheckError, UserError
from cosim.plugins.evm_engine import AUTO, builds_blocks, engine_names
from cosim.results.parts import require_finished

ONLY = ("rerun", "replay", "recompute", "files", "ledger", "grid", "indicators", "report")
"""Names that ``verify --only`` takes: the questions, and parts of the last two."""


def add_results(commands: Any) -> None:
    """Add the commands to those of the command line."""
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
        choices=engine_names(),
        default=AUTO,
        help="what the transactions are replayed on [auto: the fastest that is installed]",
    )
    verify.add_argument("--url", help="a fresh node, for the engine rpc")
    verify.add_argument(
        "--every", type=positive, default=1, metavar="N", help="solve every N-th interval [1]"
    )
    verify.add_argument(
        "--jobs", type=positive, default=1, metavar="N", help="processes that solve [1]"
    )
    verify.add_argument(
        "--only",
        action="extend",
        type=_parts,
        metavar="PART",
        help=f"check this alone: {', '.join(ONLY)}; several with commas, or given again [all]",
    )
    verify.add_argument(
        "--trust",
        action="store_true",
        help="let the scenario start the programs and import the modules that it names",
    )
    verify.add_argument(
        "--anchor-url",
        metavar="URL",
        help="a node of the chain with a signed result's digest",
    )
    verify.add_argument(
        "--timeout",
        type=seconds,
        metavar="S",
        help="time for the run to be played again [30 times what it took, at least 1800 s]",
    )
    verify.add_argument("-v", "--verbose", action="store_true", help="print every check and note")
    verify.set_defaults(run=_verify)

    sign = commands.add_parser("sign", help="sign a result folder with an Ethereum key")
    sign.add_argument("result", type=Path, metavar="RESULT")
    sign.add_argument("--key", type=Path, required=True, metavar="FILE", help="private key, in hex")
    sign.add_argument(
        "--anchor", metavar="URL", help="also put its digest into a transaction on this node"
    )
    sign.set_defaults(run=_sign)

    export = commands.add_parser(
        "export-transactions", help="write a run's transactions as raw signed ones, with test keys"
    )
    export.add_argument("result", type=Path, metavar="RESULT")
    export.add_argument("--out", type=Path, help="folder to be made [RESULT-transactions]")
    export.add_argument("--max-fee-gwei", type=float, help="for a node with a base fee")
    export.add_argument("--force", action="store_true", help="replace an earlier export there")
    export.set_defaults(run=_export_transactions)


def _parts(text: str) -> list[str]:
    """Names of what is checked, with commas between them."""
    names = [name.strip() for name in text.split(",")]
    for name in names:
        if name not in ONLY:
            raise argparse.ArgumentTypeError(f"{name!r} is none of {', '.join(ONLY)}")
    return names


def _report(options: argparse.Namespace) -> int:
    from cosim.results.damage import reading

    require_finished(options.result)
    with reading(options.result):
        return _report_of(options)


def _report_of(options: argparse.Namespace) -> int:
    from cosim.campaigns.folder import is_campaign_folder
    from cosim.studies.results import is_study_folder

    if is_campaign_folder(options.result):
        from cosim.campaigns.report import write_campaign_figures, write_campaign_report

        print(f"report: {write_campaign_report(options.result)}")
        if options.figures:
            for figure in write_campaign_figures(options.result, options.figures):
                print(f"figure: {figure}")
        return 0
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


def _verify(options: argparse.Namespace) -> int:
    from cosim.campaigns.verification import verify_any
    from cosim.results.manifest import read_manifest
    from cosim.studies.verification import whole_verdict
    from cosim.verify.effort import expected_effort
    from cosim.verify.report import print_verification
    from cosim.verify.verification import PARTS, parts_of

    if builds_blocks(options.engine) and not options.url:
        raise UserError(
            "is missing", field="--url", remedy="give the address of a fresh node, http://..."
        )
    require_finished(options.result)
    tell_slow_engine(options.engine)
    console = Console()
    for line in expected_effort(
        options.result, parts_of(options.only or PARTS), options.every, options.jobs
    ):
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    begin = time.monotonic()
    engine, checked_folders, told = options.engine, [], set[str]()
    whole = read_manifest(options.result).get("kind") in ("study", "campaign")
    checked = verify_any(
        options.result,
        engine,
        options.url,
        every=options.every,
        jobs=options.jobs,
        parts=parts_of(options.only or PARTS),
        trust=options.trust,
        anchor_url=options.anchor_url,
        timeout_s=options.timeout,
    )
    with console.status(f"verifying {options.result}"):
        try:
            for done in checked:
                print_verification(done, console, options.verbose, not whole, told)
                stop_if_unread()
                engine = done.engine
                checked_folders.append(done)
        except CheckError as error:
            if not any(done.failed for done in checked_folders):
                raise
            # what was found before is what counts
            console.print(f"no further run was checked: {error}", markup=False, soft_wrap=True)
    if whole:
        console.print(
            whole_verdict(options.result, checked_folders),
            markup=False,
            highlight=False,
            soft_wrap=True,
        )
    console.print(f"verified on {engine} in {time.monotonic() - begin:.1f} s")
    if any(done.failed for done in checked_folders):
        return EXIT_FAILED
    nothing = whole and len(checked_folders) < 2
    return EXIT_NOT_RERUN if nothing or any(done.left_out for done in checked_folders) else 0


def _sign(options: argparse.Namespace) -> int:
    from cosim.results.signature import anchor_result, read_key, sign_result

    require_finished(options.result)
    key = read_key(options.key)
    said = sign_result(options.result, key)
    print(f"signed by {said['signer']}: SHA-256 of the manifest {said['manifest_sha256']}")
    if options.anchor:
        anchor = anchor_result(options.result, key, options.anchor)["anchor"]
        print(
            f"anchored in transaction {anchor['transaction']}, block {anchor['block']} of chain "
            f"{anchor['chain_id']}"
        )
    return 0


def _export_transactions(options: argparse.Namespace) -> int:
    from cosim.verify.export import export_transactions

    require_finished(options.result)
    begin = time.monotonic()
    done = export_transactions(
        options.result, options.out, max_fee_gwei=options.max_fee_gwei, force=options.force
    )
    spent = time.monotonic() - begin
    print(
        f"{done.n_transactions} transactions of {done.n_senders} test accounts signed "
        f"in {spent:.1f} s"
    )
    print(f"export: {done.folder}")
    return 0
