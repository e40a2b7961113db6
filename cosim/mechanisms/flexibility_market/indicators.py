"""Flexibility offered, awarded, delivered and paid in a run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import pandas as pd

from cosim.mechanisms.flexibility_market.calling_indicators import (
    CallingIndicators,
    calling_indicators,
)
from cosim.report.indicator import Meaning, Rows, ratio
from cosim.report.ledger import SENT_COLUMNS
from cosim.report.stretches import rows_of_all
from cosim.report.text import number, percent
from cosim.results.reader import Results
from cosim.units import MWH_PER_KWH, WH_PER_KWH, amount_earned_ueur, eur_from_ueur

REFUSED_TOLERATED = 0.01
"""Share of refused offers above which a run ends with a warning."""
_PREFIX = "flexibility market: "


@dataclass(frozen=True)
class FlexibilityIndicators(CallingIndicators):
    """Indicators of the flexibility market, over all requests, up and down."""

    flexibility_offered_kwh: Annotated[
        float, Meaning("kWh", "an offer repeated in a later request counts again")
    ]
    flexibility_awarded_kwh: Annotated[float, Meaning("kWh", "bought by the DSO")]
    flexibility_idle_kwh: Annotated[
        float, Meaning("kWh", "of it, between registered capacity and schedule: changes nothing")
    ]
    flexibility_delivered_kwh: Annotated[float, Meaning("kWh", "confirmed by meters")]
    flexibility_throttled_kwh: Annotated[
        float, Meaning("kWh", "of the delivered, lowering: by generators that were throttled")
    ]
    flexibility_unthrottled_kwh: Annotated[
        float, Meaning("kWh", "of the delivered, lowering: taken in by storages, or not generated")
    ]
    flexibility_requests: Annotated[int, Meaning("-", "requests that received an offer")]
    flexibility_paid_eur: Annotated[float, Meaning("EUR", "by the DSO")]
    penalties_eur: Annotated[
        float, Meaning("EUR", "by prosumers, for what was not delivered, or not kept")
    ]
    flexibility_cost_eur: Annotated[float, Meaning("EUR", "the difference")]
    flexibility_debts_eur: Annotated[
        float, Meaning("EUR", "of them, owed to the DSO at the end of the run")
    ]
    requests_wanted_kwh: Annotated[
        float, Meaning("kWh", "flexibility that the DSO wanted to ask for, margin included")
    ]
    requests_short_kwh: Annotated[
        float, Meaning("kWh", "of it, not asked for because its deposit did not cover it")
    ]
    requests_short_intervals: Annotated[int, Meaning("-", "intervals in which that was so")]
    requests_not_opened: Annotated[
        int, Meaning("-", "requests that no block took in time, or that the contract refused")
    ]
    offers_refused: Annotated[int, Meaning("-", "offers that the contract refused")]
    offers_refused_share: Annotated[float | None, Meaning("-", "of all offers that blocks took")]
    offers_refused_by_reason: Annotated[
        dict[str, int], Meaning("-", "their number by the contract's words")
    ]
    award_rounds: Annotated[int, Meaning("-", "rounds in which the DSO bought of offers")]
    award_rounds_unviolated: Annotated[
        int, Meaning("-", "of which no limit was violated by the schedule, margins apart")
    ]
    award_rounds_insufficient: Annotated[
        int, Meaning("-", "of which the offers do not keep the limits, margins apart")
    ]
    margin_cost_eur: Annotated[
        float | None,
        Meaning(
            "EUR",
            "awards at the prices asked, less those that the limits alone need, over the rounds "
            "whose offers suffice",
        ),
    ]
    margin_cost_share: Annotated[
        float | None, Meaning("-", "of the awards of these rounds at the prices asked")
    ]
    pivotal_providers: Annotated[
        int, Meaning("-", "without whom, in some round, the other offers relieve not every element")
    ]
    pivotal_rounds: Annotated[int, Meaning("-", "rounds that have a pivotal provider")]

    def rows(self) -> Rows:
        """Return what the terminal's summary shows of them."""
        energies = (
            self.flexibility_offered_kwh,
            self.flexibility_awarded_kwh,
            self.flexibility_delivered_kwh,
        )
        rows = [
            (
                "Flexibility offered / awarded / delivered",
                " / ".join(map(number, energies)) + "\u00a0kWh",
            ),
            (
                "… lowered by throttling / otherwise",
                f"{number(self.flexibility_throttled_kwh)} / "
                f"{number(self.flexibility_unthrottled_kwh)}\u00a0kWh",
            ),
            (
                "Flexibility cost (paid − penalties)",
                f"{number(self.flexibility_cost_eur, 'EUR', 2)} "
                f"({number(self.flexibility_paid_eur, '', 2)} − "
                f"{number(self.penalties_eur, '', 2)})",
            ),
        ]
        if self.award_rounds:
            rows.append(("… of it for the DSO's margins, at the prices asked", self.margin_text()))
        rows += self.calling_rows()
        if self.requests_short_kwh:
            rows.append(("Flexibility not asked for, for want of money", self.short_text()))
        if self.flexibility_debts_eur:
            owed = number(self.flexibility_debts_eur, "EUR", 2)
            rows.append(("Penalties that are owed to the DSO", owed))
        if self.offers_refused:
            rows.append(("Offers refused by the contract", self.refused_text()))
        return rows

    def margin_text(self) -> str:
        """Return what margins cost, and how many rounds had no other reason or are left out."""
        text = (
            f"{number(self.margin_cost_eur, 'EUR', 2)} ({percent(self.margin_cost_share)}); "
            f"{self.award_rounds_unviolated} of {self.award_rounds} rounds bought where nothing "
            "was violated"
        )
        if not self.award_rounds_insufficient:
            return text
        return f"{text}; {self.award_rounds_insufficient} not counted, offers not sufficing"

    def short_text(self) -> str:
        """Return what was not asked for, of what was wanted, and in how many intervals."""
        return (
            f"{number(self.requests_short_kwh, 'kWh')} of "
            f"{number(self.requests_wanted_kwh, 'kWh')}, in "
            f"{number(self.requests_short_intervals, '', 0)} intervals"
        )

    def refused_text(self) -> str:
        """Return number, share and reasons of the refused offers."""
        reasons = ", ".join(
            f"{reason} {number(n, '', 0)}" for reason, n in self.offers_refused_by_reason.items()
        )
        return (
            f"{number(self.offers_refused, '', 0)}, {percent(self.offers_refused_share)}: {reasons}"
        )

    def warnings(self) -> Sequence[str]:
        """Return sentences on requests that money did not cover, and on refused offers."""
        found = self.calling_warnings()
        if self.requests_short_kwh:
            found.append(
                f"the DSO's deposit did not cover all flexibility that it wanted at the price cap; "
                f"not asked for: {self.short_text()}. The rest was left to its other instruments; "
                "raise dso.budget_eur"
            )
        if (self.offers_refused_share or 0.0) > REFUSED_TOLERATED:
            found.append(
                f"the flexibility market's contract refused offers ({self.refused_text()})"
            )
        if self.flexibility_debts_eur:
            owed = number(self.flexibility_debts_eur, "EUR", 2)
            found.append(f"debts to the DSO for flexibility are left at the end of the run: {owed}")
        return found


