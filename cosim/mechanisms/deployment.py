"""Sets a run's contracts up: deploys them, issues money, registers meters, makes deposits.

Everything happens in ordinary transactions before the first order window opens.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from cosim.chain.chain import Chain
from cosim.chain.client import ContractClient
from cosim.errors import EngineError
from cosim.evm.accounts import Account, accounts
from cosim.mechanisms.flexibility_market.client import FlexibilityMarket
from cosim.mechanisms.local_market.client import LocalMarket
from cosim.mechanisms.local_market.pricing import ClearingForm
from cosim.mechanisms.metering.client import SmartMeters
from cosim.mechanisms.money.client import EuroToken

ROLES = ("issuer", "metering operator", "market operator", "supplier", "DSO")
DEPLOYMENTS = 4
SETUP_GAS_PER_PROSUMER = 900_000
SETUP_GAS_OF_ROLES = 2_000_000
BONDS = 4
"""Bonds for which the market operator deposits money."""


@dataclass(frozen=True)
class ContractTerms:
    """Constructor arguments of the contracts, and the money that a run starts with.

    Parameters
    ----------
    retail_price_ueur_per_kwh, feed_in_price_ueur_per_kwh, penalty_ueur_per_kwh : int
        [µEUR/kWh]
    first_delivery_s, step_s, order_lead_s, gate_closure_s, metering_s : int
        Times of the local market. [s]
    silent_estimate_wh : int
        [Wh]
    local_deposit_ueur, flexibility_deposit_ueur : int
        Of each prosumer in either market. [µEUR]
    supplier_deposit_ueur, dso_deposit_ueur : int
        [µEUR]
    rule, form : int
        Numbers of the local market's pricing rule and form of clearing.
    reveal_s, challenge_s : int
        How long sealed orders are revealed, 0 for open ones; how long a committed clearing can be
        challenged. [s]
    sealed_deposit_ueur, clearing_bond_ueur : int
        Locked by a sealed order, and by who commits to a clearing. [µEUR]
    """

    retail_price_ueur_per_kwh: int
    feed_in_price_ueur_per_kwh: int
    penalty_ueur_per_kwh: int
    first_delivery_s: int
    step_s: int
    order_lead_s: int
    gate_closure_s: int
    metering_s: int
    silent_estimate_wh: int
    local_deposit_ueur: int
    flexibility_deposit_ueur: int
    supplier_deposit_ueur: int
    dso_deposit_ueur: int
    rule: int = 0
    form: int = 0
    reveal_s: int = 0
    sealed_deposit_ueur: int = 0
    challenge_s: int = 0
    clearing_bond_ueur: int = 0


@dataclass(frozen=True)
class Deployment:
    """Chain, contracts and accounts of a run, ready for the first interval.

    Parameters
    ----------
    members : tuple of bool
        Which prosumers joined the local market.
    beside, bystanders : list
        Contracts beside the two markets, and accounts that only they know; who deploys such a
        contract adds them.
    directory : list of callable
        Where accounts of prosumers are looked up by position, the last added first; empty: they
        are known.
    """

    chain: Chain
    token: EuroToken
    meter_registry: SmartMeters
    local_market: LocalMarket
    flexibility: FlexibilityMarket
    prosumers: tuple[Account, ...]
    meters: tuple[Account, ...]
    operator: Account
    supplier: Account
    dso: Account
    issuer: Account
    metering_operator: Account
    members: tuple[bool, ...]
    beside: list[ContractClient] = field(default_factory=list)
    bystanders: list[Account] = field(default_factory=list)
    directory: list[Callable[[int], bytes]] = field(default_factory=list)
    _slots: dict[tuple[str, str], dict[bytes, int]] = field(default_factory=dict, repr=False)

    def account_of(self, i: int) -> bytes:
        """Account that is awarded and settled for a prosumer, by position; 20 bytes."""
        return self.directory[-1](i) if self.directory else self.prosumers[i].address

    def balances(self) -> tuple[int, dict[str, int], dict[str, int], dict[str, int]]:
        """Total supply, tokens by holder, free balances in both markets by account. [µEUR]

        Read from the contracts' storage: hundreds of views an interval would cost more than the
        interval's transactions.
        """
        people = (*self.prosumers, self.supplier, self.dso)
        holders = {a.name: a.address for a in (*people, *self._others)}
        markets = (self.local_market, self.flexibility)
        holders |= {c.contract: c.address for c in (*markets, *self.beside)}
        members = {a.name: a.address for a in people}
        committers = {self.operator.name: self.operator.address}
        return (
            self.token.total_supply(),
            self._read(self.token, "_balance_of", holders),
            self._read(self.local_market, "accounts._free_of", members | committers),
            self._read(self.flexibility, "escrow._free_of", members),
        )

    @property
    def _others(self) -> tuple[Account, ...]:
        return self.operator, self.issuer, self.metering_operator, *self.bystanders

    def _read(
        self, client: ContractClient, variable: str, accounts_by_name: Mapping[str, bytes]
    ) -> dict[str, int]:
        slots = self._slots.setdefault((client.contract, variable), {})
        engine = self.chain.engine
        values = {}
        for name, address in accounts_by_name.items():
            slot = slots.get(address)
            if slot is None:
                slot = slots[address] = client.artifact.slot_of(variable, address)
            values[name] = engine.storage(client.address, slot)
        return values

    @property
    def contracts(self) -> tuple[ContractClient, ...]:
        """All contract clients."""
        own = (self.token, self.meter_registry, self.local_market, self.flexibility)
        return (*own, *self.beside)


def genesis_s(
    first_window_s: int, block_time_s: int, block_gas_limit: int, n: int, n_services: int = 0
) -> int:
    """Timestamp of block 0, so that the set-up is done when the first order window opens. [s]

    A whole number of blocks before the window, so that windows and gate closures that are
    multiples of the block time fall on blocks.
    """
    gas = SETUP_GAS_OF_ROLES + SETUP_GAS_PER_PROSUMER * n * (1 + n_services)
    # one block a contract; the rest by gas, twice over because blocks are never packed full
    blocks = DEPLOYMENTS + 8 * (1 + n_services) + 2 * (gas // block_gas_limit + 1)
    return first_window_s - blocks * block_time_s


def deploy_market(
    chain: Chain,
    seed: int,
    names: Sequence[str],
    meter_names: Sequence[str],
    terms: ContractTerms,
    members: Sequence[bool] | None = None,
) -> Deployment:
    """Deploy the contracts and bring everybody to the start line.

    Parameters
    ----------
    chain : Chain
        At its genesis.
    seed : int
        Of the keys.
    names, meter_names : sequence of str
        Prosumers and their meters, in connection-point order.
    terms : ContractTerms
    members : sequence of bool, optional
        Who joins the local market; default: everybody. The others keep their money in their
        wallets.

    Raises
    ------
    ContractRevert
        If a contract refuses a step of the set-up.
    EngineError
        If the set-up does not finish before the first order window.
    """
    joins = tuple(members) if members is not None else (True,) * len(names)
    opens_s = terms.first_delivery_s - terms.order_lead_s
    roles = accounts(seed, ROLES)
    issuer, registrar = roles["issuer"], roles["metering operator"]
    operator, supplier, dso = roles["market operator"], roles["supplier"], roles["DSO"]
    people = accounts(seed, [f"prosumer {name}" for name in names])
    prosumers = tuple(
        Account(name, keyed.address, keyed.private_key)
        for name, keyed in zip(names, people.values(), strict=True)
    )
    meters = tuple(accounts(seed, [f"meter {name}" for name in meter_names]).values())

    token = EuroToken.deploy(chain, issuer.address)
    registry = SmartMeters.deploy(chain, registrar.address)
    local = LocalMarket.deploy(
        chain,
        operator.address,
        token=token.address,
        meters=registry.address,
        supplier=supplier.address,
        retail_price_ueur_per_kwh=terms.retail_price_ueur_per_kwh,
        feed_in_price_ueur_per_kwh=terms.feed_in_price_ueur_per_kwh,
        first_delivery_s=terms.first_delivery_s,
        step_s=terms.step_s,
        order_lead_s=terms.order_lead_s,
        gate_closure_s=terms.gate_closure_s,
        metering_s=terms.metering_s,
        silent_estimate_wh=terms.silent_estimate_wh,
        rule=terms.rule,
        form=terms.form,
        reveal_s=terms.reveal_s,
        sealed_deposit_ueur=terms.sealed_deposit_ueur,
        challenge_s=terms.challenge_s,
        clearing_bond_ueur=terms.clearing_bond_ueur,
    )
    flexibility = FlexibilityMarket.deploy(
        chain,
        operator.address,
        token=token.address,
        local_market=local.address,
        dso=dso.address,
        penalty_ueur_per_kwh=terms.penalty_ueur_per_kwh,
    )
    handles: list[int] = []
    account_ueur = terms.local_deposit_ueur + terms.flexibility_deposit_ueur
    deposits = [
        (account, terms.local_deposit_ueur, terms.flexibility_deposit_ueur)
        for account, joining in zip(prosumers, joins, strict=True)
        if joining
    ]
    deposits.append((supplier, terms.supplier_deposit_ueur, 0))
    # several bonds: an interval's is locked until it is settled, after later ones were cleared
    bonds_ueur = (
        BONDS * terms.clearing_bond_ueur if terms.form == ClearingForm.COMMITTED.number else 0
    )
    deposits.append((operator, bonds_ueur, 0))
    deposits.append((dso, 0, terms.dso_deposit_ueur))
    deposits = [row for row in deposits if row[1] or row[2]]
    for account, in_local, in_flexibility in deposits:
        handles.append(token.mint(issuer.address, account.address, in_local + in_flexibility))
    for account, joining in zip(prosumers, joins, strict=True):
        if not joining:
            handles.append(token.mint(issuer.address, account.address, account_ueur))
    mine_all(chain, opens_s)
    for account, meter in zip(prosumers, meters, strict=True):
        handles.append(registry.register_meter(registrar.address, meter.address, account.address))
    for account, in_local, in_flexibility in deposits:
        for client, amount in ((local, in_local), (flexibility, in_flexibility)):
            if amount:
                handles.append(token.approve(account.address, client.address, amount))
    mine_all(chain, opens_s)
    for account, in_local, in_flexibility in deposits:
        if in_local:
            handles.append(local.deposit(account.address, in_local))
        if in_flexibility:
            handles.append(flexibility.deposit(account.address, in_flexibility))
    for account, meter, joining in zip(prosumers, meters, joins, strict=True):
        if joining:
            handles.append(local.join(account.address, meter.address))
    mine_all(chain, opens_s)
    local.check_all(handles)
    return Deployment(
        chain=chain,
        token=token,
        meter_registry=registry,
        local_market=local,
        flexibility=flexibility,
        prosumers=prosumers,
        meters=meters,
        operator=operator,
        supplier=supplier,
        dso=dso,
        issuer=issuer,
        metering_operator=registrar,
        members=joins,
    )


def mine_all(chain: Chain, before_s: int) -> None:
    """Mine until the mempool is empty.

    Parameters
    ----------
    chain : Chain
    before_s : int
        When the first order window opens, Unix time. [s]

    Raises
    ------
    EngineError
        If the window opens first.
    """
    while chain.pending:
        if chain.now_s >= before_s:
            raise EngineError(
                "the set-up does not finish before the first order window; raise "
                "ledger.block_gas_limit in the scenario"
            )
        chain.mine_blocks()
