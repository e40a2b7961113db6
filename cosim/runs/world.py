"""The mosaik world: which simulators there are and how they are connected. Nothing else wires.

::

    Bidders → [ Market ⇄ Dso ] → Devices → Grid → Recorder

Market and Dso form one group; their cycle is closed by one weak connection, so they take turns
within one time step until the DSO accepts the schedules. Leaving the group is the barrier after
which the devices act once. Meters reach the market, and states of charge and prices the bidders,
over time-shifted connections. Other people's simulators take the place of one of these, or join:
they feed connection points of the Devices, and read any of them.
"""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import mosaik

from cosim.errors import CosimError, ScenarioError, SimulatorError
from cosim.messages import DeliveryMessage, FlowMessage, PricesMessage
from cosim.messages.declaration import edges, field_types, inputs_of, outputs_of, triggers_of
from cosim.scenario.simulators import Feed, ForeignSimulator, Reading
from cosim.simulators.edge import (
    POPULATION,
    message_conversion,
    mismatch,
    nearest,
    number_conversion,
    plain_conversion,
    stand_in_refusal,
)
from cosim.simulators.foreign import START_TIMEOUT_S, ForeignStarter, describe, starter_of
from cosim.timing import StageTimer

OURS = {
    "bidders": "cosim.simulators.bidders:BiddersSimulator",
    "market": "cosim.simulators.market:MarketSimulator",
    "dso": "cosim.simulators.dso:DsoSimulator",
    "devices": "cosim.simulators.devices:DevicesSimulator",
    "grid": "cosim.simulators.grid:GridSimulator",
    "recorder": "cosim.simulators.recorder:RecorderSimulator",
}
"""Our simulators by role. What travels between them is declared with the messages."""


