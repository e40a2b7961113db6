"""What ``cosim/`` imports is declared, and what is declared for it is imported."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterable
from importlib.metadata import packages_distributions
from pathlib import Path

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def normal(requirement: str) -> str:
    """Name of a requirement as registries compare it."""
    name = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert name is not None
    return re.sub(r"[-_.]+", "-", name.group()).lower()


def declared() -> set[str]:
    project = PROJECT["project"]
    optional = project["optional-dependencies"]
    lists = [
        project["dependencies"],
        optional["simbench"],
        optional["contracts"],
        optional["campaign"],
    ]
    return {
        normal(one) for some in [*lists, PROJECT["dependency-groups"]["inspect"]] for one in some
    }


def imported(folder: Path) -> dict[str, str]:
    """Modules of other distributions that are imported anywhere in a folder, with a file each."""
    found: dict[str, str] = {}
    for file in sorted(folder.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names: Iterable[str] = ()
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
                names = [node.module]
            for name in names:
                top = name.partition(".")[0]
                if top not in sys.stdlib_module_names and top != "cosim":
                    found.setdefault(top, file.relative_to(folder).as_posix())
    return found


def distributions(modules: Iterable[str]) -> dict[str, set[str]]:
    known = packages_distributions()
    return {module: {normal(name) for name in known.get(module, ())} for module in modules}


def test_everything_imported_is_declared() -> None:
    files = imported(ROOT / "cosim")
    undeclared = {
        module: files[module]
        for module, names in distributions(files).items()
        if not names & declared()
    }
    assert undeclared == {}


def test_everything_declared_is_imported() -> None:
    used = set().union(*distributions(imported(ROOT / "cosim")).values())
    assert sorted(declared() - used) == []


def test_an_import_is_found_wherever_it_stands(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text(
        "import os, numpy.linalg\nfrom . import b\ndef f():\n    from eth_abi.codec import x\n"
        "    import cosim.units\n"
    )
    assert imported(tmp_path) == {"numpy": "a.py", "eth_abi": "a.py"}


def test_engines_are_declared_where_they_have_wheels() -> None:
    requirements = {normal(one): one for one in PROJECT["project"]["dependencies"]}
    assert requirements["pyrevm"].endswith("; python_version < '3.13'")
    assert requirements["coincurve"].endswith("; python_version < '3.14'")
    assert "titanoboa" not in requirements


def test_locks_hold_names_versions_and_hashes_only() -> None:
    for name in ("requirements.lock", "cosim/requirements.inspect.txt"):
        text = (ROOT / name).read_text(encoding="utf-8")
        wrong = [
            line
            for line in text.splitlines()
            if not re.fullmatch(
                r"[A-Za-z0-9._-]+==[0-9a-z.]+( ; [a-zA-Z0-9_.<>=!' ()]+)? \\"
                r"|    --hash=sha256:[0-9a-f]{64}( \\)?",
                line,
            )
        ]
        assert wrong == [], name


def test_titanoboa_for_inspection_is_that_of_the_lock() -> None:
    def pins(name: str) -> set[str]:
        text = (ROOT / name).read_text(encoding="utf-8")
        return set(re.findall(r"^([^\s;]+==\S+)", text, re.MULTILINE))

    inspect = pins("cosim/requirements.inspect.txt")
    assert inspect <= pins("requirements.lock")
    assert {pin.partition("==")[0] for pin in inspect} >= {"titanoboa", "vyper", "vvm"}
