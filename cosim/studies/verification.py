"""Checks of a whole study: its own files and what they say of its runs, then every run."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq

from cosim.errors import UserError
from cosim.evm.engine import choose_engine
from cosim.plugins.evm_engine import AUTO, builds_blocks
from cosim.replay.findings import Check, printable
from cosim.results.manifest import MANIFEST, RUNS_FOLDER, read_manifest
from cosim.results.reader import Results
from cosim.scenario import Scenario
from cosim.studies.differences import COMPARISON_CSV, COMPARISON_TABLE, write_comparison
from cosim.studies.folder import STUDY_FILE
from cosim.studies.optimum_check import check_optima
from cosim.studies.outcomes import outcomes_of
from cosim.studies.report import compared_runs, render_study
from cosim.studies.results import STUDY_CSV, STUDY_TABLE, read_runs, write_study_table
from cosim.studies.study import load_study
from cosim.verify.inputs import compare_report
from cosim.verify.rerun import compare_tables
from cosim.verify.signature import check_signature
from cosim.verify.study import check_study, study_runs
from cosim.verify.trees import differing
from cosim.verify.verification import PARTS, Verification, verify

WRITTEN_OUT = (
    ("market", "bilateral"),
    ("market", "retail"),
    ("market", "feed_in"),
    ("valuation", "wholesale_eur_per_kwh"),
)
"""Fields that a run may write out from files and the grid."""


def verify_folder(
    folder: str | Path,
    engine: str = AUTO,
    url: str | None = None,
    *,
    every: int = 1,
    jobs: int = 1,
    parts: Sequence[str] = PARTS,
    trust: bool = False,
    anchor_url: str | None = None,
    timeout_s: float | None = None,
) -> Iterator[Verification]:
    """Check the result of a run, or of a study: its own files first, then each of its runs.

    Parameters
    ----------
    folder : str or Path
        A result folder, or a study's.
    engine, url, every, jobs, parts, trust, anchor_url, timeout_s
        See :func:`cosim.verify.verification.verify`.

    Yields
    ------
    Verification
        Of each folder, when it is done.

    Raises
    ------
    UserError
        If the folder is none of them, the engine cannot be used, or it is a node and the folder a
        study's.
    """
    runs = study_runs(folder)
    if runs is not None:
        if builds_blocks(engine):
            raise UserError(
                "is a study, and a node can replay one run only",
                file=folder,
                remedy=f"verify its runs one by one, each on a fresh node, e.g. {runs[0]}",
            )
        yield verify_study(folder, choose_engine(engine), anchor_url, parts)
    # the signature of a study holds the manifests of its runs
    anchor = anchor_url if runs is None else None
    for run in runs if runs is not None else [folder]:
        yield verify(
            run,
            engine,
            url,
            every=every,
            jobs=jobs,
            parts=parts,
            trust=trust,
            anchor_url=anchor,
            timeout_s=timeout_s,
        )


def verify_study(
    folder: str | Path, engine: str, anchor_url: str | None = None, parts: Sequence[str] = PARTS
) -> Verification:
    """Check a study's own files: what they say follows from the manifests of its runs.

    The central optimum, which takes longest, is solved again with the part ``grid``.
    """
    done = Verification(Path(folder), engine)
    has_optima = bool(read_manifest(folder).get("optima"))
    if has_optima and "grid" not in parts:
        done.limits = "the central optimum is not solved again"
    done.run("study", check_study, folder)
    done.run("declaration", check_declaration, folder)
    done.run("comparison", check_comparison, folder)
    done.run("expectations", check_expectations, folder)
    if "grid" in parts:
        done.run("central optimum", check_optima, folder)
    done.run("report", check_study_report, folder)
    done.run("signature", check_signature, folder, anchor_url)
    return done


def check_declaration(folder: str | Path) -> Check:
    """Compare runs, their places in the study and their scenarios with what ``study.yaml`` says."""
    check = Check("declaration", "runs and their scenarios, by study.yaml")
    root = Path(folder)
    manifest, runs = read_runs(root)
    study = load_study(root / STUDY_FILE)
    skipped = {one["name"] for one in manifest["impossible"]}
    stated = skipped - {one.name for one in study.impossible}
    if not study.settings.skip_impossible:
        stated = set()
    declared = {run.name: run for run in study.runs if run.name not in stated}
    own = {
        "name": study.name,
        "description": study.description,
        "expectation": study.settings.expectation,
        "axes": list(study.settings.axes),
        "seeds": study.settings.seeds,
        "comparisons": [
            asdict(one) for one in study.comparisons if {one.run, one.against} <= {*declared}
        ],
    }
    for field, value in own.items():
        check.equal(MANIFEST, "", field, manifest.get(field), value)
    check.equal(MANIFEST, "runs", "name", [run.name for run in runs], list(declared))
    for run in runs:
        if (one := declared.get(run.name)) is None:
            continue
        row = f"run {run.name}"
        check.equal(MANIFEST, row, "variant", run.variant, one.variant)
        check.equal(MANIFEST, row, "values", run.values, one.values)
        check.equal(MANIFEST, row, "replication", run.replication, one.replication)
        played = Results(root / RUNS_FOLDER / run.name).scenario
        for place, said, true in differing(comparable(played), comparable(one.scenario)):
            check.differ("scenario.yaml", row, place, said, true)
    for name in sorted(stated):
        check.note(f"run {name} is left out as impossible: the study's word")
    return check


def comparable(scenario: Scenario) -> dict[str, Any]:
    """Return fields of a scenario, without those that a run writes out: files, graphs, engine."""
    fields = scenario.model_dump(mode="json")
    fields["ledger"].pop("engine")
    for section, name in WRITTEN_OUT:
        if isinstance(part := fields[section], dict) and name in part:
            part.pop(name)
    return fields


def check_comparison(folder: str | Path) -> Check:
    """Write the tables of runs and of differences again, from the runs."""
    check = Check("comparison", "tables of runs and differences, written again")
    root = Path(folder)
    manifest, runs = read_runs(root)
    compared = compared_runs(root, manifest, runs)
    with tempfile.TemporaryDirectory(prefix="cosim-study-") as place:
        again = Path(place)
        write_study_table(again, runs)
        pairs = [(STUDY_TABLE, STUDY_CSV)]
        if compared:
            write_comparison(again, compared)
            pairs.append((COMPARISON_TABLE, COMPARISON_CSV))
        elif (root / COMPARISON_TABLE).exists():
            check.differ(COMPARISON_TABLE, "", "", "a file", "nothing that is compared")
        for table, text in pairs:
            if not (root / table).is_file():
                check.differ(table, "", "", "no such file", "a table")
                continue
            recorded, own = pq.read_table(root / table), pq.read_table(again / table)
            compare_tables(check, table, recorded, own)
            said, true = pd.read_csv(root / text), pd.read_csv(again / text)
            check.equal(text, "", "columns", list(said.columns), list(true.columns))
            if len(said) == len(true):
                check.columns(text, None, said, true, list(true.columns))
            else:
                check.differ(text, "", "number of rows", len(said), len(true))
    return check


def check_expectations(folder: str | Path) -> Check:
    """Compare what was expected with ``study.yaml``, and its outcomes with the runs."""
    check = Check("expectations", "what study.yaml expects, by the runs' manifests")
    root = Path(folder)
    manifest, runs = read_runs(root)
    said, own = manifest["outcomes"], outcomes_of(load_study(root / STUDY_FILE), runs)
    texts = [one.text for one in own]
    if check.equal("manifest.json", "outcomes", "text", [one["text"] for one in said], texts):
        for stated, outcome in zip(said, own, strict=True):
            for field, value in asdict(outcome).items():
                check.equal("manifest.json", outcome.text, field, stated.get(field), value)
    return check


def check_study_report(folder: str | Path) -> Check:
    """Render the study's report again, and compare its text."""
    check = Check("report", "report.html of the study rendered again")
    compare_report(check, folder, lambda: render_study(folder))
    return check


