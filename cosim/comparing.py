"""The Python interface: play a scenario and its counterfactuals."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cosim.api import NO_FILE, Result
from cosim.errors import UserError
from cosim.results.manifest import RUNS_FOLDER, read_manifest
from cosim.runs.event_loop import with_a_loop_of_its_own
from cosim.scenario import Scenario, load_scenario

if TYPE_CHECKING:
    import pandas as pd


def compare(
    scenario: Scenario | str | Path,
    against: Sequence[str] | None = None,
    out: str | Path | None = None,
    *,
    jobs: int | None = None,
    force: bool = False,
    trust: bool = False,
) -> ComparedRuns:
    """Play a scenario and its counterfactuals: the same households, weather and seed.

    Parameters
    ----------
    scenario : Scenario or str or Path
        A scenario, or what :func:`cosim.load_scenario` takes.
    against : sequence of str, optional
        Of ``no_market``, ``no_flexibility``, ``no_relief`` and ``central_optimum``; default: all.
    out : str or Path, optional
        Folder to be; default: ``results/<name>.compared`` in the working directory.
    jobs : int, optional
        How many runs are played at once; default: one per core. In a script, more than one needs
        the guard ``if __name__ == "__main__"`` of :mod:`multiprocessing`.
    force : bool
        Replace an earlier result there, once everything is finished.
    trust : bool
        Start the programs, and import the modules, that the scenario names (``simulators``).

    Returns
    -------
    ComparedRuns

    Raises
    ------
    UserError
        For anything that the caller can mend (file, field, remedy); nothing is left behind.
    RunError
        If a run's numbers cannot be trusted; nothing is left behind.
    KeyboardInterrupt
        If the user interrupted it; runs that are finished stay in ``<out>.partial`` for the next
        time.
    """
    from cosim.studies.counterfactuals import COUNTERFACTUALS
    from cosim.studies.declaration import CENTRAL_OPTIMUM
    from cosim.studies.study import study_of

    if not isinstance(scenario, Scenario):
        scenario = load_scenario(scenario)
    known = (*COUNTERFACTUALS, CENTRAL_OPTIMUM)
    names = known if against is None else tuple(against)
    if not names or (unknown := [name for name in names if name not in known]):
        raise UserError(
            f"there is no counterfactual {unknown[0]!r}" if names else "names no counterfactual",
            field="against",
            remedy=f"known: {', '.join(known)}",
        )
    file = scenario.file or NO_FILE
    study = study_of(scenario.model_dump(exclude_unset=True), file, scenario.to_yaml(), None, names)
    from cosim.studies.runner import run_study

    folder = Path("results") / f"{study.name}.compared" if out is None else Path(out)
    done = with_a_loop_of_its_own(
        lambda: run_study(study, folder, jobs=jobs, force=force, trust=trust), threading.Event()
    )
    return ComparedRuns(done.folder)


class ComparedRuns:
    """A folder of runs and their differences.

    Parameters
    ----------
    folder : str or Path

    Attributes
    ----------
    folder, report : Path
    runs : dict of str to Result
        ``as_given`` and the counterfactuals, by name.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.report = self.folder / "report.html"
        manifest = read_manifest(self.folder)
        names = [str(run["name"]) for run in manifest["runs"]]
        self.runs = {name: Result(self.folder / RUNS_FOLDER / name) for name in names}

    def __repr__(self) -> str:
        return f"ComparedRuns({str(self.folder)!r})"

    @property
    def differences(self) -> pd.DataFrame:
        """One row per quantity and counterfactual: both values, and the difference."""
        import pandas as pd

        return pd.read_parquet(self.folder / "comparison.parquet")
