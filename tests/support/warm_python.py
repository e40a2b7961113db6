"""Python processes that have the large libraries from the start, forked from one that read them.

Half of the time of a short ``cosim`` command goes into importing what other packages bring. What
is forked here is a process of its own with its own arguments, environment, working folder and
streams, in which nothing of cosim has been imported and no package been looked for.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import runpy
import select
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

LIBRARIES = (
    "pandas", "pyarrow.parquet", "scipy.sparse.linalg", "scipy.optimize", "pandapower",
    "plotly.graph_objects", "plotly.subplots", "mosaik", "mosaik_api_v3", "pydantic", "yaml",
    "rich.console", "jinja2", "highspy", "pyrevm", "coincurve", "rlp", "eth_keys", "requests",
)  # fmt: skip
LIMIT_S = 300.0
"""Most time for a process. [s]"""

_server: list[subprocess.Popen[str]] = []


def run_warm(
    arguments: Sequence[str], env: Mapping[str, str], cwd: Path, given: str | None = None
) -> subprocess.CompletedProcess[str]:
    """Run Python with arguments as on its command line: ``-m module``, ``-c code`` or a script.

    Raises
    ------
    subprocess.TimeoutExpired
        After five minutes.
    """
    with tempfile.TemporaryDirectory() as folder:
        streams = [Path(folder) / name for name in ("in", "out", "err")]
        for stream in streams:
            stream.write_text(given or "" if stream.name == "in" else "", encoding="utf-8")
        request = {
            "arguments": [*arguments],
            "env": {**env},
            "cwd": str(cwd),
            "streams": [*map(str, streams)],
        }
        code = _ask(request)
        out, err = (stream.read_text(encoding="utf-8") for stream in streams[1:])
    return subprocess.CompletedProcess([*arguments], code, out, err)


def _ask(request: dict[str, Any]) -> int:
    """Let the server fork a process; its exit code, negative for a signal."""
    if not _server or _server[0].poll() is not None:
        command = [sys.executable, __file__]
        env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        pipe = subprocess.PIPE
        _server[:] = [subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=env)]
    (server,) = _server
    assert server.stdin is not None
    assert server.stdout is not None
    server.stdin.write(json.dumps(request) + "\n")
    server.stdin.flush()
    if not select.select([server.stdout], [], [], LIMIT_S)[0]:
        server.kill()
        raise subprocess.TimeoutExpired(request["arguments"], LIMIT_S)
    return int(server.stdout.readline())


def _forked() -> dict[str, Any]:
    """Fork a process for each request; returns in these alone, with what is asked of them."""
    for line in sys.stdin:
        request: dict[str, Any] = json.loads(line)
        child = os.fork()
        if child == 0:
            return request
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)
    os._exit(0)


def _take_place(request: dict[str, Any]) -> None:
    """Be what the request asks for: environment, folder, streams, path."""
    os.environ.clear()
    os.environ.update(request["env"])
    os.chdir(request["cwd"])
    for number, path in enumerate(request["streams"]):
        place = os.open(path, os.O_RDONLY if number == 0 else os.O_WRONLY)
        os.dup2(place, number)
        os.close(place)
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", encoding="utf-8", closefd=False, buffering=1)  # noqa: SIM115
    given = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
    sys.path[:0] = ["" if request["arguments"][0] == "-c" else request["cwd"], *given]


def _play(kind: str, *rest: str) -> None:
    """Run what Python's command line names."""
    if kind == "-m":
        sys.argv = ["-m", *rest[1:]]
        runpy.run_module(rest[0], run_name="__main__", alter_sys=True)
    elif kind == "-c":
        sys.argv = ["-c", *rest[1:]]
        exec(compile(rest[0], "<string>", "exec"), {"__name__": "__main__"})
    else:
        sys.argv = [kind, *rest]
        sys.path[0] = str(Path(kind).parent)
        runpy.run_path(kind, run_name="__main__")


if __name__ == "__main__":
    sys.path.remove(str(Path(__file__).resolve().parent))
    for library in LIBRARIES:
        with contextlib.suppress(ImportError):
            importlib.import_module(library)
    asked = _forked()
    _take_place(asked)
    _play(*asked["arguments"])
