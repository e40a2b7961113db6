"""``cosim.open_result``: each part of a result folder, and what is refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

import cosim
from cosim.errors import ResultFolderError, UserError
from cosim.results.schemas import all_tables


@pytest.fixture(scope="module")
def result(quickstart_result: Path) -> cosim.Result:
    return cosim.open_result(quickstart_result)


def test_the_parts_of_a_result(result, quickstart_result):
    assert result.folder == quickstart_result
    assert result.name == "quickstart"
    assert result.complete
    assert result.report == quickstart_result / "report.html"
    assert result.report.is_file()
    assert result.manifest["seed"] == result.scenario.seed == 20160524
    assert result.scenario == cosim.load_scenario("quickstart")
    assert set(result.tables) == {f.stem for f in (quickstart_result / "tables").iterdir()}
    assert len(result.network.sgen) == result.indicators["prosumers"] == 13
    assert result.indicators["violations"]["scheduled"]["trafo"]["minutes"] > 0
    assert len(result.times) == 96


def test_every_table_is_read_whole(result):
    for table in result.tables:
        file = result.folder / "tables" / f"{table}.parquet"
        frame = result.frame(table)
        assert list(frame.columns) == [column.name for column in all_tables()[table].columns]
        assert len(frame) == pq.read_metadata(file).num_rows


def test_a_frame_is_the_callers_own(result):
    frame = result.frame("buses", ["bus", "vm_pu"])
    frame["vm_pu"] = 0.0
    assert result.frame("buses", ["bus", "vm_pu"])["vm_pu"].min() > 0.8


def test_rows_carry_the_start_of_their_interval(result):
    frame = result.frame("buses", time=True)
    assert list(frame.columns[:3]) == ["interval", "time", "bus"]
    assert frame["time"].iloc[0] == pd.Timestamp("2016-05-24 00:00")
    last = frame[frame["interval"] == 95]["time"]
    assert set(last) == {pd.Timestamp("2016-05-24 23:45")}
    only = result.frame("buses", ["vm_pu"], time=True)
    assert list(only.columns) == ["time", "vm_pu"]
    assert (only["time"] == frame["time"]).all()


def test_the_set_up_is_one_step_before_the_first_interval(result):
    frame = result.frame("transactions", ["interval"], time=True)
    assert set(frame[frame["interval"] < 0]["time"]) == {pd.Timestamp("2016-05-23 23:45")}


def test_blocks_carry_their_own_time(result):
    frame = result.frame("blocks", ["timestamp_s", "block"], time=True)
    assert list(frame.columns) == ["timestamp_s", "time", "block"]
    seconds = (frame["time"] - pd.Timestamp("1970-01-01")) // pd.Timedelta(seconds=1)
    assert (seconds == frame["timestamp_s"]).all()


@pytest.mark.parametrize(
    ("arguments", "options", "says"),
    [
        (("busses",), {}, "there is no table named 'busses'"),
        (("buses", ["vm_p"]), {}, "no column in the table buses named 'vm_p'"),
    ],
)
def test_what_a_result_does_not_hold_is_named(result, arguments, options, says):
    with pytest.raises(ResultFolderError, match=says) as caught:
        result.frame(*arguments, **options)
    assert caught.value.file == str(result.folder)
    assert caught.value.remedy


def test_a_table_without_times_is_named(result):
    with pytest.raises(UserError, match="'events' has neither intervals nor times") as caught:
        result.frame("events", time=True)
    assert caught.value.remedy


def test_the_nearest_name_is_offered(result):
    with pytest.raises(ResultFolderError, match="did you mean 'buses'"):
        result.frame("busses")


def test_indicators_cannot_be_changed(result):
    with pytest.raises(TypeError):
        result.indicators["prosumers"] = 14


def test_a_result_verifies_itself(result, tmp_path):
    assert result.verify(parts=["files"]).passed
    forged = tmp_path / "forged"
    shutil.copytree(result.folder, forged)
    (forged / "network.json").write_text("{}")
    done = cosim.open_result(forged).verify(parts=["files"])
    assert not done.passed
    assert "files" in done.failed


def test_a_notebook_shows_it_in_short(result, tmp_path):
    html = result._repr_html_()
    assert html.startswith("<strong>quickstart</strong><table>")
    assert "96 of 96, 900 s each" in html
    assert f"{result.indicators['traded_kwh']:,.6g}" in html
    assert str(result.report) in html
    assert repr(result) == f"Result({str(result.folder)!r})"
    hostile = tmp_path / "hostile"
    shutil.copytree(result.folder, hostile)
    file = hostile / "manifest.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"name": "<script>"}))
    assert "<script>" not in cosim.open_result(hostile)._repr_html_()


def test_what_is_no_result_of_a_run_is_refused(tmp_path):
    with pytest.raises(ResultFolderError, match="is not a result folder") as caught:
        cosim.open_result(tmp_path)
    assert caught.value.file == str(tmp_path)
    (tmp_path / "manifest.json").write_text(
        json.dumps({"complete": True, "kind": "study", "runs": [{"name": "honest"}]})
    )
    with pytest.raises(ResultFolderError, match="a study of 1 runs") as caught:
        cosim.open_result(tmp_path)
    assert str(tmp_path / "runs" / "honest") in caught.value.remedy
