"""Array script for SLURM: every task plays a part of what is missing, into one folder."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

from cosim.results.storage import replace_text, storage_error

_TEMPLATE = """\
#!/bin/bash
#SBATCH --job-name={job}
#SBATCH --array=1-{n}
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=1
#SBATCH --mem=4G
#SBATCH --output={log}
# SIGTERM two minutes before the end: the run under way is given up, and what is finished is kept
#SBATCH --signal=B:TERM@120
# add what your cluster wants: --partition, --account, --time, and modules to be loaded

# {n_runs} runs in {n} parts. Submit it again after a failure: only what is missing is played.
# When all parts are done, write table and report with:
#   {collect}
export OPENBLAS_NUM_THREADS=1
exec {part}
"""


def write_slurm(
    script: Path, campaign: str, folder: Path, n_runs: int, n_parts: int, options: list[str]
) -> None:
    """Write a script for ``sbatch``.

    Parameters
    ----------
    script : Path
        File to be.
    campaign : str
        As on the command line; a file becomes absolute.
    folder : Path
        Of the campaign, on a disk that all nodes share.
    n_runs, n_parts : int
        Runs that are missing, and tasks of the array.
    options : list of str
        Further options of ``cosim sweep``.

    Raises
    ------
    StorageError
        If it cannot be written.
    """
    file = Path(campaign)
    named = str(file.absolute()) if file.exists() else campaign
    sweep = [
        sys.executable,
        "-P",
        "-m",
        "cosim.cli",
        "sweep",
        named,
        "--out",
        str(folder.absolute()),
    ]
    command = shlex.join([*sweep, *options])
    text = _TEMPLATE.format(
        job=shlex.quote(folder.name),
        n=n_parts,
        log=shlex.quote(f"{folder.name}-%A_%a.log"),
        n_runs=n_runs,
        collect=command,
        part=f'{command} --jobs 1 --part "$SLURM_ARRAY_TASK_ID/{n_parts}"',
    )
    try:
        replace_text(script, text)
    except OSError as error:
        raise storage_error(error, script) from error
