"""A campaign's folder: runs by hash, failures, a lock; and its manifest.

``runs/<hash>/`` is a whole result folder or not there, ``failed/<hash>.json`` an error. Whoever
sweeps holds the lock of the folder; parts of one sweep (``--part``) share it, and each run has a
lock of its own.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from cosim.campaigns.declaration import Campaign, CampaignRun
from cosim.errors import BusyFolderError, ResultFolderError
from cosim.inputs.json_file import parse_json
from cosim.inputs.kept import sha256
from cosim.results.columns import FORMAT_VERSION
from cosim.results.manifest import (
    MANIFEST,
    RUNS_FOLDER,
    git_revision,
    read_manifest,
    versions,
    write_manifest,
)
from cosim.results.parts import unfinished
from cosim.results.storage import replace_text, settled_place, writing_to
from cosim.runs.input_hash import code_identity
from cosim.studies.failures import Failure

CAMPAIGN_FILE = "campaign.yaml"
"""The campaign as it was given; marks the folder as that of a campaign."""
KIND = "campaign"
"""Of its manifest."""
FAILED_FOLDER = "failed"
LOCK = ".lock"
_PARTIAL = ".partial"


class CampaignFolder:
    """Runs and failures of a campaign on disk.

    Parameters
    ----------
    root : Path
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.runs = root / RUNS_FOLDER
        self.failed = root / FAILED_FOLDER

    def target(self, run_hash: str) -> Path:
        """Return where the result of a run is, or is to be."""
        return self.runs / run_hash

    def has(self, run_hash: str) -> bool:
        """Return True for a run that is finished."""
        if not (self.target(run_hash) / MANIFEST).is_file():
            return False
        try:
            return bool(read_manifest(self.target(run_hash))["complete"])
        except ResultFolderError:
            return False

    def failure(self, run_hash: str) -> Failure | None:
        """Return why a run failed; None if it did not."""
        try:
            data = parse_json((self.failed / f"{run_hash}.json").read_text(encoding="utf-8"))
            return Failure(**data["failure"])
        except (OSError, ValueError, TypeError, KeyError):
            return None

    def record(self, run: CampaignRun, failure: Failure) -> None:
        """Write down why a run failed."""
        told = {"values": run.values, "seed": run.scenario.seed, "failure": asdict(failure)}
        with writing_to(self.failed):
            self.failed.mkdir(exist_ok=True)
            text = json.dumps(told, indent=2, ensure_ascii=False, default=str)
            replace_text(self.failed / f"{run.hash}.json", text + "\n")

    def forgive(self, run_hash: str) -> None:
        """Forget a failure."""
        (self.failed / f"{run_hash}.json").unlink(missing_ok=True)

    def clear(self) -> None:
        """Remove what killed runs left, but checkpoints, from which they go on.

        None is under way while the lock is held alone.
        """
        for path in self.runs.glob(f"*{_PARTIAL}"):
            if unfinished(path.with_name(path.name.removesuffix(_PARTIAL))) is None:
                shutil.rmtree(path, ignore_errors=True)
        for path in self.root.glob(f".*{_PARTIAL}"):
            with suppress(OSError):
                path.unlink()


@contextmanager
def opened(out: Path, campaign: Campaign, *, shared: bool = False) -> Iterator[CampaignFolder]:
    """Open the folder of a campaign, made if it is not there, and hold its lock.

    Parameters
    ----------
    out : Path
    campaign : Campaign
    shared : bool
        Let other parts of the same sweep work there at the same time.

    Raises
    ------
    ResultFolderError
        If something else is there.
    BusyFolderError
        If another sweep is at work there.
    StorageError
        If nothing can be written there.
    """
    root = settled_place(out)
    if root.exists() and not root.is_dir():
        raise _in_the_way(root, "is in the way of the campaign's folder and is not a folder")
    if root.is_dir() and any(root.iterdir()) and not (root / CAMPAIGN_FILE).is_file():
        names = {path.name for path in root.iterdir()}
        if names - {LOCK}:
            raise _in_the_way(root, f"is not the folder of a campaign (it has no {CAMPAIGN_FILE})")
    with writing_to(root):
        root.mkdir(parents=True, exist_ok=True)
        lock = (root / LOCK).open("w", encoding="utf-8")
    with lock:
        try:
            fcntl.flock(lock, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except OSError:
            raise BusyFolderError(
                "another sweep is at work in this folder",
                file=root,
                remedy="wait for it to end, or name another folder with --out",
            ) from None
        folder = CampaignFolder(root)
        with writing_to(root):
            folder.runs.mkdir(exist_ok=True)
            if not shared or not (root / CAMPAIGN_FILE).is_file():
                _put(root / CAMPAIGN_FILE, campaign.text)
            if not shared:
                folder.clear()
        yield folder


def _in_the_way(root: Path, problem: str) -> ResultFolderError:
    return ResultFolderError(
        f"{problem} and will not be written to",
        file=root,
        remedy="name another folder with --out (in Python out=)",
    )


def _put(path: Path, text: str) -> None:
    """Write a file whole, also when several processes do at once."""
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=_PARTIAL, dir=path.parent)
    with os.fdopen(handle, "w", encoding="utf-8") as stream:
        stream.write(text)
    os.chmod(name, 0o644)
    os.replace(name, path)


def write_campaign_manifest(
    folder: CampaignFolder,
    campaign: Campaign,
    status: dict[str, str],
    tables: Sequence[str],
    timing: dict[str, Any],
) -> None:
    """Write the manifest of a campaign's folder.

    Parameters
    ----------
    folder : CampaignFolder
    campaign : Campaign
    status : dict
        ``done``, ``failed`` or ``missing`` by hash.
    tables : sequence of str
        Names of files in the folder that are hashed.
    timing : dict
        The only entry that differs when the campaign is played again.
    """
    found = [name for name in (CAMPAIGN_FILE, *tables) if (folder.root / name).is_file()]
    manifest = {
        "format": FORMAT_VERSION,
        "kind": KIND,
        "name": campaign.name,
        "description": campaign.description,
        "complete": all(each == "done" for each in status.values()),
        "design": campaign.design,
        "parameters": list(campaign.parameters),
        "indicators": list(campaign.indicators),
        "seeds": campaign.seeds,
        "runs": [
            {
                "name": run.hash,
                "point": run.point,
                "number": run.number,
                "seed": run.scenario.seed,
                "values": [run.values.get(name) for name in campaign.parameters],
                "status": status[run.hash],
            }
            for run in campaign.runs
        ],
        "impossible": [asdict(one) for one in campaign.impossible],
        "versions": versions(),
        "code": code_identity()["code"],
        "git_revision": git_revision(),
        "sha256": {name: sha256(folder.root / name) for name in sorted(found)},
        "timing": timing,
    }
    write_manifest(folder.root, manifest)


def is_campaign_folder(folder: str | Path) -> bool:
    """Return True for the folder of a campaign.

    Raises
    ------
    ResultFolderError
        If it is no result folder at all.
    """
    return read_manifest(folder).get("kind") == KIND
