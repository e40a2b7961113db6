"""Checks where foreign simulators meet ours: attributes, messages, numbers."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any

from cosim.errors import SimulatorError
from cosim.messages.conversion import received, to_dict, to_json
from cosim.scenario.simulators import ForeignSimulator

POPULATION = "population"
"""Name under which the entity that sends and takes whole messages is read."""


def stand_in_refusal(
    role: str, entity: Any, inputs: set[str], outputs: set[str], triggers: tuple[str, ...]
) -> tuple[str, str] | None:
    """Return why an entity cannot take another's place, and the remedy; None if it can.

    Parameters
    ----------
    role : str
        Whose place it takes.
    entity : mosaik.async_scenario.Entity
    inputs, outputs : sets of str
        Attributes that are connected.
    triggers : tuple of str
        Inputs whose arrival must make it step.
    """
    mock = entity.model_mock
    problems = [
        *(f"has no input {a}" for a in sorted(inputs) if a not in mock.input_attrs),
        *(f"has no output {a}" for a in sorted(outputs) if a not in mock.output_attrs),
        *(f"does not step on {a}" for a in triggers if not entity.triggered_by(a)),
        *(f"declares {a} persistent" for a in sorted(outputs) if entity.is_persistent(a)),
    ]
    if not problems:
        return None
    return (
        f"cannot take the place of {role}: it {', '.join(problems)}",
        f"make it hybrid, with attrs {', '.join(sorted(inputs | outputs))}, "
        f"trigger [{', '.join(triggers)}] and non-persistent [{', '.join(sorted(outputs))}]; "
        "see docs/simulators.md",
    )


def message_conversion(
    source: ForeignSimulator | None,
    target: ForeignSimulator | None,
    attribute: str,
    n_points: int = 0,
    sizes: Mapping[str, int] = MappingProxyType({}),
) -> Callable[[Any], Any]:
    """Return what converts a message on its way: nothing, but from and to foreign simulators.

    Parameters
    ----------
    source, target : ForeignSimulator or None
        Who stands in for the sender and the receiver; None if it is ours.
    attribute : str
        Of the message.
    n_points : int
        Number of connection points.
    sizes : mapping of str to int
        Sizes of arrays that have another.
    """

    def convert(message: Any) -> Any:
        if source is not None:
            try:
                message = received(attribute, message, n_points, sizes)
            except ValueError as error:
                raise SimulatorError(source.name, f"sent a wrong message: {error}") from error
        return message if target is None else plain_conversion(target)(message)

    return convert


def number_conversion(foreign: ForeignSimulator, place: str) -> Callable[[Any], float]:
    """A fed value as a plain number: what the devices add up and the meters count."""

    def convert(value: Any) -> float:
        try:
            number = math.nan if isinstance(value, str) else float(value)
        except (TypeError, ValueError):
            number = math.nan
        if not math.isfinite(number):
            raise SimulatorError(foreign.name, f"gave {value!r} for {place}, not a finite number")
        return number

    return convert


def plain_conversion(target: ForeignSimulator) -> Callable[[Any], Any]:
    """Dictionaries of what a simulator of others takes: arrays in this process, else lists."""
    return to_json if target.python is None else to_dict


def mismatch(source: Any, target: Any, pair: tuple[str, str]) -> str:
    """Say why two entities cannot be connected: their attributes, and those asked for."""

    def names(attributes: Any) -> str:
        # mosaik also has sets of all attributes but some
        return ", ".join(sorted(attributes)) if isinstance(attributes, Iterable) else "any"

    return (
        f"{source.full_id} has the attributes {names(source.model_mock.output_attrs)}; "
        f"{target.full_id} has {names(target.model_mock.input_attrs)}; "
        f"asked for {' into '.join(pair)}"
    )


def nearest(name: str, known: Iterable[str]) -> str:
    """A few of the known names, those like the one given first."""
    names = sorted(known)
    return ", ".join(difflib.get_close_matches(name, names, n=3, cutoff=0.3) or names[:3])
