"""The small population of tests/support."""

from __future__ import annotations

from small_population import make_population, parameters, population, tariff

__all__ = ["make_population", "parameters", "population", "tariff"]
