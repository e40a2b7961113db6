"""Change the contracts one place at a time and see whether a test notices.

For each change of :mod:`mutations` the contracts that use the source are compiled. What does not
compile, or compiles to the same bytecode, says nothing and is discarded. The others run against the
contract tests (both engines of which are revm here) and then the properties of their contract,
briefly. A mutant that passes them all *survives*: a test is missing, or the change changes nothing
that anyone can see, which docs/security.md then explains.

Usage: ``mutants.py [--sample N] [--seed S] [--survivors] [source ...]``. Verdicts are kept in
``results/reference/mutants.csv``, where those of a source that is run again are replaced.
"""

from __future__ import annotations

import argparse
import csv
import functools
import os
import random
import re
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
REPOSITORY = HERE.parents[1]
CONTRACTS = REPOSITORY / "contracts"
TESTS = REPOSITORY / "tests"
TABLE = REPOSITORY / "results" / "reference" / "mutants.csv"
COLUMNS = ("source", "line", "kind", "before", "after", "verdict", "by")

INVALID, EQUIVALENT, KILLED, SURVIVED = "invalid", "equivalent", "killed", "survived"
LIMIT_S = 240
"""Most time for one mutant; one that never ends is noticed too. [s]"""

HOSTILE = "contracts/test_hostile_tokens.py"

# a local market and its settlement are tested as one
LOCAL_MARKET = (
    "contracts/local_market",
    HOSTILE,
    "property/mechanisms/test_forms_agree.py",
    "property/mechanisms/test_clearing_equals_model.py",
    "property/mechanisms/test_local_market_machine.py",
    "contracts/submissions",
    "property/mechanisms/test_batches_equal_model.py",
)

# which tests watch a deployable contract: quick ones first
WATCHED = {
    "EuroToken": ("contracts/euro_token", "property/mechanisms/test_euro_token_machine.py"),
    "SmartMeters": ("contracts/smart_meters", "property/mechanisms/test_smart_meters_machine.py"),
    "LocalMarket": LOCAL_MARKET,
    "MarketSettlement": LOCAL_MARKET,
    "Submissions": ("contracts/submissions", "property/mechanisms/test_batches_equal_model.py"),
    "FlexibilityMarket": (
        "contracts/flexibility_market",
        HOSTILE,
        "property/mechanisms/test_flexibility_machine.py",
        "property/mechanisms/test_calling_equals_model.py",
    ),
    "Supplier": (
        "contracts/supplier",
        HOSTILE,
        "property/mechanisms/test_supply_contract_machine.py",
    ),
    "CommunityStorage": (
        "contracts/community_storage",
        HOSTILE,
        "property/mechanisms/test_storage_machine.py",
    ),
    "GreenCertificates": (
        "contracts/test_escrow_accounts.py",
        "contracts/green_certificates",
        HOSTILE,
        "property/mechanisms/test_certificates_machine.py",
    ),
    "NameRegistry": (
        "contracts/name_registry",
        HOSTILE,
        "property/mechanisms/test_name_registry_machine.py",
    ),
}
# a module of several contracts is watched by the smallest that uses all of it
THROUGH = {
    "escrow_accounts": "GreenCertificates",
    "batches": "Submissions",
    "supplier_dues": "LocalMarket",
    "market_clock": "LocalMarket",
    "clearing_rules": "LocalMarket",
    "fill_tree": "LocalMarket",
    "positions": "MarketSettlement",
    "commitments": "MarketSettlement",
    "community_records": "MarketSettlement",
}


def source_in(contracts: Path, name: str) -> Path:
    """The one Vyper file of a name in a tree of contracts."""
    (path,) = contracts.rglob(f"{name}.vy")
    return path


def users(source: str) -> list[str]:
    """Deployable contracts that import a source, by any way, or are it."""
    if source in WATCHED:
        return [source]
    pattern = re.compile(rf"^import {source}\b", re.MULTILINE)
    importers = [
        path.stem for path in CONTRACTS.rglob("*.vy") if pattern.search(path.read_text("utf-8"))
    ]
    return sorted({user for importer in importers for user in users(importer)})


def watching(source: str) -> list[str]:
    """Deployable contracts through whose tests a source is judged."""
    return [THROUGH[source]] if source in THROUGH else users(source)


def code(artifact: Any) -> bytes:
    """Bytecode without the compiler's note on the sources behind it, whose length comes last."""
    bytecode: bytes = artifact.bytecode
    return bytecode[: -int.from_bytes(bytecode[-2:], "big")]


def judge(source: str, changed: str, originals: dict[str, Any]) -> tuple[str, str]:
    """Verdict on one change, and the test that killed it. Runs in a process of its own."""
    import shutil

    import cosim.evm.contracts as compiler
    from cosim.errors import EngineError

    folder = Path(tempfile.mkdtemp())
    try:
        shutil.copytree(CONTRACTS, folder / "contracts")
        copy = folder / "contracts"
        source_in(copy, source).write_text(changed, encoding="utf-8")
        artifacts = dict(originals)
        subjects, compiled = compiler.subjects, compiler._compiled
        # imports come from the copy as well
        compiler.subjects = lambda: sorted(path for path in copy.iterdir() if path.is_dir())
        try:
            for name in watching(source):
                artifacts[name] = compiler._compile(source_in(copy, name), "mutant")
        except EngineError:
            return INVALID, ""
        except Exception as error:  # a change can break the compiler itself
            return INVALID, type(error).__name__
        if all(code(artifacts[n]) == code(originals[n]) for n in watching(source)):
            return EQUIVALENT, ""
    finally:
        compiler.subjects = subjects
        shutil.rmtree(folder)
    compiler._compiled = lambda path: artifacts.get(path.stem) or compiled(path)
    return run_tests(source)


