"""Set-up of a run's contracts: deployment, money, registered meters, deposits.

Everything happens in ordinary transactions before the first order window opens.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeVar

from cosim.chain.chain import Chain
from cosim.chain.client import ContractClient
from cosim.chain.roles import AGGREGATOR, ROLES
from cosim.errors import EngineError
from cosim.evm.accounts import Account, accounts
from cosim.mechanisms.escrow_client import EscrowClient
from cosim.mechanisms.local_market.interference import LedgerAttack
from cosim.mechanisms.metering.client import SmartMeters
from cosim.mechanisms.metering.readings import Meters
from cosim.mechanisms.money.client import EuroToken

if TYPE_CHECKING:
    from cosim.mechanisms.local_market.areas import MarketArea
    from cosim.mechanisms.play import Play

DEPLOYMENTS = 4
SETUP_GAS_PER_PROSUMER = 900_000
SETUP_GAS_OF_ROLES = 2_000_000

C = TypeVar("C", bound=ContractClient)
P = TypeVar("P")


@dataclass(frozen=True)
class Deployment:
    """Chain, contracts and accounts of a run.

    Parameters
    ----------
    chain : Chain
    token : EuroToken
    meter_registry : SmartMeters
    prosumers, meters : tuple of Account
        In connection-point order.
    operator, supplier, dso, issuer, metering_operator, state, aggregator : Account
    members : tuple of bool
        Which prosumers joined the local market.
    clients : list of ContractClient
        Every contract, in the order of deployment; who deploys one adds it.
    plays : list of Play
        Every mechanism's part, in the order of deployment.
    attack : LedgerAttack
        Who holds orders or readings back.
    readings : Meters
        What meters report of what they measured.
    other_accounts : list of Account
        Accounts that only a mechanism knows.
    ranges_wh : tuple of tuple of int
        Least and greatest net injection of each connection point in an interval, by the ratings of
        its devices. [Wh]
    lookups : list of callable
        Where accounts of prosumers are looked up by position, the last added first; empty: they
        are known.
    areas : tuple of MarketArea
        Local markets of the run, where there are several.
    """

    chain: Chain
    token: EuroToken
    meter_registry: SmartMeters
    prosumers: tuple[Account, ...]
    meters: tuple[Account, ...]
    operator: Account
    supplier: Account
    dso: Account
    issuer: Account
    metering_operator: Account
    state: Account
    aggregator: Account
    members: tuple[bool, ...]
    clients: list[ContractClient] = field(default_factory=list)
    plays: list[Play] = field(default_factory=list)
    attack: LedgerAttack = field(default_factory=LedgerAttack)
    readings: Meters = field(default_factory=Meters)
    other_accounts: list[Account] = field(default_factory=list)
    ranges_wh: tuple[tuple[int, int], ...] = ()
    lookups: list[Callable[[int], bytes]] = field(default_factory=list)
    areas: tuple[MarketArea, ...] = ()
    _slots: dict[tuple[str, str], dict[bytes, int]] = field(default_factory=dict, repr=False)

    def client(self, kind: type[C]) -> C:
        """Return the client of a contract by its class.

        Raises
        ------
        LookupError
            If it is not deployed.
        """
        for one in self.clients:
            if isinstance(one, kind):
                return one
        raise LookupError(f"{kind.contract} is not deployed")

    def play(self, kind: type[P]) -> P:
        """Return a mechanism's part by its class.

        Raises
        ------
        LookupError
            If the mechanism is not there.
        """
        for one in self.plays:
            if isinstance(one, kind):
                return one
        raise LookupError(f"there is no {kind.__name__}")

    def part(self, points: Sequence[int]) -> Deployment:
        """Return what one of several local markets sees: its own members, no contracts and plays.

        Parameters
        ----------
        points : sequence of int
            Positions of its members, which are counted anew from 0.
        """
        return replace(
            self,
            prosumers=tuple(self.prosumers[i] for i in points),
            meters=tuple(self.meters[i] for i in points),
            members=(True,) * len(points),
            clients=[],
            plays=[],
            areas=(),
        )

    @property
    def joined(self) -> list[Account]:
        """Accounts of the prosumers who joined the local market."""
        pairs = zip(self.prosumers, self.members, strict=True)
        return [account for account, joins in pairs if joins]

    def account_of(self, i: int) -> bytes:
        """Return the account that is awarded and settled for a prosumer, by position; 20 bytes."""
        return self.lookups[-1](i) if self.lookups else self.prosumers[i].address

    def holders(self) -> dict[str, bytes]:
        """Return everybody who may hold tokens: accounts by name, contracts by theirs."""
        roles = (
            self.supplier,
            self.dso,
            self.operator,
            self.issuer,
            self.metering_operator,
            self.state,
        )
        accounts = {a.name: a.address for a in (*self.prosumers, *roles, *self.other_accounts)}
        return accounts | {client.name: client.address for client in self.clients}

    def held_ueur(self) -> dict[str, int]:
        """Return tokens by holder. [µEUR]"""
        return self.read(self.token, "_balance_of", self.holders())

    def read(
        self, client: ContractClient, variable: str, accounts_by_name: Mapping[str, bytes]
    ) -> dict[str, int]:
        """Return values of accounts in a mapping of a contract, by name.

        Read from the contract's storage: hundreds of views an interval would cost more than the
        interval's transactions.
        """
        slots = self._slots.setdefault((client.name, variable), {})
        engine = self.chain.engine
        values = {}
        for name, address in accounts_by_name.items():
            slot = slots.get(address)
            if slot is None:
                slot = slots[address] = client.artifact.slot_of(variable, address)
            values[name] = engine.storage(client.address, slot)
        return values

    def fund(self, wallet_ueur: int, opens_s: int) -> None:
        """Issue money, register the meters, and let everybody make the deposits of the plays.

        Parameters
        ----------
        wallet_ueur : int
            What prosumers have who join nothing. [µEUR]
        opens_s : int
            When the first order window opens, Unix time. [s]

        Raises
        ------
        ContractRevert
            If a contract refuses a step of the set-up.
        EngineError
            If the set-up does not finish before the first order window.
        """
        token, issuer = self.token, self.issuer.address
        deposits: dict[bytes, list[tuple[EscrowClient, int, int]]] = {}
        for play in self.plays:
            for address, amount_ueur, bank_ueur, into in play.deposits():
                if amount_ueur:
                    own = deposits.setdefault(address, [])
                    escrow = into or _escrow_of(play)
                    own.append((escrow, amount_ueur, amount_ueur + bank_ueur))
        handles = [
            token.mint(issuer, address, sum(whole for *_, whole in own))
            for address, own in deposits.items()
        ]
        for account, joins in zip(self.prosumers, self.members, strict=True):
            if not joins:
                handles.append(token.mint(issuer, account.address, wallet_ueur))
        mine_all(self.chain, opens_s)
        for account, meter in zip(self.prosumers, self.meters, strict=True):
            registrar = self.metering_operator.address
            handles.append(
                self.meter_registry.register_meter(registrar, meter.address, account.address)
            )
        for address, own in deposits.items():
            handles += [token.approve(address, one.address, whole) for one, _, whole in own]
        mine_all(self.chain, opens_s)
        for address, own in deposits.items():
            handles += [client.deposit(address, amount) for client, amount, _ in own]
        for play in self.plays:
            handles += play.enrol()
        mine_all(self.chain, opens_s)
        for play in self.plays:
            handles += play.enrolled()
        mine_all(self.chain, opens_s)
        token.check_all(handles)


def _escrow_of(play: Play) -> EscrowClient:
    """Return the contract of a play that takes deposits."""
    for client in play.clients:
        if isinstance(client, EscrowClient):
            return client
    raise LookupError(f"{type(play).__name__} has no contract that takes deposits")


def genesis_s(
    first_window_s: int,
    block_time_s: int,
    block_gas_limit: int,
    n: int,
    n_mechanisms: int = 0,
    waits_s: int = 0,
    n_markets: int = 1,
) -> int:
    """Return the time of block 0, so that the set-up ends before the first order window. [s]

    A whole number of blocks before the window, so that windows and gate closures that are
    multiples of the block time fall on blocks.
    """
    gas = SETUP_GAS_OF_ROLES + SETUP_GAS_PER_PROSUMER * n * (1 + n_mechanisms)
    # one block a contract; the rest by gas, twice over because blocks are never packed full
    blocks = DEPLOYMENTS * n_markets + 8 * (1 + n_mechanisms) + 2 * (gas // block_gas_limit + 1)
    blocks += -(-waits_s // block_time_s)
    return first_window_s - blocks * block_time_s


def found(
    chain: Chain,
    seed: int,
    names: Sequence[str],
    meter_names: Sequence[str],
    members: Sequence[bool] | None = None,
) -> Deployment:
    """Deploy what every mechanism needs: money and registered meters.

    Parameters
    ----------
    chain : Chain
        At its genesis.
    seed : int
        Of the keys.
    names, meter_names : sequence of str
        Prosumers and their meters, in connection-point order.
    members : sequence of bool, optional
        Who joins the local market; default: everybody. The others keep their money in their
        wallets.
    """
    joins = tuple(members) if members is not None else (True,) * len(names)
    roles = accounts(seed, (*ROLES, AGGREGATOR))
    keyed = accounts(seed, [f"prosumer {name}" for name in names])
    prosumers = tuple(
        Account(name, own.address, own.private_key)
        for name, own in zip(names, keyed.values(), strict=True)
    )
    token = EuroToken.deploy(chain, roles["issuer"].address)
    registry = SmartMeters.deploy(chain, roles["metering operator"].address)
    return Deployment(
        chain=chain,
        token=token,
        meter_registry=registry,
        prosumers=prosumers,
        meters=tuple(accounts(seed, [f"meter {name}" for name in meter_names]).values()),
        operator=roles["market operator"],
        supplier=roles["supplier"],
        dso=roles["DSO"],
        issuer=roles["issuer"],
        metering_operator=roles["metering operator"],
        state=roles["state"],
        aggregator=roles[AGGREGATOR],
        members=joins,
        clients=[token, registry],
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
