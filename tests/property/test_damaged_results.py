"""Whatever a result folder holds, every command reads it or refuses it by file and remedy.

Files of a real run are changed, cut, swapped or taken away. Nothing else is written, and nothing is
left behind. ``COSIM_FUZZ_EXAMPLES`` sets how many.
"""

from __future__ import annotations

import contextlib
import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from hypothesis import given
from malformed import ENCODINGS, change, edited, edits, fuzzed, packed, unpacked

from cosim.api import open_result
from cosim.cli import EXIT_FAILED, EXIT_USER, main
from cosim.cli.options import EXIT_NOT_RERUN, EXIT_UNCHECKED
from cosim.errors import UserError
from cosim.runs.experiment import run_scenario
from cosim.scenario import Scenario

MadeOnce = Callable[[str, Callable[[Path], object]], Path]
NAMES = ["name", "complete", "sha256", "intervals_done", "time", "grid", "prosumers", "_object"]


@pytest.fixture(scope="module")
def result(made_once: MadeOnce, short_scenario: Callable[..., Scenario]) -> Path:
    """Result folder of two intervals, with the key that signs it next to it."""
    folder = made_once(
        "for damage", lambda out: run_scenario(short_scenario(2), out.with_suffix(".yaml"), out)
    )
    folder.with_suffix(".key").write_text("11" * 32)
    return folder


@st.composite
def rows(draw: Any, raw: bytes) -> bytes:
    """A table with rows or a column left out, another type, or values missing or others."""
    table = pq.read_table(io.BytesIO(raw))
    k = draw(st.integers(0, table.num_columns - 1))
    field, column = table.schema.field(k), table.column(k)
    match draw(st.sampled_from(["rows", "column", "type", "missing", "value", "twice"])):
        case "rows":
            table = table.slice(draw(st.integers(0, 3)), draw(st.integers(0, 50)))
        case "column":
            table = table.drop_columns([field.name])
        case "type":
            text = pa.array([str(value) for value in column.to_pylist()], pa.string())
            table = table.set_column(k, field.name, text)
        case "missing":
            table = table.set_column(k, field.name, pa.nulls(table.num_rows, field.type))
        case "value" if pa.types.is_integer(field.type) or pa.types.is_floating(field.type):
            value = draw(st.sampled_from([0, -1, 1, 2**31 - 1, 77]))
            with contextlib.suppress(pa.ArrowException):
                put = pa.array([value] * table.num_rows).cast(field.type)
                table = table.set_column(k, field, put)
        case _:
            table = pa.concat_tables([table, table])
    sink = io.BytesIO()
    pq.write_table(table, sink)
    return sink.getvalue()


def damage(draw: Any, folder: Path) -> None:
    """Change one file of the folder."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    file = draw(st.sampled_from([*files, *(f for f in files if f.suffix != ".vy")]))
    match draw(st.sampled_from(["edit", "edit", "edit", "bytes", "cut", "gone", "swap", "folder"])):
        case "edit" if file.suffix == ".json":
            with contextlib.suppress(ValueError):
                data = unpacked(json.loads(file.read_text(encoding="utf-8")))
                change(draw, data, NAMES)
                file.write_bytes(json.dumps(packed(data)).encode("utf-8", "surrogatepass"))
        case "edit" if file.suffix == ".yaml":
            with contextlib.suppress(ValueError, yaml.YAMLError):
                fields = yaml.safe_load(file.read_text(encoding="utf-8"))
                change(draw, fields, NAMES)
                text = yaml.safe_dump(fields, allow_unicode=True)
                file.write_bytes(text.encode("utf-8", "surrogatepass"))
        case "edit" if file.suffix == ".parquet":
            with contextlib.suppress(pa.ArrowException):  # spoilt already
                file.write_bytes(draw(rows(file.read_bytes())))
        case "cut":
            raw = file.read_bytes()
            file.write_bytes(raw[: draw(st.integers(0, len(raw)))])
        case "gone":
            file.unlink()
        case "swap":
            file.write_bytes(draw(st.sampled_from(files)).read_bytes())
        case "folder":
            file.unlink()
            file.mkdir()
        case _:
            encoding = draw(st.sampled_from(ENCODINGS))
            file.write_bytes(edited(file.read_bytes(), draw(edits), encoding))


def listing(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def command(result: Path, *arguments: str) -> tuple[int, str]:
    """Exit code and what was said."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main([arguments[0], str(result), *arguments[1:]])
    return code, err.getvalue()


def read_everything(result: Path) -> None:
    """Read a folder from Python."""
    opened = open_result(result)
    for name in opened.tables:
        opened.frame(name)
    assert opened.name
    assert opened.network is not None
    assert opened.scenario.seed >= 0
    opened._repr_html_()


VERIFY = st.sampled_from(["files", "files,report", "ledger", "indicators", "grid"])
COMMANDS = st.one_of(
    st.just(("report",)),
    st.just(("export-transactions",)),
    st.tuples(st.just("verify"), st.just("--only"), VERIFY),
    st.just(("sign", "--key", "KEY")),
    st.just(("inspect", "--call", "EuroToken.decimals")),
    st.just(("python",)),
)
MAY_WRITE = {"report": "report.html", "sign": "signature.json"}


@fuzzed(6, cost=10)
@given(data=st.data())
def test_every_reader(
    data: st.DataObject, result: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    place = tmp_path_factory.getbasetemp() / "damaged"
    shutil.rmtree(place, ignore_errors=True)
    folder = place / "result"
    shutil.copytree(result, folder)
    for _ in range(data.draw(st.integers(1, 2))):
        damage(data.draw, folder)
    chosen = [part.replace("KEY", str(result.with_suffix(".key"))) for part in data.draw(COMMANDS)]
    before = listing(place)
    if chosen == ["python"]:
        refusal: UserError | None = None
        try:
            read_everything(folder)
        except UserError as error:
            refusal = error
        assert refusal is None or (refusal.file and refusal.remedy)
        return
    code, said = command(folder, *chosen)
    codes = {0, EXIT_USER}
    if chosen[0] == "verify":
        codes |= {EXIT_FAILED, EXIT_UNCHECKED, EXIT_NOT_RERUN}
    assert code in codes, said
    assert "Traceback" not in said
    if code == EXIT_USER:
        assert said.startswith(f"cosim: file {folder}"), said
        assert "\n  remedy: " in said
        assert all(len(word) < 300 for word in said.split())
    may = {f"result/{MAY_WRITE[chosen[0]]}"} if code == 0 and chosen[0] in MAY_WRITE else set()
    if code == 0 and chosen[0] == "export-transactions":
        may = {name for name in listing(place) if name.startswith("result-transactions")}
    assert set(listing(place)) - may == set(before) - may
