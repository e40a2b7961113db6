"""The mosaik world: which simulators there are and how they are connected. Nothing else wires.

::

    Bidders → [ Market ⇄ Dso ] → Devices → Grid → Recorder

Market and Dso form one group; their cycle is closed by one weak connection, so they take turns
within one time step until the DSO accepts the schedules. Leaving the group is the barrier after
which the devices act once. Meters reach the market, and states of charge and prices the bidders,
over time-shifted connections.
"""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import mosaik

from cosim.errors import ScenarioError, SimulatorError
from cosim.scenario import ForeignSimulator
from cosim.simulators.messages import from_any, to_json
from cosim.timing import StageTimer

OURS = {
    "bidders": ("cosim.simulators.bidders:BiddersSimulator", "Bidders"),
    "market": ("cosim.simulators.market:MarketSimulator", "Market"),
    "dso": ("cosim.simulators.dso:DsoSimulator", "Dso"),
    "devices": ("cosim.simulators.devices:DevicesSimulator", "Devices"),
    "grid": ("cosim.simulators.grid:GridSimulator", "Grid"),
    "recorder": ("cosim.simulators.recorder:RecorderSimulator", "Recorder"),
}
START_TIMEOUT_S = 60
"""Importing pandapower without byte code takes longer than mosaik's ten seconds."""


@dataclass(frozen=True)
class WorldSettings:
    """What the world needs to know beyond the simulators' domain objects.

    Parameters
    ----------
    step_s : int
        Length of an interval. [s]
    n_intervals : int
        Delivery intervals; one further step settles the last.
    domains : mapping of str to mapping
        Domain objects by simulator, as its ``set_up`` takes them.
    initial_delivery, initial_prices : mapping
        What travels on the time-shifted connections before the first interval.
    foreign : tuple of ForeignSimulator
        Simulators of the scenario.
    scenario_file : str
        Named in errors.
    """

    step_s: int
    n_intervals: int
    domains: Mapping[str, Mapping[str, Any]]
    initial_delivery: Mapping[str, Any]
    initial_flow: Mapping[str, Any]
    initial_prices: Mapping[str, Any]
    foreign: tuple[ForeignSimulator, ...] = ()
    scenario_file: str = "scenario"