@dataclass(frozen=True)
class WorldSettings:
    """What the world needs to know beyond the simulators' domain objects.

    Parameters
    ----------
    step_s : int
        Length of an interval. [s]
    n_intervals : int
        Delivery intervals; one further step settles the last.
    parts : mapping of str to object
        Domain objects by role, as the simulator's ``set_up`` takes them.
    initial : tuple of messages
        What travels on the time-shifted connections before the first interval.
    foreign : tuple of ForeignSimulator
        Simulators of the scenario.
    scenario_file : str
        Named in errors.
    """

    step_s: int
    n_intervals: int
    parts: Mapping[str, object]
    initial: tuple[DeliveryMessage, FlowMessage, PricesMessage]
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
        config: dict[str, Any] = {role: {"python": place} for role, place in OURS.items()}
        self._runners: dict[str, Any] = {}
        self._starters: list[ForeignStarter] = []
        self._standing: set[Any] | None = None
        self._failed = True  # until a run has come to its end
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
            self._runners = self._compile()
        except BaseException:
            self.shut_down()
            raise

    def run(self) -> None:
        """Run to the end.

        Raises
        ------
        SimulatorError
            If a foreign simulator failed or stopped early; names it.
        Exception
            If one of ours failed: what it raised.
        """
        self._standing = asyncio.all_tasks(self.world.loop)
        try:
            self.world.run(until=self.until, print_progress=False, shutdown=False)
        except Exception as error:
            cause = self._cause(error)
            if cause is error:
                raise
            raise cause from (error if isinstance(cause, SimulatorError) else None)
        for sid, runner in self._runners.items():
            reached = runner.progress.time.time
            if reached < self.until:
                raise SimulatorError(self._names[sid], f"stopped at {reached} s of {self.until} s")
        self._failed = False

    def shut_down(self) -> None:
        """Stop every simulator; harmless when that was done.

        Raises
        ------
        SimulatorError
            If a foreign simulator fails to finalise a run that was good until then.
        """
        loop = self.world.loop
        if loop.is_closed():
            return
        if self._standing is not None:
            # after a failure the other simulators' tasks still wait for it
            self._cancel(asyncio.all_tasks(loop) - self._standing)
        errors = []
        for starter in self._starters:
            try:
                loop.run_until_complete(starter.stop())
            except SimulatorError as error:
                errors.append(error)
        self._cancel(asyncio.all_tasks(loop))
        self.world.shutdown()  # type: ignore[no-untyped-call]
        if errors and not self._failed:
            raise errors[0]

    def _cancel(self, tasks: set[Any]) -> None:
        for task in tasks:
            task.cancel()
        if tasks:
            self.world.loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))

    def _cause(self, error: Exception) -> Exception:
        """What to raise for what mosaik raised."""
        if isinstance(error, CosimError):
            return error
        for sid, runner in self._runners.items():
            task = runner.task
            if task is None or not task.done() or task.cancelled() or task.exception() is not error:
                continue
            name = self._names[sid]
            if name not in OURS:
                return SimulatorError(name, f"broke the rules of mosaik: {describe(error)}")
        # mosaik takes a TypeError in a step for an output that JSON cannot hold
        if isinstance(error, mosaik.exceptions.NonSerializableOutputsError) and isinstance(
            error.__context__, TypeError
        ):
            return error.__context__
        return error

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
            entity = self._foreign(self._replaced[role])
            self._check_stand_in(role, entity)
            return entity
        factory = self.world.start(
            role,
            step_s=self.settings.step_s,
            timer=self._timer,
            parts=self.settings.parts[role],
        )
        entity = getattr(factory, role.capitalize())()
        self._names[entity.sid] = role
        return entity

    def _foreign(self, foreign: ForeignSimulator) -> Any:
        try:
            starter = starter_of(foreign)
            self._starters.append(starter)
            factory = self.world.start(starter, sim_id=foreign.name, **foreign.params)
            entity = getattr(factory, foreign.model)(**foreign.model_params)
        except (Exception, SystemExit) as error:  # mosaik ends the program for a slow init
            problem = error.problem if isinstance(error, SimulatorError) else describe(error)
            raise self._refuse(
                foreign,
                f"could not be started: {problem}",
                "check how it is started (python, cmd or connect), its params, model and "
                "model_params; a module must be importable (PYTHONPATH)",
            ) from error
        self._names[entity.sid] = foreign.name
        return entity

    def _check_stand_in(self, role: str, entity: Any) -> None:
        """Refuse a simulator that cannot do what the one does whose place it takes."""
        wanted = (set(inputs_of(role)), set(outputs_of(role)), triggers_of(role))
        if refusal := stand_in_refusal(role, entity, *wanted):
            raise self._refuse(self._replaced[role], *refusal)

    def _connect(self) -> None:
        delivery, flow, prices = self.settings.initial
        initial = {"delivery": delivery, "flow": flow, "prices": prices}
        n_points = len(delivery.metered_wh)
        sizes = {
            each.name: len(getattr(flow, each.name))
            for each in field_types(FlowMessage)
            if each.dtype is not None
        }
        for edge in sorted(edges(), key=lambda edge: edge.to.time_shifted):
            source, foreign = self._replaced.get(edge.sender), self._replaced.get(edge.to.role)
            options: dict[str, Any] = {"weak": True} if edge.to.weak else {}
            if edge.to.time_shifted:
                value = message_conversion(None, foreign, edge.attribute)(initial[edge.attribute])
                options = {"time_shifted": True, "initial_data": {edge.attribute: value}}
            convert = message_conversion(source, foreign, edge.attribute, n_points, sizes)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # an absent event into a non-trigger is intended
                self.world.connect(
                    self._entities[edge.sender],
                    self._entities[edge.to.role],
                    edge.attribute,
                    transform=convert,
                    **options,
                )
        for foreign in self._joined:
            for feed in foreign.feeds:
                self._feed(foreign, feed)
            for reading in foreign.reads:
                self._read(foreign, reading)

    def _feed(self, foreign: ForeignSimulator, feed: Feed) -> None:
        self._edge(
            foreign,
            self._own(foreign, feed.entity),
            self._child(foreign, feed.to_simulator, feed.to_entity),
            (feed.attribute, feed.to_attribute),
            transform=number_conversion(foreign, f"{feed.to_attribute} of {feed.to_entity}"),
        )

    def _read(self, foreign: ForeignSimulator, reading: Reading) -> None:
        target = self._own(foreign, reading.entity)
        options: dict[str, Any] = {}
        if reading.time_shifted:
            # a simulator that steps on the value shall do so at the start of the next interval
            trigger = target.triggered_by(reading.attribute)
            options["time_shifted"] = self.settings.step_s if trigger else True
            if not trigger:
                options["initial_data"] = {reading.from_attribute: reading.initial}
        self._edge(
            foreign,
            self._child(foreign, reading.from_simulator, reading.from_entity),
            target,
            (reading.from_attribute, reading.attribute),
            transform=plain_conversion(foreign),
            **options,
        )

    def _edge(
        self,
        foreign: ForeignSimulator,
        source: Any,
        target: Any,
        pair: tuple[str, str],
        **options: Any,
    ) -> None:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                self.world.connect(source, target, pair, **options)
        except mosaik.exceptions.ScenarioError as error:
            raise self._refuse(
                foreign,
                f"cannot be connected: {mismatch(source, target, pair)}",
                "name attributes of both ends",
            ) from error

    def _own(self, foreign: ForeignSimulator, name: str | None) -> Any:
        entity = self._entities[foreign.name]
        return entity if name is None else self._among(foreign, foreign.name, entity, name)

    def _child(self, foreign: ForeignSimulator, role: str, name: str) -> Any:
        entity = self._entities[role]
        if name == POPULATION:
            return entity
        return self._among(foreign, role, entity, name)

    def _among(self, foreign: ForeignSimulator, owner: str, entity: Any, name: str) -> Any:
        children = {child.eid: child for child in entity.children}
        if name not in children:
            raise self._refuse(
                foreign,
                f"{owner} has no entity {name!r}",
                f"name one of its {len(children)}, e.g. {nearest(name, children)}"
                if children
                else f"name {POPULATION}: it has no others",
            )
        return children[name]

    def _compile(self) -> dict[str, Any]:
        """Check the wiring, and get mosaik's runners by simulator id."""
        try:
            return dict(self.world.compile(use_cache=True))
        except mosaik.exceptions.ScenarioError as error:
            for foreign in self._joined:
                if foreign.feeds and foreign.reads:
                    raise self._refuse(
                        foreign,
                        "feeds what it reads, within one interval",
                        "set time_shifted: true and initial on its readings",
                    ) from error
            raise

    def _refuse(self, foreign: ForeignSimulator, problem: str, remedy: str) -> ScenarioError:
        return ScenarioError(
            problem,
            file=self.settings.scenario_file,
            field=f"simulators.{foreign.name}",
            remedy=remedy,
        )


__all__ = ["CoSimulation", "WorldSettings"]
