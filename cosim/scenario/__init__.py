"""Scenarios: frozen models of a file, one module per section, and their reading.

Every field carries its unit in its name. Unknown fields are refused, with the nearest known name.
"""

from cosim.scenario.loading import json_schema, load_scenario, read_fields, scenario_of
from cosim.scenario.root import Scenario

__all__ = ["Scenario", "json_schema", "load_scenario", "read_fields", "scenario_of"]
