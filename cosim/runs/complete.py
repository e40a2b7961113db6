"""Results that are complete when a run is asked to go on."""

from __future__ import annotations

from pathlib import Path

from cosim.errors import ResultFolderError
from cosim.mechanisms.local_market.tariffs import with_values
from cosim.runs.preparation import prepare_grid, write_out_graph
from cosim.scenario import Scenario
from cosim.scenario.comparison import differing_fields, named_fields


def require_result_of(scenario: Scenario, folder: Path) -> None:
    """Refuse a complete result that is of another scenario than the one to go on with.

    Parameters
    ----------
    scenario : Scenario
    folder : Path
        A result folder that is complete.

    Raises
    ------
    ResultFolderError
        If a field differs; the fields are named.
    """
    scenario = with_values(scenario)
    scenario = write_out_graph(scenario, prepare_grid(scenario))
    found = (folder / "scenario.yaml").read_text(encoding="utf-8")
    if fields := differing_fields(found, scenario.to_yaml()):
        raise ResultFolderError(
            f"is the complete result of another scenario: {named_fields(fields)} differ"
            + ("s" if len(fields) == 1 else ""),
            file=folder,
            remedy="replace it with --force and without --resume (in Python force=True), or name "
            "another folder with --out (out=)",
        )
