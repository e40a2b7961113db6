"""Whole runs on a node: equal to the embedded engine's, also when the node fails."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from anvil_node import Node
from faulty_proxy import faulty_proxy, plain
from workbench import workbench_artifact

from benchmarks.anvil import Anvil
from cosim.cli import main
from cosim.errors import EngineError, NodeError, ResultFolderError
from cosim.evm import rpc
from cosim.evm.abi import pack
from cosim.evm.accounts import account
from cosim.evm.engine import Message, create_engine
from cosim.evm.journal import JOURNAL
from cosim.evm.options import NodeSettings
from cosim.evm.rpc import PlainNode
from cosim.evm.timed_node import TimedNode, connect
from cosim.results.manifest import file_hashes, read_manifest
from cosim.runs.experiment import run_scenario
from cosim.scenario import Scenario, load_scenario
from cosim.verify.verification import verify

pytestmark = pytest.mark.node

SCENARIOS = Path(__file__).parents[2] / "scenarios"
GAS = 2_000_000
KEYED = [account(7, f"sender {i}") for i in range(3)]
KEYS = {one.address: one.private_key for one in KEYED}


@pytest.fixture
def node(program: str, tmp_path: Path) -> Iterator[Anvil]:
    """A fresh anvil."""
    # without a limit anvil keeps the state after every block, and is half as fast
    running = Anvil(program, tmp_path, options=("--prune-history", "64"))
    yield running
    running.stop()


@pytest.fixture(scope="module")
def scenario(short_scenario: Callable[..., Scenario]) -> Scenario:
    return short_scenario(2)


@pytest.fixture(scope="module")
def expected(scenario: Scenario, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the embedded engine says."""
    folder = tmp_path_factory.mktemp("revm") / "result"
    run_scenario(scenario, folder, folder)
    return outcome(folder)


def outcome(folder: Path) -> dict[str, Any]:
    """Hashes of all tables, contracts with code and storage root, state digest."""
    hashes = file_hashes(folder)
    manifest = read_manifest(folder)
    return {
        "tables": {name: one for name, one in hashes.items() if name.startswith("tables/")},
        "contracts": manifest["contracts"],
        "digest": manifest["chain"]["state_digest"],
    }


def run(scenario: Scenario, url: str, out: Path, **options: Any) -> Path:
    """Run a scenario on a node."""
    ledger = scenario.ledger.model_copy(update={"engine": "rpc"})
    settings = NodeSettings(url, options.pop("timeout_s", 20.0), options.pop("patience_s", 20.0))
    on_node = scenario.model_copy(update={"ledger": ledger})
    return run_scenario(on_node, out, out, node=settings, **options).folder


def test_the_quickstart_is_the_same_on_a_node(node: Anvil, tmp_path: Path) -> None:
    file = SCENARIOS / "quickstart.yaml"
    data = load_scenario(file).model_dump(mode="json")
    data["time"] |= {"start": "2016-05-24T10:00:00", "intervals": 24}
    quickstart = Scenario.model_validate(data)
    here = run_scenario(quickstart, file, tmp_path / "revm").folder
    folder = run(quickstart, node.url, tmp_path / "result")
    assert outcome(folder) == outcome(here)
    assert len(outcome(folder)["tables"]) >= 12
    assert not (folder / JOURNAL).exists()


def test_reorganisations_and_fees_are_the_same_on_a_node(
    node: Anvil, short_scenario: Callable[..., Scenario], tmp_path: Path
) -> None:
    ledger = {
        "consensus": "proof_of_work",
        "propagation_delay_s": 8,
        "confirmations": 0,
        "initial_base_fee_gwei": 0.05,
        "fee_strategies": [{"share": 0.5, "tip_gwei": 0.03, "rise_percent_per_block": 20}],
    }
    forking = short_scenario(2, ledger=ledger, seed=3)
    here, there = tmp_path / "revm", tmp_path / "node"
    run_scenario(forking, here, here)
    run(forking, node.url, there)
    assert outcome(there) == outcome(here)
    replaced = pd.read_parquet(there / "tables" / "reorganisations.parquet")
    assert replaced.depth_blocks.max() > 1
    assert replaced.n_transactions.sum() > 10


def test_somebody_elses_node_verifies_a_result(
    node: Anvil, scenario: Scenario, tmp_path: Path
) -> None:
    folder = tmp_path / "result"
    run_scenario(scenario, folder, folder)
    done = verify(folder, "rpc", node.url, parts=("ledger",))
    assert done.failed == []
    compared = {check.name: check.compared for check in done.checks}
    assert compared["replay"] > 100
    assert compared["receipts"] == 9 * compared["replay"]
    # the node has a chain of its own now, and no other result can be replayed on it
    assert main(["verify", str(folder), "--engine", "rpc", "--url", node.url]) == 2


@pytest.mark.parametrize("keeps_state", [False, True], ids=["empty", "kept"])
def test_a_node_that_starts_again_gets_back_what_it_lost(
    program: str,
    scenario: Scenario,
    expected: dict[str, Any],
    tmp_path: Path,
    keeps_state: bool,
) -> None:
    options = ("--state", str(tmp_path / "state.json")) if keeps_state else ()
    running = [Anvil(program, tmp_path, options=options)]

    def restart(interval: int, violated: bool) -> None:
        port = running[-1].port
        running[-1].stop()
        running.append(Anvil(program, tmp_path, port=port, options=options))

    try:
        folder = run(scenario, running[0].url, tmp_path / "result", progress=restart)
    finally:
        running[-1].stop()
    assert len(running) == 3
    assert outcome(folder) == expected


