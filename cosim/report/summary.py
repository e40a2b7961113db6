"""The indicators as tables in the terminal."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from cosim.report.attack import attack_text
from cosim.report.checks import KIND_LABELS, KINDS
from cosim.report.dso_model import BELIEVED, model_text
from cosim.report.forecast_quality import quality_table
from cosim.report.indicators import Indicators
from cosim.report.panel import TableFigure
from cosim.report.subjects import subjects
from cosim.report.text import number
from cosim.results.reader import Results
from cosim.results.schemas import STAGES


def print_summary(indicators: Indicators, console: Console | None = None) -> None:
    """Print the indicators.

    Parameters
    ----------
    indicators : Indicators
        Of a run.
    console : rich.console.Console, optional
        Where to; standard output by default.
    """
    out = console or Console()
    limits = Table(title=escape("Limits violated [min]"), title_justify="left")
    limits.add_column("")
    for heading in ("before flexibility", "after flexibility", "delivered"):
        limits.add_column(heading, justify="right")
    for kind in KINDS:
        minutes = (indicators.violations[stage][kind]["minutes"] for stage in STAGES)
        limits.add_row(KIND_LABELS[kind], *(number(value, "", 0) for value in minutes))
    out.print(limits)
    rest = Table(
        title=f"{indicators.prosumers} accounts settled, {indicators.intervals} intervals",
        title_justify="left",
        show_header=False,
    )
    rest.add_column("indicator")
    rest.add_column("value", justify="right")
    for name, value in indicators.rows():
        rest.add_row(name, value)
    out.print(rest)
    if indicators.forecast_quality:
        _print_figure(quality_table(indicators.forecast_quality), out)
    for text in indicators.warnings():
        out.print(f"warning: {text}", style="yellow", highlight=False, markup=False)


def print_setting(results: Results, console: Console | None = None) -> None:
    """Print what a run's numbers must be read with: the DSO's model, and the attack.

    Parameters
    ----------
    results : Results
    console : rich.console.Console, optional
        Where to; standard output by default.
    """
    out = console or Console()
    lines = []
    if (model := model_text(results)) is not None:
        lines.append(f"DSO's model: {model} ({BELIEVED})")
    if results.scenario_fields.get("attack") is not None:
        lines.append(f"attack: {attack_text(results)}")
    for line in lines:
        out.print(line, soft_wrap=True, highlight=False, markup=False)


def print_tables(results: Results, console: Console | None = None) -> None:
    """Print the tables of a run's mechanisms; nothing where none has any.

    Parameters
    ----------
    results : Results
    console : rich.console.Console, optional
        Where to; standard output by default.
    """
    out = console or Console()
    for figure in (each for subject in subjects(results) for each in subject.text_tables(results)):
        _print_figure(figure, out)


def _print_figure(figure: TableFigure, out: Console) -> None:
    for text in figure.tables:
        title = escape(text.title)
        table = Table(title=title, title_justify="left", box=None, padding=(0, 1, 0, 0))
        table.add_column(escape(text.headings[0]), no_wrap=True)
        for k, heading in enumerate(text.headings[1:], start=1):
            words = (*heading.split(), *(row[k] for row in text.rows))
            table.add_column(escape(heading), justify="right", width=max(map(len, words)))
        for row in text.rows:
            table.add_row(*map(escape, row))
        out.print(table, "")
    for sentence in figure.notes:
        out.print(sentence, highlight=False, markup=False)
