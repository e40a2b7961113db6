"""Start of foreign simulators, and their failure: by name, at once, and leaving nothing.

mosaik's own starters wait out their time for a process that is dead already, end the program when a
simulator closes its connection during ``init``, and lose the exception of one in another process.
Here each becomes a `SimulatorError` with the simulator's name in the scenario.
"""

from __future__ import annotations

import asyncio
import heapq
import math
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from mosaik.exceptions import ConnectionClosedError
from mosaik.proxies import BaseProxy, LocalProxy, RemoteProxy
from mosaik.starters import PythonStarter, Starter
from mosaik_api_v3.connection import Channel, RemoteException

from cosim.errors import OutOfTime, ScenarioError, SimulatorError, in_one_line
from cosim.plugins.draws import DrawWatch
from cosim.plugins.watch import within
from cosim.scenario.simulators import ForeignSimulator
from cosim.simulators.feeding import IntervalFeed

STOP_TIMEOUT_S = 5.0
"""Time for its ``finalize``, and again for ending when told to."""
POLL_S = 0.1
"""Time between two looks whether a process still lives."""


def starter_of(foreign: ForeignSimulator, step_s: int) -> ForeignStarter:
    """Return what starts a simulator of the scenario.

    Parameters
    ----------
    foreign : ForeignSimulator
    step_s : int
        Length of an interval, over which what it feeds is averaged. [s]

    Raises
    ------
    Exception
        If the class of an in-process simulator cannot be imported.
    """
    feed = IntervalFeed(foreign, step_s)
    if foreign.python is not None:
        return _InProcess(foreign, PythonStarter.from_string(foreign.python), feed)
    return _Elsewhere(foreign, feed)


def describe(error: BaseException) -> str:
    """An exception in one line: its type, its text, and where in the simulator it was raised."""
    if isinstance(error, RemoteException):
        said = f": {error.remote_msg}" if error.remote_msg else ""
        text = f"{error.remote_type}{said}"
        lines = [line.strip() for part in error.further_args for line in part.splitlines()]
        places = [line for line in lines if line.startswith('File "')]
        return f"{text} ({places[-1]})" if places else text
    return in_one_line(error)


class ForeignStarter(Starter):
    """Starts one simulator of the scenario, and stops it again."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.api_version = None
        self._proxy: BaseProxy | None = None

    async def start(self, sim_id: str, mosaik_remote: Any, mosaik_config: Any) -> BaseProxy:
        """Start it; called by mosaik."""
        self._proxy = await self._start(mosaik_remote)
        return self._proxy

    async def _start(self, mosaik_remote: Any) -> BaseProxy:
        raise TypeError(f"{type(self).__name__} starts nothing")

    async def stop(self) -> None:
        """Let it finalise and end; harmless when that was done.

        Raises
        ------
        SimulatorError
            If its ``finalize`` fails in this process.
        """
        if self._proxy is not None:
            await self._proxy.stop()

    @classmethod
    def from_starter_config(cls, starter_config: Any) -> Starter | None:
        """Not from mosaik's configuration; use :func:`starter_of`."""
        return None


class _InProcess(ForeignStarter):
    """Starts a simulator in this process."""

    def __init__(self, foreign: ForeignSimulator, own: PythonStarter, feed: IntervalFeed) -> None:
        super().__init__(foreign.name)
        self._foreign = foreign
        self._own = own
        self._feed = feed

    async def _start(self, mosaik_remote: Any) -> BaseProxy:
        with _named(self._foreign, "__init__"):
            simulator = self._own.cls(*self._own.args)
        return _LocalProxy(self._foreign, simulator, mosaik_remote, self._feed)


