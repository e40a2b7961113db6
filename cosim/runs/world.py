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
import numpy as np

from cosim.errors import CosimError, ScenarioError, SimulatorError
from cosim.scenario.simulators import Feed, ForeignSimulator, Reading
from cosim.simulators.edge import (
    POPULATION,
    as_is,
    message_conversion,
    mismatch,
    nearest,
    number_conversion,
    stand_in_refusal,
)
from cosim.simulators.foreign import START_TIMEOUT_S, ForeignStarter, describe, starter_of
from cosim.simulators.messages import to_json
from cosim.timing import StageTimer

OURS = {
    "bidders": ("cosim.simulators.bidders:BiddersSimulator", "Bidders"),
    "market": ("cosim.simulators.market:MarketSimulator", "Market"),
    "dso": ("cosim.simulators.dso:DsoSimulator", "Dso"),
    "devices": ("cosim.simulators.devices:DevicesSimulator", "Devices"),
    "grid": ("cosim.simulators.grid:GridSimulator", "Grid"),
    "recorder": ("cosim.simulators.recorder:RecorderSimulator", "Recorder"),
}
EDGES = (
    ("bidders", "market", "bids"),
    ("market", "dso", "schedule"),
    ("dso", "market", "decision"),
    ("market", "devices", "dispatch"),
    ("devices", "grid", "delivery"),
    ("bidders", "recorder", "bids"),
    ("market", "recorder", "session"),
    ("dso", "recorder", "checks"),
    ("devices", "recorder", "delivery"),
    ("grid", "recorder", "flow"),
)
"""What is sent within an interval; ``decision`` is the weak connection that closes the cycle."""
SHIFTED_EDGES = (
    ("devices", "bidders", "delivery"),
    ("market", "bidders", "prices"),
    ("devices", "market", "delivery"),
    ("grid", "market", "flow"),
)
"""What arrives one interval later."""
TRIGGERS = {
    "market": ("bids", "decision"),
    "dso": ("schedule",),
    "devices": ("dispatch",),
    "grid": ("delivery",),
}
"""Inputs whose arrival makes a simulator step; one in its place must step on them too."""


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
            **self.settings.domains[role],
        )
        entity = getattr(factory, OURS[role][1])()
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
        every = (*EDGES, *SHIFTED_EDGES)
        inputs = {attribute for _, target, attribute in every if target == role}
        outputs = {attribute for source, _, attribute in every if source == role}
        triggers = TRIGGERS.get(role, ())
        if refusal := stand_in_refusal(role, entity, inputs, outputs, triggers):
            raise self._refuse(self._replaced[role], *refusal)

    def _connect(self) -> None:
        settings = self.settings
        for source, target, attribute in EDGES:
            weak = {"weak": True} if (source, target) == ("dso", "market") else {}
            self._wire(source, target, attribute, **weak)
        initial = {
            "delivery": settings.initial_delivery,
            "prices": settings.initial_prices,
            "flow": settings.initial_flow,
        }
        for source, target, attribute in SHIFTED_EDGES:
            foreign = self._replaced.get(target)
            value = message_conversion(None, foreign, attribute)(initial[attribute])
            self._wire(
                source, target, attribute, time_shifted=True, initial_data={attribute: value}
            )
        for foreign in self._joined:
            for feed in foreign.feeds:
                self._feed(foreign, feed)
            for reading in foreign.reads:
                self._read(foreign, reading)

    def _wire(self, source: str, target: str, attribute: str, **options: Any) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an absent event into a non-trigger is intended
            self.world.connect(
                self._entities[source],
                self._entities[target],
                attribute,
                transform=message_conversion(
                    self._replaced.get(source),
                    self._replaced.get(target),
                    attribute,
                    len(self.settings.initial_delivery["metered_wh"]),
                    {k: len(v) for k, v in self.settings.initial_flow.items() if np.ndim(v)},
                ),
                **options,
            )

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
            transform=to_json if foreign.python is None else as_is,
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