def whole_verdict(folder: str | Path, done: Sequence[Verification]) -> str:
    """Return the closing line on a study or a campaign; the first of what was checked is its own.

    Parameters
    ----------
    folder : str or Path
    done : sequence of Verification
        Its own files, then its runs.
    """
    runs = done[1:]
    failed = [one.folder.name for one in runs if one.failed]
    skipped = [one.folder.name for one in runs if one.left_out and not one.failed]
    parts = []
    if done[0].failed:
        parts.append(f"differences in its own {', '.join(done[0].failed)}")
    if failed:
        parts.append(f"differences in {len(failed)} of {len(runs)} runs: {', '.join(failed)}")
    if skipped:
        parts.append(f"{len(skipped)} of {len(runs)} runs not played again: {', '.join(skipped)}")
    manifest = read_manifest(folder)
    name = f"{manifest['kind']} {printable(str(manifest['name']))}"
    if parts:
        return f"{name}: NOT VERIFIED; {'; '.join(parts)}"
    if not runs:
        return f"{name}: NOT VERIFIED; none of its runs is finished"
    limits = "; ".join(dict.fromkeys(one.limits for one in done if one.limits))
    partly = f"; NOT EVERYTHING was checked: {limits}" if limits else ""
    return f"{name}: its own files and all {len(runs)} runs agree, nothing differs{partly}"
