"""Tariffs of a run out of its section ``market``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cosim.errors import ScenarioError
from cosim.inputs.prices import Price, PriceFile, PriceValues, price_series
from cosim.mechanisms.local_market.orders import MAX_PRICE_UEUR_PER_KWH
from cosim.scenario.tariff import PPM, Tariffs
from cosim.units import FloatArray, IntArray, eur_from_ueur, ueur_series_from_eur

if TYPE_CHECKING:
    from cosim.scenario import Scenario


def tariffs_of(scenario: Scenario) -> Tariffs:
    """Return the supplier's prices in every interval of a run.

    Raises
    ------
    ProfileError
        If a file of prices cannot be read or does not hold the run.
    ScenarioError
        If a price cannot stand on chain, or feed-in and local charges exceed the retail price.
    """
    market = scenario.market

    def series(field: str, price: Price) -> IntArray:
        return ueur_series_from_eur(series_of(scenario, field, price))

    if market.feed_in is None:
        feed_in = series("market.feed_in_eur_per_kwh", market.feed_in_eur_per_kwh)
    else:
        feed_in = series("market.feed_in", market.feed_in)
    if market.retail is None:
        nothing = np.zeros(scenario.time.intervals, dtype=np.int64)
        retail = series("market.retail_eur_per_kwh", market.retail_eur_per_kwh)
        tariffs = Tariffs(retail, feed_in, nothing, nothing)
    else:
        energy, network, taxes = (
            series(f"market.retail.{part}", getattr(market.retail, part))
            for part in ("energy", "network", "taxes")
        )
        tariffs = Tariffs(
            energy + network + taxes,
            feed_in,
            network,
            taxes,
            round(market.local_share.network * PPM),
            round(market.local_share.taxes * PPM),
        )
    _check(tariffs)
    return tariffs


def with_values(scenario: Scenario) -> Scenario:
    """Return a scenario in which prices out of files are written out, interval by interval.

    So a result folder needs no file but its own.

    Raises
    ------
    ProfileError
        If a file of prices cannot be read or does not hold the run.
    ScenarioError
        If values of the wholesale price are fewer than intervals.
    """
    market, valuation = scenario.market, scenario.valuation
    series_of(scenario, "valuation.wholesale_eur_per_kwh", valuation.wholesale_eur_per_kwh)
    if not (files := price_files(scenario)):
        return scenario
    parts: dict[str, Any] = {}
    own: dict[str, Any] = {}
    values: dict[str, Any] = {}
    for field, price in files.items():
        series = series_of(scenario, field, price)
        into = parts if "retail." in field else own if field.startswith("market.") else values
        into[field.rpartition(".")[2]] = PriceValues(
            eur_per_kwh=tuple(round(value, 9) for value in series.tolist())
        )
    if market.retail is not None:
        own |= {"retail": market.retail.model_copy(update=parts)}
    return scenario.model_copy(
        update={
            "market": market.model_copy(update=own),
            "valuation": valuation.model_copy(update=values),
        }
    )


def price_files(scenario: Scenario) -> dict[str, PriceFile]:
    """Return the files of prices by their field."""
    market = scenario.market
    prices: dict[str, Price | None] = {
        "market.feed_in": market.feed_in,
        "valuation.wholesale_eur_per_kwh": scenario.valuation.wholesale_eur_per_kwh,
    }
    if market.retail is not None:
        for part in ("energy", "network", "taxes"):
            prices[f"market.retail.{part}"] = getattr(market.retail, part)
    return {field: price for field, price in prices.items() if isinstance(price, PriceFile)}


def series_of(scenario: Scenario, field: str, price: Price) -> FloatArray:
    """Return a price in every interval of a run, (T,). [EUR/kWh]

    Raises
    ------
    UserError
        As :func:`cosim.inputs.prices.price_series`.
    """
    time, folder = scenario.time, scenario.file.parent if scenario.file else None
    return price_series(price, time.start, time.intervals, time.step_s, folder, field)


def _check(tariffs: Tariffs) -> None:
    for field, values in (
        ("market.feed_in", tariffs.feed_in),
        ("market.retail.network", tariffs.network),
        ("market.retail.taxes", tariffs.taxes),
        ("market.retail", tariffs.retail),
    ):
        wrong = (values < 0) | (values > MAX_PRICE_UEUR_PER_KWH)
        if wrong.any():
            k = int(np.argmax(wrong))
            raise ScenarioError(
                f"is {eur_from_ueur(int(values[k])):g} EUR/kWh in interval {k}; the contract takes "
                "prices from 0 to 2147 EUR/kWh",
                field=field,
                remedy=_remedy(field, is_negative=bool(values[k] < 0)),
            )
    above = tariffs.feed_in > tariffs.local_limit
    if above.any():
        k = int(np.argmax(above))
        feed_in, limit = (
            eur_from_ueur(int(values[k])) for values in (tariffs.feed_in, tariffs.local_limit)
        )
        raise ScenarioError(
            f"in interval {k} it is {feed_in:g} EUR/kWh, and the retail price less what is charged "
            f"on local trades {limit:g} EUR/kWh: no price between them suits buyer and seller",
            field="market.feed_in",
            remedy="lower it or market.local_share, or raise market.retail",
        )


def _remedy(field: str, is_negative: bool) -> str:
    if not is_negative:
        return "lower it; if it is out of a file, see whether its unit is the column's"
    if field == "market.feed_in":
        return (
            "clip it at 0, out of a file in a second column of prices; only market.retail.energy "
            "and valuation.wholesale_eur_per_kwh may be negative"
        )
    return "raise it, e.g. by added_eur_per_kwh of a file; only the part energy may be negative"
