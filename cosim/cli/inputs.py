"""Commands about what goes into a run: ``schema``, ``grids``."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from cosim.errors import UserError


def add_inputs(commands: Any) -> None:
    """Add the commands to those of the command line."""
    schema = commands.add_parser("schema", help="print the JSON schema of scenario files")
    schema.add_argument("--markdown", action="store_true", help="print docs/scenarios.md instead")
    schema.set_defaults(run=_schema)

    grids = commands.add_parser("grids", help="list and import networks")
    kinds = grids.add_subparsers(required=True, metavar="COMMAND")
    listed = kinds.add_parser("list", help="list the networks that can be named in a scenario")
    listed.set_defaults(run=_grids_list)
    imported = kinds.add_parser(
        "import", help="make a grid folder of simbench:<code> or of a pandapower file.json"
    )
    imported.add_argument("source", help="simbench:<code>, or a pandapower network as JSON")
    imported.add_argument("--points", type=Path, help="connection-point table (CSV: name, bus)")
    imported.add_argument("--elements", type=Path, help="element table (CSV)")
    imported.add_argument("--profiles", type=Path, help="profiles (Parquet or CSV)")
    imported.add_argument("--out", type=Path, help="grid folder to be made [grids/<name>]")
    imported.set_defaults(run=_grids_import)


def _schema(options: argparse.Namespace) -> int:
    from cosim.campaigns.declaration import CampaignSettings
    from cosim.scenario import json_schema
    from cosim.scenario.page import markdown
    from cosim.studies.declaration import StudySettings

    if options.markdown:
        print(markdown(), end="")
        return 0
    print(json.dumps(json_schema({"study": StudySettings, "campaign": CampaignSettings}), indent=2))
    return 0


def _grids_list(options: argparse.Namespace) -> int:
    from cosim.grid.catalogue import list_grids

    own = Path("grids").absolute()
    shipped = list_grids()
    is_clone = bool(shipped) and own.resolve() == shipped[0].folder.parent.resolve()
    found = [] if is_clone else list_grids(own)
    for grid in (*found, *shipped):
        print(f"{grid.name}  (in ./grids)" if grid in found else grid.name)
        print(f"  {grid.summary}")
        areas = f" in {grid.n_areas} areas" if grid.n_areas else ""
        print(f"  {grid.n_connection_points} connection points{areas}, {grid.n_elements} elements")
        print(f"  profiles {grid.profiles_start} to {grid.profiles_end}")
    return 0


def _grids_import(options: argparse.Namespace) -> int:
    from cosim.grid.catalogue import open_grid
    from cosim.grid.importers import import_pandapower, import_simbench

    if options.source.startswith("simbench:"):
        code = options.source.removeprefix("simbench:")
        folder = import_simbench(code, options.out or Path("grids") / code)
    elif options.points is None:
        raise UserError(
            "says not who is connected where",
            file=options.source,
            remedy="give a connection-point table with --points (CSV with columns name, bus)",
        )
    else:
        folder = import_pandapower(
            options.source,
            options.points,
            options.out or Path("grids") / Path(options.source).stem,
            elements=options.elements,
            profiles=options.profiles,
        )
    print(f"grid: {folder}")
    for name, digest in open_grid(folder.absolute()).digests.items():
        print(f"  {name}  sha256 {digest}")
    return 0
