"""Network charges in a run: announced before the order window, charged by the meters' readings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cosim.chain.client import ContractClient
from cosim.chain.waiting import confirmed
from cosim.clock import DeliveryClock
from cosim.mechanisms.deployment import Deployment, mine_all
from cosim.mechanisms.local_market.client import LocalMarket
from cosim.mechanisms.play import Play, Readings, Statement
from cosim.mechanisms.reconciliation import check_equal
from cosim.messages import Columns, Extras
from cosim.units import ueur_from_eur
from cosim_example.network_charges.client import MAX_BATCH, NetworkCharges
from cosim_example.network_charges.model import Charged, NetworkChargesModel
from cosim_example.network_charges.settings import NetworkChargeSettings

NAME = NetworkCharges.contract


class NetworkChargesPlay(Play):
    """The network charges of a run.

    Parameters
    ----------
    deployment : Deployment
    clock : DeliveryClock
    settings : NetworkChargeSettings
    """

    def __init__(
        self, deployment: Deployment, clock: DeliveryClock, settings: NetworkChargeSettings
    ) -> None:
        self.client = NetworkCharges.deploy(
            deployment.chain,
            deployment.operator.address,
            token=deployment.token.address,
            local_market=deployment.client(LocalMarket).address,
            dso=deployment.dso.address,
        )
        deployment.clients.append(self.client)
        self.model = NetworkChargesModel(deployment.dso.name)
        self._deployment = deployment
        self._clock = clock
        self._peak_hours = frozenset(settings.peak_hours)
        self._peak_ueur_per_kwh = ueur_from_eur(settings.peak_eur_per_kwh)
        self._off_peak_ueur_per_kwh = ueur_from_eur(settings.off_peak_eur_per_kwh)
        self._names = {one.address: one.name for one in deployment.joined}
        self._payers = {name: address for address, name in self._names.items()}
        self._payers[deployment.dso.name] = deployment.dso.address
        self._fund(ueur_from_eur(settings.account_eur))

    @property
    def clients(self) -> Sequence[ContractClient]:
        """The contract."""
        return (self.client,)

    def _fund(self, amount_ueur: int) -> None:
        """Give every member tokens, and let it deposit them."""
        chain, token, issuer = (
            self._deployment.chain,
            self._deployment.token,
            self._deployment.issuer.address,
        )
        opens_s, handles = self._clock.window_opens_s(0), []
        for address in self._names:
            handles.append(token.mint(issuer, address, amount_ueur))
            handles.append(token.approve(address, self.client.address, amount_ueur))
        mine_all(chain, opens_s)
        handles += [self.client.deposit(address, amount_ueur) for address in self._names]
        mine_all(chain, opens_s)
        self.client.check_all(handles)
        for name in self._names.values():
            self.model.deposit(name, amount_ueur)

    def announce(self, interval: int, announced: Extras) -> None:
        """Let the DSO announce the charge of an interval."""
        is_peak = self._clock.wall_time(interval).hour in self._peak_hours
        charge = self._peak_ueur_per_kwh if is_peak else self._off_peak_ueur_per_kwh
        dso = self._deployment.dso.address
        handle = self.client.announce(dso, interval, charge)
        confirmed(self.client, handle)
        self.model.announce(interval, charge)

    def settle(
        self, interval: int, readings: Readings, statement: Statement
    ) -> Mapping[str, Columns]:
        """Charge every member for what its meter reported."""
        accounts = list(self._names)
        on_ledger: dict[str, Charged] = {}
        for start in range(0, len(accounts), MAX_BATCH):
            batch = accounts[start : start + MAX_BATCH]
            handle = self.client.charge(self._deployment.operator.address, interval, batch)
            for name, event in self.client.events(confirmed(self.client, handle)):
                if name == "AccountCharged":
                    amounts = (event["drawn_wh"], event["charged_ueur"], event["paid_ueur"])
                    on_ledger[self._names[event["account"]]] = Charged(*amounts)
        in_model = {
            one.name: self.model.charge(interval, one.name, int(statement.metered_wh[i]))
            for i, one in enumerate(self._deployment.prosumers)
            if one.address in self._names
        }
        check_equal(interval, on_ledger, in_model, "charged by the contract", "by the model")
        charged = list(in_model.values())
        return {
            "network_charges": {
                "interval": interval,
                "prosumer": list(in_model),
                "drawn_wh": [one.drawn_wh for one in charged],
                "charge_ueur_per_kwh": self.model.charge_of[interval],
                "charged_ueur": [one.charged_ueur for one in charged],
                "paid_ueur": [one.paid_ueur for one in charged],
                "debt_ueur": [self.model.debt_ueur[name] for name in in_model],
            }
        }

    def check_money(self, interval: int, tokens_ueur: Mapping[str, int]) -> None:
        """Balances agree, and the contract holds what it owes."""
        free = self._deployment.read(self.client, "accounts._free_of", self._payers)
        in_model = {name: self.model.free_ueur.get(name, 0) for name in free}
        check_equal(interval, free, in_model, f"balance in {NAME} [µEUR]", "of the model [µEUR]")
        held, owed = {NAME: tokens_ueur[NAME]}, {NAME: sum(in_model.values())}
        check_equal(interval, held, owed, "tokens of the contract [µEUR]", "what it owes [µEUR]")

    def forget(self, interval: int) -> None:
        """Drop a settled interval."""
        self.model.forget(interval)
