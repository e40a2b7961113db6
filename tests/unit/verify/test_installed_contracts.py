"""Contracts that a replay knows: those of the run, of every mechanism, and of other packages."""

from __future__ import annotations

from pathlib import Path

import pytest

from cosim.evm.contracts import compile_contract
from cosim.mechanisms.name_registry import NameRegistryMechanism
from cosim.replay.replay import installed_contracts

SOURCE = """
#pragma version 0.4.3

@external
def registerName():
    pass
"""


def test_contracts_that_come_with_cosim_are_known() -> None:
    assert set(installed_contracts()) == {
        "EuroToken", "SmartMeters", "LocalMarket", "MarketSettlement", "BilateralTrades",
        "Submissions", "FlexibilityMarket", "JoinedMarkets",
        "NameRegistry", "CommunityStorage", "GreenCertificates", "Supplier",
    }  # fmt: skip


def test_a_contract_of_another_package_is_compiled_from_its_own_sources(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "NameRegistry.vy").write_text(SOURCE)
    monkeypatch.setattr(NameRegistryMechanism, "sources", tmp_path)
    found = installed_contracts()["NameRegistry"]
    assert list(found.selectors) == ["registerName"]
    assert found.bytecode != compile_contract("NameRegistry").bytecode