def run_tests(source: str) -> tuple[str, str]:
    """Run the tests that watch a source until one fails."""
    import pytest

    import cosim.evm.engine as engine

    create = engine.create_engine
    engine.create_engine = lambda name, options=None: create("revm")

    class First:
        """Remembers the test that failed."""

        name = ""

        def pytest_runtest_logreport(self, report: Any) -> None:
            if report.failed and not self.name:
                self.name = report.nodeid.partition("::")[2]

        def pytest_collectreport(self, report: Any) -> None:
            if report.failed and not self.name:
                self.name = "set-up"

    for test in (TESTS / test for name in watching(source) for test in WATCHED[name]):
        first = First()
        arguments = ["-x", "-q", "-p", "no:cacheprovider", "-p", "no:boa_test", str(test)]
        code = pytest.main([*arguments, "-W", "ignore"], plugins=[first])
        if code == pytest.ExitCode.TESTS_FAILED or first.name:
            return KILLED, first.name
        if code not in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
            return KILLED, f"pytest ended with {code}"
    return SURVIVED, ""


def forked(task: Callable[[], tuple[str, str]]) -> tuple[str, str]:
    """Do a task in a forked process, with a limit."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        os.setsid()
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        os.dup2(null, 2)
        try:
            verdict = task()
        except BaseException as error:
            verdict = (KILLED, f"{type(error).__name__}: {error}")
        os.write(writer, "\n".join(verdict).encode()[:4000])
        os._exit(0)
    os.close(writer)
    deadline = time.monotonic() + LIMIT_S
    while os.waitpid(child, os.WNOHANG)[0] == 0:
        if time.monotonic() > deadline:
            os.killpg(child, signal.SIGKILL)
            os.waitpid(child, 0)
            os.close(reader)
            return KILLED, "time limit"
        time.sleep(0.05)
    with os.fdopen(reader) as pipe:
        verdict, _, by = pipe.read().partition("\n")
    return verdict or KILLED, by


def read_table() -> list[dict[str, str]]:
    """Verdicts kept so far."""
    if not TABLE.exists():
        return []
    with TABLE.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def write_table(rows: list[dict[str, str]]) -> None:
    """Keep verdicts, by source and line."""
    TABLE.parent.mkdir(parents=True, exist_ok=True)
    rows = sorted(rows, key=lambda row: (row["source"], int(row["line"])))
    with TABLE.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def key(row: dict[str, str]) -> tuple[str, str, str]:
    """What tells the changes of a source apart."""
    return row["line"], row["before"], row["after"]


def main() -> None:
    os.environ.setdefault("COSIM_FUZZ_EXAMPLES", "30")
    os.environ.setdefault("COSIM_FUZZ_STEPS", "40")
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sample", type=int, default=0, help="so many of each source (0: all)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--survivors", action="store_true", help="only those that survived before")
    parser.add_argument("sources", nargs="*")
    options = parser.parse_args()
    os.chdir(REPOSITORY)
    os.nice(10)
    sys.path[:0] = [str(TESTS / "contracts"), str(TESTS / "property"), str(HERE)]

    import hypothesis.stateful  # noqa: F401  imported once, for all forks
    import pytest  # noqa: F401
    from mutations import mutations

    import cosim.mechanisms.deployment  # noqa: F401
    from cosim.evm.contracts import compile_contract
    from cosim.evm.revm import RevmEngine  # noqa: F401

    originals = {name: compile_contract(name) for name in WATCHED}
    for source in options.sources or sorted(path.stem for path in CONTRACTS.rglob("*.vy")):
        text = source_in(CONTRACTS, source).read_text(encoding="utf-8")
        found = mutations(text)
        kept = [row for row in read_table() if row["source"] == source]
        if options.survivors:
            alive = {key(row) for row in kept if row["verdict"] == SURVIVED}
            found = [m for m in found if (str(m.line), m.before, m.after) in alive]
            again = {(str(m.line), m.before, m.after) for m in found}
            kept = [row for row in kept if row["verdict"] != SURVIVED or key(row) not in again]
        else:
            kept = []
            if 0 < options.sample < len(found):
                found = random.Random(options.seed).sample(found, options.sample)
        if not found:
            continue
        start, rows = time.monotonic(), []
        baseline, by = forked(functools.partial(run_tests, source))
        if baseline != SURVIVED:
            print(f"{source}: its tests fail without any change: {by}", flush=True)
            continue
        for mutation in found:
            verdict, by = forked(functools.partial(judge, source, mutation.source, originals))
            fields = (mutation.line, mutation.kind, mutation.before, mutation.after, verdict, by)
            rows.append(dict(zip(COLUMNS, map(str, (source, *fields)), strict=True)))
            if verdict == SURVIVED:
                print(
                    f"  survived {source}.vy:{mutation.line} {mutation.before!r} -> "
                    f"{mutation.after!r}",
                    flush=True,
                )
        write_table([row for row in read_table() if row["source"] != source] + kept + rows)
        counts = Counter(row["verdict"] for row in rows)
        print(f"{source}: {dict(counts)} in {time.monotonic() - start:.0f} s", flush=True)


if __name__ == "__main__":
    main()
