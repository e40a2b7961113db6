"""Names, changes of hands and fees of the name registry in a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from cosim.report.indicator import IndicatorSet, Meaning, Rows
from cosim.report.text import number
from cosim.results.reader import Results
from cosim.units import eur_from_ueur


@dataclass(frozen=True)
class NameIndicators(IndicatorSet):
    """Indicators of a name registry."""

    names_registered: Annotated[int, Meaning("-", "names")]
    names_handed_on: Annotated[int, Meaning("-", "names that another household took over")]
    name_fees_eur: Annotated[float, Meaning("EUR", "paid to the registry, also before the run")]

    def rows(self) -> Rows:
        """Return what the terminal's summary shows of them."""
        return [
            (
                "Names registered / handed on",
                f"{self.names_registered} / {self.names_handed_on}",
            ),
            ("… fees of the name registry", number(self.name_fees_eur, "EUR", 2)),
        ]


def name_indicators(results: Results) -> NameIndicators:
    """Return the indicators of the name registry of a run."""
    rows = results.frame("names", ("name", "action", "registry_fee_ueur"))
    actions = rows["action"].value_counts()
    return NameIndicators(
        names_registered=int(actions.get("registered", 0)),
        names_handed_on=int(actions.get("accepted", 0)),
        name_fees_eur=eur_from_ueur(int(rows["registry_fee_ueur"].sum())),
    )
