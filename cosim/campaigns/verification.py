"""Checks of a whole campaign: its own files and what they say of its runs, then every run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from cosim.campaigns import sensitivity, table
from cosim.campaigns.campaign import load_campaign, run_name
from cosim.campaigns.declaration import Campaign
from cosim.campaigns.folder import (
    CAMPAIGN_FILE,
    FAILED_FOLDER,
    LOCK,
    CampaignFolder,
    is_campaign_folder,
)
from cosim.campaigns.report import render_campaign
from cosim.campaigns.sensitivity import sensitivities
from cosim.campaigns.table import DONE, FAILED, campaign_table, statuses
from cosim.errors import UserError
from cosim.evm.engine import choose_engine
from cosim.inputs.kept import sha256
from cosim.plugins.evm_engine import AUTO, builds_blocks
from cosim.replay.findings import Check
from cosim.report.report import REPORT
from cosim.results.manifest import MANIFEST, RUNS_FOLDER, read_manifest
from cosim.results.reader import Results
from cosim.results.signature import SIGNATURE
from cosim.scenario import Scenario
from cosim.studies.verification import comparable, verify_folder
from cosim.verify.inputs import compare_report
from cosim.verify.rerun import compare_tables
from cosim.verify.signature import check_signature
from cosim.verify.trees import differing
from cosim.verify.verification import PARTS, Verification, verify

Recorded = Callable[[], tuple[Campaign, str]]
"""Gives the declared campaign with its runs named as recorded, and what is wrong with the names."""
_TABLES = (
    (table.TABLE, table.CSV),
    (sensitivity.TABLE, sensitivity.CSV),
)


def verify_any(
    folder: str | Path,
    engine: str = AUTO,
    url: str | None = None,
    *,
    parts: Sequence[str] = PARTS,
    anchor_url: str | None = None,
    **options: Any,
) -> Iterator[Verification]:
    """Check the result of a run, of a study or of a campaign: its own files, then each run.

    Parameters
    ----------
    folder : str or Path
        A result folder, a study's or a campaign's. Runs of a campaign need no report.
    engine, url, parts, anchor_url, **options
        See :func:`cosim.verify.verification.verify`.

    Yields
    ------
    Verification
        Of each folder, when it is done.

    Raises
    ------
    UserError
        If the folder is none of them, the engine cannot be used, or it is a node and there are
        several runs.
    """
    if not is_campaign_folder(folder):
        yield from verify_folder(folder, engine, url, parts=parts, anchor_url=anchor_url, **options)
        return
    runs = _done(read_manifest(folder))
    if builds_blocks(engine):
        raise UserError(
            "is a campaign, and a node can replay one run only",
            file=folder,
            remedy="verify its runs one by one, each on a fresh node",
        )
    yield verify_campaign(folder, choose_engine(engine), anchor_url)
    for run in runs:
        place = Path(folder) / RUNS_FOLDER / run
        yield verify(place, engine, parts=parts, may_lack_report=True, **options)


def verify_campaign(folder: str | Path, engine: str, anchor_url: str | None = None) -> Verification:
    """Check a campaign's own files: what they say follows from its file and its runs."""
    done = Verification(Path(folder), engine)
    recorded = cache(partial(_as_recorded, Path(folder)))  # every point is validated, once
    done.run("campaign", check_files, folder, recorded)
    done.run("declaration", check_declaration, folder, recorded)
    done.run("tables", check_tables, folder, recorded)
    done.run("report", check_campaign_report, folder)
    done.run("signature", check_signature, folder, anchor_url)
    return done


def check_files(folder: str | Path, recorded: Recorded) -> Check:
    """Hash a campaign's files again, and look for others and for runs that are not there."""
    check = Check("campaign", "SHA-256 of its files; no other file; which runs are done")
    root, manifest = Path(folder), read_manifest(folder)
    for name, stated in sorted(manifest["sha256"].items()):
        file = root / name
        check.equal(name, "", "sha256", stated, sha256(file) if file.is_file() else "no such file")
    runs = {*_done(manifest)}
    failed = {f"{run['name']}.json" for run in manifest["runs"] if run["status"] == FAILED}
    own = {*manifest["sha256"], MANIFEST, REPORT, SIGNATURE, LOCK}
    for path in sorted(root.rglob("*")):
        name, parts = path.relative_to(root).as_posix(), path.relative_to(root).parts
        known = (
            (parts[0] == RUNS_FOLDER and len(parts) > 2 and parts[1] in runs)
            or (parts[0] == FAILED_FOLDER and len(parts) == 2 and parts[1] in failed)
            or name in own
        )
        if path.is_file() and not known:
            check.differ(name, "", "", "a file", "nothing that a campaign writes")
    stated = {run["name"]: run["status"] for run in manifest["runs"]}
    found = statuses(CampaignFolder(root), recorded()[0])
    for name, status in stated.items():
        check.equal(MANIFEST, f"run {name}", "status", status, found.get(name, "undeclared"))
    check.equal(
        MANIFEST, "", "complete", manifest["complete"], all(own == DONE for own in found.values())
    )
    return check


