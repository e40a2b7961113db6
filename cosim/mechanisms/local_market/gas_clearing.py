"""Gas of clearing one interval, by form of clearing and number of orders."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cosim.evm.engine import Engine
from cosim.gas.bench import Bench, account
from cosim.gas.tables import markdown_table, number
from cosim.mechanisms.local_market.clearing import clear, ranking
from cosim.mechanisms.local_market.client import pack_ranking
from cosim.mechanisms.local_market.fill_tree import FillTree
from cosim.mechanisms.local_market.gas_community import CHALLENGE_S, Community
from cosim.mechanisms.local_market.orders import Order
from cosim.mechanisms.local_market.pricing import AUCTION_FORMS
from cosim.mechanisms.metering.gas import smart_meters
from cosim.mechanisms.money.gas import euro_token

SIZES = (10, 20, 50, 100, 200, 500)
FORMS = {form.value.replace("_", " "): form for form in AUCTION_FORMS}

CLEARING_COLUMNS = (
    "form",
    "orders",
    "filled",
    "clearing_gas",
    "claims",
    "claims_gas",
    "gas_per_participant",
)

_HIGHEST_BID, _LOWEST_ASK, _PRICE_RANGE = 290_000, 90_000, 200_000
_BID_BELOW_ASKS = 80_123


_SECTION = """\
## Clearing

![Gas per participant and interval by form of clearing](images/clearing_gas.svg)