def flexibility_indicators(results: Results) -> FlexibilityIndicators:
    """Return the indicators of the flexibility market of a run."""
    debts = results.frame("flexibility_debts").groupby("prosumer", observed=True)
    rows, pivotal = results.frame("flexibility"), results.frame("pivotal")
    paid, penalty = int(rows["paid_ueur"].sum()), int(rows["penalty_ueur"].sum())
    rounds = appraised_rounds(results)
    wishes, offers = results.frame("requests"), sent_offers(results)
    short_wh = wishes["wanted_wh"] - wishes["asked_wh"]
    refused = refused_offers(offers)
    bought = rounds[rounds["awarded_wh"] > 0]
    # where offers do not suffice, neither award keeps any limit: their difference is no margin's
    kept = bought[bought["sufficient"]]
    asked, needed = int(kept["asked_ueur"].sum()), int(kept["needed_ueur"].sum())
    throttled_kwh, other_kwh = lowered_kwh(results, rows)
    is_known = len(rounds) > 0 or not rows["awarded_wh"].any()
    return FlexibilityIndicators(
        **calling_indicators(results),
        flexibility_offered_kwh=float(rows["offered_wh"].sum()) / WH_PER_KWH,
        flexibility_awarded_kwh=float(rows["awarded_wh"].sum()) / WH_PER_KWH,
        flexibility_idle_kwh=idle_kwh(rows),
        flexibility_delivered_kwh=float(rows["delivered_wh"].sum()) / WH_PER_KWH,
        flexibility_throttled_kwh=throttled_kwh,
        flexibility_unthrottled_kwh=other_kwh,
        flexibility_requests=int(rows["request"].nunique()),
        flexibility_paid_eur=eur_from_ueur(paid),
        penalties_eur=eur_from_ueur(penalty),
        flexibility_cost_eur=eur_from_ueur(paid - penalty),
        flexibility_debts_eur=eur_from_ueur(int(debts["debt_ueur"].last().sum())),
        requests_wanted_kwh=float(wishes["wanted_wh"].sum()) / WH_PER_KWH,
        requests_short_kwh=float(short_wh.sum()) / WH_PER_KWH,
        requests_short_intervals=int(wishes.loc[short_wh > 0, "interval"].nunique()),
        requests_not_opened=int(((wishes["asked_wh"] > 0) & wishes["request"].isna()).sum()),
        offers_refused=sum(refused.values()),
        offers_refused_share=ratio(sum(refused.values()), len(offers)),
        offers_refused_by_reason=refused,
        award_rounds=len(bought),
        award_rounds_unviolated=int((~bought["violated"]).sum()),
        award_rounds_insufficient=len(bought) - len(kept),
        margin_cost_eur=eur_from_ueur(asked - needed) if is_known else None,
        margin_cost_share=(asked - needed) / asked if asked else None,
        pivotal_providers=int(pivotal["prosumer"].nunique()),
        pivotal_rounds=len(pivotal[["interval", "request"]].drop_duplicates()),
    )


