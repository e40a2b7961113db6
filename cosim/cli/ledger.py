"""Commands about the ledger alone: ``gas``, ``reversal``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from rich.console import Console

from cosim.plugins.evm_engine import AUTO, engine_names


def add_ledger(commands: Any) -> None:
    """Add the commands to those of the command line."""
    gas = commands.add_parser("gas", help="measure what the contracts' transactions cost")
    gas.add_argument("--engine", choices=engine_names(), default=AUTO, help="EVM [auto]")
    forms = gas.add_mutually_exclusive_group()
    forms.add_argument("--json", action="store_true", help="print contract, method and gas as JSON")
    forms.add_argument("--csv", action="store_true", help="print gas of clearing by form and size")
    forms.add_argument("--markdown", action="store_true", help="print docs/gas.md")
    forms.add_argument("--figure", type=Path, metavar="SVG", help="draw gas of clearing")
    gas.set_defaults(run=_gas)

    reversal = commands.add_parser("reversal", help="how probable it is that a trade is reverted")
    reversal.add_argument("--share", type=float, nargs="+", metavar="Q", help="of the hash power")
    reversal.add_argument("--confirmations", type=int, nargs="+", metavar="Z", help="blocks on top")
    reversal.add_argument("--races", type=int, metavar="N", help="of each kind [100000]")
    reversal.add_argument("--seed", type=int, help="of the races [1]")
    forms = reversal.add_mutually_exclusive_group()
    forms.add_argument("--csv", action="store_true", help="print it as CSV")
    forms.add_argument("--markdown", action="store_true", help="print docs/finality.md")
    forms.add_argument("--figure", type=Path, metavar="SVG", help="draw it")
    reversal.set_defaults(run=_reversal)


def _gas(options: argparse.Namespace) -> int:
    from cosim.evm.engine import create_engine
    from cosim.gas.tables import as_json, as_markdown, screen_tables
    from cosim.mechanisms.gas import every_case, measure_methods

    published = {key: known for cases in every_case() for key, known in cases.published.items()}
    sweeps = [cases.sweep for cases in every_case() if cases.sweep is not None]
    if options.figure or options.csv:
        csv = "\n".join(sweep.csv(create_engine(options.engine)) for sweep in sweeps)
    if options.figure:
        from cosim.mechanisms.local_market.clearing_chart import clearing_chart

        options.figure.write_text(clearing_chart(csv), encoding="utf-8")
        print(f"figure: {options.figure}")
        return 0
    if options.csv:
        print(csv, end="")
        return 0
    uses = measure_methods(create_engine(options.engine))
    if options.json:
        print(as_json(uses), end="")
    elif options.markdown:
        sections = [sweep.section(create_engine(options.engine)) for sweep in sweeps]
        print(as_markdown(uses, published, sections), end="")
    else:
        Console().print(*screen_tables(uses, published), sep="\n")
    return 0


def _reversal(options: argparse.Namespace) -> int:
    from cosim.chain.reversal_tables import as_csv, as_markdown, compare_given, screen_table

    rows = compare_given(options.share, options.confirmations, options.races, options.seed)
    if options.figure:
        from cosim.report.finality_chart import finality_chart

        options.figure.write_text(finality_chart(as_csv(rows)), encoding="utf-8")
        print(f"figure: {options.figure}")
    elif options.csv or options.markdown:
        print(as_csv(rows) if options.csv else as_markdown(rows), end="")
    else:
        Console().print(screen_table(rows))
    return 0
