"""A long run is verified day by day: what is found is what is found of the tables read whole."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from cosim.replay.findings import Check
from cosim.results import stretches
from cosim.results.reader import Results
from cosim.verify import stretches as days
from cosim.verify.verification import Verification, verify

STRETCH = 2


def in_stretches(folder: Path, parts: tuple[str, ...] = ("grid",)) -> Verification:
    """Verify a result as if it were long, two intervals at a time."""

    def twos(n_intervals: int, *_: object) -> list[tuple[int, int]]:
        return [(t, min(t + STRETCH, n_intervals)) for t in range(0, n_intervals, STRETCH)]

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(stretches, "LONG_RUN_DAYS", 0)
        patched.setattr(days, "calendar_days", twos)
        assert Results(folder).is_long
        return verify(folder, parts=parts)


def said(check: Check) -> tuple[object, ...]:
    return check.name, check.verdict, check.notes, check.n_differences, check.differences


@pytest.fixture
def spoilt(forged: Path) -> Path:
    """A result with a false value in several tables, and a row of an interval that there is not."""

    def change(table: str, column: str, row: int) -> None:
        path = forged / "tables" / f"{table}.parquet"
        read = pq.read_table(path)
        at = pa.array([i == row for i in range(read.num_rows)])
        place = read.schema.get_field_index(column)
        field, values = read.schema.field(place), read[column].combine_chunks()
        other = pc.add(values, pa.scalar(1, field.type))
        read = read.set_column(place, field, pc.if_else(at, other, values))
        pq.write_table(read, path, row_group_size=50)

    for table, column in (
        ("buses", "vm_pu"),
        ("forecasts", "actual_mw"),
        ("prosumers", "soc_mwh"),
        ("grid_checks", "limit"),
        ("violations", "value"),
        ("margins", "needed_ueur"),
    ):
        rows = pq.read_metadata(forged / "tables" / f"{table}.parquet").num_rows
        change(table, column, 2 * rows // 3)
    last = pq.read_metadata(forged / "tables" / "grid_balance.parquet").num_rows - 1
    change("grid_balance", "interval", last)
    return forged


def test_nothing_differs_in_an_honest_run(honest: Path) -> None:
    done = in_stretches(honest)
    assert done.passed
    assert [each.name for each in done.checks] == [
        *("network", "forecasts", "devices", "storages", "power flow", "grid checks"),
        *("rebounds", "margins"),
    ]
    assert all(each.compared for each in done.checks if each.name != "rebounds")


def test_the_same_is_found_as_of_the_whole_tables(spoilt: Path) -> None:
    of_days, whole = in_stretches(spoilt), verify(spoilt, parts=("grid",))
    names = ["forecasts", "devices", "power flow", "grid checks", "margins"]
    assert whole.failed == of_days.failed == names
    own = {each.name: each for each in of_days.checks}
    assert [said(own[each.name]) for each in whole.checks if each.name != "power flow"] == [
        said(each) for each in whole.checks if each.name != "power flow"
    ]
