"""The numbers that a run is judged by: those of every run, and those of its mechanisms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

from cosim.report.checks import rebound_minutes, violation_minutes
from cosim.report.costs import RELATIONS, costs_by_prosumer
from cosim.report.dues import dues_by_role_eur
from cosim.report.energy import (
    KWH_PER_MWH,
    caught_up_kwh,
    community_power,
    energy_by_device,
    stored_kwh,
)
from cosim.report.extremes import extreme_indicators
from cosim.report.forecast_quality import (
    Quality,
    coincidence_factors,
    forecast_quality,
)
from cosim.report.indicator import IndicatorSet, Meaning, Rows, ratio
from cosim.report.ledger import gas_indicators, ledger_indicators
from cosim.report.off_plan import off_plan_wh
from cosim.report.one_pass import read_in_one_pass
from cosim.report.outside import members_of
from cosim.report.roles import welfare_indicators
from cosim.report.stretches import added
from cosim.report.subjects import subject_types, subjects
from cosim.report.text import number, percent, risks, span, times
from cosim.results.reader import Results
from cosim.results.schemas import STAGES
from cosim.units import WH_PER_KWH, eur_from_ueur

_CURTAILED = Meaning("kWh", "changes that the DSO ordered outside the market, positive")
_STORED = (
    "in all storages at the start and at the end; missed: by how much those with a wanted end "
    "differ from it; null without any"
)
MISSED_TOLERATED = 0.02
"""Share of the energy at the start and the end that may be missed before a run warns."""
_OF_DELIVERED = Meaning("pu", "of all buses and intervals delivered, without those held upstream")
_OF_SCHEDULED = Meaning("pu", "the same of the schedules before flexibility")
_LOADING = Meaning("%", "of what was delivered")
_LOADING_SCHEDULED = Meaning("%", "of the schedules before flexibility")
_USAGE = Meaning("-", "gas of the gas limit, first order window to last transaction")
_CHARGE = "on energy drawn in the run, that would cover the DSO's flexibility and losses"
_DIFFERENCE = "between the power-flow engine and the reference, over the intervals solved again"


@dataclass(frozen=True)
class Indicators(IndicatorSet):
    """Indicators of one run; ``None`` where there is nothing to divide by or nothing was recorded.

    Those of mechanisms and of an attack are looked up by name: ``indicators["traded_kwh"]``. So may
    those be that every run has, and have a field here.

    Parameters
    ----------
    parts : tuple of IndicatorSet
        Of each subject that has any, in the order of the report.
    """

    intervals: Annotated[int, Meaning("-", "delivery intervals recorded and settled")]
    prosumers: Annotated[int, Meaning("-", "accounts that were settled")]
    violations: Annotated[
        dict[str, dict[str, dict[str, float]]],
        Meaning("min", "by stage and kind: minutes, and each element for itself"),
    ]
    rebound_minutes: Annotated[
        float,
        Meaning("min", "limits violated as delivered, but not without consumption caught up"),
    ]
    caught_up_kwh: Annotated[float, Meaning("kWh", "consumption put off before, and caught up")]
    imbalance_kwh: Annotated[
        float, Meaning("kWh", "deviations of meters from final schedules, each positive")
    ]
    curtailed_injection_kwh: Annotated[float, _CURTAILED]
    curtailed_consumption_kwh: Annotated[float, _CURTAILED]
    generation_kwh: Annotated[float, Meaning("kWh", "of all that generates, after curtailment")]
    consumption_kwh: Annotated[float, Meaning("kWh", "of all that consumes, storages apart")]
    energy_by_device: Annotated[
        dict[str, dict[str, float]],
        Meaning("kWh", "by kind: generated and consumed, or charged and discharged"),
    ]
    stored_kwh: Annotated[dict[str, float | None], Meaning("kWh", _STORED)]
    self_consumption: Annotated[float | None, Meaning("-", "own use of generation")]
    self_sufficiency: Annotated[float | None, Meaning("-", "own use of consumption")]
    cost_eur: Annotated[float, Meaning("EUR", "paid by all prosumers together")]
    mean_cost_eur: Annotated[float | None, Meaning("EUR", "cost per prosumer")]
    supplier_received_eur: Annotated[
        float, Meaning("EUR", "by the supplier, in the local market and for residuals")
    ]
    drawn_kwh_by_supply: Annotated[
        dict[str, float],
        Meaning("kWh", "drawn from the grid, by what it is billed by; adds up to what meters read"),
    ]
    imported_kwh: Annotated[float | None, Meaning("kWh", "from upstream, net, losses included")]
    welfare_eur: Annotated[float | None, Meaning("EUR", "minus the resource cost")]
    resource_cost_eur: Annotated[
        dict[str, float | None],
        Meaning("EUR", "by part: what served the consumption; no transfers"),
    ]
    money_by_role_eur: Annotated[
        dict[str, float | None], Meaning("EUR", "received less paid, by role; adds up to zero")
    ]
    dues_by_role_eur: Annotated[
        dict[str, float],
        Meaning("EUR", "owed to less owed by, at the end of the run, by role; adds up to zero"),
    ]
    network_charge_eur_per_kwh: Annotated[float | None, Meaning("EUR/kWh", _CHARGE)]
    network_charge_collected_eur_per_kwh: Annotated[
        float | None, Meaning("EUR/kWh", "network charges that the DSO is owed, over energy drawn")
    ]
    taxes_eur: Annotated[float, Meaning("EUR", "taxes and levies that the state is owed")]
    highest_vm_pu: Annotated[float | None, _OF_DELIVERED]
    lowest_vm_pu: Annotated[float | None, _OF_DELIVERED]
    highest_line_loading_percent: Annotated[float | None, _LOADING]
    highest_trafo_loading_percent: Annotated[float | None, _LOADING]
    scheduled_highest_vm_pu: Annotated[float | None, _OF_SCHEDULED]
    scheduled_lowest_vm_pu: Annotated[float | None, _OF_SCHEDULED]
    scheduled_highest_line_loading_percent: Annotated[float | None, _LOADING_SCHEDULED]
    scheduled_highest_trafo_loading_percent: Annotated[float | None, _LOADING_SCHEDULED]
    losses_kwh: Annotated[float | None, Meaning("kWh", "in lines and transformers")]
    setup_gas: Annotated[int, Meaning("gas", "before the first interval")]
    running_gas: Annotated[int, Meaning("gas", "since the first interval")]
    gas_per_prosumer_and_interval: Annotated[float | None, Meaning("gas", "of running_gas")]
    gas_by_method: Annotated[
        dict[str, dict[str, float]],
        Meaning("gas", "by contract.method: transactions, reverted, gas and mean_gas"),
    ]
    block_usage_mean: Annotated[float | None, _USAGE]
    block_usage_max: Annotated[float | None, _USAGE]
    order_window_block_usage_mean: Annotated[
        float | None, Meaning("-", "the same over the blocks of order windows")
    ]
    prosumer_fees_eur: Annotated[
        float, Meaning("EUR", "transaction fees paid by prosumers for orders, offers and reports")
    ]
    ledger_fees_eur: Annotated[float, Meaning("EUR", "fees of everybody since the set-up")]
    settlement_finality_s: Annotated[
        dict[str, float] | None,
        Meaning("s", "mean and max time from the end of delivery until settlement is final"),
    ]
    intervals_not_final: Annotated[
        int, Meaning("-", "intervals for which this took longer than an interval, or never came")
    ]
    reversal_probability: Annotated[
        dict[str, float] | None,
        Meaning("-", "of a confirmed transaction, by the attacker's share of the hash power"),
    ]
    largest_difference_vm_pu: Annotated[float | None, Meaning("pu", _DIFFERENCE)]
    largest_difference_loading_percent: Annotated[float | None, Meaning("%", _DIFFERENCE)]
    load_coincidence_factor: Annotated[
        float | None, Meaning("-", "highest sum of loads over the sum of each one's highest")
    ]
    published_load_coincidence_factor: Annotated[
        float | None, Meaning("-", "the same of the profiles, where the run varies loads")
    ]
    forecast_quality: Annotated[
        Quality,
        Meaning(
            "-",
            "by class of device, horizon and measure (docs/forecasts.md): nrmse, nmae, skill, "
            "autocorrelation; of the sum nrmse_all, skill_all, autocorrelation_all; bias",
        ),
    ]
    parts: tuple[IndicatorSet, ...] = field(default=(), repr=False)

    def __getitem__(self, name: str) -> Any:
        """Return an indicator by name.

        Raises
        ------
        KeyError
            If the run has none of that name.
        """
        return self.as_dict()[name]

    def as_dict(self) -> dict[str, Any]:
        """Return every indicator by name, for the manifest."""
        return super().as_dict() | {k: v for part in self.parts for k, v in part.as_dict().items()}

    def _collected(self) -> Rows:
        """Return what charges collect, where there are any."""
        if not self.network_charge_collected_eur_per_kwh and not self.taxes_eur:
            return []
        collected = number(self.network_charge_collected_eur_per_kwh, "EUR/kWh", 4)
        return [
            ("Network charge collected", collected),
            ("Taxes and levies", number(self.taxes_eur, "EUR", 2)),
        ]

    def _stored(self) -> Rows:
        """Return a row of stored energy where an end is wanted."""
        stored = self.stored_kwh
        if stored["missed"] is None:
            return []
        text = f"{number(stored['start'], '', 2)} → {number(stored['end'], 'kWh', 2)}"
        return [("Stored energy (missed of the wanted end)", f"{text} ({stored['missed']:.2f})")]

    def rows(self) -> Rows:
        """Return what the terminal's summary shows but the violations."""
        difference = self.largest_difference_vm_pu
        return [
            ("Imbalance, metered against scheduled", number(self.imbalance_kwh, "kWh")),
            ("Curtailed injection", number(self.curtailed_injection_kwh, "kWh")),
            ("Curtailed consumption", number(self.curtailed_consumption_kwh, "kWh")),
            *self._stored(),
            ("Self-consumption", percent(self.self_consumption)),
            ("Self-sufficiency", percent(self.self_sufficiency)),
            ("Mean cost per prosumer", number(self.mean_cost_eur, "EUR", 2)),
            ("Welfare (minus resource cost)", number(self.welfare_eur, "EUR", 2)),
            ("Net import from upstream", number(self.imported_kwh, "kWh")),
            (
                "Network charge that would cover the DSO in this run",
                number(self.network_charge_eur_per_kwh, "EUR/kWh", 4),
            ),
            *self._collected(),
            (
                "Voltage, scheduled → delivered",
                f"{span(self.scheduled_lowest_vm_pu, self.scheduled_highest_vm_pu)} → "
                f"{span(self.lowest_vm_pu, self.highest_vm_pu)}\u00a0pu",
            ),
            (
                "Highest loading of lines / transformers",
                f"{number(self.highest_line_loading_percent)} / "
                f"{number(self.highest_trafo_loading_percent, '%')}",
            ),
            ("Losses", number(self.losses_kwh, "kWh")),
            (
                "Largest difference to the reference power flow",
                "—" if difference is None else f"{difference:.1e}\u00a0pu",
            ),
            *(row for part in self.parts for row in part.rows()),
            *self._load_rows(),
            *self._ledger_rows(),
        ]

    def _load_rows(self) -> Rows:
        """Return a row of coincidence where a run varies loads."""
        published, own = self.published_load_coincidence_factor, self.load_coincidence_factor
        if published is None:
            return []
        text = f"{number(published, '', 2)} → {number(own, '', 2)}"
        return [("Coincidence factor of loads, published → varied", text)]

    def warnings(self) -> Sequence[str]:
        """Return the warnings of every part, and one of storages that missed their wanted end."""
        found = [text for part in self.parts for text in part.warnings()]
        missed, most = (
            self.stored_kwh["missed"] or 0.0,
            max(self.stored_kwh[at] or 0.0 for at in ("start", "end")),
        )
        if missed > MISSED_TOLERATED * most:
            found.append(
                f"storages end {number(missed, 'kWh', 2)} away from the energy wanted of them "
                "(soc_end): the run is too short for their ratings, or what was sold, cut or "
                "forecast wrongly in its last intervals moved them"
            )
        return found

    def _ledger_rows(self) -> Rows:
        """Return rows of the ledger; those that do not apply to the run are left out."""
        usage = (self.block_usage_mean, self.order_window_block_usage_mean, self.block_usage_max)
        rows = [
            ("Gas per prosumer and interval", number(self.gas_per_prosumer_and_interval, "", 0)),
            ("Block used, mean / order windows / fullest", " / ".join(map(percent, usage))),
            ("Settlement final after, mean / longest", times(self.settlement_finality_s)),
        ]
        if self.intervals_not_final:
            rows.append(("… not final an interval later", f"{self.intervals_not_final} intervals"))
        if self.ledger_fees_eur:
            fees = f"{number(self.prosumer_fees_eur, '', 2)} / "
            fees += number(self.ledger_fees_eur, "EUR", 2)
            rows.append(("Fees of prosumers / of everybody", fees))
        if self.reversal_probability is not None:
            probability = risks(self.reversal_probability)
            rows.append(("Reverted by 10 / 20 / 30 % of hash power", probability))
        return rows


