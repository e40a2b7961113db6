"""Plays the run of a result folder again, from what the folder holds: a program of its own.

``cosim verify`` starts it, ``python -m cosim.runs.again RESULT OUT``, so that what replays and
recomputes a run never imports what plays one. Its last line on standard output is the outcome as
JSON: ``played``, ``refused`` (the inputs cannot be used here), ``stopped`` (the run ended with an
error) or ``trouble`` (this machine failed, e.g. its disk is full), and what was said.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from cosim.errors import StorageError, UserError, in_one_line, own_trouble
from cosim.plugins.evm_engine import AUTO, builds_blocks
from cosim.runs.experiment import run_scenario
from cosim.scenario import Scenario, load_scenario
from cosim.simulators.recorder import RunInterrupted

PLAYED, REFUSED, STOPPED, TROUBLE = "played", "refused", "stopped", "trouble"


def main(arguments: Sequence[str] | None = None) -> int:
    """Play it; returns 0 if a result folder was written."""
    parser = argparse.ArgumentParser(prog="cosim.runs.again")
    parser.add_argument("result", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--settled", type=int, help="stop as if interrupted after so many")
    parser.add_argument("--trust", action="store_true", help="start what the scenario names")
    options = parser.parse_args(arguments)
    outcome, said = PLAYED, ""
    try:
        play_again(options.result, options.out, options.settled, options.trust)
    except StorageError as error:  # of the folder that this program writes
        outcome, said = TROUBLE, error.problem
    except UserError as error:
        outcome, said = REFUSED, str(error)
    except (Exception, SystemExit, KeyboardInterrupt) as error:
        outcome, said = STOPPED, in_one_line(error)
        if (trouble := own_trouble(error)) is not None:
            outcome, said = TROUBLE, in_one_line(trouble)
    print(json.dumps({"outcome": outcome, "said": said}))
    return 0 if outcome == PLAYED else 1


def play_again(result: Path, out: Path, settled: int | None = None, trust: bool = False) -> None:
    """Play the run of a result folder again.

    Parameters
    ----------
    result : Path
        A result folder; only its scenario and its inputs are read.
    out : Path
        Result folder to be; it gets no report.
    settled : int, optional
        Intervals after which the run was interrupted.
    trust : bool
        Start the programs, and import the modules, that the scenario names.
    """
    scenario = on_an_engine_of_ours(load_scenario(result / "scenario.yaml"))

    def stop(interval: int, violated: bool) -> None:
        if settled is not None and interval >= settled:
            raise RunInterrupted(f"stopped after interval {interval}")

    file = result / "scenario.yaml"
    run_scenario(scenario, file, out, progress=stop, report=False, checkpoint=0, trust=trust)


def on_an_engine_of_ours(scenario: Scenario) -> Scenario:
    """Return a scenario that needs no node: every engine gives the same result."""
    if not builds_blocks(scenario.ledger.engine):
        return scenario
    return scenario.replace(ledger={"engine": AUTO})


if __name__ == "__main__":
    sys.exit(main())
