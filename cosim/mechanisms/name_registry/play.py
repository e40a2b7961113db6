"""Names of connection points in a run: awarded and settled accounts are looked up by name.

Before the first order window every household commits to its connection point's name, with its own
account as value, and as soon as the commitment is old enough registers it and pays the fee. From
then on the DSO and the market operator take the accounts that they award and settle from the
registry. A household that moves out offers its name to the next one, which accepts it and lets it
stand for its own account. After the last interval the DSO collects the fees.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

from cosim.chain.waiting import confirmed
from cosim.clock import DeliveryClock
from cosim.errors import EngineError, UserError
from cosim.evm.accounts import Account, accounts
from cosim.evm.hashing import keccak
from cosim.mechanisms.contract_play import ContractPlay, columns_of
from cosim.mechanisms.deployment import Deployment
from cosim.mechanisms.funding import issue, mined
from cosim.mechanisms.local_market.client import LocalMarket
from cosim.mechanisms.name_registry.client import NameRegistry
from cosim.mechanisms.name_registry.model import NameRegistryModel
from cosim.mechanisms.name_registry.names import canonical_name, name_word
from cosim.mechanisms.name_registry.tables import TABLES
from cosim.mechanisms.name_registry.terms import NameTerms
from cosim.mechanisms.play import Readings, Statement, TokenTransfer
from cosim.mechanisms.reconciliation import check_equal
from cosim.messages import Columns
from cosim.units import fee_ueur

REGISTRY = NameRegistry.contract
SETUP = -1
"""Interval of what happens before the first one."""


def registry_names(points: Sequence[str]) -> tuple[str, ...]:
    """Names of connection points in the registry, in their order.

    Raises
    ------
    UserError
        If a point's name cannot be registered, or two become the same.
    """
    names: dict[str, str] = {}
    for point in points:
        try:
            name = canonical_name(point)
        except UserError as error:
            raise UserError(
                error.problem,
                field="name_registry",
                remedy=f"{error.remedy}; names are in the network's connection_points.csv",
            ) from error
        if name in names:
            raise UserError(
                f"the connection points {names[name]!r} and {point!r} would both be {name!r}",
                field="name_registry",
                remedy="rename one of them in the network's connection_points.csv",
            )
        names[name] = point
    return tuple(names)


class NameRegistryPlay(ContractPlay[NameRegistry]):
    """The name registry of a run.

    Parameters
    ----------
    deployment, clock, client
        As of :class:`ContractPlay`; the contract has no names yet.
    terms : NameTerms
    """

    def __init__(
        self,
        deployment: Deployment,
        clock: DeliveryClock,
        client: NameRegistry,
        terms: NameTerms,
    ) -> None:
        super().__init__(deployment, clock, client)
        self.model = NameRegistryModel(
            deployment.dso.name,
            terms.registration_fee_ueur,
            terms.update_fee_ueur,
            terms.min_commitment_age_s,
            terms.max_commitment_age_s,
        )
        self._terms = terms
        self.names = registry_names(self._names)
        self._words = [name_word(name) for name in self.names]
        self._households = dict(enumerate(deployment.prosumers))
        keyed = accounts(terms.seed, [f"next household {self._names[i]}" for i in terms.moves])
        self.next_households = dict(zip(terms.moves, keyed.values(), strict=True))
        self._rows: list[tuple[Any, ...]] = []

    @classmethod
    def deploy(cls, deployment: Deployment, clock: DeliveryClock, terms: NameTerms) -> Self:
        """Deploy the contract and let every household register its name, before the first window.

        Raises
        ------
        UserError
            If a connection point's name cannot be registered.
        ContractRevert
            If the contract refuses a step of the set-up.
        EngineError
            If the set-up does not finish in time.
        """
        client = NameRegistry.deploy(
            deployment.chain,
            deployment.operator.address,
            terms,
            token=deployment.token.address,
            beneficiary=deployment.dso.address,
        )
        play = cls(deployment, clock, client, terms)
        play._register()
        deployment.other_accounts.extend(play.next_households.values())
        deployment.lookups.append(play.account_of)
        return play

    def account_of(self, i: int) -> bytes:
        """Account that a connection point's name stands for on the ledger now, 20 bytes."""
        return self.client.account_of(self.names[i])

    def settle(
        self, interval: int, readings: Readings, statement: Statement
    ) -> Mapping[str, Columns]:
        """Hand names on where a household moves, and require that names lead to who was settled.

        Returns
        -------
        dict of str to dict
            Rows of ``names``, if anything changed.

        Raises
        ------
        ReconciliationError
            If contract and model differ, or the local market did not settle the account that a
            member's name stands for.
        """
        self._check_settled(interval)
        for i, after in self._terms.moves.items():
            if after == interval:
                self._move(interval, i)
        if interval + 1 == self._clock.n_intervals:
            self._collect(interval)
        self._check(interval)
        rows, self._rows = self._rows, []
        return {"names": columns_of(TABLES[0], rows)} if rows else {}

    # --- the households ---

    def _register(self) -> None:
        """Give all households tokens for fees, and let them commit to their names and register."""
        client, opens_s = self.client, self._clock.window_opens_s(0)
        households = (*self._households.values(), *self.next_households.values())
        money = dict.fromkeys((one.address for one in households), self._terms.account_ueur)
        mined(client, issue(self._deployment, client, money), opens_s)
        committed = self._commit(opens_s)
        registered = [
            client.register_name(account.address, self.names[i], account.address, _secret(account))
            for i, account in self._households.items()
        ]
        for i, included in enumerate(mined(client, registered, opens_s)):
            owner = self._households[i]
            fee = self.model.register_name(
                owner.name, self._words[i], _value(owner), committed[i], included.included_at_s
            )
            self._note(SETUP, i, "registered", owner, fee, included.fee_wei)

    def _commit(self, opens_s: int) -> list[bytes]:
        """Let all households commit to their names, and wait until they may reveal them."""
        client, chain = self.client, self._chain
        commitments = [
            client.commitment(owner.address, self.names[i], owner.address, _secret(owner))
            for i, owner in self._households.items()
        ]
        handles = [
            client.commit_name(owner.address, commitments[i])
            for i, owner in self._households.items()
        ]
        for i, included in enumerate(mined(client, handles, opens_s)):
            owner = self._households[i]
            self.model.commit_name(owner.name, commitments[i], included.included_at_s)
            self._note(SETUP, i, "committed", owner, 0, included.fee_wei, _value(owner))
        revealed_s = chain.now_s + self._terms.min_commitment_age_s
        if revealed_s > opens_s:
            raise EngineError(
                "the commitments to names are not old enough before the first order window; "
                "shorten name_registry.min_commitment_age_s in the scenario"
            )
        while chain.next_block_s < revealed_s:
            chain.mine_blocks()
        return commitments

    def _move(self, interval: int, i: int) -> None:
        """One household offers its name, the next accepts it and changes the account."""
        client, model, name, word = self.client, self.model, self.names[i], self._words[i]
        old, new = self._households[i], self.next_households[i]
        offered = confirmed(
            client, client.offer_name(old.address, name, new.address, interval=interval)
        )
        model.offer_name(old.name, word, new.name)
        self._note(interval, i, "offered", old, 0, offered.fee_wei)
        accepted = confirmed(client, client.accept_name(new.address, name, interval=interval))
        model.accept_name(new.name, word)
        self._note(interval, i, "accepted", new, 0, accepted.fee_wei)
        updated = confirmed(
            client, client.update_value(new.address, name, new.address, interval=interval)
        )
        fee = model.update_value(new.name, word, _value(new))
        self._note(interval, i, "updated", new, fee, updated.fee_wei)
        self._transfers.append(TokenTransfer(new.name, REGISTRY, fee))
        self._households[i] = new

    def _collect(self, interval: int) -> None:
        dso = self._deployment.dso
        confirmed(self.client, self.client.collect_fees(dso.address, interval=interval))
        amount = self.model.collect_fees(dso.name)
        self._transfers.append(TokenTransfer(REGISTRY, dso.name, amount))

    # --- reconciliation ---

    def _check_settled(self, interval: int) -> None:
        """Require that the local market settled the account that each member's name stands for."""
        market = self._deployment.client(LocalMarket)
        check_equal(
            interval,
            {
                point: market.reading_of(interval, self.account_of(i)).known
                for i, point in enumerate(self._names)
            },
            dict(zip(self._names, self._deployment.members, strict=True)),
            "settled by the account of the name",
            "member of the local market",
        )

    def _check(self, interval: int) -> None:
        """Require that contract and model agree on every name and on the fees."""
        client, model = self.client, self.model
        check_equal(
            interval,
            {name: (client.owner_of(name), client.resolve(name)) for name in self.names},
            {
                name: (self._households[i].address, model.resolve(self._words[i]))
                for i, name in enumerate(self.names)
            },
            "owner and value of the name on the ledger",
            "owner and value of the model",
        )
        check_equal(
            interval,
            {self.names[i]: household.name for i, household in self._households.items()},
            {
                name: model.owner_of(word)
                for name, word in zip(self.names, self._words, strict=True)
            },
            "household of the connection point",
            "owner of its name in the model",
        )
        check_equal(
            interval,
            {REGISTRY: client.fees_due()},
            {REGISTRY: model.fees_due_ueur},
            "fees on the ledger [µEUR]",
            "fees of the model [µEUR]",
        )
        self._check_tokens(interval, model.fees_due_ueur)

    def _note(
        self,
        interval: int,
        i: int,
        action: str,
        owner: Account,
        fee: int,
        fee_wei: int,
        value: bytes | None = None,
    ) -> None:
        value = self.model.resolve(self._words[i]) if value is None else value
        self._rows.append(
            (
                interval,
                self._names[i],
                self.names[i],
                action,
                "0x" + owner.address.hex(),
                "0x" + value[12:].hex(),
                fee,
                fee_ueur(fee_wei, self._terms.eur_per_eth),
            )
        )


def _value(account: Account) -> bytes:
    """An account as the value of a name."""
    return account.address.rjust(32, b"\0")


def _secret(account: Account) -> bytes:
    """Secret of a commitment, derived from its sender's key: nobody else can guess it."""
    return keccak(account.private_key + b"name")
