"""From a scenario file to a scenario, with errors that name the field and the remedy."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from cosim.errors import ScenarioError
from cosim.resources import folder
from cosim.scenario.root import Scenario

STUDY = "study"
"""The section of a scenario file that makes it a study."""

_MERGE = "tag:yaml.org,2002:merge"
"""Tag of the key ``<<``, which stands for no value."""


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
        If the file is missing, is not YAML, gives a key twice, or does not describe a scenario;
        names the field and, for an unknown one, the nearest known name.
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
    own = (scenarios / f"{path}.yaml", scenarios / "attacks" / f"{path}.yaml")
    return next((file for file in own if file.is_file()), path)


def read_fields(path: str | Path) -> dict[str, Any]:
    """Read the fields of a scenario file, of which nothing is checked but that it is a mapping.

    Raises
    ------
    ScenarioError
        If the file is missing, is not YAML, gives a key of a mapping twice, or is no mapping.
    """
    file = Path(path)
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise ScenarioError(
            f"cannot be read: {error.strerror}",
            file=file,
            remedy="give the path of a scenario file, e.g. scenarios/quickstart.yaml, or "
            f"{_known(file.stem)}",
        ) from error
    except UnicodeDecodeError as error:
        raise ScenarioError(
            f"is not UTF-8 text: byte {error.start} is 0x{error.object[error.start]:02x}",
            file=file,
            remedy="save it as UTF-8",
        ) from error
    loader = yaml.SafeLoader(text)
    try:
        node = loader.get_single_node()
        if node is not None:
            _refuse_repeated_keys(loader, node, file, (), set())
        data = None if node is None else loader.construct_document(node)
    except (yaml.YAMLError, ValueError) as error:  # a date that is none is the latter
        raise ScenarioError(f"is not YAML: {error}", file=file, remedy="mend the YAML") from error
    finally:
        loader.dispose()
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


def json_schema() -> dict[str, Any]:
    """Return the JSON schema of a scenario file, for editors."""
    return Scenario.model_json_schema()


def _known(name: str) -> str:
    """The scenario that comes with cosim whose name is nearest, or all of them."""
    names = sorted(file.stem for file in folder("scenarios").rglob("*.yaml"))
    near = difflib.get_close_matches(name, names, n=1)
    return f"a name that comes with cosim: {', '.join(near or names)}"


def _refuse_repeated_keys(
    loader: yaml.SafeLoader,
    node: yaml.Node,
    file: Path,
    path: tuple[str, ...],
    seen: set[int],
) -> None:
    """Refuse a mapping that gives a key twice: YAML would keep the last without a word."""
    if id(node) in seen:  # an alias
        return
    seen.add(id(node))
    if isinstance(node, yaml.SequenceNode):
        for place, item in enumerate(node.value):
            _refuse_repeated_keys(loader, item, file, (*path, str(place)), seen)
    if not isinstance(node, yaml.MappingNode):
        return
    lines: dict[Any, int] = {}
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode):
            continue  # refused as a field's name
        name = loader.construct_object(key) if key.tag != _MERGE else key.value
        own, line = (*path, str(name)), key.start_mark.line + 1
        if name in lines:
            raise ScenarioError(
                f"is given twice, in line {lines[name]} and in line {line}",
                file=file,
                field=".".join(own),
                remedy="keep one of them, with everything that both say",
            )
        lines[name] = line
        _refuse_repeated_keys(loader, value, file, own, seen)