class _LocalProxy(LocalProxy):
    """A simulator in this process whose exceptions, and whose silence, carry its name."""

    def __init__(
        self, foreign: ForeignSimulator, simulator: Any, mosaik_remote: Any, feed: IntervalFeed
    ) -> None:
        super().__init__(simulator, mosaik_remote)
        self._foreign = foreign
        self._remote = mosaik_remote
        self._feed = feed
        self._draws = DrawWatch(foreign.name, is_foreign=True)
        self._stopped = False

    async def send(self, request: Any) -> Any:
        return await self._feed.send(request, self._ask, self._remote)

    async def _ask(self, request: Any) -> Any:
        with _named(self._foreign, request[0]), self._draws.watch(request[0]):
            return await super().send(request)

    async def stop(self) -> None:
        if self._stopped:
            return
        self._stopped = True
        with _named(self._foreign, "finalize"):
            await super().stop()  # type: ignore[no-untyped-call]


@contextmanager
def _named(foreign: ForeignSimulator, method: str) -> Iterator[None]:
    """Make every end of a simulator in this process its error: ``sys.exit`` would end the loop."""
    try:
        with within(foreign.timeout_s, f"it did not answer {method}"):
            yield
    except (KeyboardInterrupt, GeneratorExit):
        raise
    except OutOfTime as error:
        raise _late(foreign, in_one_line(error)) from error
    except BaseException as error:
        task = asyncio.current_task()
        if isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling():
            raise
        raise SimulatorError(foreign.name, f"failed in {method}: {describe(error)}") from error


