"""A foreign simulator that fails ends the run by its name, with nothing left behind."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from strangers import CONSUMPTION, READS, grid_of, listener, remote, stand_in

from cosim.cli import EXIT_FAILED, EXIT_USER, main
from cosim.errors import ReconciliationError, UngovernedDrawsWarning
from cosim.runs import preparation
from cosim.simulators.devices import DevicesSimulator

ROOT = Path(__file__).parents[2]


@pytest.fixture
def cosim(tmp_path, short_scenario, capfd, monkeypatch):
    """Run `cosim run` on a scenario with foreign simulators; its exit code and its words."""
    monkeypatch.setattr(preparation, "open_grid", grid_of)

    def run(*simulators, intervals=3):
        file = tmp_path / "short.yaml"
        scenario = short_scenario(intervals).model_dump(mode="json")
        file.write_text(yaml.safe_dump(scenario | {"simulators": list(simulators)}))
        code = main(["run", str(file), "--trust", "--out", str(tmp_path / "results" / "short")])
        said = capfd.readouterr()
        results = tmp_path / "results"
        assert not results.exists() or not list(results.iterdir()), "nothing is left behind"
        assert "Traceback" not in said.err or "foreign_simulators.py" in said.err
        assert "Task was destroyed" not in said.err
        assert "never retrieved" not in said.err
        assert "complete" not in said.out
        return code, said.err

    return run


def faulty(elsewhere=False, **params):
    start = {"cmd": remote("Faulty")} if elsewhere else {"python": "foreign_simulators:Faulty"}
    names = ("from_simulator", "from_entity", "from_attribute", "attribute")
    return {
        "name": "stranger",
        "model": "Display",
        "params": params,
        "feeds": [CONSUMPTION],
        "reads": [dict(zip(names, READS[0], strict=True)) | {"time_shifted": True, "initial": 1.0}],
    } | start


@pytest.mark.parametrize(
    ("method", "elsewhere"),
    [("step", False), ("step", True), ("get_data", True), ("setup_done", False)],
)
def test_an_exception_ends_the_run(cosim, method, elsewhere):
    code, said = cosim(faulty(elsewhere, how="raise", method=method))
    assert code == EXIT_FAILED
    assert f"the run stopped: simulator stranger: failed in {method}" in said
    assert "ZeroDivisionError: no power to divide" in said
    assert "foreign_simulators.py" in said, "says where"


@pytest.mark.parametrize("method", ["step", "get_data", "setup_done", "finalize"])
def test_one_that_ends_the_program_ends_the_run_by_its_name(cosim, method):
    code, said = cosim(faulty(how="leave", method=method))
    assert code == EXIT_FAILED
    assert f"the run stopped: simulator stranger: failed in {method}: it ended the program" in said
    assert "foreign_simulators.py" in said, "says where"


def test_one_that_cancels_is_named_too(cosim):
    code, said = cosim(faulty(how="cancel"))
    assert code == EXIT_FAILED
    assert "simulator stranger: failed in step: CancelledError: no more of this" in said


def test_a_plug_in_that_ends_the_program_fails_the_run(cosim, monkeypatch):
    monkeypatch.setattr(DevicesSimulator, "play", lambda *_: sys.exit(0))
    code, said = cosim(faulty(how="none"))
    assert code == EXIT_FAILED
    assert "the run stopped: simulator devices: it ended the program, sys.exit(0)" in said


def test_one_that_reads_and_feeds_within_an_interval_is_refused(cosim):
    code, said = cosim(faulty(how="early"))
    assert code == EXIT_FAILED
    assert "simulator stranger: returned 960 s as its next step, within an interval" in said


@pytest.mark.parametrize(("how", "exit_code"), [("exit", 7), ("reset", 0), ("killed", -9)])
def test_a_process_that_goes_away_ends_the_run(cosim, how, exit_code):
    code, said = cosim(faulty(True, how=how))
    assert code == EXIT_FAILED
    assert "the run stopped: simulator stranger: closed its connection in step" in said
    assert f"its process ended with exit code {exit_code}" in said


@pytest.mark.parametrize(
    ("elsewhere", "how", "method"),
    [
        (True, "hang", "init"),
        (True, "hang", "step"),
        (False, "hang", "step"),
        (False, "spin", "init"),
        (False, "spin", "step"),
        (False, "spin", "finalize"),
    ],
)
def test_one_that_never_answers_is_named_after_its_timeout(cosim, elsewhere, how, method):
    entry = faulty(elsewhere, how=how, method=method) | {"timeout_s": 4.0}
    begin = time.monotonic()
    code, said = cosim(entry)
    assert time.monotonic() - begin < 30
    assert code == EXIT_USER
    assert "short.yaml, field simulators.stranger.timeout_s: simulator stranger: " in said
    assert f"it did not answer {method} within 4 s" in said
    assert "raise its timeout_s" in said
    assert elsewhere or "foreign_simulators.py" in said, "says where"


@pytest.mark.parametrize("connects", [False, True])
def test_one_that_never_speaks_is_named_after_its_timeout(cosim, connects):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        entry = {key: value for key, value in faulty(how="none").items() if key != "python"}
        entry |= {"timeout_s": 0.5}
        entry |= (
            {"connect": f"127.0.0.1:{silent.getsockname()[1]}"} if connects else {"cmd": "sleep 60"}
        )
        code, said = cosim(entry)
    assert code == EXIT_USER
    assert "field simulators.stranger.timeout_s: simulator stranger: " in said
    what = "it did not answer init" if connects else "its process did not connect to"
    assert what in said
    assert "within 0.5 s" in said


@pytest.mark.parametrize("elsewhere", [False, True])
def test_an_exception_without_words_has_its_type_and_place(cosim, elsewhere):
    code, said = cosim(faulty(elsewhere, how="wordless"))
    assert code == EXIT_FAILED
    assert "simulator stranger: failed in step: RuntimeError (" in said
    assert "foreign_simulators.py" in said


def test_a_study_says_which_runs_a_process_took_with_it(tmp_path, capsys, short_scenario):
    file, out = tmp_path / "study.yaml", tmp_path / "results" / "out"
    data = short_scenario(1).model_dump(mode="json")
    gone = {"simulators": [faulty(how="exit", method="init")]}
    file.write_text(yaml.safe_dump(data | {"study": {"variants": {"a": gone, "b": gone}}}))
    assert main(["run", str(file), "--trust", "--jobs", "2", "--out", str(out)]) == EXIT_FAILED
    said = capsys.readouterr().err
    assert "the run stopped: a process ended without a word" in said
    assert "one of a, b; --jobs 1" in said
    assert list(out.parent.iterdir()) == []


@pytest.mark.parametrize(
    ("how", "elsewhere", "words"),
    [
        ("text", False, "gave 'a lot' for P_load[MW] of LV1.101 Bus 8, not a finite number"),
        ("float", True, "broke the rules of mosaik"),
    ],
)
def test_nonsense_ends_the_run(cosim, how, elsewhere, words):
    code, said = cosim(faulty(elsewhere, how=how))
    assert code == EXIT_FAILED
    assert f"the run stopped: simulator stranger: {words}" in said


def test_a_failing_finalize_is_a_failed_run(cosim):
    code, said = cosim(faulty(how="raise", method="finalize"))
    assert code == EXIT_FAILED
    assert "simulator stranger: failed in finalize: ZeroDivisionError" in said


@pytest.mark.parametrize(
    ("role", "simulator", "elsewhere", "words"),
    [
        ("devices", "FractionalDevices", True, "delivery.metered_wh holds fractions"),
        ("bidders", "EmptyBidders", False, "bids lacks curtailable_down_wh"),
        ("grid", "CopperPlate", False, "flow.vm_pu has shape (3,), not (15,)"),
    ],
)
def test_a_wrong_message_ends_the_run(cosim, role, simulator, elsewhere, words):
    code, said = cosim(stand_in(role, simulator, elsewhere=elsewhere, sizes=[3, 3, 3]))
    assert code == EXIT_FAILED
    assert f"the run stopped: simulator stranger: sent a wrong message: {words}" in said


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"python": "no_such_module:Class"}, "no_such_module"),
        ({"python": "foreign_simulators:NoSuchClass"}, "NoSuchClass"),
        ({"python": "foreign_simulators:Faulty", "params": {}}, "'how'"),
        ({"python": "foreign_simulators:Faulty", "model": "Lamp"}, "Lamp"),
        ({"python": "foreign_simulators:Faulty", "model_params": {"n": 1}}, "n'"),
        ({"cmd": "no-such-program %(addr)s"}, "no-such-program"),
        ({"cmd": "%(python)s -c 'raise SystemExit(3)'"}, "exit code 3 before it connected"),
        ({"connect": "127.0.0.1:1"}, "nobody answers at 127.0.0.1:1"),
        ({"cmd": remote("Faulty"), "params": {"how": "raise", "method": "init"}}, "init"),
        (
            {"python": "foreign_simulators:Faulty", "params": {"how": "leave", "method": "init"}},
            "failed in init: it ended the program, sys.exit()",
        ),
        (
            {"python": "foreign_simulators:Faulty", "params": {"how": "leave", "method": "create"}},
            "failed in create: it ended the program, sys.exit()",
        ),
        ({"cmd": remote("Faulty"), "params": {"how": "leave", "method": "init"}}, "in init"),
        ({"cmd": remote("Faulty"), "params": {"how": "exit", "method": "init"}}, "exit code 7"),
        ({"cmd": remote("Faulty"), "params": {"how": "raise", "method": "create"}}, "no power"),
    ],
)
def test_one_that_cannot_be_started_is_the_users_error(cosim, change, words):
    entry = {k: v for k, v in faulty(how="raise").items() if k != "python"} | change
    begin = time.monotonic()
    code, said = cosim(entry)
    assert time.monotonic() - begin < 30, "at once, not after a timeout"
    assert code == EXIT_USER
    assert "short.yaml, field simulators.stranger: could not be started: " in said
    assert words in said
    assert "remedy: check how it is started" in said


@pytest.mark.parametrize(
    ("reading", "words"),
    [
        (("grid", "Bus-99", "Vm[pu]", "voltage"), ("no entity 'Bus-99'", "Bus-9")),
        (("grid", "Bus-4", "voltage", "voltage"), ("Va[deg], Vm[pu]", "asked for voltage")),
        (("grid", "Bus-4", "Vm[pu]", "U"), ("loading, message, power, voltage", "into U")),
        (("market", "Bus-4", "prices", "message"), ("no entity 'Bus-4'", "name population")),
    ],
)
def test_a_wrong_connection_is_the_users_error(cosim, tmp_path, reading, words):
    code, said = cosim(listener(tmp_path / "log", [reading]))
    assert code == EXIT_USER
    assert "short.yaml, field simulators.display: " in said
    assert all(word in said for word in words), said


def test_feeding_what_it_reads_is_the_users_error(cosim):
    entry = faulty(how="none")
    del entry["reads"][0]["time_shifted"], entry["reads"][0]["initial"]
    code, said = cosim(entry)
    assert code == EXIT_USER
    assert "simulators.stranger: feeds what it reads, within one interval" in said
    assert "remedy: set time_shifted: true and initial" in said


def test_a_stand_in_that_does_not_step_when_it_must_is_refused(cosim):
    code, said = cosim(stand_in("dso", "DeafDso"))
    assert code == EXIT_USER
    assert "cannot take the place of dso: it does not step on schedule" in said
    assert "declares decision persistent" in said
    assert "trigger [schedule] and non-persistent [checks, decision]" in said


@pytest.mark.parametrize(
    ("simulators", "words"),
    [
        ([faulty(how="none"), faulty(how="none")], "'stranger' is given twice"),
        ([faulty(how="none") | {"name": "grid"}], "'grid' is that of one of ours"),
        (
            [stand_in("dso", "AcceptingDso"), stand_in("dso", "AcceptingDso") | {"name": "b"}],
            "dso is replaced twice",
        ),
        ([faulty(how="none") | {"feeds": [], "reads": []}], "connected to nothing"),
        ([faulty(how="none") | {"cmd": "x"}], "exactly one of python, cmd, connect"),
    ],
)
def test_a_contradictory_entry_is_the_users_error(
    tmp_path, capsys, short_scenario, simulators, words
):
    file = tmp_path / "short.yaml"
    data = short_scenario(1).model_dump(mode="json") | {"simulators": simulators}
    file.write_text(yaml.safe_dump(data))
    assert main(["run", str(file), "--out", str(tmp_path / "out")]) == EXIT_USER
    said = capsys.readouterr().err
    assert f"file {file}, field" in said
    assert words in said


def test_what_ours_raise_surfaces_as_itself(play, short_scenario, tmp_path, monkeypatch):
    honest = DevicesSimulator.play

    def tampered(self, interval, inbox, children):
        sent = honest(self, interval, inbox, children)
        if interval != 1:
            return sent
        (delivery,) = sent
        metered = delivery.metered_wh.copy()
        metered[3] += 1
        return (replace(delivery, metered_wh=metered),)

    monkeypatch.setattr(DevicesSimulator, "play", tampered)
    with pytest.raises(ReconciliationError) as caught:
        play(short_scenario(3, simulators=[listener(tmp_path / "log")]))
    assert caught.value.interval == 1
    assert caught.value.accounts == ("LV1.101 Bus 5",)


def test_draws_of_one_in_this_process_are_warned_of_once(play, short_scenario):
    with pytest.warns(UngovernedDrawsWarning) as said:
        play(short_scenario(2, simulators=[faulty(how="dice", at=0)]))
    (message,) = [str(one.message) for one in said if one.category is UngovernedDrawsWarning]
    assert message.startswith("simulator stranger drew in step from the global generator of random")


def test_a_type_error_of_ours_is_not_taken_for_mosaiks(play, short_scenario, monkeypatch):
    def broken(self, interval, inbox, children):
        return len(interval)

    monkeypatch.setattr(DevicesSimulator, "play", broken)
    with pytest.raises(TypeError, match="object of type 'int' has no len"):
        play(short_scenario(1))


def test_a_failed_run_says_nothing_else_and_leaves_no_process(tmp_path, short_scenario):
    """In a process of its own, so that what Python says at exit is heard too."""
    file = tmp_path / "short.yaml"
    entries = [faulty(True, how="raise"), listener(tmp_path / "log", cmd=remote("Listener"))]
    file.write_text(
        yaml.safe_dump(short_scenario(2).model_dump(mode="json") | {"simulators": entries})
    )
    command = [sys.executable, "-m", "cosim.cli", "run", str(file), "--trust"]
    command += ["--out", str(tmp_path / "out")]
    run = subprocess.run(
        command,
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT), "MARKER": str(file)},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert run.returncode == EXIT_FAILED
    (line,) = [said for said in run.stderr.splitlines() if "mosaik_api_v3" not in said]
    assert line.startswith("cosim: the run stopped: simulator stranger: failed in step")
    environments = [environ_of(process) for process in Path("/proc").glob("[0-9]*")]
    assert not [one for one in environments if f"MARKER={file}".encode() in one]


def environ_of(process: Path) -> bytes:
    """Environment of a process, empty if it is not ours to read."""
    try:
        return (process / "environ").read_bytes()
    except OSError:
        return b""
