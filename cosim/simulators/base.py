"""Base of every simulator of ours: hybrid type, one population entity, child entities."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Generic, TypeVar

import mosaik_api_v3

from cosim.errors import OutOfTime, SimulatorError, in_one_line
from cosim.messages.conversion import frozen
from cosim.messages.declaration import MESSAGES, inputs_of, outputs_of, triggers_of
from cosim.plugins.blame import blamed
from cosim.plugins.draws import DrawWatch
from cosim.simulators.state import IN_FLIGHT, RunState
from cosim.timing import StageTimer

T = TypeVar("T")
P = TypeVar("P")

Children = Mapping[str, Mapping[str, float]]
"""Scalars that other simulators feed, by child entity and attribute."""


class Inbox:
    """Messages that arrived at a step.

    Parameters
    ----------
    messages : mapping of str to object
        By mosaik attribute.
    """

    def __init__(self, messages: Mapping[str, object]) -> None:
        self._messages = {type(message): message for message in messages.values()}

    def of(self, kind: type[T]) -> T | None:
        """Return the message of a type; None if it is no event now."""
        message = self._messages.get(kind)
        return message if isinstance(message, kind) else None

    def need(self, kind: type[T]) -> T:
        """Return a message that must be there.

        Raises
        ------
        LookupError
            If it is not.
        """
        message = self.of(kind)
        if message is None:
            raise LookupError(f"no {kind.__name__} arrived")
        return message


class PopulationSimulator(mosaik_api_v3.Simulator, Generic[P]):
    """A simulator that carries its population as arrays on one entity.

    Which messages it takes, sends and steps on follows from their declarations.

    Parameters
    ----------
    children : mapping of str to attributes, optional
        Models of scalar child entities, for foreign simulators.

    Attributes
    ----------
    role : str
        Its name in the declarations of messages; its public model has the same, capitalised.
    stage : str
        Under which its time is counted.
    """

    role: ClassVar[str] = ""
    stage: ClassVar[str] = ""

    def __init__(self, children: Mapping[str, tuple[str, ...]] | None = None) -> None:
        inputs, outputs = inputs_of(self.role), outputs_of(self.role)
        models: dict[str, Any] = {
            self.role.capitalize(): {
                "public": True,
                "params": [],
                "attrs": [*inputs, *outputs],
                "trigger": list(triggers_of(self.role)),
                "non-persistent": list(outputs),
            }
        }
        for child, attributes in (children or {}).items():
            models[child] = {
                "public": False,
                "params": [],
                "attrs": list(attributes),
                "trigger": [],
                "non-persistent": [],
            }
        meta = {"api_version": "3.0", "type": "hybrid", "models": models}
        super().__init__(meta)  # type: ignore[no-untyped-call]
        self.step_s = 0
        self.last_step_s = -1
        self.timer = StageTimer()
        self._outputs: dict[str, Any] = {}
        self._draws = DrawWatch(self.role)
        self._first, self._state = 0, RunState()
        self._fed: dict[str, dict[str, dict[str, float]]] = {}

    def init(self, sid: str, time_resolution: float = 1.0, **sim_params: Any) -> Any:
        """Take the step length, the stage timer and the domain objects of this simulator.

        And the interval of the first step, and the state of the run.
        """
        self.sid = sid
        self.step_s = int(sim_params["step_s"])
        self.timer = sim_params["timer"]
        self._first, self._state = sim_params["first"], sim_params["state"]
        self._draws.warned = self.role in self._state.warned
        self.set_up(sim_params["parts"])
        return self.meta

    @abstractmethod
    def set_up(self, parts: P) -> None:
        """Take the domain objects."""

    def create(self, num: int, model: str, **model_params: Any) -> list[Any]:
        """Create the one population entity with its children."""
        if num != 1:
            raise ValueError(f"{model} is one population; num must be 1")
        return [{"eid": "population", "type": model, "children": self.child_entities()}]

    def child_entities(self) -> list[dict[str, Any]]:
        """Entities at the edge, one per element; none by default."""
        return []

    def child_value(self, eid: str, attribute: str) -> Any:
        """Present scalar of a child entity."""
        raise KeyError(f"{eid} has no {attribute}")

    def step(self, time: int, inputs: dict[str, Any], max_advance: int) -> int:
        """One step: inputs to messages, one call, outputs kept for `get_data`."""
        self.last_step_s = time
        with self.timer.measure(self.stage):
            messages = {
                attribute: next(iter(sources.values()))
                for attribute, sources in inputs.get("population", {}).items()
            }
            for eid, attributes in inputs.items():
                if eid != "population":
                    for name, sources in attributes.items():
                        self._fed.setdefault(eid, {}).setdefault(name, {}).update(sources)
            # a value holds until its source gives another; several sources add up
            children = {
                eid: {name: sum(sources.values()) for name, sources in attributes.items()}
                for eid, attributes in self._fed.items()
            }
            try:
                interval = self._first + time // self.step_s
                with self._draws.watch(f"interval {interval}"):
                    sent = self.play(interval, Inbox(messages), children)
            except (SystemExit, OutOfTime) as error:  # of a plug-in: mosaik's loop would end
                failure = blamed(error) or SimulatorError(self.role, in_one_line(error))
                raise failure from error
            self._outputs = {_ATTRIBUTES[type(message)]: frozen(message) for message in sent}
            for attribute in self._outputs.keys() & _IN_FLIGHT:
                self._state.in_flight[attribute] = self._outputs[attribute]
            if self._draws.warned:
                self._state.warned.add(self.role)
        return time + self.step_s

    @abstractmethod
    def play(self, interval: int, inbox: Inbox, children: Children) -> Iterable[object]:
        """Make the domain call of one step; return the messages that are events now."""

    def get_data(self, outputs: dict[str, list[str]]) -> dict[str, Any]:
        """Outputs of the last step; absent ones are no event."""
        data: dict[str, Any] = {}
        for eid, attributes in outputs.items():
            if eid == "population":
                data[eid] = {a: self._outputs[a] for a in attributes if a in self._outputs}
            else:
                data[eid] = {a: self.child_value(eid, a) for a in attributes}
        return data


_IN_FLIGHT = frozenset(IN_FLIGHT)
_ATTRIBUTES = {kind: attribute for attribute, kind in MESSAGES.items()}
