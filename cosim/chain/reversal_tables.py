"""Formulae and races side by side: on the screen, as CSV, and as the page docs/finality.md."""

from __future__ import annotations

import csv
import io
import math
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from rich.table import Table

from cosim.chain.finality import confirmations_needed, nakamoto_probability, reversal_probability
from cosim.chain.reversal import Estimate, race
from cosim.errors import UserError

SHARES = (0.1, 0.2, 0.3)
CONFIRMATIONS = (0, 1, 2, 3, 4, 5, 6, 8, 10)
N_RACES = 100_000
SEED = 1
CONFIRMATIONS_MAX, N_RACES_MAX, SEED_MAX = 1_000, 10_000_000, 2**63 - 1
"""Most that the command takes: beyond, races would run for hours."""

RISK = 0.001
"""Probability below which Nakamoto's paper calls a transaction safe."""
RISK_SHARES = (0.10, 0.15, 0.20, 0.25, 0.30, 0.35, 0.40, 0.45)
BLOCK_TIMES_S = (12, 600)

COLUMNS = (
    "share",
    "confirmations",
    "exact",
    "monte_carlo",
    "monte_carlo_standard_error",
    "monte_carlo_low",
    "monte_carlo_high",
    "nakamoto",
    "mean_time_monte_carlo",
    "mean_time_monte_carlo_standard_error",
    "races",
)

_INTRODUCTION = """\
# Finality

Under proof of work a settled trade is final only in probability: an attacker who secretly builds
a longer branch can replace the blocks that hold it. `cosim reversal` tells how probable that is,
by two formulae and by races that the model runs itself.

```text
cosim reversal                                            # the table below, on the screen
cosim reversal --share 0.25 --confirmations 6 12 24       # others
cosim reversal --csv                                      # with confidence intervals
cosim reversal --markdown > docs/finality.md
cosim reversal --figure docs/images/finality.svg
```

## The race

- `z` confirmations are `z` blocks on top of the block that holds the transaction, as in
  Nakamoto's paper and in `ledger.confirmations` of a scenario.
- The attacker has a share `q` of the hash power, the honest miners `p = 1 - q`. When the
  transaction is included, the attacker has one block of its own in its place, found in advance.
  This is the worst case for the receiver; without any confirmation the transaction can always be
  reverted.
- While the `z` honest blocks are found, the attacker finds `k`. It then makes up `z - k` blocks
  with probability `(q/p)^(z-k)`. Drawing level counts as success, as in Nakamoto's paper. It
  never gives up, whatever that costs.
- Rosenfeld counts the transaction's own block as a confirmation and lets only a longer branch
  win: for the same wait his probability is the one that stands here at `z + 1`. Ours errs on the
  safe side.
- From `q = 1/2` on every transaction can be reverted.

The races draw the times between blocks as the [chain](ledger.md) does under proof of work
(`block_waits_s` in `cosim/chain/consensus.py`): exponential, with mean `block time / p` for the
honest miners and `block time / q` for the attacker. Only numbers of blocks decide, so the block
time does not matter. A race counts as lost once the chance of still winning it is below 1e-7.
Network delay is left out: it costs honest miners blocks, as if `q` were higher.

## Two formulae, two kinds of races

*Exact*: `k` is negative binomial, because the time of `z` honest blocks is random (Rosenfeld
2014, [arXiv:1402.2009](https://arxiv.org/abs/1402.2009)). The sum is `I(4pq; z, 1/2)`, a
regularised incomplete beta function (Grunspan and Pérez-Marco 2018,
[arXiv:1702.02867](https://arxiv.org/abs/1702.02867)).

*Nakamoto*: section 11 of "Bitcoin: A peer-to-peer electronic cash system" (2008) takes that time
at its mean; `k` is then Poisson with mean `z q / p`. With one confirmation this is a little too
high; where the risk is small it is too low, by a factor that grows with `z`.
"""

_NEEDED = """\
## How long to wait

Least number of confirmations with which the probability is below 0.1 %. Nakamoto's column is the
one in his paper. The time is the mean of so many honest blocks, `z · block time / p`, while the
attacker mines for itself.
"""

