"""A local market with members: what most measurements start from."""

from __future__ import annotations

from datetime import UTC, datetime

from cosim.clock import DeliveryClock
from cosim.gas.bench import (
    BLOCK_S,
    FEED_IN,
    ISSUER,
    OPERATOR,
    RETAIL,
    SILENT_ESTIMATE_WH,
    UNLIMITED,
    Bench,
    Deployed,
    account,
)
from cosim.mechanisms.local_market.bilateral.client import next_bilateral
from cosim.mechanisms.local_market.bilateral.graph import NO_ROOT, TradingGraph
from cosim.mechanisms.local_market.deploying import NOBODY
from cosim.mechanisms.local_market.pricing import ClearingForm
from cosim.mechanisms.local_market.settlement_client import next_settlement
from cosim.mechanisms.local_market.submission.client import next_submissions
from cosim.mechanisms.local_market.terms import MarketTerms
from cosim.scenario.tariff import Tariffs

SUPPLIER, DSO, STATE = "supplier", "DSO", "state"
AGGREGATOR, HEAD_END = "aggregator", "head end"

STEP_S, ORDER_LEAD_S, GATE_CLOSURE_S, METERING_S = 900, 600, 180, 240
REVEAL_S, SEALED_DEPOSIT_UEUR = 60, 1_234_567
CHALLENGE_S, CLEARING_BOND_UEUR = 300, 23_456_789

MONEY = 1_234_567_890
"""Deposit of an account, so large that it lasts. [µEUR]"""
KEPT_UEUR = 1_234_567
"""Tokens that it keeps in its wallet. [µEUR]"""

HOUR_S = 3_600


class Community:
    """A local market and what it needs. Accounts are named; ``meter of X`` is X's meter.

    Parameters
    ----------
    bench : Bench
        With the token and the registry of meters.
    form : ClearingForm
    sealed : bool
        Whether orders are sealed.
    name : str
        Tells the deploying account from those of other communities.
    measured : bool
        Whether the deployment is noted.
    tariffs : Tariffs, optional
        Prices that change, with charges.
    graph : TradingGraph, optional
        Of bilateral trades; its deployment is noted.
    batched : bool
        Whether orders and readings may come in batches; the deployment of what takes them is noted.
    ring : int
        Intervals after which slots are used again; 0 never.
    """

    def __init__(
        self,
        bench: Bench,
        form: ClearingForm = ClearingForm.ON_CHAIN,
        sealed: bool = False,
        name: str = "",
        measured: bool = False,
        tariffs: Tariffs | None = None,
        graph: TradingGraph | None = None,
        batched: bool = False,
        ring: int = 0,
    ) -> None:
        self.bench = bench
        self.token, self.meters = bench.contracts["EuroToken"], bench.contracts["SmartMeters"]
        is_committed = form is ClearingForm.COMMITTED
        # at the start of an hour, so that the first four intervals are of one hour
        self.first_delivery_s = (bench.now_s // HOUR_S + 3) * HOUR_S
        start = datetime.fromtimestamp(self.first_delivery_s, UTC)
        times = (STEP_S, 1, ORDER_LEAD_S, GATE_CLOSURE_S, METERING_S, BLOCK_S)
        self.clock = DeliveryClock(start, *times)
        self.terms = MarketTerms(
            retail_price_ueur_per_kwh=RETAIL,
            feed_in_price_ueur_per_kwh=FEED_IN,
            silent_estimate_wh=SILENT_ESTIMATE_WH,
            form=form,
            reveal_s=REVEAL_S if sealed else 0,
            sealed_deposit_ueur=SEALED_DEPOSIT_UEUR if sealed else 0,
            challenge_s=CHALLENGE_S if is_committed else 0,
            clearing_bond_ueur=CLEARING_BOND_UEUR if is_committed else 0,
            tariffs=tariffs,
            ring=ring,
        )
        deployer = f"deployer of LocalMarket {name}".rstrip()
        bilateral = next_bilateral(bench.engine, account(deployer))
        self.market = bench.deploy(
            "LocalMarket",
            self.terms,
            self.clock,
            sender=deployer,
            measured=measured,
            token=self.token.address,
            meters=self.meters.address,
            supplier=account(SUPPLIER),
            settlement=next_settlement(bench.engine, account(deployer)),
            submissions=next_submissions(bench.engine, account(deployer), 0) if batched else NOBODY,
            first_delivery_s=self.first_delivery_s,
        )
        self.settlement = bench.deploy(
            "MarketSettlement",
            self.terms,
            sender=deployer,
            measured=measured,
            local_market=self.market.address,
            dso=account(DSO) if tariffs is not None else NOBODY,
            state=account(STATE) if tariffs is not None else NOBODY,
            bilateral=NOBODY if graph is None else bilateral,
        )
        self.submissions: Deployed | None = None
        if batched:
            self.submissions = bench.deploy(
                "Submissions",
                sender=deployer,
                local_market=self.market.address,
                head_end=account(HEAD_END),
            )
        self.trades: Deployed | None = None
        if graph is not None:
            tree = graph.tree({name: account(name) for edge in graph.edges or () for name in edge})
            self.trades = bench.deploy(
                "BilateralTrades",
                graph.everybody,
                sender=deployer,
                measured=True,
                local_market=self.market.address,
                graph=NO_ROOT if tree is None else tree.root,
            )

    def open_window(self, interval: int) -> None:
        """Go to the first second of the order window."""
        self.bench.at(self.clock.window_opens_s(interval))

    def close_gate(self, interval: int) -> None:
        """Go to gate closure."""
        self.bench.at(self.clock.gate_closes_s(interval))

    def deliver(self, interval: int) -> None:
        """Go to the end of delivery, when meters may report."""
        self.bench.at(self.clock.delivery_start_s(interval + 1))

    def end_metering(self, interval: int) -> None:
        """Go to the first second after the report deadline."""
        self.bench.at(self.clock.delivery_start_s(interval + 1) + METERING_S + 1)

    def allow(self, name: str, contract: Deployed, amount_ueur: int = MONEY) -> None:
        """Give an account tokens, some to keep, and the contract leave to take them."""
        self.token.do(ISSUER, "mint", account(name), amount_ueur + KEPT_UEUR)
        self.token.do(name, "approve", contract.address, UNLIMITED)

    def fund(self, name: str, contract: Deployed, amount_ueur: int = MONEY) -> None:
        """Deposit new tokens of an account in a contract."""
        self.allow(name, contract, amount_ueur)
        contract.do(name, "deposit", amount_ueur)

    def register(self, name: str) -> bytes:
        """Register the account's meter; its address."""
        meter = account(f"meter of {name}")
        if self.meters.ask("customerOf", meter)[0] == bytes(20):
            self.meters.do(OPERATOR, "registerMeter", meter, account(name))
        return meter

    def join(self, name: str, amount_ueur: int = MONEY) -> None:
        """Make an account a member, with money in the market unless the amount is 0."""
        self.market.do(name, "join", self.register(name))
        if amount_ueur:
            self.fund(name, self.market, amount_ueur)

    def order(self, name: str, interval: int, is_sell: bool, energy_wh: int, price: int) -> None:
        """Place an order."""
        self.market.do(name, "placeOrder", interval, is_sell, energy_wh, price)
