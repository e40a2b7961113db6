"""Sections of plug-ins: on the page and in the schema, or refused with package and entry point."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from installed_plugins import cosim_cli, install, python

from cosim.cli import EXIT_USER

GOOD = """
from typing import ClassVar

from pydantic import Field

from cosim.plugins.mechanism import Mechanism
from cosim.settings import Model, Positive


class LotterySettings(Model):
    \"\"\"A lottery among the members.\"\"\"

    ticket_eur: Positive = Field(1.0, description="what a ticket costs [EUR]")


class Lottery(Mechanism[LotterySettings]):
    section: ClassVar[str] = "lottery"
    title: ClassVar[str] = "Lottery"
    summary: ClassVar[str] = "a lottery of the members' own"
    settings_type = LotterySettings

    def deploy(self, deployment, scenario):
        raise NotImplementedError
"""
BROKEN = "import a_module_that_nobody_has\n"
NO_MECHANISM = "class Lottery:\n    pass\n"
LACKING = GOOD[: GOOD.index("    def deploy")]


@pytest.fixture
def package(tmp_path: Path):
    """Make a package ``lottery`` installed on a path of its own; gives that path."""

    def build(source: str, name: str = "lottery") -> Path:
        points = {"cosim.mechanisms": {name: "lottery:Lottery"}}
        return install(tmp_path / "site", "lottery", source, points)

    return build


def cosim(site: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return cosim_cli(arguments, site, cwd=site)


@pytest.mark.parametrize(
    ("source", "name", "says"),
    [
        (BROKEN, "lottery", "cannot be imported: ModuleNotFoundError"),
        (NO_MECHANISM, "lottery", "is no subclass of cosim.plugins.mechanism.Mechanism"),
        (LACKING, "lottery", "lacks deploy"),
        (GOOD, "name_registry", "claims a name that cosim"),
    ],
)
def test_a_plug_in_that_cannot_be_used_is_named(package, tmp_path, source, name, says):
    process = cosim(package(source, name), "run", "quickstart")
    assert process.returncode == EXIT_USER
    assert "plug-in of package lottery" in process.stderr
    assert f"cosim.mechanisms: {name} = lottery:Lottery" in process.stderr
    assert says in process.stderr
    assert "remedy: " in process.stderr
    assert "Traceback" not in process.stderr
    assert not (tmp_path / "site" / "results").exists()


def test_a_plug_ins_section_is_documented(package):
    site = package(GOOD)
    page = cosim(site, "schema", "--markdown").stdout
    assert "| `lottery` | optional section | none | a lottery of the members' own |" in page
    assert "## `lottery` (package lottery)\n\nA lottery among the members." in page
    assert "| `ticket_eur` | number, > 0 | `1.0` | what a ticket costs [EUR] |" in page
    schema = json.loads(cosim(site, "schema").stdout)
    ticket = schema["$defs"]["LotterySettings"]["properties"]["ticket_eur"]
    assert ticket["exclusiveMinimum"] == 0


def test_the_page_that_ships_has_no_plug_in_of_others(package):
    code = "from cosim.scenario.page import markdown; print(markdown(shipped_only=True), end='')"
    site = package(GOOD)
    done = python(["-c", code], site)
    assert done.returncode == 0, done.stderr
    page = done.stdout
    assert page == (Path(__file__).parents[3] / "docs" / "scenarios.md").read_text("utf-8")


def test_a_mistake_in_a_plug_ins_section_is_told(package, tmp_path):
    file = tmp_path / "scenario.yaml"
    file.write_text(
        "name: small\nseed: 1\ntime: {start: 2016-05-24}\ngrid: {network: 1-LV-rural1--1-sw}\n"
        "lottery: {ticket_ueur: 3}\n"
    )
    process = cosim(package(GOOD), "run", str(file))
    assert process.returncode == EXIT_USER
    assert "field lottery.ticket_ueur: unknown field" in process.stderr
    assert "did you mean 'ticket_eur'?" in process.stderr