def test_lost_answers_and_errors_leave_no_trace(
    node: Anvil,
    scenario: Scenario,
    expected: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rpc, "FIRST_PAUSE_S", 0.02)  # some 60 faults wait for it
    kinds = ["drop", "503", "busy", "drop before"]
    die = random.Random(20160524)

    def fault(number: int, methods: list[str]) -> str:
        if die.random() < (0.2 if "evm_mine" in methods else 0.01):
            return die.choice(kinds)
        return "slow" if number == 40 else ""

    with faulty_proxy(node.url, fault) as (url, faults):
        folder = run(scenario, url, tmp_path / "result", timeout_s=2.0, patience_s=60.0)
    assert outcome(folder) == expected
    assert {*kinds, "slow"} <= set(faults)


def test_a_node_gone_for_good_leaves_what_resumes(
    program: str, scenario: Scenario, expected: dict[str, Any], tmp_path: Path
) -> None:
    out = tmp_path / "result"
    first = Anvil(program, tmp_path)

    def stop(interval: int, violated: bool) -> None:
        first.stop()

    with pytest.raises(NodeError, match="does not answer"):
        run(scenario, first.url, out, progress=stop, patience_s=0.5)
    partial = tmp_path / "result.partial"
    assert not out.exists()
    assert [path.name for path in partial.iterdir()] == [JOURNAL]
    with (partial / JOURNAL).open("a", encoding="utf-8") as journal:
        journal.write('["cut off')  # a process that was killed while it wrote
    second = Anvil(program, tmp_path)
    try:
        other = scenario.model_copy(update={"seed": scenario.seed + 1})
        with pytest.raises(ResultFolderError, match="another scenario"):
            run(other, second.url, out, resume=True)
        folder = run(scenario, second.url, out, resume=True)
    finally:
        second.stop()
    assert outcome(folder) == expected
    assert not partial.exists()


def test_the_command_line_says_that_the_node_is_gone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["run", "quickstart", "--engine", "rpc", "--out", str(tmp_path / "result")]
    assert main([*arguments, "--url", "http://127.0.0.1:9", "--patience", "0.2"]) == 2
    text = capsys.readouterr().err
    assert "the node does not answer" in text
    assert "--resume" in text


def test_a_used_node_is_left_alone(node: Anvil) -> None:
    Node(node.url).request("evm_mine")
    engine = connect(NodeSettings(node.url, patience_s=1.0), KEYS)
    engine.set_block(5, 2_000_000_000, 30_000_000)
    with pytest.raises(NodeError, match="has 1 blocks already"):
        engine.transact(KEYED[0].address, KEYED[1].address, b"", 21_000)


def test_a_block_takes_what_fits(node: Anvil) -> None:
    """What is too large for the gas left is passed over, and its sender's later ones wait."""
    engine = connect(NodeSettings(node.url), KEYS)
    assert isinstance(engine, TimedNode)
    engine.set_block(1, 2_000_000_000, 500_000)
    a, b, c = (one.address for one in KEYED)
    messages = [
        Message(a, c, b"", 200_000),
        Message(a, c, b"", 490_000),  # 479 000 are left
        Message(a, c, b"", 21_000),  # waits for the one before
        Message(b, c, b"\1", 479_000),
        Message(c, a, b"", 21_000),
    ]
    included = [receipt is not None for receipt in engine.execute_block(messages)]
    assert included == [True, False, False, True, True]
    assert [engine.nonce(one.address) for one in KEYED] == [1, 1, 1]
    assert Node(node.url).request("txpool_status") == {"pending": "0x0", "queued": "0x0"}
    engine.set_block(2, 2_000_000_012, 1_000_000)
    assert all(engine.execute_block(messages[1:3]))
    assert engine.nonce(a) == 3


def test_a_plain_node_deploys_calls_and_says_what_it_cannot(program: str, tmp_path: Path) -> None:
    bench = workbench_artifact()
    sender = KEYED[0].address
    embedded = create_engine("revm")
    embedded.set_block(1, 1_000_000, 30_000_000)
    running = Anvil(program, tmp_path, automine=True)
    try:
        Node(running.url).request("anvil_setBalance", KEYED[0].hex, hex(10**20))
        lost: list[str] = []

        def fault(number: int, methods: list[str]) -> str:
            if "eth_sendRawTransaction" in methods and len(lost) < 3:
                lost.append(methods[0])
                return "drop"
            return plain(number, methods)

        with faulty_proxy(running.url, fault) as (url, faults):
            engine = connect(NodeSettings(url, patience_s=5.0), KEYS)
            assert isinstance(engine, PlainNode)
            receipts = []
            for one in (embedded, engine):
                contract = one.transact(sender, None, bench.init_code(7), GAS)
                assert contract.contract_address is not None
                to = contract.contract_address
                store = one.transact(sender, to, bench.selectors["store"] + pack(1, 5), GAS)
                late = one.transact(sender, to, bench.selectors["fail_late"] + pack(1, 1), GAS)
                state = (one.nonce(sender), one.code(to), one.storage_root(to), one.storage(to, 2))
                value = one.call(sender, to, bench.selectors["total"])
                receipts.append((contract, store._replace(output=b""), late, state, value))
            assert receipts[0] == receipts[1]
            assert len(lost) == 3
            for refused in (engine.snapshot, lambda: engine.set_balance(sender, 1)):
                with pytest.raises(EngineError, match="a plain node cannot"):
                    refused()
        assert "refuse" in faults
    finally:
        running.stop()


def test_a_run_on_a_plain_node_is_refused(node: Anvil, scenario: Scenario, tmp_path: Path) -> None:
    with (
        faulty_proxy(node.url, plain) as (url, _),
        pytest.raises(NodeError, match="clock can be set"),
    ):
        run(scenario, url, tmp_path / "result")
