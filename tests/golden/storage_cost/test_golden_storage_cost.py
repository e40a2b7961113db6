"""Published gas and prices of storing data: what they contain, and what current rules charge."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cosim.evm.engine import create_engine
from cosim.evm.hashing import keccak
from cosim.evm.storage_cost import (
    BYZANTIUM,
    CURRENT,
    implied_price_per_eth,
    slot_gas,
    storage_cost,
    words_of,
)
from cosim.units import fee_ueur, wei_from_gwei

EXPECTED = json.loads((Path(__file__).parent / "expected.json").read_text(encoding="utf-8"))
ROWS = {row["size"]: row for row in EXPECTED["rows"]}
GWEI = EXPECTED["stated"]["gas_price_gwei"]
KB, MB = 1_024, 1_024**2
PAGE = (Path(__file__).parents[3] / "docs" / "ledger.md").read_text(encoding="utf-8")

# A loop that writes every word of its calldata to the slot of its offset:
# for { let at := 0 } lt(at, calldatasize()) { at := add(at, 32) } { sstore(at, calldataload(at)) }
LOOP = bytes.fromhex("5f5b80361115601357803581556020016001565b00")
LOOP_WORD_GAS, LOOP_END_GAS = 51, 28
DEPLOY = bytes.fromhex("60158060095f395ff3") + LOOP


def spaced(gas: int) -> str:
    return f"{gas:,}".replace(",", " ")


def test_the_smallest_row_is_one_slot_without_its_transaction() -> None:
    assert ROWS["32 B"]["gas"] == slot_gas(32, BYZANTIUM)
    assert ROWS["1 KB"]["gas"] - slot_gas(KB, BYZANTIUM) == 84_664  # not 32 times the first row


@pytest.mark.parametrize(("size", "n_bytes"), [("1 KB", KB), ("1 MB", MB)])
def test_the_middle_rows_are_whole_transactions_of_text(size: str, n_bytes: int) -> None:
    # a dynamic array keeps its length in one more slot, which zeros of calldata bring along
    def gas(zero_bytes: int) -> int:
        cost = storage_cost(n_bytes, BYZANTIUM, zero_bytes=zero_bytes, gas_limit=10**9)
        assert cost.n_transactions == 1
        return cost.gas + BYZANTIUM.new_word_gas

    least, most = gas(n_bytes), gas(0)
    assert least < ROWS[size]["gas"] < most
    share = (ROWS[size]["gas"] - least) / (most - least)  # of bytes that are not zero
    assert 0.5 < share < 0.65


def test_the_large_rows_are_a_rounded_megabyte_times_a_thousand() -> None:
    per_mb = round(ROWS["1 MB"]["gas"], -7)
    assert per_mb == 700_000_000
    for size, megabytes in (("10 MB", 10), ("100 MB", 100), ("1 GB", 1_000)):
        assert ROWS[size]["gas"] == per_mb * megabytes


@pytest.mark.parametrize("row", EXPECTED["rows"], ids=ROWS)
def test_the_dollars_belong_to_another_price_of_ether(row: dict[str, float]) -> None:
    rounding = 0.0005 / row["usd"]  # the smallest rows show three decimals
    implied = implied_price_per_eth(row["usd"], row["gas"], GWEI)
    assert implied == pytest.approx(968, rel=rounding + 2e-4)
    at_968 = fee_ueur(row["gas"] * wei_from_gwei(GWEI), 968) / 1e6
    assert at_968 == pytest.approx(row["usd"], rel=rounding + 2e-4)
    at_100 = fee_ueur(row["gas"] * wei_from_gwei(GWEI), 100) / 1e6
    assert row["usd"] / at_100 == pytest.approx(9.68, rel=rounding + 2e-4)


@pytest.mark.parametrize("engine_name", ["revm", "py-evm"])
@pytest.mark.parametrize("n_bytes", [1, 32, 33, KB, 3 * KB])
def test_current_rules_charge_what_the_model_says(engine_name: str, n_bytes: int) -> None:
    engine = create_engine(engine_name)
    sender = keccak(b"archivist")[12:]
    contract = engine.transact(sender, None, DEPLOY, 200_000).contract_address
    assert contract is not None
    assert engine.code(contract) == LOOP
    words = words_of(n_bytes)
    data = (bytes(k % 251 + 1 for k in range(n_bytes))).ljust(32 * words, b"\0")
    receipt = engine.transact(sender, contract, data, 30_000_000)
    assert receipt.status == 1
    assert engine.storage(contract, 32 * (words - 1)) == int.from_bytes(data[-32:], "big")
    overhead = LOOP_WORD_GAS * words + LOOP_END_GAS
    assert receipt.gas_used == storage_cost(n_bytes).gas + overhead


def test_zero_bytes_are_cheaper_on_the_engine_too() -> None:
    engine = create_engine("revm")
    sender = keccak(b"archivist")[12:]
    contract = engine.transact(sender, None, DEPLOY, 200_000).contract_address
    data = (b"\1" * 8 + bytes(24)) * 4
    receipt = engine.transact(sender, contract, data, 30_000_000)
    expected = storage_cost(128, zero_bytes=96).gas + 4 * LOOP_WORD_GAS + LOOP_END_GAS
    assert receipt.gas_used == expected


def test_what_does_not_fit_a_transaction_takes_more() -> None:
    gigabyte = storage_cost(1_000_000_000)
    assert gigabyte.n_words == 31_250_000
    assert gigabyte.n_transactions == 23_585  # of at most 1 325 words
    assert gigabyte.gas == 23_585 * 21_000 + 31_250_000 * (22_100 + 512)
    with pytest.raises(ValueError, match="a gas limit of 43000 does not allow to store a word"):
        storage_cost(1, gas_limit=43_000)
    with pytest.raises(ValueError, match="2 of 1 bytes cannot be zero"):
        storage_cost(1, zero_bytes=2)


def test_the_page_on_the_ledger_shows_published_and_current_gas() -> None:
    sizes = {"32 B": 32, "1 KB": KB, "1 MB": MB, "10 MB": 10**7, "100 MB": 10**8, "1 GB": 10**9}
    for size, n_bytes in sizes.items():
        row = ROWS[size]
        usd = spaced(row["usd"]) if row["usd"] > 10_000 else str(row["usd"])
        current = storage_cost(n_bytes, CURRENT)
        cells = [spaced(row["gas"]), usd, spaced(current.gas), spaced(current.n_transactions)]
        assert f"| {size} | {' | '.join(cells)} |" in PAGE
