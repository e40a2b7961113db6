"""``cosim.run``: where it works, where the result goes, what errors and interrupts become."""

from __future__ import annotations

import asyncio
import multiprocessing
import pickle
import shutil
import signal
import subprocess
import sys
import threading
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import pytest

import cosim
from cosim.errors import (
    GridDataError,
    Interrupted,
    PluginError,
    ReconciliationError,
    ResultFolderError,
    ScenarioError,
    SimulatorError,
    UserError,
)
from cosim.resources import folder as resource_folder

SMALL = cosim.Scenario(
    name="small",
    seed=20160524,
    time={"start": "2016-05-24T11:00:00", "intervals": 2},
    grid={"network": "1-LV-rural1--1-sw", "reference_sample": 1},
)
LONGER = SMALL.replace(time={"intervals": 40})


def tables(result: cosim.Result) -> dict[str, bytes]:
    return {
        file.name: file.read_bytes()
        for file in sorted((result.folder / "tables").glob("*.parquet"))
    }


def in_a_loop(work):
    """Call something while an event loop runs in this thread, as a notebook does."""

    async def main():
        return work()

    # asyncio.run would take the interrupts
    loop = asyncio.new_event_loop()
    try:
        return loop.run_until_complete(main())
    finally:
        loop.close()


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    return cosim.run(SMALL, tmp_path_factory.mktemp("run") / "result")


def play_elsewhere(scenario: cosim.Scenario, out: Path) -> Path:
    return cosim.run(scenario, out).folder


def test_a_run_in_a_running_loop_gives_the_same_bytes(result, tmp_path):
    told = []

    def work():
        return cosim.run(SMALL, tmp_path / "again", progress=lambda *each: told.append(each))

    again = in_a_loop(work)
    assert tables(again) == tables(result)
    assert told == [(0, True), (1, True)]


def test_a_run_in_a_worker_process_gives_the_same_bytes(result, tmp_path):
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, context) as pool:
        done = pool.submit(play_elsewhere, SMALL, tmp_path / "again").result()
        assert tables(cosim.open_result(done)) == tables(result)
        with pytest.raises(GridDataError) as caught:
            pool.submit(
                play_elsewhere, SMALL.replace(grid={"network": "nowhere"}), tmp_path / "none"
            ).result()
    assert caught.value.field == "grid.network"


def test_runs_in_two_threads_at_once_give_the_same_bytes(result, tmp_path):
    with ThreadPoolExecutor(2) as pool:
        runs = [pool.submit(cosim.run, SMALL, tmp_path / name) for name in ("one", "two")]
        for done in runs:
            assert tables(done.result()) == tables(result)


