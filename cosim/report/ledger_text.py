"""The report's words on the ledger: tiles and definitions."""

from __future__ import annotations

from cosim.report.indicators import Indicators
from cosim.report.report_text import Tile
from cosim.report.summary import number, percent, risks

LEDGER_DEFINITIONS = (
    (
        "Order latency",
        "From the sending of an order to the block that includes it, refused orders among them; "
        "where users wait for confirmations, also to the block that is the last of these. Missed "
        "orders (late: no block included them before gate closure) have no latency.",
    ),
    (
        "Share of the block used",
        "Gas used of the blocks' gas limit, from the first order window to the last transaction. "
        "Order windows: the blocks between opening and gate closure.",
    ),
    (
        "Fees",
        "Of prosumers: for their orders, offers and reports. Of everybody: of all transactions "
        "since the set-up, gas at base fee and tip. Per kWh: the former over the energy traded "
        "between prosumers.",
    ),
    (
        "Finality of settlement",
        "From the end of an interval's delivery until its last settling transaction (reports, "
        "estimates for silent meters, claims, settlement of flexibility) has its confirmations. "
        "Where the chain ends before, its last block counts, and the interval as not final. Not "
        "final in time: when the delivery after the next begins, an interval after the end.",
    ),
)

REVERSAL_DEFINITION = (
    "Reversal",
    "Probability that an attacker with a share q of the hash power replaces a transaction that "
    "has its z confirmations by a branch of its own, I(4q(1−q); z, ½) (Rosenfeld 2014, "
    "arXiv:1402.2009; Grunspan and Pérez-Marco 2018, arXiv:1702.02867). The attacker starts with "
    "one block in advance and never gives up.",
)


def ledger_tiles(indicators: Indicators, confirmations: int) -> list[Tile]:
    """The indicators of the ledger at the top of the report.

    Parameters
    ----------
    indicators : Indicators
        Of a run.
    confirmations : int
        How many blocks its users wait for.
    """
    i = indicators
    latency, confirmed, final = i.order_latency_s, i.order_confirmation_s, i.settlement_finality_s
    waits = "1 confirmation" if confirmations == 1 else f"{confirmations} confirmations"
    found = [
        Tile(
            "Order latency",
            (
                f"mean, from sending to the block; 95 % within {number(latency['p95'])} s, the "
                f"last after {number(latency['max'], 's')}"
                if latency
                else "no order was included"
            )
            + (f"; {waits} after {number(confirmed['mean'], 's')}" if confirmed else ""),
            number(latency["mean"] if latency else None, "s"),
        ),
        Tile(
            "Orders missed at the gate",
            f"{number(i.orders_missed, '', 0)} of {number(sum(i.orders.values()), '', 0)} orders, "
            f"{number(i.orders_missed_kwh, 'kWh')}",
            percent(i.orders_missed_share),
            tone="violated" if i.orders_missed else "",
        ),
        Tile(
            "Share of the block used",
            f"mean; {percent(i.order_window_block_usage_mean)} in order windows, fullest "
            f"block {percent(i.block_usage_max)}",
            percent(i.block_usage_mean),
        ),
        Tile(
            "Settlement final after",
            f"mean, from the end of delivery to {waits if confirmations else 'the block'}; "
            f"longest {number(final['max'] if final else None, 's')}; {i.intervals_not_final} of "
            f"{i.intervals} intervals not final in time",
            number(final["mean"] if final else None, "s"),
        ),
    ]
    if i.ledger_fees_eur:
        found.append(
            Tile(
                "Fees per kWh traded",
                f"{number(i.prosumer_fees_eur, 'EUR', 2)} paid by prosumers, "
                f"{number(i.ledger_fees_eur, 'EUR', 2)} by everybody",
                number(i.fee_eur_per_kwh_traded, "EUR/kWh", 4),
            )
        )
    if i.reversal_probability is not None:
        found.append(
            Tile(
                "Reversal of a trade",
                f"probability with {waits}, for an attacker with 10 / 20 / 30 % of the hash power",
                risks(i.reversal_probability),
            )
        )
    return found


def ledger_definitions(indicators: Indicators) -> list[tuple[str, str]]:
    """How the indicators of the ledger are defined."""
    is_work = indicators.reversal_probability is not None
    return [*LEDGER_DEFINITIONS, *([REVERSAL_DEFINITION] if is_work else [])]
