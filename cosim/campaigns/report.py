"""The report of a campaign, ``report.html``, and its figures as images."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from markupsafe import Markup

from cosim.campaigns import sensitivity
from cosim.campaigns.charts import campaign_figures
from cosim.campaigns.table import FAILED, TABLE
from cosim.campaigns.text import sensitivity_tables, short, table_of_points
from cosim.errors import ResultFolderError
from cosim.report.images import panels_svg
from cosim.report.page import page_template, plotly_js, script_json, template
from cosim.report.panels import PanelFigure, plotly_panel
from cosim.report.report import REPORT
from cosim.results.manifest import read_manifest
from cosim.results.storage import replace_text

_NOTES = {
    "sobol": "Shares of an indicator's variance that a parameter explains alone (first order) and "
    "with all its interactions (total): Saltelli's and Jansen's estimators. Few samples give "
    "intervals that hold zero.",
    "latin_hypercube": "Spearman's rank correlation of an indicator with a parameter.",
    "monte_carlo": "Spearman's rank correlation of an indicator with a parameter.",
}
_MOST_FAILED = 50


def write_campaign_report(folder: str | Path) -> Path:
    """Write the report of a campaign's folder into it, from its manifest and tables.

    Returns
    -------
    Path
        ``report.html``: self-contained, without any request to the network.

    Raises
    ------
    ResultFolderError
        If the folder has no table.
    """
    path = Path(folder) / REPORT
    replace_text(path, render_campaign(folder))
    return path


def write_campaign_figures(folder: str | Path, out: str | Path) -> list[Path]:
    """Draw the figures of a campaign as images, ``<campaign>_<figure>.svg`` each.

    Raises
    ------
    ResultFolderError
        If the folder has no table.
    """
    manifest, table, _ = _read(Path(folder))
    target = Path(out)
    target.mkdir(parents=True, exist_ok=True)
    written = []
    for figure in _figures(manifest, table):
        path = target / f"{manifest['name']}_{figure.key}.svg"
        path.write_text(panels_svg(figure), encoding="utf-8")
        written.append(path)
    return written


def render_campaign(folder: str | Path) -> str:
    """Return the report as HTML. It does not depend on the clock."""
    manifest, table, found = _read(Path(folder))
    figures = _figures(manifest, table)
    drawn = {
        f"{figure.key}-{k}": json.loads(plotly_panel(figure, panel).to_json())
        for figure in figures
        for k, panel in enumerate(figure.panels)
    }
    parameters, indicators = manifest["parameters"], manifest["indicators"]
    counts = table.drop_duplicates("hash")["status"].value_counts()
    return page_template("campaign.html.j2").render(
        name=manifest["name"],
        description=manifest["description"],
        n_runs=int(counts.sum()),
        key_data=[
            ("Design", manifest["design"].replace("_", " ")),
            ("Points", str(table["point"].nunique())),
            ("Seeds", str(manifest["seeds"])),
            *((str(state).capitalize(), str(int(n))) for state, n in sorted(counts.items())),
        ],
        points=table_of_points(table, parameters, indicators, manifest["seeds"]),
        failed=_failed(table, parameters),
        impossible=manifest["impossible"],
        sensitivities=sensitivity_tables(found, indicators),
        sensitivity_note=_NOTES.get(manifest["design"], ""),
        figures=figures,
        version=manifest["versions"]["cosim"],
        revision=manifest["git_revision"],
        css=Markup(template("report.css") + template("study.css")),
        page_js=Markup(template("study.js")),
        plotly_js=Markup(plotly_js()),
        chart_data=script_json(drawn),
    )


def _figures(manifest: Mapping[str, Any], table: pd.DataFrame) -> list[PanelFigure]:
    return campaign_figures(
        table, manifest["parameters"], manifest["indicators"], manifest["design"]
    )


def _failed(table: pd.DataFrame, parameters: list[str]) -> list[tuple[str, str]]:
    rows = table[table["status"] == FAILED].drop_duplicates("hash").head(_MOST_FAILED)
    return [
        (", ".join(f"{name} {short(row[name])}" for name in parameters), str(row["error"]))
        for row in rows.to_dict("records")
    ]


def _read(folder: Path) -> tuple[dict[str, Any], pd.DataFrame, pd.DataFrame]:
    manifest = read_manifest(folder)
    try:
        table = pd.read_parquet(folder / TABLE)
    except (OSError, ValueError) as error:
        raise ResultFolderError(
            f"cannot be read: {error}",
            file=folder / TABLE,
            remedy="sweep again: it is written anew",
        ) from error
    found = folder / sensitivity.TABLE
    if not found.is_file():
        return manifest, table, pd.DataFrame(columns=list(sensitivity.COLUMNS))
    return manifest, table, pd.read_parquet(found)
