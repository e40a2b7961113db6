"""Options that a scenario gives to a plug-in, as arguments of its class."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any, TypeVar

from cosim.errors import ScenarioError

T = TypeVar("T")


_NUMERIC = (int, float, "int", "float")
"""Annotations of numbers, as they are or where annotations are not evaluated."""


def make_with_options(
    plugin: type[T], name: str, setup: object, options: Mapping[str, Any], field: str
) -> T:
    """Make a plug-in from what a run gives it, and its options.

    Parameters
    ----------
    plugin : type
        Takes ``setup``, then options.
    name : str
        In the scenario.
    setup : object
    options : mapping
    field : str
        Of the scenario that names it; for errors.

    Raises
    ------
    ScenarioError
        If the options do not fit.
    """
    make: Any = plugin
    signature = inspect.signature(plugin)
    for option, value in options.items():
        known = signature.parameters.get(option)
        if isinstance(value, bool) and known is not None and known.annotation in _NUMERIC:
            raise ScenarioError(
                f"is {str(value).lower()}, not a number",
                field=f"{field}.options.{option}",
                remedy="give a number",
            )
    try:
        signature.bind(setup, **options)
    except TypeError as error:
        accepted = list(signature.parameters)[1:]
        raise ScenarioError(
            f"options of '{name}' do not fit: {error}",
            field=f"{field}.options",
            remedy=f"its options: {', '.join(accepted) or 'none'}",
        ) from error
    made: T = make(setup, **options)
    return made
