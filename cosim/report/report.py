"""The report of a run, ``report.html``: one file that needs no other."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path, PurePath
from typing import Any

from markupsafe import Markup

from cosim.errors import ResultFolderError
from cosim.report.chart_style import Chart
from cosim.report.dso_model import BELIEVED, model_definitions, model_text
from cosim.report.forecast_panel import forecast_part
from cosim.report.grid_panel import grid_part, offender_rows
from cosim.report.head import household_entries, intervals_text, period_text, wholesale_text
from cosim.report.indicators import Indicators, compute_indicators
from cosim.report.ledger_panel import ledger_part
from cosim.report.long_report import BYTES_MAX, DAY_HEADINGS, long_parts, map_frame, shown_days
from cosim.report.map_data import map_data
from cosim.report.money_panel import money_part
from cosim.report.network_map import shown_intervals
from cosim.report.one_pass import read_in_one_pass
from cosim.report.page import page_template, plotly_js, script_json, template
from cosim.report.panel import ReportPart
from cosim.report.series import offenders, stage_series
from cosim.report.subjects import subjects
from cosim.results.reader import Results
from cosim.results.storage import replace_text

REPORT = "report.html"

OFFENDERS_MAX = 12


def write_report(folder: str | Path | Results, indicators: Indicators | None = None) -> Path:
    """Write the report of a result folder into it.

    Parameters
    ----------
    folder : str, Path or Results
        A result folder with its manifest; one that is not finished yet will do.
    indicators : Indicators, optional
        Of this folder, if they are computed already.

    Returns
    -------
    Path
        ``report.html`` in the folder: self-contained, without any request to the network.

    Raises
    ------
    ResultFolderError
        If the folder lacks a table, the manifest, the scenario, or the network's coordinates.
    """
    results = folder if isinstance(folder, Results) else Results(folder)
    path = results.folder / REPORT
    replace_text(path, render(results, indicators))
    return path


def render(results: Results, indicators: Indicators | None = None) -> str:
    """Return the report as HTML. It does not depend on the clock: one result, one text."""
    if results.n_intervals == 0:
        raise ResultFolderError(
            "holds no interval that was settled, so there is nothing to report",
            file=results.folder,
            remedy="let the run go on for at least two intervals",
        )
    if indicators is None:
        indicators = compute_indicators(results)
    if results.is_long:
        return _render_long(results, indicators)
    before, after = stage_series(results, "scheduled"), stage_series(results, "delivered")
    shown = shown_intervals(before, after)
    parts = [
        grid_part(results, indicators, before, after),
        money_part(results, indicators),
        *_subject_parts(results),
        forecast_part(results, indicators.forecast_quality),
        ledger_part(results, indicators),
    ]
    return _page(
        results,
        indicators,
        parts,
        {
            "lead": [],
            "groups": [part for part in parts if part.figures],
            "days": [],
            "day_headings": (),
            "days_left_out": 0,
            "n_shown": len(shown),
            "map_note": _map_note(len(shown), results.n_intervals),
            "map_data": script_json(map_data(results, before, after, shown)),
        },
    )


def _render_long(results: Results, indicators: Indicators) -> str:
    """Return the report of a long run: as many of its worst days as there is place for."""
    read_in_one_pass(results)
    *parts, year = long_parts(results, indicators)
    shown: dict[str, Any] = {
        "lead": [year],
        "groups": [part for part in parts if part.figures],
        "days": [],
        "day_headings": DAY_HEADINGS,
        "days_left_out": 0,
        "n_shown": 1,
        "map_note": "",
        "map_data": script_json(map_frame(results)),
    }
    without_days = _page(results, indicators, [*parts, year], shown)
    days, left_out = shown_days(results, indicators, BYTES_MAX - len(without_days.encode()))
    shown |= {"days": days, "days_left_out": left_out}
    return _page(results, indicators, [*parts, year], shown)


def _page(
    results: Results, indicators: Indicators, parts: Sequence[ReportPart], shown: dict[str, Any]
) -> str:
    listed, manifest = offenders(results), results.manifest
    return page_template("report.html.j2").render(
        name=manifest["name"],
        description=results.scenario_fields.get("description", ""),
        complete=manifest["complete"],
        intervals=manifest["intervals"],
        intervals_done=manifest["intervals_done"],
        key_data=[
            *key_data(results, indicators),
            *(entry for part in parts for entry in part.key_data),
        ],
        tiles=[tile for part in parts for tile in part.tiles],
        offenders=offender_rows(listed[:OFFENDERS_MAX]),
        offenders_left_out=max(0, len(listed) - OFFENDERS_MAX),
        definitions=[
            *model_definitions(results),
            *(definition for part in parts for definition in part.definitions),
        ],
        seed=manifest["seed"],
        version=manifest["versions"]["cosim"],
        revision=manifest["git_revision"],
        css=Markup(template("report.css")),
        map_js=Markup(template("map.js")),
        page_js=Markup(template("page.js")),
        plotly_js=Markup(plotly_js()),
        chart_data=script_json(_figures(parts)),
        **shown,
    )


def key_data(results: Results, indicators: Indicators) -> list[tuple[str, str]]:
    """Return what was run, for the head of the report."""
    scenario, net = results.scenario_fields, results.network
    ledger, difference = scenario["ledger"], indicators.largest_difference_vm_pu
    engine = results.manifest["chain"].get("engine", ledger["engine"])
    elements = (
        (net.bus, "bus", "buses"),
        (net.line, "line", "lines"),
        (net.trafo, "transformer", "transformers"),
    )
    model = model_text(results)
    return [
        ("Network", PurePath(scenario["grid"]["network"]).name),
        ("Size", ", ".join(_count(len(table), *words) for table, *words in elements)),
        *([] if model is None else [("DSO's model", f"{model}; {BELIEVED}")]),
        ("Period", period_text(results)),
        ("Intervals", intervals_text(results)),
        *household_entries(results),
        ("Wholesale price", wholesale_text(results)),
        (
            "Ledger",
            f"{engine}, a block every {ledger['block_time_s']} s, at most "
            f"{ledger['block_gas_limit'] / 1e6:g} million gas each",
        ),
        (
            "Power flow",
            scenario["grid"]["power_flow"]
            + ("" if difference is None else f", within {difference:.1e} pu of the reference"),
        ),
    ]


def _count(n: int, one: str, many: str) -> str:
    return f"{n}\u00a0{one if n == 1 else many}"


def _subject_parts(results: Results) -> list[ReportPart]:
    """Return the parts of mechanisms and of an attack, with the tables that they also print."""
    found = []
    for subject in subjects(results):
        part = subject.report(results)
        if part is not None:
            figures = (*part.figures, *subject.text_tables(results))
            found.append(replace(part, figures=figures))
    return found


def _map_note(n_shown: int, n_intervals: int) -> str:
    if n_shown == n_intervals:
        return ""
    return (
        f"The run is long: the slider holds the {n_shown} of {n_intervals} intervals with the most "
        "violated elements. The charts hold all of them"
    )


def _figures(parts: Iterable[ReportPart]) -> dict[str, Any]:
    return {
        figure.key: json.loads(figure.figure.to_json())
        for part in parts
        for figure in part.figures
        if isinstance(figure, Chart) and figure.figure is not None
    }
