"""The table of network charges, recomputed from the replayed chain and the scenario."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from cosim.replay.checks import MechanismChecks, Recompute
from cosim.replay.history import History
from cosim.units import amount_due_ueur, ueur_from_eur
from cosim_example.network_charges.settings import NetworkChargeSettings

CONTRACT = "NetworkCharges"


class NetworkChargeChecks(MechanismChecks[NetworkChargeSettings]):
    """Checks of the network charges."""

    def checks(self, history: History) -> Mapping[str, Recompute]:
        """Return the check of the table ``network_charges``."""
        key, method = ("interval", "prosumer"), "from the scenario, readings, and payments logged"
        rows = self._rows(history)
        return {"network_charges": lambda: history.compare("network_charges", key, method, rows)}

    def _rows(self, history: History) -> Iterator[dict[str, Any]]:
        names, clock = history.participants.prosumer_of, history.scenario.clock()
        peak, off_peak = (
            ueur_from_eur(self.settings.peak_eur_per_kwh),
            ueur_from_eur(self.settings.off_peak_eur_per_kwh),
        )
        metered = {
            (event.arguments["interval"], event.arguments["account"]): event.arguments["metered_wh"]
            for event in history.of("MarketSettlement", "IntervalSettled")
        }
        debts: dict[str, int] = defaultdict(int)
        for event in history.of(CONTRACT, "AccountCharged"):
            said = event.arguments
            interval, account = said["interval"], said["account"]
            hour = clock.wall_time(interval).hour
            charge = peak if hour in self.settings.peak_hours else off_peak
            drawn_wh = max(-metered[interval, account], 0)
            charged_ueur = amount_due_ueur(drawn_wh, charge)
            debts[account] += charged_ueur - said["paid_ueur"]
            yield {
                "interval": interval,
                "prosumer": names[account],
                "drawn_wh": drawn_wh,
                "charge_ueur_per_kwh": charge,
                "charged_ueur": charged_ueur,
                "paid_ueur": said["paid_ueur"],
                "debt_ueur": debts[account],
            }