def check_declaration(folder: str | Path, recorded: Recorded) -> Check:
    """Compare runs, their points and their scenarios with what ``campaign.yaml`` says."""
    check = Check("declaration", f"runs and their scenarios, by {CAMPAIGN_FILE}")
    root, manifest = Path(folder), read_manifest(folder)
    campaign, problem = recorded()
    own = {
        "name": campaign.name,
        "description": campaign.description,
        "design": campaign.design,
        "parameters": list(campaign.parameters),
        "indicators": list(campaign.indicators),
        "seeds": campaign.seeds,
        "impossible": [asdict(one) for one in campaign.impossible],
    }
    for field, value in own.items():
        check.equal(MANIFEST, "", field, manifest.get(field), value)
    if not check.equal(MANIFEST, "", "runs", len(manifest["runs"]), len(campaign.runs)):
        return check
    if problem:
        check.differ(MANIFEST, "runs", "", problem, "runs that the campaign declares")
    for stated, run in zip(manifest["runs"], campaign.runs, strict=True):
        row = f"run {stated['name']}"
        check.equal(MANIFEST, row, "point", stated["point"], run.point)
        check.equal(MANIFEST, row, "number", stated["number"], run.number)
        check.equal(MANIFEST, row, "seed", stated["seed"], run.scenario.seed)
        values = [run.values.get(name) for name in campaign.parameters]
        check.equal(MANIFEST, row, "values", stated["values"], values)
        if stated["status"] != DONE:
            check.note(f"{row} is {stated['status']}: the campaign's word")
            continue
        played = Results(root / RUNS_FOLDER / str(stated["name"])).scenario
        name = run_name(campaign.name, run.hash)
        check.equal("scenario.yaml", row, "name", played.name, name)
        for place, said, true in differing(_unnamed(played), _unnamed(run.scenario)):
            check.differ("scenario.yaml", row, place, said, true)
    return check


def check_tables(folder: str | Path, recorded: Recorded) -> Check:
    """Make the tables of runs and of sensitivities again, from the runs' manifests."""
    check = Check("tables", "a row per run and sensitivities, from the runs' manifests")
    root = Path(folder)
    campaign, _ = recorded()
    place = CampaignFolder(root)
    rows = campaign_table(place, campaign, statuses(place, campaign))
    for (name, text), again in zip(_TABLES, (rows, sensitivities(campaign, rows)), strict=True):
        if not len(again):
            if (root / name).exists():
                check.differ(name, "", "", "a file", "nothing to say")
            continue
        if not (root / name).is_file():
            check.differ(name, "", "", "no such file", "a table")
            continue
        arrow = pa.Table.from_pandas(again, preserve_index=False).replace_schema_metadata(None)
        compare_tables(check, name, pq.read_table(root / name), arrow, close=True)
        as_text = pd.read_parquet(root / name).to_csv(index=False)
        check.equal(text, "", "text", (root / text).read_text("utf-8"), as_text)
    return check


def check_campaign_report(folder: str | Path) -> Check:
    """Render the campaign's report again, and compare its text."""
    check = Check("report", "report.html of the campaign rendered again")
    compare_report(check, folder, lambda: render_campaign(folder))
    return check


def _done(manifest: dict[str, Any]) -> list[str]:
    """Return the names of finished runs, each once, in the order of the design."""
    return list(
        dict.fromkeys(str(run["name"]) for run in manifest["runs"] if run["status"] == DONE)
    )


def _as_recorded(root: Path) -> tuple[Campaign, str]:
    """Return the declared campaign with its runs named as the manifest has them.

    Another version of cosim would give them other names. Also returns what is wrong with the names:
    two runs of one name that are not one scenario, or two names for one.
    """
    campaign = load_campaign(root / CAMPAIGN_FILE, hash_of=lambda scenario: "")
    names = [str(run["name"]) for run in read_manifest(root)["runs"]]
    runs = tuple(replace(run, hash=name) for run, name in zip(campaign.runs, names, strict=False))
    by_name: dict[str, Any] = {}
    by_content: dict[str, str] = {}
    problem = ""
    for run in runs:
        content = repr(run.scenario.model_copy(update={"name": "", "description": ""}))
        if by_name.setdefault(run.hash, content) != content:
            problem = f"{run.hash} for two different runs"
        if by_content.setdefault(content, run.hash) != run.hash:
            problem = f"{run.hash} and {by_content[content]} for one run"
    return replace(campaign, runs=runs), problem


def _unnamed(scenario: Scenario) -> dict[str, Any]:
    fields = comparable(scenario)
    for name in ("name", "description"):
        fields.pop(name)
    return fields
