"""The published gas table of a supply contract, against a run's own transactions.

Published gas is by the rules of 2018 and without optimiser; what the same code costs now is in a
column of its own. Our figures are whole transactions of the run, averaged over the calls that were
done. They are priced twice: as published, and by what this run's transactions paid per gas.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from cosim.mechanisms.supply_contract import published_gas
from cosim.report.ledger import gas_price_wei
from cosim.report.panel import TableFigure, TextTable
from cosim.report.text import number
from cosim.results.reader import Results
from cosim.units import WEI_PER_GWEI

_TRANSACTIONS = (
    "block",
    "interval",
    "contract",
    "method",
    "gas_used",
    "max_fee_wei",
    "tip_wei",
    "status",
)


class OwnGas(NamedTuple):
    """Gas of a method or deployment in a run, on average over its calls, and their number."""

    gas: float
    calls: int


@dataclass(frozen=True)
class RunGas:
    """Gas and price of a run's transactions with the published contracts.

    Parameters
    ----------
    methods : dict of (str, str) to OwnGas
        By contract and method.
    deployments : dict of str to OwnGas
        By contract.
    price_gwei : float
        Paid per gas by the run's transactions, on average over their gas. [gwei]
    eur_per_eth : float
        Price of the coin in the scenario. [EUR]
    block_gas_limit : int
        Of the scenario.
    """

    methods: dict[tuple[str, str], OwnGas]
    deployments: dict[str, OwnGas]
    price_gwei: float
    eur_per_eth: float
    block_gas_limit: int


def gas_figure(results: Results) -> TableFigure:
    """Return both tables and their notes, for the report and the terminal."""
    run = run_gas(results)
    return TableFigure(
        "supply-gas",
        "Gas of the supply contract, as published and here",
        notes(run),
        comparison_tables(run),
        wide=True,
    )


def run_gas(results: Results) -> RunGas:
    """Return gas and price of gas of a run, from its tables ``transactions`` and ``blocks``."""
    every = results.frame("transactions", _TRANSACTIONS)
    gas = every["gas_used"].to_numpy(dtype=np.float64)
    paid_wei = float((gas_price_wei(results, every) * gas).sum() / gas.sum()) if len(gas) else 0.0
    done = every[every["status"] == 1]
    contracts = {row.contract for row in published_gas.DEPLOYMENTS}
    done = done[done["contract"].isin(contracts)].astype({"contract": str})
    created = done["method"].isna()
    calls = done[~created].astype({"method": str}).groupby(["contract", "method"])["gas_used"]
    ledger = results.scenario_fields["ledger"]
    created_gas = done[created].groupby("contract")["gas_used"]
    return RunGas(
        methods={(str(c), str(m)): own for (c, m), own in _averages(calls)},
        deployments={str(contract): own for contract, own in _averages(created_gas)},
        price_gwei=paid_wei / WEI_PER_GWEI,
        eur_per_eth=float(ledger["eur_per_eth"]),
        block_gas_limit=int(ledger["block_gas_limit"]),
    )


def comparison_tables(run: RunGas) -> tuple[TextTable, TextTable]:
    """Return methods and deployments, as published and in a run."""
    at_published = f"EUR at {published_gas.GAS_PRICE_GWEI} gwei"
    methods = TextTable(
        "Gas of the supply contract by method",
        (
            "Method",
            "gas then",
            "calls",
            "EUR then",
            "gas now",
            "our gas",
            "calls",
            at_published,
            "EUR here",
        ),
        tuple(_method_row(row, run) for row in published_gas.METHODS),
    )
    deployments = TextTable(
        "Gas of deployments",
        (
            "Contract",
            "gas then",
            "% of limit",
            "EUR then",
            "gas now",
            "our gas",
            "% of limit",
            at_published,
            "% here",
            "EUR here",
        ),
        tuple(_deployment_row(row, run) for row in published_gas.DEPLOYMENTS),
    )
    return methods, deployments


def notes(run: RunGas) -> list[str]:
    """Return the meaning of the columns, and where the published table contradicts itself."""
    return [
        "Then: as published, by rules of 2018 and without optimiser. Now: the same code in whole "
        "transactions by today's rules, optimised. Ours: this run's transactions, on average.",
        f"Published prices: {published_gas.GAS_PRICE_GWEI} gwei, {published_gas.EUR_PER_ETH:g} "
        f"EUR/ETH, block gas limit {number(published_gas.BLOCK_GAS_LIMIT, '', 0)}. Here: "
        f"{number(run.price_gwei, 'gwei', 3)}, {run.eur_per_eth:g} EUR/ETH, "
        f"{number(run.block_gas_limit, '', 0)}.",
        *published_gas.contradictions(),
    ]


def _averages(groups: Any) -> list[tuple[Any, OwnGas]]:
    """Return key, average and number of calls of each group of a column of gas."""
    averages = groups.agg(["mean", "size"])
    own = map(OwnGas, averages["mean"].astype(float), averages["size"].astype(int))
    return list(zip(averages.index, own, strict=True))


def _method_row(row: published_gas.PublishedMethod, run: RunGas) -> tuple[str, ...]:
    own = run.methods.get((row.contract, row.method))
    return (
        row.method,
        number(row.gas, "", 0),
        str(row.calls),
        _printed_eur(row.eur_cents),
        number(row.gas_now, "", 0),
        *((number(own.gas, "", 0), str(own.calls)) if own else ("—", "0")),
        *_eur(own, run),
    )


def _deployment_row(row: published_gas.PublishedDeployment, run: RunGas) -> tuple[str, ...]:
    own = run.deployments.get(row.contract)
    stated, mine = _eur(own, run)
    return (
        row.contract,
        number(row.gas, "", 0),
        number(row.percent_of_limit, "", 1),
        _printed_eur(row.eur_cents),
        number(row.gas_now, "", 0),
        number(own.gas if own else None, "", 0),
        _percent(own, published_gas.BLOCK_GAS_LIMIT),
        stated,
        _percent(own, run.block_gas_limit),
        mine,
    )


def _eur(own: OwnGas | None, run: RunGas) -> Sequence[str]:
    """Return cost at the published prices and at the run's, as text."""
    prices = (
        (published_gas.GAS_PRICE_GWEI, published_gas.EUR_PER_ETH),
        (run.price_gwei, run.eur_per_eth),
    )
    return [
        number(published_gas.gas_eur(own.gas, *price) if own else None, "", 4) for price in prices
    ]


def _percent(own: OwnGas | None, limit: int) -> str:
    return number(100 * own.gas / limit if own else None, "", 1)


def _printed_eur(cents: int) -> str:
    return f"{cents / published_gas.CENTS_PER_EUR:.2f}"