_READING = """\
A delivery interval mostly has 900 s. With blocks every 12 s, safety from an attacker with 30 %
takes more than half of it; with blocks every 600 s, safety from 10 % takes more than four
intervals. Who waits for fewer confirmations acts on trades that can still be undone.

## In a run

`ledger.consensus: proof_of_work` with `ledger.confirmations` sets what users wait for. The
manifest's indicator `reversal_probability` gives the exact probability for attackers with 10, 20
and 30 % of the hash power, and the report shows it next to the time that [settlement takes to
become final](results.md#indicators). Under proof of authority and PBFT a block is final at once,
unless a majority (PBFT: a third) of the validators is the attacker; under proof of stake this
race does not exist either. The indicator is null there.
"""


@dataclass(frozen=True)
class Reversal:
    """One attacker, one number of confirmations.

    Parameters
    ----------
    share : float
        The attacker's share of the hash power. [-]
    confirmations : int
    exact, nakamoto : float
        By the formulae of :mod:`cosim.chain.finality`. [-]
    races, mean_time_races : Estimate
        Races as they are, and with Nakamoto's assumption.
    """

    share: float
    confirmations: int
    exact: float
    nakamoto: float
    races: Estimate
    mean_time_races: Estimate


def compare(
    shares: Sequence[float] = SHARES,
    confirmations: Sequence[int] = CONFIRMATIONS,
    n_races: int = N_RACES,
    seed: int = SEED,
) -> list[Reversal]:
    """Evaluate formulae and races for every share with every number of confirmations.

    Each pair has random numbers of its own, so that it does not depend on the others asked for.

    Parameters
    ----------
    shares : sequence of float
        Above 0 and below 0.5. [-]
    confirmations : sequence of int
    n_races : int
        Of each kind and pair.
    seed : int
    """
    rows = []
    for share in shares:
        for z in confirmations:
            # numpy seeds with integers: a share is told apart to nine digits
            rng = np.random.default_rng([seed, round(share * 1e9), z])
            rows.append(
                Reversal(
                    share,
                    z,
                    reversal_probability(share, z),
                    nakamoto_probability(share, z),
                    race(share, z, n_races, rng),
                    race(share, z, n_races, rng, mean_time=True),
                )
            )
    return rows


def compare_given(
    shares: Sequence[float] | None = None,
    confirmations: Sequence[int] | None = None,
    n_races: int | None = None,
    seed: int | None = None,
) -> list[Reversal]:
    """Do as :func:`compare` for what a user asked for, with defaults for the rest.

    Raises
    ------
    UserError
        If a number is out of range.
    """
    shares, confirmations = shares or SHARES, confirmations or CONFIRMATIONS
    n_races, seed = N_RACES if n_races is None else n_races, SEED if seed is None else seed
    for share in shares:
        if not 0 < share < 0.5:
            raise UserError(
                f"--share {share:g}: it must be above 0 and below 0.5",
                remedy="give a share of the hash power such as 0.25; from half of it on, an "
                "attacker reverts everything",
            )
    for option, value, least, most in (
        *(("--confirmations", z, 0, CONFIRMATIONS_MAX) for z in confirmations),
        ("--races", n_races, 1, N_RACES_MAX),
        ("--seed", seed, 0, SEED_MAX),
    ):
        if not least <= value <= most:
            raise UserError(
                f"{option} {value}: it must lie between {least} and {most}",
                remedy="give another number",
            )
    return compare(shares, confirmations, n_races, seed)


