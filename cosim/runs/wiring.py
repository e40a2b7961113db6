"""Wiring of a mosaik world: simulators started, and connected as messages declare it."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import mosaik

from cosim.errors import ScenarioError, SimulatorError
from cosim.messages import DeliveryMessage, FlowMessage
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
from cosim.simulators.foreign import ForeignStarter, describe, starter_of
from cosim.simulators.state import RunState
from cosim.timing import StageTimer


@dataclass(frozen=True)
class WorldSettings:
    """Settings and parts of the world.

    Parameters
    ----------
    step_s : int
        Length of an interval. [s]
    n_steps : int
        Steps of this stretch of the run; after the last delivery interval one step settles it.
    parts : mapping of str to object
        Domain objects by role, as the simulator's ``set_up`` takes them.
    state : RunState
        Of the run; what is in flight on the time-shifted connections travels on.
    first : int
        Interval of the first step.
    foreign : tuple of ForeignSimulator
        Simulators of the scenario.
    scenario_file : str
        Named in errors.
    """

    step_s: int
    n_steps: int
    parts: Mapping[str, object]
    state: RunState
    first: int = 0
    foreign: tuple[ForeignSimulator, ...] = ()
    scenario_file: str = "scenario"


class Wiring:
    """Simulators of a world and the connections between them.

    Parameters
    ----------
    world : mosaik.World
        With our simulators in its configuration, by role.
    settings : WorldSettings
    timer : StageTimer
        Wall time by stage.

    Attributes
    ----------
    names : dict of str to str
        Role or scenario name of each simulator, by mosaik's id.
    starters : list of ForeignStarter
        Of the foreign simulators that were started.
    """

    def __init__(self, world: Any, settings: WorldSettings, timer: StageTimer) -> None:
        self.world = world
        self.settings = settings
        self.names: dict[str, str] = {}
        self.starters: list[ForeignStarter] = []
        self._timer = timer
        self._replaced: dict[str, ForeignSimulator] = {
            f.replaces: f for f in settings.foreign if f.replaces is not None
        }
        self._joined = tuple(f for f in settings.foreign if f.replaces is None)
        self._entities: dict[str, Any] = {}

    def start(self) -> None:
        """Start every simulator; market and DSO as one group."""
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
            first=self.settings.first,
            state=self.settings.state,
        )
        entity = getattr(factory, role.capitalize())()
        self.names[entity.sid] = role
        return entity

    def _foreign(self, foreign: ForeignSimulator) -> Any:
        try:
            starter = starter_of(foreign, self.settings.step_s)
            self.starters.append(starter)
            factory = self.world.start(starter, sim_id=foreign.name, **foreign.params)
            entity = getattr(factory, foreign.model)(**foreign.model_params)
        except ScenarioError:  # nobody answered
            raise
        except (Exception, SystemExit) as error:  # mosaik ends the program for a slow init
            problem = error.problem if isinstance(error, SimulatorError) else describe(error)
            raise self._refuse(
                foreign,
                f"could not be started: {problem}",
                "check how it is started (python, cmd or connect), its params, model and "
                "model_params; a module must be importable (PYTHONPATH)",
            ) from error
        self.names[entity.sid] = foreign.name
        return entity

    def _check_stand_in(self, role: str, entity: Any) -> None:
        """Refuse a simulator that cannot do what the one does whose place it takes."""
        wanted = (set(inputs_of(role)), set(outputs_of(role)), triggers_of(role))
        if refusal := stand_in_refusal(role, entity, *wanted):
            raise self._refuse(self._replaced[role], *refusal)

    def connect(self) -> None:
        """Connect ours as the messages declare it, and foreign ones as the scenario does."""
        initial = dict(self.settings.state.in_flight)
        delivery, flow = initial["delivery"], initial["flow"]
        assert isinstance(delivery, DeliveryMessage)
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

    def compile(self) -> dict[str, Any]:
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
