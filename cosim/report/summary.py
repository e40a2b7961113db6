"""The indicators as a table in the terminal."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from cosim.report.checks import KIND_LABELS, KINDS
from cosim.report.indicators import Indicators
from cosim.results.schemas import STAGES


def number(value: float | None, unit: str = "", digits: int = 1) -> str:
    """A number with thousands set apart and its unit; an em dash where there is none."""
    if value is None:
        return "—"
    text = f"{value:,.{digits}f}".replace(",", "\u202f").replace("-", "−")
    if not any(character in "123456789" for character in text):
        text = text.removeprefix("−")
    return f"{text}\u00a0{unit}" if unit else text


def percent(value: float | None) -> str:
    """A share in percent."""
    return number(None if value is None else 100 * value, "%")


def summary_rows(indicators: Indicators) -> list[tuple[str, str]]:
    """Name and value of each indicator but the violations, as people read them."""
    i = indicators
    orders = i.orders
    certificates = [
        (
            "Certificates issued / sold / retired",
            f"{number(i.certificates_issued_kwh)} / {number(i.certificates_sold_kwh)} / "
            f"{number(i.certificates_retired_kwh, 'kWh')}",
        ),
        ("Consumption matched hour by hour", percent(i.hourly_matching)),
        ("… had everybody bought", percent(i.hourly_matching_limit)),
        ("… claimed over the whole run, without hours", percent(i.run_matching)),
    ]
    storage = [
        (
            "Shared battery charged / discharged / lost",
            f"{number(i.storage_charged_kwh)} / {number(i.storage_discharged_kwh)} / "
            f"{number(i.storage_loss_kwh, 'kWh', 2)}",
        ),
        ("… losses billed", number(i.storage_billed_eur, "EUR", 2)),
        ("Self-consumption without it", percent(i.self_consumption_without_storage)),
        ("Self-sufficiency without it", percent(i.self_sufficiency_without_storage)),
    ]
    supply = [
        (
            "Billed by supply contract",
            f"{number(i.supply_billed_kwh, 'kWh')}, {number(i.supply_bill_eur, 'EUR', 2)}",
        ),
        ("… above deposits, became debt", number(i.supply_above_deposit_eur, "EUR", 2)),
        ("… estimated for silent meters", percent(i.supply_estimated_share)),
    ]
    return [
        ("Curtailed injection", number(i.curtailed_injection_kwh, "kWh")),
        ("Curtailed consumption", number(i.curtailed_consumption_kwh, "kWh")),
        (
            "Flexibility offered / awarded / delivered",
            " / ".join(
                number(value)
                for value in (
                    i.flexibility_offered_kwh,
                    i.flexibility_awarded_kwh,
                    i.flexibility_delivered_kwh,
                )
            )
            + "\u00a0kWh",
        ),
        (
            "Flexibility cost (paid − penalties)",
            f"{number(i.flexibility_cost_eur, 'EUR', 2)} "
            f"({number(i.flexibility_paid_eur, '', 2)} − {number(i.penalties_eur, '', 2)})",
        ),
        ("Self-consumption", percent(i.self_consumption)),
        ("Self-sufficiency", percent(i.self_sufficiency)),
        ("Traded energy", number(i.traded_kwh, "kWh")),
        ("Mean price", number(i.mean_price_eur_per_kwh, "EUR/kWh", 4)),
        ("Mean cost per prosumer", number(i.mean_cost_eur, "EUR", 2)),
        ("… without the market (supplier alone)", number(i.mean_baseline_cost_eur, "EUR", 2)),
        (
            "Welfare of trades (possible with every order)",
            f"{number(i.welfare_eur, '', 2)} ({number(i.welfare_possible_eur, '', 2)})\u00a0EUR",
        ),
        (
            "Voltage, scheduled → delivered",
            f"{_range(i.scheduled_lowest_vm_pu, i.scheduled_highest_vm_pu)} → "
            f"{_range(i.lowest_vm_pu, i.highest_vm_pu)}\u00a0pu",
        ),
        (
            "Highest loading of lines / transformers",
            f"{number(i.highest_line_loading_percent)} / "
            f"{number(i.highest_trafo_loading_percent, '%')}",
        ),
        ("Losses", number(i.losses_kwh, "kWh")),
        ("Gas per prosumer and interval", number(i.gas_per_prosumer_and_interval, "", 0)),
        (
            "Orders (late, rejected)",
            f"{number(sum(orders.values()), '', 0)} ({orders['late']}, {orders['rejected']})",
        ),
        *_ledger_rows(i),
        (
            "Largest difference to the reference power flow",
            "—"
            if i.largest_difference_vm_pu is None
            else f"{i.largest_difference_vm_pu:.1e}\u00a0pu",
        ),
        *(certificates if i.certificates_issued_kwh is not None else ()),
        *(storage if i.storage_charged_kwh is not None else ()),
        *(supply if i.supply_billed_kwh is not None else ()),
    ]


def _range(lowest: float | None, highest: float | None) -> str:
    return f"{number(lowest, '', 4)} to {number(highest, '', 4)}"


def times(values_s: dict[str, float] | None) -> str:
    """Mean, 95th percentile where there is one, and longest time."""
    if values_s is None:
        return "—"
    shown = (values_s[key] for key in ("mean", "p95", "max") if key in values_s)
    return " / ".join(number(value) for value in shown) + "\u00a0s"


def risks(probabilities: dict[str, float]) -> str:
    """Probabilities of a reversal in percent, however small."""
    return " / ".join(f"{100 * p:.2g}" for p in probabilities.values()) + "\u00a0%"


def _ledger_rows(i: Indicators) -> list[tuple[str, str]]:
    """What the ledger did; what does not apply to the run is left out."""
    rows = [("Order latency, mean / 95 % / longest", times(i.order_latency_s))]
    if i.order_confirmation_s is not None:
        rows.append(("… to the last confirmation", times(i.order_confirmation_s)))
    if i.orders_missed:
        missed = f"{percent(i.orders_missed_share)}, {number(i.orders_missed_kwh, 'kWh')}"
        rows.append(("Orders missed at the gate", missed))
    shares = (i.block_usage_mean, i.order_window_block_usage_mean, i.block_usage_max)
    rows += [
        ("Block used, mean / order windows / fullest", " / ".join(percent(s) for s in shares)),
        ("Settlement final after, mean / longest", times(i.settlement_finality_s)),
    ]
    if i.intervals_not_final:
        rows.append(("… not final an interval later", f"{i.intervals_not_final} intervals"))
    if i.ledger_fees_eur:
        fees = f"{number(i.prosumer_fees_eur, '', 2)} / {number(i.ledger_fees_eur, 'EUR', 2)}"
        rows += [
            ("Fees of prosumers / of everybody", fees),
            ("… of prosumers per kWh traded", number(i.fee_eur_per_kwh_traded, "EUR/kWh", 4)),
        ]
    if i.reversal_probability is not None:
        rows.append(("Reverted by 10 / 20 / 30 % of hash power", risks(i.reversal_probability)))
    return rows


def violation_rows(indicators: Indicators) -> list[tuple[str, str, str, str]]:
    """Kind, and minutes scheduled, relieved and delivered, as people read them."""
    rows = []
    for kind in KINDS:
        before, after, delivered = (
            number(indicators.violations[stage][kind]["minutes"], "", 0) for stage in STAGES
        )
        rows.append((KIND_LABELS[kind], before, after, delivered))
    return rows


def print_summary(indicators: Indicators, console: Console | None = None) -> None:
    """Print the indicators.

    Parameters
    ----------
    indicators : Indicators
        Of a run.
    console : rich.console.Console, optional
        Where to; standard output by default.
    """
    out = console or Console()
    limits = Table(title=escape("Limits violated [min]"), title_justify="left")
    limits.add_column("")
    for heading in ("before flexibility", "after flexibility", "delivered"):
        limits.add_column(heading, justify="right")
    for row in violation_rows(indicators):
        limits.add_row(*row)
    out.print(limits)
    rest = Table(
        title=f"{indicators.prosumers} accounts in the local market, "
        f"{indicators.intervals} intervals",
        title_justify="left",
        show_header=False,
    )
    rest.add_column("indicator")
    rest.add_column("value", justify="right")
    for name, value in summary_rows(indicators):
        rest.add_row(name, value)
    out.print(rest)