class CoSimulation:
    """A wired world, ready to run once.

    Parameters
    ----------
    settings : WorldSettings
    timer : StageTimer
        Wall time by stage.

    Raises
    ------
    ScenarioError
        If a foreign simulator does not start, or lacks what the scenario connects.
    """

    def __init__(self, settings: WorldSettings, timer: StageTimer) -> None:
        self.settings = settings
        self.until = (settings.n_intervals + 1) * settings.step_s
        self._timer = timer
        self._replaced: dict[str, ForeignSimulator] = {
            f.replaces: f for f in settings.foreign if f.replaces is not None
        }
        self._joined = tuple(f for f in settings.foreign if f.replaces is None)
        self._entities: dict[str, Any] = {}
        self._names: dict[str, str] = {}
        config: dict[str, Any] = {name: {"python": place} for name, (place, _) in OURS.items()}
        config |= {f.name: _start_of(f) for f in settings.foreign}
        self.world = mosaik.World(
            config,
            mosaik_config={"start_timeout": START_TIMEOUT_S},
            skip_greetings=True,
            configure_logging=False,
            cache=True,
        )
        try:
            self._start()
            self._connect()
        except BaseException:
            self.world.shutdown()  # type: ignore[no-untyped-call]
            raise

    def run(self) -> None:
        """Run to the end.

        Raises
        ------
        SimulatorError
            If a simulator crashed or stopped early, ours or foreign; names it.
        """
        self.world.run(until=self.until, print_progress=False)
        for sid, name in self._names.items():
            reached = self.world.sims[sid].progress.time.time
            if reached < self.until:
                raise SimulatorError(
                    name,
                    f"stopped at {reached} s of {self.until} s; its own output says why",
                )

    def shut_down(self) -> None:
        """Stop every simulator; harmless after a run."""
        loop = self.world.loop
        if loop.is_closed():
            return
        # after a failure the other simulators' tasks still wait for it
        waiting = asyncio.all_tasks(loop)
        for task in waiting:
            task.cancel()
        if waiting:
            loop.run_until_complete(asyncio.gather(*waiting, return_exceptions=True))
        self.world.shutdown()  # type: ignore[no-untyped-call]

    def _start(self) -> None:
        self._entities["bidders"] = self._population("bidders")
        with self.world.group("interval"):
            self._entities["market"] = self._population("market")
            self._entities["dso"] = self._population("dso")
        for role in ("devices", "grid", "recorder"):
            self._entities[role] = self._population(role)
        for foreign in self._joined:
            self._entities[foreign.name] = self._foreign(foreign)

    def _population(self, role: str) -> Any:
        """Start one of ours, or the foreign simulator in its place."""
        if role in self._replaced:
            return self._foreign(self._replaced[role])
        factory = self.world.start(
            role,
            step_s=self.settings.step_s,
            timer=self._timer,
            **self.settings.domains[role],
        )
        entity = getattr(factory, OURS[role][1])()
        self._names[entity.sid] = role
        return entity

    def _foreign(self, foreign: ForeignSimulator) -> Any:
        try:
            factory = self.world.start(foreign.name, **foreign.params)
            entity = getattr(factory, foreign.model)(**foreign.model_params)
        except Exception as error:
            raise self._refuse(
                foreign,
                f"could not be started: {type(error).__name__}: {error}",
                "check how it is started (python, cmd or connect), its params and its model",
            ) from error
        self._names[entity.sid] = foreign.name
        return entity

    def _connect(self) -> None:
        first = self.settings
        self._wire("bidders", "market", "bids")
        self._wire("market", "dso", "schedule")
        self._wire("dso", "market", "decision", weak=True)
        self._wire("market", "devices", "dispatch")
        self._wire("devices", "grid", "delivery")
        self._shift("devices", "bidders", "delivery", first.initial_delivery)
        self._shift("market", "bidders", "prices", first.initial_prices)
        self._shift("devices", "market", "delivery", first.initial_delivery)
        self._shift("grid", "market", "flow", first.initial_flow)
        for source, attribute in (
            ("bidders", "bids"),
            ("market", "session"),
            ("dso", "checks"),
            ("devices", "delivery"),
            ("grid", "flow"),
        ):
            self._wire(source, "recorder", attribute)
        for foreign in self._joined:
            self._join(foreign)

    def _wire(self, source: str, target: str, attribute: str, **options: Any) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an absent event into a non-trigger is intended
            self.world.connect(
                self._entities[source],
                self._entities[target],
                attribute,
                **self._converted(source, target, attribute),
                **options,
            )

    def _shift(self, source: str, target: str, attribute: str, initial: Mapping[str, Any]) -> None:
        value = to_json(initial) if self._remote(target) else initial
        self._wire(source, target, attribute, time_shifted=True, initial_data={attribute: value})

    def _remote(self, role: str) -> bool:
        foreign = self._replaced.get(role)
        return foreign is not None and foreign.python is None

    def _converted(self, source: str, target: str, attribute: str) -> dict[str, Any]:
        """Arrays become lists towards another process, and lists arrays on the way back.

        The rows that a market hands to the recorder are lists already.
        """
        if self._remote(target):
            return {"transform": to_json}
        if self._remote(source) and attribute != "session":
            return {"transform": from_any}
        return {}

    def _join(self, foreign: ForeignSimulator) -> None:
        entity = self._entities[foreign.name]
        for feed in foreign.feeds:
            self._edge(
                foreign,
                entity,
                self._child(foreign, feed.to_simulator, feed.to_entity),
                (feed.attribute, feed.to_attribute),
            )
        for reading in foreign.reads:
            self._edge(
                foreign,
                self._child(foreign, reading.from_simulator, reading.from_entity),
                entity,
                (reading.from_attribute, reading.attribute),
            )

    def _edge(
        self, foreign: ForeignSimulator, source: Any, target: Any, pair: tuple[str, str]
    ) -> None:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                self.world.connect(source, target, pair)
        except mosaik.exceptions.ScenarioError as error:
            raise self._refuse(
                foreign, f"cannot be connected: {error}", "check the attribute names of both ends"
            ) from error

    def _child(self, foreign: ForeignSimulator, role: str, name: str) -> Any:
        children = {child.eid: child for child in self._entities[role].children}
        if name not in children:
            raise self._refuse(
                foreign,
                f"{role} has no entity {name!r}",
                f"name one of {', '.join(sorted(children)[:8])}, …",
            )
        return children[name]

    def _refuse(self, foreign: ForeignSimulator, problem: str, remedy: str) -> ScenarioError:
        return ScenarioError(
            problem,
            file=self.settings.scenario_file,
            field=f"simulators.{foreign.name}",
            remedy=remedy,
        )


def _start_of(foreign: ForeignSimulator) -> dict[str, str]:
    key = next(key for key in ("python", "cmd", "connect") if getattr(foreign, key) is not None)
    return {key: getattr(foreign, key)}


__all__ = ["CoSimulation", "WorldSettings"]