def known_indicators() -> dict[str, Meaning]:
    """Return unit and definition of every indicator that a run may have, by name."""
    kinds = [kind.indicators_type for kind in subject_types()]
    return Indicators.meanings() | {
        name: meaning for kind in kinds if kind for name, meaning in kind.meanings().items()
    }


def read_indicators(results: Results) -> Indicators:
    """Return the indicators of a finished run as its manifest has them."""
    known = results.manifest["indicators"]
    kinds = [kind for subject in subjects(results) if (kind := subject.indicators_type)]
    parts = [kind for kind in kinds if kind.meanings().keys() <= known.keys()]
    return Indicators(
        **{name: known[name] for name in Indicators.meanings()},
        parts=tuple(kind(**{name: known[name] for name in kind.meanings()}) for kind in parts),
    )


def compute_indicators(results: Results, power_flow: Mapping[str, Any] | None = None) -> Indicators:
    """Compute every indicator of a run.

    Parameters
    ----------
    results : Results
        A result folder, or one whose tables are closed.
    power_flow : mapping, optional
        The manifest's ``power_flow``, when there is no manifest yet.

    Raises
    ------
    ResultFolderError
        If a table is missing, or the scenario is not one of this version.
    """
    if power_flow is None:
        power_flow = results.manifest.get("power_flow", {})
    read_in_one_pass(results)
    cut_injection_wh, cut_consumption_wh, imbalance_wh = added(results, off_plan_wh).tolist()
    losses_mw = results.frame("grid_balance")["losses_mw"]
    power, kwh = community_power(results), results.step_h * KWH_PER_MWH
    costs = costs_by_prosumer(results)
    cost_eur = eur_from_ueur(int(costs["cost_ueur"].sum()))
    sums, prosumers = costs[list(RELATIONS)].sum(), len(members_of(results))
    parts = (subject.indicators(results) for subject in subjects(results))
    return Indicators(
        intervals=results.n_intervals,
        prosumers=prosumers,
        violations={stage: violation_minutes(results, stage) for stage in STAGES},
        rebound_minutes=rebound_minutes(results),
        caught_up_kwh=caught_up_kwh(results),
        imbalance_kwh=float(imbalance_wh) / WH_PER_KWH,
        curtailed_injection_kwh=float(cut_injection_wh) / WH_PER_KWH,
        curtailed_consumption_kwh=float(cut_consumption_wh) / WH_PER_KWH,
        generation_kwh=float(power.generation_mw.sum() * kwh),
        consumption_kwh=float(power.consumption_mw.sum() * kwh),
        energy_by_device=energy_by_device(results),
        stored_kwh=stored_kwh(results),
        self_consumption=power.self_consumption,
        self_sufficiency=power.self_sufficiency,
        cost_eur=cost_eur,
        mean_cost_eur=ratio(cost_eur, len(costs)),
        supplier_received_eur=eur_from_ueur(-int(sums["traded_ueur"] + sums["supplier_ueur"])),
        **welfare_indicators(results),
        dues_by_role_eur=dues_by_role_eur(results),
        **extreme_indicators(results),
        losses_kwh=float(losses_mw.sum() * kwh) if losses_mw.notna().any() else None,
        **gas_indicators(results, prosumers),
        **ledger_indicators(results),
        largest_difference_vm_pu=power_flow.get("largest_difference_vm_pu"),
        largest_difference_loading_percent=power_flow.get("largest_difference_loading_percent"),
        **coincidence_factors(results),
        forecast_quality=forecast_quality(results),
        parts=tuple(part for part in parts if part is not None),
    )