One interval's clearing by the number of orders, about half of which are filled (`cosim gas
--csv`, [results/reference/clearing_gas.csv](../results/reference/clearing_gas.csv)). *On chain*
sorts and clears in the contract; *verified* checks a merit order and a result that somebody
computed; *committed* stores the root of a tree of fills, and each filled order is claimed with a
proof. What a participant pays is all of it divided by the number of orders. An order book
that does not cross costs the same whatever its length.
"""


@dataclass(frozen=True)
class ClearingGas:
    """Gas of one interval's clearing.

    Parameters
    ----------
    form : str
        ``on chain``, ``verified`` or ``committed``.
    n_orders, n_filled : int
        Orders, and how many of them were filled, some of them in part.
    clearing_gas : int
        Of the clearing transaction.
    claims_gas : tuple of int
        Of the claims, one per filled order of the committed form, in the order of the claims.
    """

    form: str
    n_orders: int
    n_filled: int
    clearing_gas: int
    claims_gas: tuple[int, ...] = ()

    @property
    def total_gas(self) -> int:
        """Of all transactions."""
        return self.clearing_gas + sum(self.claims_gas)

    @property
    def gas_per_participant(self) -> float:
        """Of all transactions, by order."""
        return self.total_gas / self.n_orders


def member(k: int) -> str:
    """Name of a trading account."""
    return f"trader {k}"


def book(n: int, crossing: bool = True) -> list[Order]:
    """Return orders of which about half are filled, or none: bids and asks by turns, unsorted.

    Bids fall and asks rise evenly over one range of prices, so that they cross in its middle.
    """
    half = n // 2
    stride = next(k for k in (7, 9, 11, 13) if math.gcd(k, half) == 1)
    orders = []
    for k in range(n):
        is_sell = k % 2 == 1
        step = (k // 2) * stride % half * _PRICE_RANGE // half
        price = _LOWEST_ASK + step + _PRICE_RANGE // n if is_sell else _HIGHEST_BID - step
        if not crossing and not is_sell:
            price = _BID_BELOW_ASKS
        orders.append(Order(member(k), is_sell, 500 + k * 397 % 1_000, price))
    return orders


class ClearingBench:
    """A community of one form with members, whose intervals are cleared one after the other.

    Parameters
    ----------
    bench : Bench
        With the token and the registry of meters.
    form : str
    n_members : int
        Largest number of orders.
    """

    def __init__(self, bench: Bench, form: str, n_members: int) -> None:
        self.form = form
        name = f"with {n_members} members, {form}"
        self.community = Community(bench, FORMS[form], name=name)
        self._interval = 0
        self.community.fund("clearing operator", self.community.market)
        for k in range(n_members):
            self.community.join(member(k))

    def clear(self, n: int, crossing: bool = True) -> ClearingGas:
        """Fill the next interval's order book, clear it, and claim every fill.

        Parameters
        ----------
        n : int
            Number of orders, even.
        crossing : bool
            Whether there is anything to trade.
        """
        community, market, interval = self.community, self.community.market, self._interval
        self._interval += 1
        orders = book(n, crossing)
        community.open_window(interval)
        for order in orders:
            community.order(
                order.account, interval, order.is_sell, order.energy_wh, order.price_ueur_per_kwh
            )
        community.close_gate(interval)
        clearing = clear(orders)
        filled = [k for k, fill_wh in enumerate(clearing.fills_wh) if fill_wh]
        claims: list[int] = []
        sender = "clearing operator"
        if self.form == "on chain":
            receipt = market.do(sender, "clear", interval)
        elif self.form == "verified":
            ranked = pack_ranking(ranking(orders)) if crossing else []
            receipt = market.do(sender, "clearVerified", interval, ranked, *clearing.outcome)
        else:
            tree = FillTree(clearing.fills_wh)
            root = tree.root if crossing else bytes(32)
            receipt = market.do(sender, "commitClearing", interval, root, *clearing.outcome)
            community.bench.at(community.bench.now_s + CHALLENGE_S + 1)
            # buyers first: sellers are paid out of what buyers paid in
            for k in sorted(filled, key=lambda k: (orders[k].is_sell, k)):
                claim = (account(member(k)), clearing.fills_wh[k], tree.proof(k))
                claims.append(
                    community.settlement.do(sender, "claimFill", interval, *claim).gas_used
                )
        return ClearingGas(self.form, n, len(filled), receipt.gas_used, tuple(claims))


def measure_clearing(
    engine: Engine, sizes: Sequence[int] = SIZES, forms: Sequence[str] = tuple(FORMS)
) -> list[ClearingGas]:
    """Measure clearing in every form, with about half of the orders filled and without any trade.

    Parameters
    ----------
    engine : Engine
        Fresh.
    sizes : sequence of int
        Numbers of orders, even.
    forms : sequence of str

    Returns
    -------
    list of ClearingGas
        By form, then as ``sizes``; of each size the book that crosses, then the one that does not.
    """
    bench = Bench(engine)
    bench.begin(1)
    euro_token(bench)
    smart_meters(bench)
    results = []
    for chapter, form in enumerate(forms):
        bench.begin(2 + chapter)
        cleared = ClearingBench(bench, form, max(sizes))
        for n in sizes:
            results += [cleared.clear(n), cleared.clear(n, crossing=False)]
    return results


def as_csv(rows: Iterable[ClearingGas]) -> str:
    """Return clearing gas as CSV with the columns :data:`CLEARING_COLUMNS`."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(CLEARING_COLUMNS)
    for row in rows:
        writer.writerow(
            (
                row.form,
                row.n_orders,
                row.n_filled,
                row.clearing_gas,
                len(row.claims_gas),
                sum(row.claims_gas),
                round(row.gas_per_participant),
            )
        )
    return out.getvalue()


def as_section(clearing: Iterable[ClearingGas]) -> str:
    """Return the part of the page docs/gas.md."""
    rows = [
        (
            row.form,
            number(row.n_orders),
            number(row.n_filled),
            number(row.clearing_gas),
            number(sum(row.claims_gas)) if row.claims_gas else "",
            number(row.gas_per_participant),
        )
        for row in clearing
    ]
    headings = ("form", "orders", "filled", "clearing", "all claims", "per participant")
    return _SECTION + "\n" + markdown_table(headings, rows)
