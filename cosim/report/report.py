"""Writes ``report.html``: one file, without any other, that tells what a run found."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup

from cosim.attacks.panel import ATTACK_DEFINITION, attack_groups
from cosim.errors import ResultFolderError
from cosim.mechanisms.community_storage.indicators import storage_chart
from cosim.mechanisms.green_certificates.indicators import certificates_chart
from cosim.mechanisms.supply_contract.gas_comparison import (
    TextTable,
    comparison_tables,
    has_supply_contract,
    notes,
    run_gas,
)
from cosim.report import charts
from cosim.report.chart_style import Chart, round_ticks
from cosim.report.checks import STAGE_LABELS
from cosim.report.indicators import (
    GAS_COLUMNS,
    Indicators,
    compute_indicators,
    gas_by_method,
)
from cosim.report.ledger import confirmations
from cosim.report.ledger_charts import ledger_charts
from cosim.report.ledger_text import ledger_definitions, ledger_tiles
from cosim.report.network_map import (
    LOADING_STEPS_PER_PERCENT,
    VM_STEPS_PER_PU,
    geometry,
    pack_stage,
    shown_intervals,
    worst_interval,
)
from cosim.report.page import page_template, plotly_js, script_json, template
from cosim.report.report_text import (
    CERTIFICATE_DEFINITION,
    DEFINITIONS,
    MONEY_COLUMNS,
    STORAGE_DEFINITION,
    key_facts,
    money_rows,
    offender_rows,
    tiles,
)
from cosim.report.series import StageSeries, offenders, stage_series
from cosim.results.reader import Results

REPORT = "report.html"

OFFENDERS_MAX = 12


def write_report(folder: str | Path) -> Path:
    """Write the report of a result folder into it.

    Parameters
    ----------
    folder : str or Path
        A result folder with its manifest; one that is not finished yet will do.

    Returns
    -------
    Path
        ``report.html`` in the folder: self-contained, without any request to the network.

    Raises
    ------
    ResultFolderError
        If the folder lacks a table, the manifest, the scenario, or the network's coordinates.
    """
    results = Results(folder)
    path = results.folder / REPORT
    path.write_text(render(results), encoding="utf-8")
    return path


def render(results: Results) -> str:
    """The report as HTML. It does not depend on the clock: one result, one text."""
    if results.n_intervals == 0:
        raise ResultFolderError(
            "holds no interval that was settled, so there is nothing to report",
            file=results.folder,
            remedy="let the run go on for at least two intervals",
        )
    indicators = compute_indicators(results)
    before, after = stage_series(results, "scheduled"), stage_series(results, "delivered")
    shown = shown_intervals(before, after)
    groups = _chart_groups(results, before, after)
    listed = offenders(results)
    manifest = results.manifest
    gas_tables, gas_notes = _gas_comparison(results)
    page = page_template("report.html.j2")
    return page.render(
        name=manifest["name"],
        description=results.scenario_fields.get("description", ""),
        complete=manifest["complete"],
        intervals=manifest["intervals"],
        intervals_done=manifest["intervals_done"],
        facts=key_facts(results, indicators),
        tiles=[*tiles(indicators), *ledger_tiles(indicators, confirmations(results))],
        n_shown=len(shown),
        map_note=_map_note(len(shown), results.n_intervals),
        offenders=offender_rows(listed[:OFFENDERS_MAX]),
        offenders_left_out=max(0, len(listed) - OFFENDERS_MAX),
        groups=groups,
        money_columns=MONEY_COLUMNS,
        money_rows=money_rows(results),
        gas_tables=gas_tables,
        gas_notes=gas_notes,
        definitions=_definitions(indicators),
        seed=manifest["seed"],
        version=manifest["versions"]["cosim"],
        revision=manifest["git_revision"],
        css=Markup(template("report.css")),
        map_js=Markup(template("map.js")),
        page_js=Markup(template("page.js")),
        plotly_js=Markup(plotly_js()),
        map_data=script_json(_map_data(results, before, after, shown)),
        chart_data=script_json(_figures(groups)),
    )


def _gas_comparison(results: Results) -> tuple[tuple[TextTable, ...], list[str]]:
    """The published gas table beside the run's, and notes; none in a run without the contract."""
    if not has_supply_contract(results):
        return (), []
    run = run_gas(results)
    return comparison_tables(run), notes(run)