def as_csv(rows: Iterable[Reversal]) -> str:
    """Return CSV with the columns :data:`COLUMNS`."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in rows:
        numbers = (
            row.exact,
            row.races.probability,
            row.races.standard_error,
            *row.races.interval(),
            row.nakamoto,
            row.mean_time_races.probability,
            row.mean_time_races.standard_error,
        )
        digits = (f"{number:.7g}" for number in numbers)
        writer.writerow((f"{row.share:g}", row.confirmations, *digits, row.races.n_races))
    return out.getvalue()


def screen_table(rows: Sequence[Reversal]) -> Table:
    """Return the figures as a table for the console."""
    table = Table(
        title="Probability that an attacker reverts a transaction",
        caption="q: the attacker's share of the hash power. z: blocks on top of the transaction's. "
        "Races: the model's own, ± one standard error; in the last column honest blocks take "
        "their mean time, as Nakamoto assumes.",
        title_justify="left",
        caption_justify="left",
    )
    for heading in ("q", "z", "exact", "races", "Nakamoto", "races, mean time"):
        table.add_column(heading, justify="right", no_wrap=True)
    before = None
    for row in rows:
        if before not in (None, row.share):
            table.add_section()
        table.add_row(_percent(row.share), *_cells(row))
        before = row.share
    return table


def as_markdown(rows: Sequence[Reversal]) -> str:
    """Return the page docs/finality.md."""
    headings = ("q", "z", "exact", "races", "Nakamoto", "races, mean time")
    table = _table(headings, ((_percent(row.share), *_cells(row)) for row in rows))
    n_races = f"{rows[0].races.n_races:,}".replace(",", " ")
    parts = [
        _INTRODUCTION,
        table,
        _wrapped(
            f"Races ± one standard error, {n_races} of each kind in every row. {_agreement(rows)}"
        ),
        "![Probability of a reversal by confirmations](images/finality.svg)\n",
        _NEEDED,
        _needed_table(),
        _READING,
    ]
    return "\n".join(parts)


def _wrapped(text: str) -> str:
    return "\n".join(textwrap.wrap(text, 100, break_long_words=False)) + "\n"


def _agreement(rows: Sequence[Reversal]) -> str:
    """Distance of races and formulae, in standard errors that the formula implies."""
    own = max(_distance(row.races, row.exact) for row in rows)
    mean_time = max(_distance(row.mean_time_races, row.nakamoto) for row in rows)
    crossed = max(_distance(row.races, row.nakamoto) for row in rows)
    return (
        f"The races as they are agree with the exact formula: at most {own:.1f} standard errors "
        "lie between them. Those with honest blocks at their mean time agree with Nakamoto's: at "
        f"most {mean_time:.1f}. Between the races as they are and Nakamoto's formula there are up "
        f"to {crossed:.0f}."
    )


def _distance(estimate: Estimate, probability: float) -> float:
    """Standard errors between an estimate and a probability; 0 where nothing is random."""
    error = math.sqrt(probability * (1.0 - probability) / estimate.n_races)
    return abs(estimate.probability - probability) / error if error else 0.0


def _needed_table() -> str:
    times = tuple(f"time at {block_time_s} s" for block_time_s in BLOCK_TIMES_S)
    rows = []
    for share in RISK_SHARES:
        exact = confirmations_needed(share, RISK)
        approximate = confirmations_needed(share, RISK, nakamoto_probability)
        waits = (_duration((exact or 0) * time_s / (1.0 - share)) for time_s in BLOCK_TIMES_S)
        rows.append((_percent(share), str(exact), str(approximate), *waits))
    return _table(("q", "z, exact", "z, Nakamoto", *times), rows)


def _duration(seconds: float) -> str:
    """Time in seconds, minutes or hours, by its size."""
    if seconds < 600:
        return f"{seconds:.0f} s"
    if seconds < 7_200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3_600:.1f} h"


def _cells(row: Reversal) -> tuple[str, ...]:
    return (
        str(row.confirmations),
        f"{row.exact:.7f}",
        _estimated(row.races),
        f"{row.nakamoto:.7f}",
        _estimated(row.mean_time_races),
    )


def _estimated(estimate: Estimate) -> str:
    """Probability and standard error; where no race was won, what it is below, at 95 %."""
    if not estimate.n_reverted:
        return f"below {estimate.interval()[1]:.5f}"
    return f"{estimate.probability:.5f} ± {estimate.standard_error:.5f}"


def _percent(share: float) -> str:
    return f"{100 * share:.10g} %"


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [headings, ["---:"] * len(headings), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
