"""What every simulator of ours shares: hybrid type, one population entity, child entities."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import mosaik_api_v3

from cosim.timing import StageTimer


class PopulationSimulator(mosaik_api_v3.Simulator):
    """A simulator that carries its population as arrays on one entity.

    Parameters
    ----------
    model : str
        Name of its public model.
    inputs, outputs : sequences of str
        Message attributes of the population entity. An output that is absent in an interval is no
        event.
    triggers : sequence of str
        Inputs whose arrival makes it step.
    children : mapping of str to attributes, optional
        Models of scalar child entities, for other people's simulators.
    """

    stage = ""

    def __init__(
        self,
        model: str,
        inputs: tuple[str, ...],
        outputs: tuple[str, ...],
        triggers: tuple[str, ...] = (),
        children: Mapping[str, tuple[str, ...]] | None = None,
    ) -> None:
        models: dict[str, Any] = {
            model: {
                "public": True,
                "params": [],
                "attrs": [*inputs, *outputs],
                "trigger": list(triggers),
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
        self._fed: dict[str, dict[str, dict[str, float]]] = {}

    def init(self, sid: str, time_resolution: float = 1.0, **sim_params: Any) -> Any:
        """Take the step length, the stage timer and the domain objects of this simulator."""
        self.sid = sid
        self.step_s = int(sim_params.pop("step_s"))
        self.timer = sim_params.pop("timer")
        self.set_up(**sim_params)
        return self.meta

    def set_up(self, **domain: Any) -> None:
        """Keep the domain objects; overridden by each simulator."""
        raise TypeError(f"{type(self).__name__} takes {sorted(domain)}")

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
            self._outputs = self.play(time // self.step_s, messages, children)
        return time + self.step_s

    def play(
        self, interval: int, messages: dict[str, Any], children: dict[str, dict[str, float]]
    ) -> dict[str, Any]:
        """The domain call of one step; returns the outputs that are events now."""
        raise TypeError(f"{type(self).__name__} plays nothing")

    def get_data(self, outputs: dict[str, list[str]]) -> dict[str, Any]:
        """Outputs of the last step; absent ones are no event."""
        data: dict[str, Any] = {}
        for eid, attributes in outputs.items():
            if eid == "population":
                data[eid] = {a: self._outputs[a] for a in attributes if a in self._outputs}
            else:
                data[eid] = {a: self.child_value(eid, a) for a in attributes}
        return data
