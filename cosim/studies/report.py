"""The report of a study, ``report.html``, and its figures as images."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup

from cosim.report.images import panels_svg
from cosim.report.page import page_template, plotly_js, script_json, template
from cosim.report.panels import plotly_panel
from cosim.report.report import REPORT
from cosim.results.manifest import RUNS_FOLDER
from cosim.results.storage import replace_text
from cosim.studies.charts import study_figures
from cosim.studies.comparison_text import comparison_tables, remaining_violations
from cosim.studies.declaration import Compared
from cosim.studies.differences import Difference, differences, mean_differences
from cosim.studies.money_text import money_of_runs
from cosim.studies.points import n_seeds
from cosim.studies.results import FinishedRun, grid_limits, read_runs, setting_of
from cosim.studies.text import (
    STAGE_HEADINGS,
    axis_headings,
    columns,
    expectation_rows,
    paired_rows,
    paired_title,
    run_rows,
    seeds_note,
)
from cosim.studies.yardstick import Measured, optimum_sentences


def write_study_report(folder: str | Path) -> Path:
    """Write the report of a study's folder into it.

    Parameters
    ----------
    folder : str or Path
        With the manifest and every run.

    Returns
    -------
    Path
        ``report.html``: self-contained, without any request to the network; it links to the runs'
        own reports.

    Raises
    ------
    ResultFolderError
        If the folder is not that of a study, or a run is missing.
    """
    path = Path(folder) / REPORT
    replace_text(path, render_study(folder))
    return path


def compared_runs(
    folder: Path, manifest: Mapping[str, Any], runs: Sequence[FinishedRun]
) -> list[Difference]:
    """Return the differences that a study's manifest names, as means where there are seeds."""
    found = {run.name: run.indicators for run in runs}
    compared = [
        each
        for pair in manifest.get("comparisons", ())
        for each in differences(folder, Compared(**pair), found)
    ]
    for one in manifest.get("optima", ()):
        compared += Measured(**one).differences()
    if n_seeds(runs) > 1:
        compared = mean_differences(compared, {run.name: run.point for run in runs})
    return compared


def render_study(folder: str | Path) -> str:
    """Return the report as HTML. It does not depend on the clock: one study, one text."""
    manifest, runs = read_runs(folder)
    compared = compared_runs(Path(folder), manifest, runs)
    measured = [Measured(**one) for one in manifest.get("optima", ())]
    points = {run.name: run.point for run in runs}
    figures = study_figures(runs, grid_limits(folder, runs))
    drawn = {
        f"{figure.key}-{k}": json.loads(plotly_panel(figure, panel).to_json())
        for figure in figures
        for k, panel in enumerate(figure.panels)
    }
    return page_template("study.html.j2").render(
        name=manifest["name"],
        description=manifest["description"],
        key_data=setting_of(folder, runs),
        expectation=manifest["expectation"],
        outcomes=expectation_rows(manifest["outcomes"]),
        n_runs=len(runs),
        runs_folder=RUNS_FOLDER,
        has_axes=bool(manifest["axes"]),
        axes=axis_headings(runs),
        has_variants=any(run.variant for run in runs),
        stages=STAGE_HEADINGS,
        headings=[(column.heading, column.unit) for column in columns(runs)],
        rows=run_rows(runs),
        seeds_note=seeds_note(runs),
        paired=paired_rows(runs, {each.compared.run for each in compared}),
        paired_title=paired_title(runs),
        impossible=manifest["impossible"],
        remaining=[*remaining_violations(compared), *optimum_sentences(measured, points)],
        money=money_of_runs(runs),
        comparisons=comparison_tables(compared),
        figures=figures,
        version=manifest["versions"]["cosim"],
        revision=manifest["git_revision"],
        css=Markup(template("report.css") + template("study.css")),
        page_js=Markup(template("study.js")),
        plotly_js=Markup(plotly_js()),
        chart_data=script_json(drawn),
    )


def write_study_figures(folder: str | Path, out: str | Path) -> list[Path]:
    """Draw the figures of a study as images.

    Parameters
    ----------
    folder : str or Path
        A study's folder.
    out : str or Path
        Folder of the images; made if it is not there.

    Returns
    -------
    list of Path
        ``<study>_<figure>.svg`` each, in the order of the report.

    Raises
    ------
    ResultFolderError
        If the folder is not that of a study, or a run is missing.
    """
    manifest, runs = read_runs(folder)
    target = Path(out)
    target.mkdir(parents=True, exist_ok=True)
    written = []
    for figure in study_figures(runs, grid_limits(folder, runs)):
        path = target / f"{manifest['name']}_{figure.key}.svg"
        path.write_text(panels_svg(figure), encoding="utf-8")
        written.append(path)
    return written
