"""From a scenario file to a scenario, with errors that name the field and the remedy."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from cosim.errors import ScenarioError
from cosim.inputs.yaml_file import read_yaml
from cosim.resources import folder
from cosim.scenario.root import Scenario

STUDY = "study"
"""The section of a scenario file that makes it a study."""
CAMPAIGN = "campaign"
"""The section that makes it a campaign."""
SECTIONS = (STUDY, CAMPAIGN)


def load_scenario(path: str | Path) -> Scenario:
    """Read a scenario file.

    Parameters
    ----------
    path : str or Path
        A YAML file, or the name of a scenario that comes with cosim, e.g. ``quickstart``.

    Returns
    -------
    Scenario
        Remembers its file: a grid is looked up from there.

    Raises
    ------
    ScenarioError
        As :func:`read_fields`, or if they do not describe a scenario; names the field and, for an
        unknown one, the nearest known name.
    """
    file = find_scenario(path)
    fields = read_fields(file)
    if STUDY in fields:
        raise ScenarioError(
            "is a study of several runs, not one scenario",
            file=file,
            field=STUDY,
            remedy="play it with 'cosim run', or load a scenario.yaml of its runs",
        )
    if CAMPAIGN in fields:
        raise ScenarioError(
            "is a campaign of many runs, not one scenario",
            file=file,
            field=CAMPAIGN,
            remedy="play it with 'cosim sweep', or load a scenario.yaml of its runs",
        )
    return scenario_of(fields, file)


def find_scenario(given: str | Path) -> Path:
    """Return the file given, or the scenario of that name that comes with cosim.

    Parameters
    ----------
    given : str or Path
        Where there is no such file, a name such as ``quickstart`` or ``attacks/spam``.

    Returns
    -------
    Path
        ``given`` where neither is there.
    """
    path = Path(given)
    if path.exists() or path.is_absolute() or ".." in path.parts:
        return path
    scenarios = folder("scenarios")
    own = [scenarios / sub / f"{path}.yaml" for sub in ("", "attacks", "campaigns")]
    return next((file for file in own if file.is_file()), path)


def read_fields(path: str | Path) -> dict[str, Any]:
    """Read the fields of a scenario file, of which nothing is checked but that it is a mapping.

    Raises
    ------
    ScenarioError
        As :func:`cosim.inputs.yaml_file.read_yaml`, or if it holds no mapping.
    """
    file = Path(path)
    data = read_yaml(
        file,
        ScenarioError,
        f"give the path of a scenario file, e.g. scenarios/quickstart.yaml, or {_known(file.stem)}",
    )
    if not isinstance(data, dict):
        raise ScenarioError(
            "holds no mapping of fields", file=file, remedy="start from scenarios/quickstart.yaml"
        )
    return data


def scenario_of(fields: Mapping[str, Any], file: str | Path) -> Scenario:
    """Return the scenario that fields describe.

    Parameters
    ----------
    fields : mapping
        As :func:`read_fields` gives them, perhaps changed since.
    file : str or Path
        Where they come from; named in errors.

    Raises
    ------
    ScenarioError
        If they do not describe a scenario; names the file and the field.
    """
    return Scenario.of(fields, file)


def json_schema(further: Mapping[str, type[BaseModel]] | None = None) -> dict[str, Any]:
    """Return the JSON schema of a scenario file, for editors.

    Parameters
    ----------
    further : mapping of str to type, optional
        Models of sections that a file may have and that are no part of one run, by name.
    """
    schema = Scenario.model_json_schema()
    for name, model in (further or {}).items():
        own = model.model_json_schema(ref_template="#/$defs/{model}")
        schema["$defs"] |= own.pop("$defs", {}) | {model.__name__: own}
        schema["properties"][name] = {"$ref": f"#/$defs/{model.__name__}"}
    return schema


def _known(name: str) -> str:
    """The scenario that comes with cosim whose name is nearest, or all of them."""
    names = sorted(file.stem for file in folder("scenarios").rglob("*.yaml"))
    near = difflib.get_close_matches(name, names, n=1)
    return f"a name that comes with cosim: {', '.join(near or names)}"
