"""Runs a study's variants and checks what it expects of them, for tests."""

from __future__ import annotations

import json
import operator
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from cosim.experiment import run_scenario
from cosim.scenario import Scenario

OPERATORS: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}


def overridden(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """A scenario's data with overrides, nested or by dotted key."""
    merged = dict(base)
    for key, value in changes.items():
        head, _, rest = key.partition(".")
        if rest:
            value = {rest: value}
        if isinstance(value, Mapping):
            value = overridden(merged.get(head) or {}, value)
        merged[head] = value
    return merged


class Study:
    """Result folders and indicators of every variant of a study file."""

    def __init__(self, file: Path, out: Path) -> None:
        data = yaml.safe_load(file.read_text(encoding="utf-8"))
        self.study: dict[str, Any] = data.pop("study")
        self.folders: dict[str, Path] = {}
        self.indicators: dict[str, dict[str, Any]] = {}
        for name, changes in self.study["variants"].items():
            scenario = Scenario.model_validate(overridden(data, changes))
            self.folders[name] = out / name
            run_scenario(scenario, file, out / name)
            manifest = json.loads((out / name / "manifest.json").read_text(encoding="utf-8"))
            self.indicators[name] = manifest["indicators"]

    def value(self, text: str) -> float:
        """A number, or the indicator of a variant by its dotted path."""
        try:
            return float(text)
        except ValueError:
            found: Any = self.indicators
            for part in text.split("."):
                found = found[part]
            return float(found)

    def unmet(self) -> list[str]:
        """What is expected and not so, with both values."""
        found = []
        for line in self.study["expect"]:
            left, sign, right = line.split()
            values = self.value(left), self.value(right)
            if not OPERATORS[sign](*values):
                found.append(f"{line} ({values[0]:g}, {values[1]:g})")
        return found
