"""A local market with members: what most measurements start from."""

from __future__ import annotations

from cosim.gas.bench import Bench, Deployed, account

ISSUER = "deployer of EuroToken"
OPERATOR = "deployer of SmartMeters"
SUPPLIER = "supplier"

STEP_S, ORDER_LEAD_S, GATE_CLOSURE_S, METERING_S = 900, 600, 180, 240
RETAIL, FEED_IN = 300_000, 80_000
SILENT_ESTIMATE_WH = 2_345
REVEAL_S, SEALED_DEPOSIT_UEUR = 60, 1_234_567
CHALLENGE_S, CLEARING_BOND_UEUR = 300, 23_456_789
ON_CHAIN, VERIFIED, COMMITTED = range(3)
"""Forms of clearing, as the contract numbers them."""

MONEY = 1_234_567_890
"""What an account deposits, so large that it lasts. [µEUR]"""
KEPT_UEUR = 1_234_567
"""What it keeps in its wallet, as a person would. [µEUR]"""

HOUR_S = 3_600


class Community:
    """A local market and what it needs. Accounts are named; ``meter of X`` is X's meter.

    Parameters
    ----------
    bench : Bench
    token, meters : Deployed
    form : int
        Of clearing.
    sealed : bool
        Whether orders are sealed.
    name : str
        Tells the deploying account from those of other communities.
    measured : bool
        Whether the deployment is noted.
    """

    def __init__(
        self,
        bench: Bench,
        token: Deployed,
        meters: Deployed,
        form: int = ON_CHAIN,
        sealed: bool = False,
        name: str = "",
        measured: bool = False,
    ) -> None:
        self.bench, self.token, self.meters = bench, token, meters
        # at the start of an hour, so that the first four intervals are of one hour
        self.first_delivery_s = (bench.now_s // HOUR_S + 3) * HOUR_S
        self.market = bench.deploy(
            "LocalMarket",
            f"deployer of LocalMarket {name}" if name else "",
            measured,
            token=token.address,
            meters=meters.address,
            supplier=account(SUPPLIER),
            retail_price_ueur_per_kwh=RETAIL,
            feed_in_price_ueur_per_kwh=FEED_IN,
            first_delivery_s=self.first_delivery_s,
            step_s=STEP_S,
            order_lead_s=ORDER_LEAD_S,
            gate_closure_s=GATE_CLOSURE_S,
            metering_s=METERING_S,
            silent_estimate_wh=SILENT_ESTIMATE_WH,
            rule=0,
            form=form,
            reveal_s=REVEAL_S if sealed else 0,
            sealed_deposit_ueur=SEALED_DEPOSIT_UEUR if sealed else 0,
            challenge_s=CHALLENGE_S if form == COMMITTED else 0,
            clearing_bond_ueur=CLEARING_BOND_UEUR if form == COMMITTED else 0,
        )

    def start_s(self, interval: int) -> int:
        """Start of delivery."""
        return self.first_delivery_s + interval * STEP_S

    def open_window(self, interval: int) -> None:
        """Go to the first second of the order window."""
        self.bench.at(self.start_s(interval) - ORDER_LEAD_S)

    def close_gate(self, interval: int) -> None:
        """Go to gate closure."""
        self.bench.at(self.start_s(interval) - GATE_CLOSURE_S)

    def deliver(self, interval: int) -> None:
        """Go to the end of delivery, when meters may report."""
        self.bench.at(self.start_s(interval + 1))

    def end_metering(self, interval: int) -> None:
        """Go to the first second after the report deadline."""
        self.bench.at(self.start_s(interval + 1) + METERING_S + 1)

    def allow(self, name: str, contract: Deployed, amount_ueur: int = MONEY) -> None:
        """Give an account tokens, some to keep, and the contract leave to take them."""
        self.token.do(ISSUER, "mint", account(name), amount_ueur + KEPT_UEUR)
        self.token.do(name, "approve", contract.address, 2**256 - 1)

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
