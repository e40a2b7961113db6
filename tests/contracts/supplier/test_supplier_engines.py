"""One sequence of calls: the same on both engines, and by either back end of the compiler."""

from __future__ import annotations

import random
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from market_world import address
from supply_world import DEPOSIT, SUPPLIER, TERMS, SupplyWorld, meter_of

from cosim.errors import ContractRevert
from cosim.evm.contracts import Artifact, compile_contract, compile_source
from cosim.evm.hashing import keccak

CONTRACTS = Path(__file__).parents[3] / "contracts"
ACCOUNTS = ("ann", "bob", "cem")


def sequence(seed: int, length: int = 240) -> list[tuple[int, str, str, tuple[Any, ...]]]:
    """Blocks and calls: mostly sensible, some late, early, repeated or by somebody else."""
    rng = random.Random(seed)
    calls: list[tuple[int, str, str, tuple[Any, ...]]] = []
    block = TERMS.opens_at(0)
    for _ in range(length):
        block += rng.choice((0, 0, 0, 0, 1, 3))
        period = max(
            (block - TERMS.first_block) // TERMS.period_blocks - rng.choice((1, 1, 1, 2)), 0
        )
        who, meter = rng.choice(ACCOUNTS), address(meter_of(rng.choice(ACCOUNTS)))
        own = address(meter_of(who))
        amount = rng.choice((0, 1_000, DEPOSIT))
        energy = rng.choice((0, 1, 999, 2_500, 9_000))
        calls.append(
            rng.choice(
                (
                    (block, who, "subscribeUser", (own, rng.choice((0, 1, 3)), DEPOSIT)),
                    (block, who, "topUp", (rng.choice((own, meter)), amount)),
                    (block, meter_of(who), "declarePeriod", (period, energy)),
                    (block, meter_of(who), "declarePeriod", (period, energy)),
                    (block, who, "paymentPeriod", (period, address(who), own)),
                    (block, who, "paymentPeriod", (period, address(who), own)),
                    (block, "anyone", "paymentPeriod", (period, address(who), own)),
                    (block, "anyone", "finalize", (period,)),
                    (block, SUPPLIER, "setPrice", (period + 3, rng.choice((0, 7, 500_000)))),
                    (block, who, "unsubscribeUser", (address(who), own)),
                    (block, who, "withdraw", (own,)),
                    (block, "anyone", "withdrawProceeds", ()),
                )
            )
        )
    return calls


def played(
    engine: str,
    calls: list[tuple[int, str, str, tuple[Any, ...]]],
    artifact: Artifact | None = None,
) -> tuple[list[Any], list[int], bytes]:
    """What each call did or why not, its gas, and the contract's storage root at the end."""
    world = SupplyWorld(engine, artifact=artifact)
    for account in ACCOUNTS:
        world.settle_in(account, 10 * DEPOSIT)
    happened: list[Any] = []
    gas: list[int] = []
    for block, sender, function, arguments in calls:
        world.goto(block)
        try:
            done = world.send(sender, function, *arguments)
            happened.append((function, done.output, done.events))
            gas.append(done.gas_used)
        except ContractRevert as error:
            happened.append(error.text)
    return happened, gas, world.engine.storage_root(world.contract.address)


@pytest.mark.parametrize("seed", [1, 2])
def test_engines_agree(seed: int) -> None:
    calls = sequence(seed)
    on_py_evm, on_revm = played("py-evm", calls), played("revm", calls)
    assert on_py_evm == on_revm
    done = {entry[0] for entry in on_revm[0] if isinstance(entry, tuple)}
    assert done == {function for _, _, function, _ in calls}  # each function succeeds somewhere
    assert len(on_revm[1]) > len(calls) // 4


@pytest.fixture(scope="session")
def by_the_other_back_end(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    """The same source without the pragma that chooses Vyper's newer back end."""
    folder = tmp_path_factory.mktemp("legacy")
    for part in (*CONTRACTS.rglob("*.vyi"), *CONTRACTS.rglob("supply_contract/supply_*.vy")):
        (folder / part.name).write_text(part.read_text(encoding="utf-8"), "utf-8")
    source = (CONTRACTS / "supply_contract" / "Supplier.vy").read_text(encoding="utf-8")
    changed = source.replace("# pragma experimental-codegen\n", "")
    assert changed != source
    (folder / "Supplier.vy").write_text(changed, "utf-8")
    return compile_source(folder / "Supplier.vy")


@pytest.mark.parametrize("seed", range(3, 9))
def test_back_ends_agree(by_the_other_back_end: Artifact, seed: int) -> None:
    calls = sequence(seed, 300)
    ours, theirs = played("revm", calls), played("revm", calls, by_the_other_back_end)
    assert ours[0] == theirs[0]
    assert ours[2] == theirs[2]
    assert by_the_other_back_end.bytecode != compile_contract("Supplier").bytecode


def test_texts_are_what_their_numbers_say() -> None:
    """Refusals are numbers in the source: five bits for a letter, the first in the lowest."""
    folder = CONTRACTS / "supply_contract"
    source = (folder / "supply_refusals.vy").read_text(encoding="utf-8")
    named = re.findall(r'^# "supplier: (.*)"\n(\w+): constant\(uint256\) = (\d+)$', source, re.M)
    everything = "".join(path.read_text(encoding="utf-8") for path in folder.glob("*.vy"))
    used = re.findall(r"refusals\._refuse\(refusals\.(\w+)\)", everything)
    assert {name for _, name, _ in named} == set(used)
    assert len({number for *_, number in named}) == len(named) == 20
    for text, _, number in named:
        letters = [" abcdefghijklmnopqrstuvwxyz".index(letter) for letter in text]
        assert int(number) == sum(letter << (5 * k) for k, letter in enumerate(letters))
        assert len(text) <= 22


def test_deployment_costs_no_more_than_the_published_one() -> None:
    world = SupplyWorld("revm", replace(TERMS, first_block=2**38 - 2))
    # deployed anew, to read its gas
    data = compile_contract("Supplier").init_code(
        world.token.address,
        world.meters.address,
        *(2**38 - 2, 1_000, 800, 400, 400, 299_999, 499_999, 99_999, 999_999, 9_999_999),
    )
    receipt = world.engine.transact(keccak(b"supplier")[:20], None, data, 5_000_000)
    assert receipt.status == 1
    assert receipt.gas_used <= 863_335
