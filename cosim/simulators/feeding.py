"""Feeds of foreign simulators as means over delivery intervals.

Power that is fed is energy that is metered, so what counts in an interval is its mean over it: of a
signal that is constant between two steps of its simulator, the sum of values times durations over
the length of the interval. A simulator that feeds and reads nothing does not depend on the run, so
it is stepped ahead to the end of the interval at its beginning, with the calls that mosaik would
make, however fine, coarse or uneven its own steps are. One that reads as well must step when
intervals begin, or is refused: what it answers within an interval would need what it reads then.
One in the place of one of ours steps every interval, as that does.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from cosim.errors import SimulatorError
from cosim.scenario.simulators import ForeignSimulator

Ask = Callable[[Any], Awaitable[Any]]
"""Sends a request (method, positional and named arguments) to the simulator itself."""

Place = tuple[str, str]
"""Entity and attribute."""


class IntervalFeed:
    """Requests of mosaik to one simulator, on their way.

    Parameters
    ----------
    foreign : ForeignSimulator
        One that only reads is left alone.
    step_s : int
        Length of an interval. [s]
    """

    def __init__(self, foreign: ForeignSimulator, step_s: int) -> None:
        self._name = foreign.name
        self._step_s = step_s
        self._feeds = bool(foreign.feeds)
        self._reads = bool(foreign.reads)
        self._stands_in = foreign.replaces is not None
        self._due_s: int | None = None
        self._begun = False
        self._changes: dict[Place, list[tuple[int, Any]]] = {}
        self._means: dict[str, dict[str, Any]] = {}

    async def send(self, request: Any, ask: Ask, remote: Any) -> Any:
        """Answer one request of mosaik.

        Parameters
        ----------
        request : sequence
            Method, positional and named arguments.
        ask : callable
            Sends a request to the simulator.
        remote : MosaikRemote
            Knows which outputs are wanted.

        Raises
        ------
        SimulatorError
            If a step breaks mosaik's rules, or a feed cannot be averaged.
        """
        method = request[0]
        if self._stands_in and method == "step":
            return self._next(await ask(request), request[1][0])
        if not self._feeds or method not in ("step", "get_data"):
            return await ask(request)
        if self._reads:
            answer = await ask(request)
            if method == "step":
                self._check_on_time("returned {} s as its next step", answer)
            elif isinstance(answer, Mapping):
                self._check_on_time("gave outputs for {} s", answer.get("time"))
            return answer
        if method == "get_data":
            return self._means
        return await self._interval(request, ask, remote.sim.output_request)

    def _next(self, answer: Any, now_s: int) -> Any:
        """Refuse another next step than that of the simulator whose place it takes."""
        if isinstance(answer, int) and answer != now_s + self._step_s:
            raise SimulatorError(
                self._name,
                f"its step at {now_s} s returned {answer}; one that stands in for one of ours "
                f"steps every interval, and returns {now_s + self._step_s}",
            )
        return answer

    def _check_on_time(self, deed: str, time_s: Any) -> None:
        """Refuse times within an interval, of a simulator that also reads."""
        if isinstance(time_s, int) and time_s % self._step_s:
            raise SimulatorError(
                self._name,
                f"{deed.format(time_s)}, within an interval of {self._step_s} s: one that reads "
                "as well as feeds must step when intervals begin; give its mean over the interval",
            )

    async def _interval(self, request: Any, ask: Ask, wanted: dict[str, list[str]]) -> int:
        """Step through one interval, and keep the means."""
        method, (start_s, *others), named = request
        end_s = int(start_s) + self._step_s
        if not self._begun:
            self._begun, self._due_s = True, int(start_s)
        while self._due_s is not None and self._due_s < end_s:
            now_s = self._due_s
            self._due_s = self._later(await ask((method, (now_s, *others), named)), now_s)
            self._note(await ask(("get_data", (wanted,), {})), now_s)
        self._means = {}
        for (eid, attribute), changes in self._changes.items():
            changes.sort(key=lambda change: change[0])
            before = [change for change in changes if change[0] < end_s]
            if before:
                mean = self._mean(before, int(start_s), end_s, f"{eid}.{attribute}")
                self._means.setdefault(eid, {})[attribute] = mean
                del changes[: len(before) - 1]
        return end_s

    def _note(self, data: Any, now_s: int) -> None:
        """Note which values hold from which time on; they may be given ahead."""
        try:
            at_s = data.get("time", now_s)
            if not isinstance(at_s, int) or at_s < now_s:
                raise TypeError(f"the time {at_s!r}")
            for eid in data.keys() - {"time"}:
                for attribute, value in data[eid].items():
                    self._changes.setdefault((eid, attribute), []).append((at_s, value))
        except (AttributeError, TypeError) as error:
            raise SimulatorError(
                self._name,
                f"broke the rules of mosaik: its get_data at {now_s} s gave {data!r}, not values "
                "by entity and attribute",
            ) from error

    def _later(self, answer: Any, now_s: int) -> int | None:
        if answer is None:
            return None
        if not isinstance(answer, int) or answer <= now_s:
            raise SimulatorError(
                self._name,
                f"broke the rules of mosaik: its step at {now_s} s returned {answer!r}, not a "
                "later time as a whole number",
            )
        return answer

    def _mean(self, changes: list[tuple[int, Any]], start_s: int, end_s: int, place: str) -> Any:
        """Return the mean of what holds from each change to the next."""
        times = [max(time_s, start_s) for time_s, _ in changes]
        if times[0] > start_s:
            raise SimulatorError(
                self._name,
                f"gave its first {place} at {times[0]} s, within the interval from {start_s} to "
                f"{end_s} s: begin when an interval begins",
            )
        parts = [
            (value, until_s - from_s)
            for (_, value), from_s, until_s in zip(changes, times, [*times[1:], end_s], strict=True)
            if until_s > from_s
        ]
        first = parts[0][0]
        for value, _ in parts:
            try:
                if isinstance(value, str) or not math.isfinite(value):
                    return value  # refused where it is connected
            except TypeError:
                return value
        if all(value == first for value, _ in parts):
            return first
        return math.fsum(value * duration_s for value, duration_s in parts) / self._step_s


__all__ = ["IntervalFeed"]
