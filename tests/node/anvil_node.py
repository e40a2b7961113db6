"""anvil, an Ethereum node, as a process of the tests, and requests to it over JSON-RPC."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests
from web3 import HTTPProvider

from cosim.ledger.engine import CHAIN_ID

REPOSITORY = Path(__file__).parent.parent.parent
HARDFORK = "prague"
START_TIMEOUT_S = 20.0
REQUEST_TIMEOUT_S = 20.0
STOP_TIMEOUT_S = 5.0


class NodeError(Exception):
    """The node does not start, does not answer, or refuses a request."""


class Node:
    """A node that answers JSON-RPC at a local port."""

    def __init__(self, url: str) -> None:
        session = requests.Session()
        session.trust_env = False  # a proxy has no business with a node on this machine
        self._provider = HTTPProvider(
            url, request_kwargs={"timeout": REQUEST_TIMEOUT_S}, session=session
        )

    def request(self, method: str, *parameters: Any) -> Any:
        """Result of one request."""
        return _result(method, self._provider.make_request(method, parameters))

    def batch(self, method: str, parameters: Iterable[Any]) -> list[Any]:
        """Results of requests of one parameter each, sent together; a node may reorder them."""
        answers = self._provider.make_batch_request([(method, [one]) for one in parameters])
        if not isinstance(answers, list):
            return [_result(method, answers)]
        return [_result(method, answer) for answer in answers]


def _result(method: str, answer: Mapping[str, Any]) -> Any:
    if "error" in answer:
        raise NodeError(f"{method}: {answer['error']}")
    return answer["result"]


def find_anvil() -> str | None:
    """The anvil to use: of the environment, of the project, or on the path; None without one."""
    installed = REPOSITORY / ".node" / "node_modules" / ".bin" / "anvil"
    return os.environ.get("COSIM_ANVIL") or shutil.which(installed) or shutil.which("anvil")


@contextmanager
def anvil(
    program: str,
    folder: Path,
    genesis_s: int,
    block_gas_limit: int,
    base_fee_wei: int = 0,
    options: Sequence[str] = (),
) -> Iterator[Node]:
    """Run an anvil that mines when told to, at a free port; it ends with the context.

    Parameters
    ----------
    program : str
        Path of anvil.
    folder : Path
        Takes its log and whatever it writes.
    genesis_s : int
        Timestamp of its block 0. [s]
    block_gas_limit : int
        Most gas of a block.
    base_fee_wei : int
        Base fee of its first block. [wei/gas]
    options : sequence of str
        More options of its command line.

    Raises
    ------
    NodeError
        If it does not listen in time.
    """
    command = [program, "--host", "127.0.0.1", "--port", "0", "--no-mining", "--accounts", "1"]
    command += ["--hardfork", HARDFORK, "--chain-id", str(CHAIN_ID)]
    command += ["--timestamp", str(genesis_s), "--gas-limit", str(block_gas_limit)]
    command += ["--block-base-fee-per-gas", str(base_fee_wei), *options]
    output = folder / "anvil.log"
    with output.open("wb") as log:
        # a group of its own: the program may be a wrapper around the real one
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, "HOME": str(folder)},
            start_new_session=True,
        )
    try:
        yield Node(_listening(process, output))
    finally:
        _stop(process)


def _listening(process: subprocess.Popen[bytes], output: Path) -> str:
    """Address that the node prints when it is ready."""
    mark = "Listening on "
    deadline = time.monotonic() + START_TIMEOUT_S
    while True:
        text = output.read_text(encoding="utf-8", errors="replace")
        found = [line for line in text.splitlines(keepends=True) if line.startswith(mark)]
        if found and found[0].endswith("\n"):
            return "http://" + found[0].removeprefix(mark).strip()
        if process.poll() is not None:
            raise NodeError(f"anvil ended with exit code {process.returncode}:\n{text}")
        if time.monotonic() > deadline:
            raise NodeError(f"anvil does not listen after {START_TIMEOUT_S} s:\n{text}")
        time.sleep(0.02)


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End the node's process group, at last by force."""
    for sent in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, sent)
        except ProcessLookupError:
            break
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            continue
    process.wait(STOP_TIMEOUT_S)
