"""Command ``inspect``: a run's contracts, to call."""

from __future__ import annotations

import argparse
import code
from contextlib import suppress
from pathlib import Path
from typing import Any

BANNER = """Contracts of {result} after block {block}, in titanoboa: {contracts}
accounts["name"] is an address, env the environment; changes stay in this session.
Ctrl-D ends it."""


def add_inspect(commands: Any) -> None:
    """Add the command to those of the command line."""
    inspect = commands.add_parser(
        "inspect", help="call, trace and profile a run's contracts in titanoboa"
    )
    inspect.add_argument("result", type=Path, metavar="RESULT")
    inspect.add_argument(
        "--call",
        nargs="+",
        metavar=("Contract.method", "ARGUMENT"),
        help="print what one call returns, e.g. EuroToken.balanceOf supplier [a prompt]",
    )
    inspect.set_defaults(run=_inspect)


def _inspect(options: argparse.Namespace) -> int:
    from cosim.inspection import inspect
    from cosim.results.parts import require_finished

    require_finished(options.result)
    opened = inspect(options.result)
    if options.call:
        print(opened.call(options.call[0], options.call[1:]))
        return 0
    banner = BANNER.format(
        result=options.result, block=opened.block, contracts=", ".join(opened.contracts)
    )
    names = {"contracts": opened.contracts, "accounts": opened.accounts, "env": opened.env}
    with suppress(SystemExit):  # exit() at the prompt
        code.interact(banner, local=names | dict(opened.contracts), exitmsg="")
    return 0