def _definitions(indicators: Indicators) -> list[tuple[str, str]]:
    has_certificates = indicators.certificates_issued_kwh is not None
    has_storage = indicators.storage_charged_kwh is not None
    has_attack = indicators.attack_fees_eur is not None
    return [
        *DEFINITIONS,
        *ledger_definitions(indicators),
        *([CERTIFICATE_DEFINITION] if has_certificates else []),
        *([STORAGE_DEFINITION] if has_storage else []),
        *([ATTACK_DEFINITION] if has_attack else []),
    ]


def _map_note(n_shown: int, n_intervals: int) -> str:
    if n_shown == n_intervals:
        return ""
    return (
        f"The run is long: the slider holds the {n_shown} of {n_intervals} intervals with the most "
        "violated elements. The charts hold all of them"
    )


def _map_data(
    results: Results, before: StageSeries, after: StageSeries, shown: Any
) -> dict[str, Any]:
    limits = results.scenario_fields["grid"]["limits"]
    margin = 0.2 * (limits["vm_max_pu"] - limits["vm_min_pu"]) / 2
    reach = max(1 - limits["vm_min_pu"], limits["vm_max_pu"] - 1) + margin
    most = 1.3 * max(limits["line_loading_percent"], limits["trafo_loading_percent"])
    worst = int(np.argmin(np.abs(shown - worst_interval(before))))
    return {
        "start": results.times[0].isoformat(),
        "step_s": results.step_s,
        "intervals": shown.tolist(),
        "worst": worst,
        "limits": limits,
        "scale": {
            "vm_pu": [round(1 - reach, 4), round(1 + reach, 4)],
            "vm_ticks": round_ticks(1 - reach, 1 + reach),
            "loading_percent": [0, round(most, 2)],
            "loading_ticks": round_ticks(0.0, most),
        },
        "vm_steps_per_pu": VM_STEPS_PER_PU,
        "loading_steps_per_percent": LOADING_STEPS_PER_PERCENT,
        "stage_labels": [STAGE_LABELS["scheduled"], STAGE_LABELS["delivered"]],
        "geometry": geometry(results, before),
        "stages": {"before": pack_stage(before, shown), "after": pack_stage(after, shown)},
    }


def _chart_groups(
    results: Results, before: StageSeries, after: StageSeries
) -> list[dict[str, Any]]:
    transactions = results.frame("transactions", GAS_COLUMNS)
    return [
        {
            "key": "grid",
            "title": "Grid",
            "charts": [
                charts.voltage_chart(results, before, after),
                charts.loading_chart(results, before, after),
            ],
        },
        {
            "key": "market",
            "title": "Market and flexibility",
            "charts": [
                charts.market_chart(results),
                charts.flexibility_chart(results),
                charts.curtailment_chart(results),
                charts.energy_chart(results),
            ],
        },
        {
            "key": "money",
            "title": "Money",
            "charts": [charts.money_chart(results), charts.cost_chart(results)],
        },
        *_certificates(results),
        *_storage(results),
        *attack_groups(results, after),
        {
            "key": "ledger",
            "title": "Ledger",
            "charts": [
                charts.gas_chart(results, gas_by_method(transactions)),
                charts.block_chart(results),
                *ledger_charts(results),
            ],
        },
    ]


def _certificates(results: Results) -> list[dict[str, Any]]:
    """The group of charts on certificates; none in a run without them."""
    if results.frame("certificates").empty:
        return []
    chart = certificates_chart(results)
    return [{"key": "certificates", "title": "Certificates", "charts": [chart]}]


def _storage(results: Results) -> list[dict[str, Any]]:
    """The group of charts on a shared battery; none in a run without one."""
    if results.frame("storage").empty:
        return []
    return [{"key": "storage", "title": "Shared battery", "charts": [storage_chart(results)]}]


def _figures(groups: list[dict[str, Any]]) -> dict[str, Any]:
    every: list[Chart] = [chart for group in groups for chart in group["charts"]]
    return {
        chart.key: json.loads(chart.figure.to_json()) for chart in every if chart.figure is not None
    }
