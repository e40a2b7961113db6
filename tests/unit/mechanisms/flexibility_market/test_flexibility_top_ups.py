"""Top-ups for bonds on the ledger and in the model, also where blocks are replaced."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from deployed import PENALTY, Markets, bids_of, deployed, scenario_of

from cosim.chain.blocks import Transaction
from cosim.chain.consensus import Regular
from cosim.mechanisms.play import Schedules, TokenTransfer
from cosim.messages import BlocksMessage, DecisionMessage

FIRST, OFFERED_WH = 1, 2_000
DEPOSIT, BANK = 500_000, 5_000_000
BOND = OFFERED_WH * PENALTY // 1_000


class Asked(Markets):
    """A member with little in the market is asked for flexibility, and offers."""

    def __init__(self, account: str = "top_up", bank_ueur: int = BANK) -> None:
        scenario = scenario_of(
            intervals=3,
            market={
                "account": account,
                "account_eur": 2 * DEPOSIT / 1e6,
                "deposit_share": 0.5,
                "bank_eur": bank_ueur / 1e6,
            },
        )
        super().__init__(deployed(scenario, ["calm", "sunny"], n_mechanisms=0), scenario)
        self.chain.begin(Regular(12), horizon_blocks=200)
        bids = bids_of(
            FIRST,
            2,
        )
        one = (np.array([value]) for value in (1, -1, OFFERED_WH, 100_000, 100_000))
        bids = replace(bids, flexibility=BlocksMessage(*one))
        for play in (self.flexibility, self.market):
            play.mark()
            play.submit(FIRST, bids)
        self.chain.mine_until(self.clock.gate_closes_s(FIRST))
        self.market.gate_closed(FIRST)
        self._n_reorganisations = self.chain.n_reorganisations
        none = np.zeros(2, dtype=np.int64)
        self.schedules = Schedules(none, np.array([0, 3_000]), none, none)
        self.ask()

    def ask(self) -> None:
        """Ask once more."""
        none = np.zeros(2, dtype=np.int64)
        decision = DecisionMessage(FIRST, False, OFFERED_WH, 0, none[:0], none)
        self.schedules = self.flexibility.relieve(FIRST, decision, self.schedules)

    def offered_wh(self) -> list[int]:
        offers = self.flexibility.offers(FIRST)
        return [] if offers is None else offers.energy_wh.tolist()

    def balances(self) -> tuple[int, int]:
        """Balance in the contract, which is that of the model, and bank account of the member."""
        address = self.deployment.prosumers[1].address
        free = self.flexibility.client.balance_of(address)
        assert free == self.flexibility.model.balance_of("sunny")
        return free, self.deployment.token.balance_of(address)


def test_a_bond_above_the_deposit_is_brought_from_the_bank_account() -> None:
    asked = Asked()
    assert asked.offered_wh() == [OFFERED_WH]
    assert asked.balances() == (DEPOSIT, BANK - BOND)
    # the first bond is still locked, and so will be the second
    asked.ask()
    assert asked.offered_wh() == [OFFERED_WH]
    assert asked.balances() == (DEPOSIT, BANK - 2 * BOND)
    moved = TokenTransfer("sunny", "FlexibilityMarket", BOND)
    assert asked.flexibility.transfers() == [moved, moved]
    assert asked.flexibility.transfers() == []


@pytest.mark.parametrize(("account", "bank_ueur"), [("prepaid", BANK), ("top_up", 0)])
def test_without_it_the_offer_is_refused(account: str, bank_ueur: int) -> None:
    asked = Asked(account, bank_ueur)
    assert asked.offered_wh() == []
    assert asked.balances() == (DEPOSIT, 0)
    assert asked.flexibility.transfers() == []


def test_a_bank_account_that_covers_a_part_is_moved_all_the_same() -> None:
    asked = Asked(bank_ueur=300_000)
    assert asked.offered_wh() == []  # 0.80 EUR for a bond of 1.20 EUR
    assert asked.balances() == (DEPOSIT + 300_000, 0)


def test_a_top_up_that_is_left_behind_is_undone_with_the_offer() -> None:
    asked = Asked()
    member = asked.deployment.prosumers[1].address
    deposit = asked.flexibility.client.artifact.selectors["deposit"]

    def is_top_up(sent: Transaction, proposer: int = 0) -> bool:
        return sent.sender == member and sent.data[:4] == deposit

    asked.chain.mine_until(asked.clock.delivery_start_s(FIRST))
    asked.chain.refuse = is_top_up
    asked.chain.reorganise(asked.chain.replaceable, is_top_up)
    asked.chain.refuse = None
    after = asked.at_delivery(FIRST)
    assert after is not None
    assert [step.offer for step in after.steps] == [None]
    assert asked.balances() == (DEPOSIT, BANK)
    assert asked.flexibility.transfers() == []
    assert not any(is_top_up(sent) for sent in asked.chain.pending_transactions())


def test_a_branch_that_holds_the_same_changes_nothing() -> None:
    asked = Asked()
    asked.chain.mine_until(asked.clock.delivery_start_s(FIRST))
    asked.chain.reorganise(asked.chain.replaceable, lambda sent: False)
    after = asked.at_delivery(FIRST)
    assert after is not None
    assert [step.offer for step in after.steps] == [None, 0]
    assert asked.balances() == (DEPOSIT, BANK - BOND)
    assert asked.flexibility.transfers() == [TokenTransfer("sunny", "FlexibilityMarket", BOND)]
