"""The examples of docs/python.md, as a script and in a notebook."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[3] / "docs" / "python.md"


def examples() -> list[str]:
    """Blocks of Python on the page, in their order."""
    return re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.M | re.S)


def paths() -> str:
    return os.pathsep.join(entry for entry in sys.path if entry)


def test_the_examples_run_as_one_script(tmp_path):
    script = tmp_path / "examples.py"
    script.write_text("\n".join(examples()), encoding="utf-8")
    process = subprocess.run(
        [sys.executable, str(script)],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": paths()},
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    assert "market.pricng unknown field did you mean 'pricing'?" in process.stdout
    assert "2016-05-24 17:45:00" in process.stdout
    (printed,) = re.findall(r"# (\d\S* \d\S*)$", "\n".join(examples()), re.M)
    assert printed in process.stdout.splitlines()
    written = {path.parent.name for path in (tmp_path / "results").rglob("report.html")}
    assert written == {
        "mcafee", "midpoint", "bill_sharing", "as_given", "no_market", "noon-compared",
    }  # fmt: skip


def test_the_first_example_runs_in_a_notebook(tmp_path, monkeypatch):
    reason = "a notebook kernel needs {}: pip install nbclient ipykernel"
    nbclient = pytest.importorskip("nbclient", reason=reason.format("nbclient"))
    pytest.importorskip("ipykernel", reason=reason.format("ipykernel"))
    nbformat = pytest.importorskip("nbformat", reason=reason.format("nbformat"))
    monkeypatch.setenv("PYTHONPATH", paths())
    cells = [examples()[0], "result"]
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(source) for source in cells],
        metadata={"kernelspec": {"name": "python3", "display_name": "", "language": "python"}},
    )
    client = nbclient.NotebookClient(
        notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}}
    )
    client.execute()  # raises what a cell raises
    first, shown = notebook.cells
    assert "2016-05-24 17:45:00" in first.outputs[0]["text"]
    html = shown.outputs[0]["data"]["text/html"]
    assert html.startswith("<strong>quickstart</strong>")
    assert "4 of 4, 900 s each" in html
    assert (tmp_path / "results" / "mcafee" / "report.html").is_file()
