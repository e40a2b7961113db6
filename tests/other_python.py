"""Play the quickstart on another Python, whose engine is py-evm, and compare all tables' bytes.

Usage: ``python tests/other_python.py OTHER_PYTHON``; called by ``make other-python``.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]


def play(python: str, folder: Path) -> dict[str, bytes]:
    """Tables of the quickstart as one interpreter writes them."""
    begin = time.monotonic()
    program = str(Path(python).with_name("cosim"))
    command = [program, "run", str(ROOT / "scenarios" / "quickstart.yaml")]
    done = subprocess.run([*command, "--out", str(folder)], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"the quickstart fails on {python}:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    print(
        f"quickstart on Python {manifest['versions']['python']}, engine "
        f"{manifest['chain']['engine']}: {time.monotonic() - begin:.0f} s"
    )
    return {file.name: file.read_bytes() for file in sorted((folder / "tables").iterdir())}


def main() -> None:
    """Compare two interpreters."""
    with tempfile.TemporaryDirectory() as place:
        ours = play(sys.executable, Path(place) / "ours")
        other = play(sys.argv[1], Path(place) / "other")
    differing = [name for name in ours | other if ours.get(name) != other.get(name)]
    if differing:
        sys.exit(f"not the same bytes on both: {', '.join(differing)}")
    print(f"{len(ours)} tables, the same bytes on both")


if __name__ == "__main__":
    main()
