"""A campaign on a real Dask scheduler: workers on folders of their own, of which one is killed."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from cosim.campaigns.campaign import load_campaign
from cosim.campaigns.cluster import Cluster
from cosim.campaigns.sweep import sweep
from cosim.cli import main
from cosim.errors import ClusterError
from cosim.resources import folder as resource_folder
from cosim.results.manifest import read_manifest

distributed = pytest.importorskip("distributed")

GRID = "1-LV-rural1--1-sw"
PV = "prosumers.scaling.pv"
PATH = os.pathsep.join(entry for entry in sys.path if entry)
N_RUNS = 6


def start(folder: Path, *arguments: str, path: str = PATH) -> subprocess.Popen[bytes]:
    """Start a scheduler or a worker in a folder of its own."""
    folder.mkdir(parents=True)
    with (folder / "log").open("wb") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "dask", *arguments],
            cwd=folder,
            env=os.environ | {"PYTHONPATH": path, "OPENBLAS_NUM_THREADS": "1"},
            stdout=log,
            stderr=subprocess.STDOUT,
        )


def worker(address: str, folder: Path, path: str = PATH) -> subprocess.Popen[bytes]:
    # without a nanny, which would start a killed worker anew
    options = ("--no-nanny", "--nthreads", "1", "--no-dashboard", "--local-directory", ".")
    return start(folder, "worker", address, *options, path=path)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("dask")


@pytest.fixture(scope="module")
def scheduler(place: Path) -> Iterator[str]:
    file = place / "scheduler.json"
    options = ("--port", "0", "--no-dashboard", "--host", "127.0.0.1", "--scheduler-file", file)
    process = start(place / "scheduler", "scheduler", *map(str, options))
    deadline = time.monotonic() + 60
    while not file.is_file() or not file.read_text().strip():
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.05)
    yield str(yaml.safe_load(file.read_text())["address"])
    process.kill()
    process.wait()


@pytest.fixture(scope="module")
def campaign_file(place: Path) -> Path:
    """A campaign whose grid and prices are files that no worker has."""
    shutil.copytree(resource_folder("grids") / GRID, place / "mine" / "feeder")
    times = pd.date_range("2016-05-24T11:00:00", periods=3, freq="15min")
    prices = pd.DataFrame({"time": times, "eur_per_kwh": [0.05, 0.06, 0.07]})
    prices.to_csv(place / "mine" / "prices.csv", index=False)
    file = place / "mine" / "tiny.yaml"
    fields: dict[str, Any] = {
        "name": "tiny",
        "seed": 1,
        "time": {"start": "2016-05-24T11:00:00", "intervals": 2},
        "grid": {"network": "feeder", "reference_sample": 1},
        "valuation": {
            "wholesale_eur_per_kwh": {
                "file": "prices.csv",
                "column": "eur_per_kwh",
                "unit": "EUR/kWh",
            }
        },
        "campaign": {"vary": {PV: [1 + k / 10 for k in range(N_RUNS)]}},
    }
    file.write_text(yaml.safe_dump(fields, sort_keys=False))
    return file


def plays(address: str) -> Counter[str]:
    """How often the scheduler had each run finished by a worker."""

    def counted(dask_scheduler: Any) -> list[str]:
        return [
            str(key)
            for key, first, last, *_ in dask_scheduler.transition_log
            if first == "processing" and last == "memory"
        ]

    with distributed.Client(address, set_as_default=False) as client:
        keys = client.run_on_scheduler(counted)
    return Counter(key.split("-")[1] for key in keys if not key.startswith("cosim-in-"))


def test_a_worker_is_killed_half_way_and_nothing_is_lost_or_twice(
    scheduler: str, campaign_file: Path, place: Path
) -> None:
    workers = [worker(scheduler, place / f"worker {k}") for k in (1, 2)]
    folder = place / "result"
    campaign = load_campaign(campaign_file)
    killed: list[int] = []

    def kill_one_half_way() -> None:
        deadline = time.monotonic() + 120
        while len(list((folder / "runs").glob("*/manifest.json"))) < 2:
            if time.monotonic() > deadline:
                return
            time.sleep(0.02)
        os.kill(workers[0].pid, signal.SIGKILL)
        killed.append(workers[0].pid)

    thread = threading.Thread(target=kill_one_half_way)
    thread.start()
    result = sweep(campaign, folder, executor=Cluster(scheduler, 2, connect_s=60))
    thread.join()
    assert killed
    assert (result.played, result.complete, result.errors) == (N_RUNS, True, {})
    assert {path.name for path in (folder / "runs").iterdir()} == set(campaign.distinct)
    # what the killed worker was sending when it died is the only run that may be played again
    counts = plays(scheduler)
    assert set(counts) == set(campaign.distinct)
    assert sum(counts.values()) <= N_RUNS + 1
    # nothing of a run stays with a worker
    assert not list(place.glob("worker*/**/manifest.json"))
    assert sweep(campaign, folder, executor=Cluster(scheduler, 1, connect_s=60)).played == 0

    # what came back has the bytes of a run here
    own = place / "own"
    chosen = list(campaign.distinct)[:1]
    shutil.copytree(folder, own, ignore=lambda _, names: [n for n in names if n in chosen])
    assert sweep(campaign, own, jobs=1).played == 1
    for run in chosen:
        here, there = own / "runs" / run, folder / "runs" / run
        names = sorted(p.relative_to(there).as_posix() for p in there.rglob("*") if p.is_file())
        assert names == sorted(
            p.relative_to(here).as_posix() for p in here.rglob("*") if p.is_file()
        )
        assert "inputs/grid/feeder/profiles.parquet" in names
        for name in names:
            if name != "manifest.json":
                assert (here / name).read_bytes() == (there / name).read_bytes(), name
        mine, theirs = read_manifest(here), read_manifest(there)
        assert {k: v for k, v in mine.items() if k != "timing"} == {
            k: v for k, v in theirs.items() if k != "timing"
        }
    for each in workers:
        each.kill()
        each.wait()


def test_a_worker_of_another_version_is_named_before_anything_is_played(
    scheduler: str, campaign_file: Path, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = place / "other version"
    root = resource_folder("grids").parent
    if (root / "pyproject.toml").is_file():
        for name in ("cosim", "contracts", "grids"):
            shutil.copytree(root / name, other / name, ignore=shutil.ignore_patterns("__pycache__"))
    else:  # a wheel
        shutil.copytree(root, other / "cosim")
    module = other / "cosim" / "units.py"
    module.write_text(module.read_text() + "\n# changed\n")
    theirs = worker(scheduler, place / "worker of another version", f"{other}{os.pathsep}{PATH}")
    folder = place / "refused"
    try:
        with pytest.raises(ClusterError, match="is another version: code ") as caught:
            sweep(
                load_campaign(campaign_file), folder, executor=Cluster(scheduler, 1, connect_s=60)
            )
        assert "worker tcp://127.0.0.1" in str(caught.value)
        assert "requirements.lock" in str(caught.value)
        assert not folder.exists()
    finally:
        theirs.kill()
        theirs.wait()


def test_a_scheduler_that_is_not_there_is_told_before_anything_is_played(
    campaign_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(Cluster.__init__, "__defaults__", (1.0,))
    folder = tmp_path / "result"
    address = "tcp://127.0.0.1:9"
    assert main(["sweep", str(campaign_file), "--out", str(folder), "--dask", address]) == 2
    told = capsys.readouterr().err
    assert f"no scheduler can be reached at {address}" in told
    assert "remedy: give its address" in told
    assert not folder.exists()


@pytest.mark.parametrize(
    ("where", "says"),
    [
        ("nowhere", "'nowhere' is no address of a scheduler"),
        ("tcp://host", "'tcp://host' is no address of a scheduler"),
        ("slurm", "there is no sbatch on this machine"),
        ("pbs", "there is no qsub on this machine"),
    ],
)
def test_what_cannot_be_a_cluster_is_refused_at_once(
    where: str,
    says: str,
    campaign_file: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    begin = time.monotonic()
    arguments = ["sweep", str(campaign_file), "--out", str(tmp_path / "result")]
    assert main([*arguments, "--dask", where]) == 2
    assert f"field --dask: {says}" in capsys.readouterr().err
    assert time.monotonic() - begin < 20
    assert not (tmp_path / "result").exists()


def test_jobs_of_a_batch_system_are_workers(
    campaign_file: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """dask-jobqueue writes and submits the jobs; here sbatch runs them on this machine."""
    programs = place / "bin"
    programs.mkdir()
    sbatch, scancel = programs / "sbatch", programs / "scancel"
    sbatch.write_text(
        f'#!/bin/bash\ncp "$1" "{place}/job.sh"\n'
        f'nohup bash "{place}/job.sh" > "{place}/job.log" 2>&1 &\n'
        'echo "Submitted batch job $!"\n'
    )
    scancel.write_text('#!/bin/bash\nkill "$1"\n')
    for program in (sbatch, scancel):
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", PATH)
    monkeypatch.chdir(place)
    before = signal.getsignal(signal.SIGTERM)
    campaign = load_campaign(campaign_file)
    short = replace(campaign, runs=campaign.runs[:1])
    result = sweep(short, place / "by jobs", dask="slurm", jobs=1)
    assert (result.played, result.complete) == (1, True)
    assert signal.getsignal(signal.SIGTERM) is before
    script = (place / "job.sh").read_text()
    assert "#SBATCH --cpus-per-task=1" in script
    assert "#SBATCH --mem=4G" in script


def test_a_scheduler_without_workers_is_told(
    scheduler: str, campaign_file: Path, tmp_path: Path
) -> None:
    with pytest.raises(ClusterError, match="has no workers after 1 s") as caught:
        sweep(
            load_campaign(campaign_file),
            tmp_path / "result",
            executor=Cluster(scheduler, 1, connect_s=1.0),
        )
    assert "dask worker ADDRESS" in str(caught.value)
