"""Head of a report: strategies, households with something of their own, prices, period."""

from __future__ import annotations

import pandas as pd

from cosim.report.resource_cost import wholesale
from cosim.results.reader import Results
from cosim.scenario.prosumers import NamedBattery, NamedProsumer

NAMED_MAX = 12
"""Households that are listed each; the scenario has the others."""


def household_entries(results: Results) -> list[tuple[str, str]]:
    """Return strategies by share, and what each household named has otherwise than the rest."""
    section = results.scenario_fields["prosumers"]
    named = [NamedProsumer.model_validate(own) for own in section.get("named", ())]
    strategies = ", ".join(
        f"{strategy['name']} {100 * strategy['share']:g} %" for strategy in section["strategies"]
    )
    chosen = sum(own.strategy is not None for own in named)
    if chosen:
        strategies += f", but for {chosen} named household{'' if chosen == 1 else 's'}"
    entries = [("Bidding strategies", strategies)]
    if named:
        listed = [f"{own.connection_point}: {_own(own)}" for own in named[:NAMED_MAX]]
        if len(named) > NAMED_MAX:
            listed.append(f"{len(named) - NAMED_MAX} more in scenario.yaml")
        entries.append(("Named households", "; ".join(listed)))
    return entries


def _own(own: NamedProsumer) -> str:
    """Return what one household has of its own."""
    parts = []
    if own.strategy is not None:
        parts.append(f"strategy {own.strategy.name}{_options(own.strategy.options)}")
    if own.battery is False:
        parts.append("no battery")
    elif isinstance(own.battery, NamedBattery):
        parts.append(f"battery{_options(own.battery.model_dump(exclude_none=True))}")
    if deferral := own.deferral.model_dump(exclude_none=True):
        parts.append(f"deferral{_options(deferral)}")
    parts += [f"{kind.replace('_', ' ')} × {factor:g}" for kind, factor in own.scaling.items()]
    return ", ".join(parts) or "as the rest"


def _options(values: dict[str, object]) -> str:
    """Return fields and values in brackets; nothing where there are none."""
    if not values:
        return ""
    return f" ({', '.join(f'{name} {value}' for name, value in values.items())})"


def period_text(results: Results) -> str:
    """Return begin and end of a run."""
    end = results.times[-1] + pd.Timedelta(seconds=results.step_s)
    return f"{results.times[0]:%a %d %b %Y %H:%M} to {end:%a %d %b %Y %H:%M}"


def intervals_text(results: Results) -> str:
    """Return number and length of a run's intervals."""
    return f"{results.n_intervals} of {results.step_s / 60:g} min"


def wholesale_text(results: Results) -> str:
    """Return the price upstream in words; of a series the range and the mean."""
    prices = wholesale(results)
    low, high = float(prices.min()), float(prices.max())
    if low == high:
        return f"{low:g} EUR/kWh"
    return f"{low:g} to {high:g} EUR/kWh, mean {prices.mean():.4f} EUR/kWh"
