"""The figures as a table on the screen, as JSON and CSV, and as the page docs/gas.md."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence

from rich.table import Table

from cosim.gas.bench import GasUse
from cosim.gas.cases import Published

PublishedFigures = Mapping[tuple[str, str], Published]

_INTRODUCTION = """\
# Gas

What every deployment and every function that changes state costs, measured by `cosim gas` in
whole transactions: 21 000 and calldata included, storage cold, refunds taken off. Both EVM
engines give the same figures. The accounts in the calldata have no zero bytes, for which 4 gas
are charged instead of 16.

A function's own row is its usual case: a batch of one, the clearing of 100 orders of which about
half are filled. Other cases, such as the first use of a storage slot, have rows of their own. A
new slot costs 22 100 gas, a change of one 5 000, and clearing one pays back 4 800.

[results/reference/](../results/reference) keeps the figures, and a test fails when one rises by
more than 1 % over them. After a change that is meant:

```text
cosim gas --json > results/reference/gas.json
cosim gas --csv > results/reference/clearing_gas.csv
cosim gas --markdown > docs/gas.md
cosim gas --figure docs/images/clearing_gas.svg
```
"""

_PUBLISHED = """\
## Against the published contracts

`then` is what the registry of meters and the supply contract were published with (2018 rules);
`today` is the same Solidity under current rules in whole transactions, its optimiser on, which
ours stays below. Gas measured within one open transaction is lower (column `warm`): storage that
the transaction before touched is warm there. No transaction of its own can be that cheap.
"""


def as_json(uses: Iterable[GasUse]) -> str:
    """Return a list of ``{contract, method, gas}``."""
    rows = ",\n".join(f"  {json.dumps(use._asdict())}" for use in uses)
    return f"[\n{rows}\n]\n"


def screen_tables(uses: Sequence[GasUse], published: PublishedFigures) -> tuple[Table, Table]:
    """Return the figures as tables for the console: all of them, and those published before."""
    table = _table(
        "Gas of whole transactions",
        "A function's own row: a batch of one, clearing of 100 orders, about half filled.",
    )
    table.add_column("contract", no_wrap=True)
    table.add_column("method", overflow="fold")
    table.add_column("gas", justify="right", no_wrap=True)
    before = ""
    for use in uses:
        if use.contract != before:
            table.add_section()
        table.add_row(use.contract if use.contract != before else "", use.method, number(use.gas))
        before = use.contract
    compared = _table(
        "Against the published contracts",
        "Then: as published. Today: the same code in whole transactions by current rules.",
    )
    compared.add_column("transaction", overflow="fold")
    for heading in ("ours", "today", "then"):
        compared.add_column(heading, justify="right", no_wrap=True)
    compared.add_column("what ours does beyond it")
    for use in uses:
        if known := published.get((use.contract, use.method)):
            compared.add_row(
                f"{use.contract} {use.method}",
                number(use.gas),
                number(known.today),
                number(known.then),
                known.beyond,
            )
    return table, compared


def _table(title: str, caption: str) -> Table:
    return Table(title=title, caption=caption, title_justify="left", caption_justify="left")


def as_markdown(
    uses: Sequence[GasUse], published: PublishedFigures, sections: Sequence[str]
) -> str:
    """Return the page docs/gas.md, with sections of its own for what was measured by size."""
    parts = [_INTRODUCTION, _PUBLISHED, _published_table(uses, published)]
    for contract in dict.fromkeys(use.contract for use in uses):
        rows = [(_marked(use.method), number(use.gas)) for use in uses if use.contract == contract]
        parts += [f"## {contract}\n", markdown_table(("transaction", "gas"), rows)]
    parts += sections
    return "\n".join(parts)


def number(value: float) -> str:
    """Return digits in groups of three, parted by spaces."""
    return f"{value:,.0f}".replace(",", " ")


def _marked(method: str) -> str:
    """``name (case)`` with the name as code."""
    name, space, case = method.partition(" ")
    return f"`{name}`{space}{case}"


def _published_table(uses: Iterable[GasUse], published: PublishedFigures) -> str:
    rows = []
    for use in uses:
        known = published.get((use.contract, use.method))
        if known is not None:
            figures = (number(use.gas), number(known.today), number(known.warm), number(known.then))
            rows.append((f"{use.contract} `{use.method}`", *figures, known.beyond))
    headings = ("transaction", "ours", "today", "warm", "then", "what ours does beyond it")
    return markdown_table(headings, rows)


def markdown_table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table of a page."""
    lines = [headings, ["---"] * len(headings), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
