"""anvil, an Ethereum node for development, as a process of its own."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from cosim.errors import EngineError
from cosim.evm.engine import CHAIN_ID, DEFAULT_BLOCK_GAS_LIMIT

HARDFORK = "prague"
START_TIMEOUT_S = 20.0
STOP_TIMEOUT_S = 5.0
INSTALLED = Path(__file__).parents[1] / ".node" / "node_modules" / ".bin" / "anvil"
"""Where ``make node`` puts it."""


def find_anvil() -> str | None:
    """The anvil to use: of the environment, of the project, or on the path; None without one."""
    return os.environ.get("COSIM_ANVIL") or shutil.which(INSTALLED) or shutil.which("anvil")


class Anvil:
    """An anvil that runs, at ``url``; :meth:`stop` ends it.

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
    port : int
        0: a free one.
    automine : bool
        Mine every transaction at once, as a node does that minds its own blocks.
    options : sequence of str
        Further options of anvil.

    Raises
    ------
    EngineError
        If it does not listen in time.
    """

    def __init__(
        self,
        program: str,
        folder: Path,
        genesis_s: int = 0,
        block_gas_limit: int = DEFAULT_BLOCK_GAS_LIMIT,
        *,
        port: int = 0,
        automine: bool = False,
        options: Sequence[str] = (),
    ) -> None:
        command = [program, "--host", "127.0.0.1", "--port", str(port), "--accounts", "1"]
        command += [] if automine else ["--no-mining"]
        command += ["--chain-id", str(CHAIN_ID)]
        if "--hardfork" not in options:
            command += ["--hardfork", HARDFORK]
        command += ["--timestamp", str(genesis_s), "--gas-limit", str(block_gas_limit)]
        if "--block-base-fee-per-gas" not in options:
            command += ["--block-base-fee-per-gas", "0"]
        command += options
        output = folder / "anvil.log"
        with output.open("wb") as log:
            # a group of its own: the program may be a wrapper around the real one
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, "HOME": str(folder)},
                start_new_session=True,
            )
        try:
            self.url = _listening(self._process, output)
        except BaseException:
            self.stop()
            raise

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.url.rsplit(":", 1)[1])

    def stop(self) -> None:
        """End the node's process group, at last by force; harmless when it has ended."""
        for signum in (signal.SIGTERM, signal.SIGKILL):
            sent: int = signum
            deadline = time.monotonic() + STOP_TIMEOUT_S
            # a wrapper may end before the real one, which writes its state
            while time.monotonic() < deadline:
                try:
                    os.killpg(self._process.pid, sent)
                except ProcessLookupError:
                    self._process.wait(STOP_TIMEOUT_S)
                    return
                sent = 0  # only ask whether anybody is left
                self._process.poll()
                time.sleep(0.02)


@contextmanager
def running_anvil(
    program: str,
    folder: Path,
    genesis_s: int = 0,
    block_gas_limit: int = DEFAULT_BLOCK_GAS_LIMIT,
    *,
    automine: bool = False,
    options: Sequence[str] = (),
) -> Iterator[str]:
    """Run an anvil at a free port, which ends with the context; gives its URL."""
    node = Anvil(program, folder, genesis_s, block_gas_limit, automine=automine, options=options)
    try:
        yield node.url
    finally:
        node.stop()


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
            raise EngineError(f"anvil ended with exit code {process.returncode}:\n{text}")
        if time.monotonic() > deadline:
            raise EngineError(f"anvil does not listen after {START_TIMEOUT_S} s:\n{text}")
        time.sleep(0.02)
