"""Tables of the benchmark: computed once, printed by rich or as Markdown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rich.table import Table as RichTable


@dataclass(frozen=True)
class Table:
    """A table of text.

    Parameters
    ----------
    title : str
    columns : tuple of str
        With units. The first is text, the others are numbers.
    rows : list of tuple of str
    notes : tuple of str
        What the reader must know to compare the figures.
    """

    title: str
    columns: tuple[str, ...]
    rows: list[tuple[str, ...]]
    notes: tuple[str, ...] = ()

    def rich(self) -> RichTable:
        """For the terminal."""
        table = RichTable(title=self.title, caption="\n".join(self.notes) or None)
        for position, column in enumerate(self.columns):
            table.add_column(column, justify="right" if position else "left")
        for row in self.rows:
            table.add_row(*row)
        return table

    def markdown(self) -> str:
        """For the documentation."""
        lines = [
            f"### {self.title}",
            "",
            "| " + " | ".join(self.columns) + " |",
            "|---" + "|--:" * (len(self.columns) - 1) + "|",
            *("| " + " | ".join(row) + " |" for row in self.rows),
        ]
        if self.notes:
            lines += ["", *(f"{note}  " for note in self.notes[:-1]), self.notes[-1]]
        return "\n".join(lines) + "\n"


def number(value: float | None, digits: int = 2) -> str:
    """A figure with so many digits behind the point; a dash when there is none."""
    return "–" if value is None else f"{value:,.{digits}f}".replace(",", " ")


STAGES = (
    ("bidding", "bidding"),
    ("ledger", "ledger"),
    ("models", "contract models, reconciliation"),
    ("clearing check", "clearing check (DSO)"),
    ("devices", "devices"),
    ("power flow", "power flow"),
    ("reference power flow", "reference power flow"),
    ("recording", "recording"),
    ("checkpoints", "checkpoints, worlds and memory between them"),
    ("mosaik", "mosaik (run less all stages)"),
)
"""Stages of an interval: key in the manifest, and what it is called in the table."""


def stage_ms(seconds: dict[str, float], intervals: int) -> dict[str, float]:
    """Milliseconds per interval by stage, and their sum as ``interval``.

    Parameters
    ----------
    seconds : dict of str to float
        Own times as the stage timer adds them up. [s]
    intervals : int
        Intervals of the run.
    """
    known = {key for key, _ in STAGES}
    outside = {"set-up", "indicators", "publishing"}
    if unknown := seconds.keys() - known - outside:
        raise ValueError(f"stages that the benchmark does not know: {', '.join(sorted(unknown))}")
    stages = {key: 1000 * seconds.get(key, 0.0) / intervals for key, _ in STAGES}
    return stages | {"interval": sum(stages.values())}


def stage_table(scenario: str, runs: list[dict[str, Any]]) -> Table:
    """Cost of an interval by stage; wall time, and processor time in brackets.

    Parameters
    ----------
    scenario : str
    runs : list of dict
        As :func:`benchmarks.runs.measure_run` returns them, all of this scenario.
    """
    wall = [stage_ms(run["wall_s"], run["intervals"]) for run in runs]
    cpu = [stage_ms(run["cpu_s"], run["intervals"]) for run in runs]

    def row(name: str, key: str) -> tuple[str, ...]:
        return (
            name,
            *(f"{number(w[key])} ({number(c[key])})" for w, c in zip(wall, cpu, strict=True)),
        )

    rows = [row(name, key) for key, name in STAGES]
    rows.append(row("**one interval**", "interval"))
    for key, name in (
        ("set-up", "set-up, whole run [s]"),
        ("indicators", "indicators, whole run [s]"),
        ("publishing", "closing tables and report, whole run [s]"),
    ):
        rows.append(
            (
                name,
                *(f"{number(r['wall_s'].get(key))} ({number(r['cpu_s'].get(key))})" for r in runs),
            )
        )
    rows.append(("transactions per interval", *(number(r["transactions"], 1) for r in runs)))
    rows.append(("Mgas per interval", *(number(r["mgas"], 1) for r in runs)))
    notes = [
        "Wall time, in brackets processor time; stages do not contain each other.",
        f"{runs[0]['prosumers']} prosumers.",
    ]
    notes += [
        f"{label(run)}: from {run['start']}, {run['reference_intervals']} of {run['intervals']} "
        "intervals solved again by the reference power flow."
        for run in runs
    ]
    notes += ratios(runs)
    return Table(
        f"{scenario}: ms per interval",
        ("stage", *(f"{label(run)} [ms]" for run in runs)),
        rows,
        tuple(notes),
    )


def label(run: dict[str, Any]) -> str:
    """Engine of a run, and whether the run is shortened."""
    return f"{run['engine']}, {run['intervals']} intervals" if run["short"] else run["engine"]


def ratios(runs: list[dict[str, Any]]) -> list[str]:
    """py-evm against revm over the same intervals."""
    by_key = {(run["engine"], run["start"], run["intervals"]): run for run in runs}
    found = []
    for (engine, start, intervals), slow in by_key.items():
        fast = by_key.get(("revm", start, intervals))
        if engine != "py-evm" or fast is None:
            continue
        ledger, interval = (
            stage_ms(slow["cpu_s"], intervals)[key] / stage_ms(fast["cpu_s"], intervals)[key]
            for key in ("ledger", "interval")
        )
        found.append(
            f"py-evm / revm over the same {intervals} intervals, processor time: "
            f"ledger {number(ledger, 0)}, whole interval {number(interval, 0)}."
        )
    return found


def flow_table(scenario: str, flows: list[dict[str, Any]]) -> Table:
    """Cost of a power flow by solver; ratios to our single solve."""
    base = next(flow["ms"] for flow in flows if flow["solver"] == "fixed-point, one by one")
    rows = [
        (
            flow["solver"],
            str(flow["solves"]),
            number(flow["ms"], 4),
            number(flow["ms"] / base, 3 if flow["ms"] < base else 1),
            f"{flow['difference_vm_pu']:.1e}",
            f"{flow['difference_loading_percent']:.1e}",
        )
        for flow in flows
    ]
    return Table(
        f"{scenario}: power flow of the delivered injections",
        (
            "solver",
            "solves",
            "ms per solve",
            "ratio",
            "largest difference in voltage [pu]",
            "in loading [%]",
        ),
        rows,
        (
            "Injections and network of the result folder; wall time without set-up; ratio to our "
            "single solve.",
            "run_timeseries recycles, reads results in a batch, and is timed the second time; "
            "with numba where that is installed.",
            "Differences are against pandapower's runpp on the same injections.",
        ),
    )


def ledger_table(scenario: str, ledger: dict[str, Any]) -> Table:
    """Cost of a transaction by method: our engine, and revm alone."""
    rows = [
        (
            entry["method"],
            number(entry["per_interval"], 2),
            number(entry["gas"], 0),
            number(entry["engine_us"], 0),
            number(entry["bare_us"], 0),
            number(entry["engine_us"] * entry["per_interval"] / 1000, 2),
            number(entry["bare_us"] * entry["per_interval"] / 1000, 2),
        )
        for entry in ledger["methods"]
    ]
    rows.append(
        (
            "**one interval**",
            number(sum(e["per_interval"] for e in ledger["methods"]), 2),
            number(sum(e["gas"] * e["per_interval"] for e in ledger["methods"]), 0),
            "",
            "",
            number(sum(e["engine_us"] * e["per_interval"] for e in ledger["methods"]) / 1000, 2),
            number(sum(e["bare_us"] * e["per_interval"] for e in ledger["methods"]) / 1000, 2),
        )
    )
    return Table(
        f"{scenario}: transactions, replayed on revm alone",
        (
            "method",
            "per interval",
            "gas",
            "engine [µs]",
            "bare [µs]",
            "engine [ms/interval]",
            "bare [ms/interval]",
        ),
        rows,
        (
            f"Medians over the transactions of {ledger['intervals']} intervals, from the tables.",
            "engine: `RevmEngine.transact`, isolated and exact in gas, with receipt and logs.",
            "bare: pyrevm's `message_call` alone in one open transaction (wrong gas, no receipt).",
        ),
    )


def speed_table(scenario: str, replays: list[dict[str, Any]]) -> Table:
    """Whole runs replayed by each engine and by what lies underneath.

    Parameters
    ----------
    scenario : str
    replays : list of dict
        As :func:`benchmarks.transactions.replay_transactions` returns them, one per engine.
    """
    rows = []
    for replay in replays:
        ours_s = next(iter(replay["machines"].values()))
        for name, seconds in replay["machines"].items():
            rows.append(
                (
                    name,
                    number(replay["transactions"], 0),
                    number(replay["mgas"], 1),
                    number(1e6 * seconds / replay["transactions"], 1),
                    number(1e3 * seconds / replay["mgas"], 2),
                    number(ours_s / seconds, 2),
                )
            )
    return Table(
        f"{scenario}: all transactions of a run, replayed by the engine and without it",
        (
            "what replays",
            "transactions",
            "Mgas",
            "µs per transaction",
            "ms per Mgas",
            "our engine / this",
        ),
        rows,
        (
            "Means over every transaction of the run, deployments included; the machines of one "
            "engine take turns, block by block.",
            "Our engine isolates each transaction: its gas is that of the tables, and it keeps "
            "receipt, logs and state. The others run in one open transaction.",
        ),
    )


def memory_table(subjects: list[dict[str, Any]]) -> Table:
    """Resident memory after so many transactions.

    Parameters
    ----------
    subjects : list of dict
        As :func:`benchmarks.memory.measure_memory` returns them.
    """
    counts = max((subject["counts"] for subject in subjects), key=len)
    rows = [
        (
            subject["subject"],
            number(subject["start_mb"], 1),
            *(
                number(dict(zip(subject["counts"], subject["resident_mb"], strict=True)).get(n), 1)
                for n in counts
            ),
        )
        for subject in subjects
    ]
    return Table(
        "resident memory [MB]",
        ("what executes", "before", *(f"{number(n, 0)} transactions" for n in counts)),
        rows,
        (
            "Transfers of the euro token among 200 accounts, so that the state stays as large as "
            "it is; a process each.",
            "With a window of snapshots, one is made in every block of 200 transactions, and those "
            "of more than twelve blocks ago are discarded.",
        ),
    )


def node_table(replay: dict[str, Any]) -> Table:
    """A run's transactions on a node, by our engine and as signed bytes.

    Parameters
    ----------
    replay : dict
        As :func:`benchmarks.nodes.replay_on_nodes` returns it.
    """
    ours_s = next(iter(replay["machines"].values()))
    rows = [
        (
            name,
            number(1e6 * seconds / replay["transactions"], 0),
            number(1e3 * seconds / replay["mgas"], 1),
            number(ours_s / seconds, 2),
        )
        for name, seconds in replay["machines"].items()
    ]
    return Table(
        "the quickstart's transactions on a node (anvil)",
        ("what executes", "µs per transaction", "ms per Mgas", "our engine / this"),
        rows,
        (
            f"{replay['transactions']} transactions in {replay['blocks']} blocks; the empty blocks "
            "between them are mined as well. Two nodes take turns, block by block.",
        ),
    )


def signing_table(signing: dict[str, float], runs: list[dict[str, Any]]) -> Table:
    """What a signature costs, and how many the runs made.

    Parameters
    ----------
    signing : dict
        As :func:`benchmarks.signing.measure_signing` returns it.
    runs : list of dict
        As :func:`benchmarks.runs.measure_run` returns them.
    """
    return Table(
        "signatures",
        ("what is signed", "µs"),
        [
            ("a hash, by coincurve", number(signing["coincurve_us"], 0)),
            (
                "an EIP-1559 transaction, encoded and hashed, by eth-account",
                number(signing["transaction_us"], 0),
            ),
        ],
        (
            f"Made in the {len(runs)} runs of these tables: "
            f"{sum(run['signatures'] for run in runs)}. Engines execute for a sender; "
            "signing belongs to the export.",
        ),
    )


def parts_table(scenario: str, run: dict[str, Any]) -> Table:
    """Where the time of the ledger stage goes, by function."""
    n = run["intervals"]
    total_s = sum(run["parts_cpu_s"].values())
    rows = [
        (
            part,
            number(run["parts_calls"][part] / n, 1),
            number(1000 * run["parts_wall_s"][part] / n),
            number(1000 * seconds / n),
            number(100 * seconds / total_s, 0),
        )
        for part, seconds in sorted(run["parts_cpu_s"].items(), key=lambda item: -item[1])
    ]
    return Table(
        f"{scenario}: inside the ledger stage, revm",
        ("part", "calls per interval", "own wall [ms]", "own processor [ms]", "share [%]"),
        rows,
        (
            "A run of its own: measuring every call adds about 2 µs to each.",
            f"{n} intervals; own time, parts do not contain each other.",
        ),
    )