def lowered_kwh(results: Results, flexibility: pd.DataFrame) -> tuple[float, float]:
    """Return delivered energy that lowered injections: by throttling, and otherwise. [kWh]

    What a prosumer throttles in an interval in which it delivers, up to the delivery, is the first.
    The rest is taken in by its storages, or was not generated although it was expected. What a
    capacity limit pays for though it was idle lowers nothing and is in neither.
    """
    keys = ["interval", "prosumer"]
    down = flexibility[flexibility["direction"] == "down"].astype({"prosumer": str})
    by_offer = down.groupby([*keys, "request"])
    delivered_wh = by_offer["delivered_wh"].sum()
    if "idle_wh" in down:
        delivered_wh = (delivered_wh - by_offer["idle_wh"].first()).clip(lower=0)
    delivered_kwh = delivered_wh.groupby(keys).sum() / WH_PER_KWH
    if not delivered_kwh.sum():
        return 0.0, 0.0
    lowered = set(delivered_kwh.index.get_level_values("interval"))

    def throttled(part: Results) -> pd.DataFrame:
        begin = part.first - results.first
        if lowered.isdisjoint(range(begin, begin + part.n_intervals)):
            return pd.DataFrame({name: [] for name in (*keys, "p_mw")})
        rows = part.frame("prosumers")
        rows = rows[(rows["interval"] + begin).isin(lowered)].astype({"prosumer": str})
        given_up = [name for name in rows.columns if name.endswith("_curtailed_p_mw")]
        return rows[keys].assign(p_mw=rows[given_up].sum(axis=1))

    throttled_mw = rows_of_all(results, throttled).set_index(keys)["p_mw"]
    throttled_kwh = throttled_mw * (results.step_h / MWH_PER_KWH)
    own_kwh = np.minimum(throttled_kwh.reindex(delivered_kwh.index, fill_value=0.0), delivered_kwh)
    return float(own_kwh.sum()), float((delivered_kwh - own_kwh).sum())


def idle_kwh(flexibility: pd.DataFrame) -> float:
    """Return awarded energy that a capacity limit pays for and that changes nothing. [kWh]

    Energy of an offer is idle between the registered capacity and the schedule, and is awarded
    first; each of the offer's blocks says how much there is.
    """
    if "idle_wh" not in flexibility or flexibility.empty:
        return 0.0
    of_offer = flexibility.groupby(["interval", "request", "prosumer"], observed=True)
    idle_wh = np.minimum(of_offer["awarded_wh"].sum(), of_offer["idle_wh"].first())
    return float(idle_wh.sum()) / WH_PER_KWH


def sent_offers(results: Results) -> pd.DataFrame:
    """Return the transactions that offered flexibility, refused ones among them."""
    return results.kept("sent offers", lambda: rows_of_all(results, offers_of))


def offers_of(part: Results) -> pd.DataFrame:
    """Return the transactions of a stretch that offered flexibility."""
    sent = part.frame("transactions", SENT_COLUMNS)
    own = sent[(sent["contract"] == "FlexibilityMarket") & (sent["method"] == "offer")]
    return own[["status", "revert_reason"]].astype({"revert_reason": object})


def refused_offers(offers: pd.DataFrame) -> dict[str, int]:
    """Return the number of refused offers by reason, the most frequent first, then by name."""
    reasons = Counter(
        (text if isinstance(text, str) and text else "without a reason").removeprefix(_PREFIX)
        for text in offers.loc[offers["status"] == 0, "revert_reason"]
    )
    return dict(sorted(reasons.items(), key=lambda row: (-row[1], row[0])))


def appraised_rounds(results: Results) -> pd.DataFrame:
    """Return the rounds of awards with what was awarded in each.

    Returns
    -------
    DataFrame
        Table ``margins``, with ``awarded_wh`` and ``asked_ueur``: the awards of the round, and
        their cost at the prices asked.
    """
    rows, rounds = results.frame("flexibility"), results.frame("margins").copy()
    asked = [
        amount_earned_ueur(int(wh), int(price))
        for wh, price in zip(rows["awarded_wh"], rows["price_ueur_per_kwh"], strict=True)
    ]
    # requests are numbered in their order, so a round ends with its last
    at = np.searchsorted(rounds["request"].to_numpy(np.int64), rows["request"].to_numpy(np.int64))
    size = len(rounds) + 1
    for name, values in (("awarded_wh", rows["awarded_wh"]), ("asked_ueur", asked)):
        total = np.zeros(size, dtype=np.int64)
        np.add.at(total, at, np.asarray(values, dtype=np.int64))
        rounds[name] = total[:-1]
    return rounds
