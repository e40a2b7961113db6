"""Disks that are full, read-only or elsewhere: one clear line, and finished work is kept."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from cosim.cli import EXIT_USER, main
from cosim.results.manifest import read_manifest
from cosim.scenario import Scenario
from cosim.verify.verification import verify

MB = 1_000_000


@pytest.fixture
def file(tmp_path: Path, short_scenario: Callable[..., Scenario]) -> Path:
    """A scenario of two intervals."""
    file = tmp_path / "short.yaml"
    file.write_text(short_scenario(2).to_yaml())
    return file


@contextmanager
def no_file_beyond(size: int) -> Iterator[None]:
    """Let no file grow beyond a size, as a full disk would."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Callable[..., Path]]:
    """Mount a small disk of its own; options change it."""
    mounted: list[Path] = []

    def mount(options: str) -> Path:
        place = tmp_path / "disk"
        place.mkdir(exist_ok=True)
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        except FileNotFoundError:
            pytest.skip("a disk of its own needs mount")
        if done.returncode:
            pytest.skip(f"a disk of its own needs the right to mount: {done.stderr.strip()}")
        mounted.append(place)
        return place

    yield mount
    for place in mounted:
        subprocess.run(["umount", "-l", str(place)], check=False)


def said(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """What a command says that must end with exit code 2."""
    capsys.readouterr()
    assert main([str(one) for one in arguments]) == EXIT_USER
    message = capsys.readouterr().err
    assert message.startswith("cosim: file ")
    assert len(message.splitlines()) == 2  # the second is the remedy
    assert "\n  remedy: " in message
    return message


def test_a_disk_that_is_full_leaves_nothing(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with no_file_beyond(2_000):
        message = said(capsys, "run", file, "--out", tmp_path / "out" / "a")
    assert f"file {tmp_path / 'out' / 'a'}: cannot be written: " in message
    assert "File too large" in message
    assert list((tmp_path / "out").iterdir()) == []


def test_a_finished_run_is_kept_when_only_its_report_finds_no_space(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out" / "a"
    with no_file_beyond(2 * MB):
        message = said(capsys, "run", file, "--out", out)
    kept = out.with_name("a.partial")
    assert f"the run is finished and kept in {kept}" in message
    assert list(out.parent.iterdir()) == [kept]
    with no_file_beyond(2 * MB):
        assert f"file {kept}" in said(capsys, "report", kept)
    assert main(["report", str(kept)]) == 0
    assert verify(kept, parts=("files",)).passed
    before = (kept / "report.html").read_bytes()
    with no_file_beyond(2 * MB):
        said(capsys, "report", kept)
    assert (kept / "report.html").read_bytes() == before
    assert not list(kept.glob(".*"))


def test_an_export_that_finds_no_space_leaves_nothing(
    quickstart_result: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with no_file_beyond(10_000):
        said(capsys, "export-transactions", quickstart_result, "--out", tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_a_link_leads_to_where_the_result_is_put(
    file: Path, quickstart_result: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    far, link = tmp_path / "far" / "results", tmp_path / "link"
    shutil.copytree(quickstart_result, far)
    link.symlink_to(far)
    assert "exists already" in said(capsys, "run", file, "--out", link)
    assert main(["run", str(file), "--out", str(link), "--force"]) == 0
    assert link.is_symlink()
    assert read_manifest(far)["intervals"] == 2
    assert [path.name for path in far.parent.iterdir()] == ["results"]
    lost = tmp_path / "lost"
    lost.symlink_to("nowhere")
    assert "is a link to nowhere, which is not there" in said(capsys, "run", file, "--out", lost)
    assert not (tmp_path / "nowhere").exists()


def test_a_disk_of_its_own(
    file: Path, tmp_path: Path, disk: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    place = disk("size=8m")
    assert "is where a disk is mounted" in said(capsys, "run", file, "--out", place)
    # a report has 5 MB: that of the second run of a study finds no space
    fields: dict[str, Any] = yaml.safe_load(file.read_text())
    study = tmp_path / "study.yaml"
    variants = {"one": {}, "two": {"seed": 7}}
    study.write_text(yaml.safe_dump(fields | {"study": {"variants": variants}}))
    message = said(capsys, "run", study, "--jobs", 1, "--out", place / "s")
    kept = place / "s.partial" / "runs"
    assert "run 'two': cannot be written: No space left on device; 2 of its runs are" in message
    assert f"kept in {kept}" in message
    assert sorted(path.name for path in kept.iterdir()) == ["one", "two"]
    assert [(kept / name / "report.html").exists() for name in ("one", "two")] == [True, False]
    assert verify(kept / "two", parts=("files",)).passed
    disk("remount,ro")
    refused = said(capsys, "run", file, "--out", place / "b")
    assert f"file {place / 'b.partial'}: cannot be written: Read-only file system" in refused


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_of_somebody_else(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "closed").mkdir(mode=0o500)
    message = said(capsys, "run", file, "--out", tmp_path / "closed" / "a")
    assert "cannot be written: Permission denied" in message