def test_the_result_goes_to_results_by_the_name_of_the_scenario(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "small.yaml"
    file.write_text(SMALL.replace(time={"intervals": 1}).to_yaml())
    done = cosim.run(file)
    assert done.folder == tmp_path / "results" / "small"
    with pytest.raises(ResultFolderError, match="exists already") as caught:
        cosim.run(file)
    assert "--force (in Python force=True)" in str(caught.value.remedy)
    assert cosim.run(str(file), force=True).complete


@pytest.mark.parametrize("call", [lambda work: work(), in_a_loop])
def test_an_error_of_the_scenario_names_no_file_where_there_is_none(call, tmp_path):
    lost = SMALL.replace(grid={"network": "nowhere"})
    with pytest.raises(GridDataError, match="no grid 'nowhere'") as caught:
        call(lambda: cosim.run(lost, tmp_path / "out"))
    assert str(caught.value).startswith("field grid.network: ")
    assert str(Path.cwd() / "nowhere") in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_an_error_of_the_scenario_names_its_file(tmp_path):
    file = tmp_path / "lost.yaml"
    file.write_text(SMALL.replace(grid={"network": "nowhere"}).to_yaml())
    with pytest.raises(GridDataError) as caught:
        cosim.run(cosim.load_scenario(file).replace(seed=1), tmp_path / "out")
    assert caught.value.file == str(file)
    assert str(tmp_path / "grids" / "nowhere") in str(caught.value)


def test_a_grid_lies_near_its_scenario(tmp_path, result):
    study = tmp_path / "study"
    study.mkdir()
    name = "1-LV-rural1--1-sw"
    shutil.copytree(resource_folder("grids") / name, study / "grids" / "feeder")
    (study / "small.yaml").write_text(SMALL.replace(grid={"network": "feeder"}).to_yaml())
    done = cosim.run(study / "small.yaml", tmp_path / "out")
    assert done.scenario.grid.network == "feeder"
    assert tables(done) == tables(result)


@pytest.mark.parametrize(
    ("engine", "options", "says"),
    [
        ("rpc", {}, "engine rpc needs the URL of a node"),
        ("revm", {"node": "http://127.0.0.1:1"}, "the engine is revm"),
    ],
)
def test_a_node_belongs_to_its_engine(tmp_path, engine, options, says):
    with pytest.raises(UserError, match=says) as caught:
        cosim.run(SMALL.replace(ledger={"engine": engine}), tmp_path / "out", **options)
    assert caught.value.remedy
    assert list(tmp_path.iterdir()) == []


def test_a_slower_engine_than_there_could_be_is_told(tmp_path):
    program = f"""
import sys
sys.modules["pyrevm"] = None
import warnings
import cosim, cosim.errors
from pathlib import Path
scenario = cosim.load_scenario({str(resource_folder("scenarios") / "quickstart.yaml")!r})
for engine in ("auto", "py-evm"):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            cosim.run(scenario.replace(ledger={{"engine": engine}}), "{tmp_path}/file/out")
        except cosim.errors.UserError:
            print([(w.category.__name__, w.filename) for w in caught if "engine" in str(w.message)])
"""
    (tmp_path / "file").write_text("no folder")
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stdout.splitlines() == ["[('SlowEngineWarning', '<string>')]", "[]"], done.stderr


def interrupting_at(interval: int):
    """Send this process's main thread SIGINT once an interval is recorded."""

    def progress(done: int, violated: bool) -> None:
        if done == interval:
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
            threading.Event().wait(0.3)  # until it was seen

    return progress


@pytest.mark.parametrize("call", [lambda work: work(), in_a_loop])
def test_an_interrupt_keeps_what_is_done_and_reaches_the_caller(call, tmp_path):
    out = tmp_path / "result"
    with pytest.raises(Interrupted) as caught:
        call(lambda: cosim.run(LONGER, out, progress=interrupting_at(2)))
    assert isinstance(caught.value, KeyboardInterrupt)
    assert caught.value.folder == out
    assert 2 <= caught.value.intervals_done < 10
    so_far = cosim.open_result(out)
    assert not so_far.complete
    assert so_far.frame("buses").interval.max() + 1 == caught.value.intervals_done
    assert threading.active_count() == 1 or all(
        t.name != "cosim.run" for t in threading.enumerate()
    )


def test_an_interrupt_in_the_first_interval_leaves_nothing(tmp_path):
    with pytest.raises(KeyboardInterrupt) as caught:
        in_a_loop(lambda: cosim.run(LONGER, tmp_path / "out", progress=interrupting_at(0)))
    assert not isinstance(caught.value, Interrupted)
    assert list(tmp_path.iterdir()) == []


def test_a_second_interrupt_ends_the_run_at_once(tmp_path):
    reached = []

    def progress(interval: int, violated: bool) -> None:
        if interval == 2:
            for _ in range(2):
                signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
                threading.Event().wait(0.3)
            for _ in range(100):
                threading.Event().wait(0.1)
            reached.append(interval)  # had nobody interrupted it

    with pytest.raises(KeyboardInterrupt) as caught:
        in_a_loop(lambda: cosim.run(LONGER, tmp_path / "out", progress=progress))
    assert not isinstance(caught.value, Interrupted)
    assert reached == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("call", [lambda work: work(), in_a_loop])
def test_an_error_of_the_caller_s_own_reaches_it(call, tmp_path):
    def progress(interval: int, violated: bool) -> None:
        raise ZeroDivisionError("in progress")

    with pytest.raises(ZeroDivisionError, match="in progress"):
        call(lambda: cosim.run(SMALL, tmp_path / "out", progress=progress))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "error",
    [
        ScenarioError("is wrong", file="a.yaml", field="seed", remedy="mend it"),
        PluginError("lacks deploy", package="other", point="cosim.mechanisms: a", remedy="mend it"),
        ReconciliationError(3, ["LV1 Bus 2"], "one Wh is missing"),
        SimulatorError("Weather", "crashed"),
        Interrupted(3, Path("results/small")),
    ],
)
def test_errors_pass_between_processes_whole(error):
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    assert str(again) == str(error)
    assert vars(again) == vars(error)