class _Elsewhere(ForeignStarter):
    """Starts a simulator in a process of its own, or connects to one that runs already."""

    def __init__(self, foreign: ForeignSimulator, feed: IntervalFeed) -> None:
        super().__init__(foreign.name)
        self._foreign = foreign
        self._feed = feed

    async def _start(self, mosaik_remote: Any) -> BaseProxy:
        process = None
        if self._foreign.cmd is not None:
            process, reader, writer = await self._launch(self._foreign.cmd)
        else:
            reader, writer = await self._connect(str(self._foreign.connect))
        return _RemoteProxy(self._foreign, (reader, writer), mosaik_remote, process, self._feed)

    async def _connect(self, address: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        host, _, port = address.rpartition(":")
        try:
            opening = asyncio.open_connection(host, int(port))
            return await asyncio.wait_for(opening, self._foreign.timeout_s)
        except TimeoutError:
            raise _silent(self._foreign, f"nobody answers at {address}") from None
        except (OSError, OverflowError) as error:
            raise SimulatorError(self.name, f"nobody answers at {address}: {error}") from error

    async def _launch(
        self, command: str
    ) -> tuple[subprocess.Popen[bytes], asyncio.StreamReader, asyncio.StreamWriter]:
        """Run the command and wait until it connects, it ends, or the time is up."""
        connected: asyncio.Future[tuple[asyncio.StreamReader, asyncio.StreamWriter]]
        connected = asyncio.get_running_loop().create_future()

        async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            if connected.done():
                writer.close()
            else:
                connected.set_result((reader, writer))

        server = await asyncio.start_server(accept, "127.0.0.1", 0)
        host, port = server.sockets[0].getsockname()
        filled = {"addr": f"{host}:{port}", "python": sys.executable}
        try:
            # a session of its own: Ctrl-C is for the run, which then stops its simulators
            process = subprocess.Popen(
                [part % filled for part in shlex.split(command)], start_new_session=True
            )
            for _ in range(math.ceil(self._foreign.timeout_s / POLL_S)):
                await asyncio.wait({connected}, timeout=POLL_S)
                if connected.done():
                    return process, *connected.result()
                if process.poll() is not None:
                    raise SimulatorError(
                        self.name,
                        f"its process ended with exit code {process.returncode} before it "
                        "connected",
                    )
            _end(process)
            raise _silent(self._foreign, f"its process did not connect to {host}:{port}")
        finally:
            server.close()


class _RemoteProxy(RemoteProxy):
    """A simulator in another process whose exceptions, and whose end, carry its name."""

    def __init__(
        self,
        foreign: ForeignSimulator,
        connection: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        mosaik_remote: Any,
        process: subprocess.Popen[bytes] | None,
        feed: IntervalFeed,
    ) -> None:
        reader, writer = connection
        # a reset connection is a closed one: otherwise mosaik waits for an answer for ever
        reader.set_exception = lambda error: reader.feed_eof()  # type: ignore[assignment,method-assign]
        super().__init__(Channel(reader, writer, name=foreign.name), mosaik_remote)
        self._name = foreign.name
        self._foreign = foreign
        self._child = process
        self._stopped = False
        self._hangs = False
        self._remote = mosaik_remote
        self._feed = feed
        self._in_progress: Any = None

    async def init(self, sid: str, **kwargs: Any) -> list[int]:
        try:
            return list(await super().init(sid, **kwargs))
        except BaseException:
            await self.stop()  # mosaik does not know it yet, and would leave it running
            raise

    async def send(self, request: Any) -> Any:
        if request[0] == "step":
            self._announce_step()
        try:
            return await self._feed.send(request, self._ask, self._remote)
        finally:
            if self._in_progress is not None and (
                request[0] == "get_data" or not self._remote.sim.output_request
            ):
                self._forget_step()

    def _announce_step(self) -> None:
        """Keep the step in the schedule until its outputs are known.

        mosaik 3.6 works out how far the others may advance from the scheduled steps alone, and
        forgets the one that is being taken. While another process takes it the others do advance,
        and its outputs come too late ("cannot progress backwards"). mosaik 3.7 counts it.
        """
        runner = self._remote.sim
        self._in_progress = runner.current_step
        heapq.heappush(runner.next_steps, self._in_progress)

    def _forget_step(self) -> None:
        steps = self._remote.sim.next_steps
        steps.remove(self._in_progress)
        heapq.heapify(steps)
        self._in_progress = None

    async def _ask(self, request: Any) -> Any:
        try:
            return await asyncio.wait_for(super().send(request), self._foreign.timeout_s)
        except TimeoutError:
            self._hangs = True
            raise _silent(self._foreign, f"it did not answer {request[0]}") from None
        except RemoteException as error:
            raise SimulatorError(
                self._name, f"failed in {request[0]}: {describe(error)}"
            ) from error
        except (ConnectionClosedError, ConnectionError, asyncio.IncompleteReadError) as error:
            raise SimulatorError(
                self._name, f"closed its connection in {request[0]}; {await self._fate()}"
            ) from error

    async def stop(self) -> None:
        if self._stopped:
            return
        self._stopped = True
        with suppress(ConnectionError, asyncio.TimeoutError, asyncio.IncompleteReadError):
            await asyncio.wait_for(super().stop(), STOP_TIMEOUT_S)
        if self._child is not None:
            _end(self._child, told=not self._hangs)

    async def _fate(self) -> str:
        """Say what became of its process."""
        if self._child is None:
            return "its own output says why"
        for _ in range(round(STOP_TIMEOUT_S / POLL_S)):
            if self._child.poll() is not None:
                return f"its process ended with exit code {self._child.returncode}"
            await asyncio.sleep(POLL_S)
        return "its process is still running"


def _silent(foreign: ForeignSimulator, problem: str) -> ScenarioError:
    """Return the error of one that was waited for in vain; the file is added by the run."""
    return _late(foreign, f"{problem} within {foreign.timeout_s:g} s")


def _late(foreign: ForeignSimulator, problem: str) -> ScenarioError:
    return ScenarioError(
        f"simulator {foreign.name}: {problem}",
        field=f"simulators.{foreign.name}.timeout_s",
        remedy="mend the simulator, or raise its timeout_s if it needs longer",
    )


def _end(process: subprocess.Popen[bytes], *, told: bool = False) -> None:
    """End a process and what it started; one that was told to stop may do so by itself."""
    if told:
        with suppress(subprocess.TimeoutExpired):
            process.wait(STOP_TIMEOUT_S)
    for number in (signal.SIGTERM, signal.SIGKILL):
        if process.poll() is not None:
            return
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(STOP_TIMEOUT_S)


__all__ = ["ForeignStarter", "describe", "starter_of"]
