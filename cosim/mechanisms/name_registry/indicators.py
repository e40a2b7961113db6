"""What the name registry did in a run."""

from __future__ import annotations

from typing import Any

from cosim.results.reader import Results
from cosim.units import eur_from_ueur

NAME_INDICATORS = ("names_registered", "names_handed_on", "name_fees_eur")


def name_indicators(results: Results) -> dict[str, Any]:
    """Names registered, names that another household accepted, and fees paid to the registry.

    Returns
    -------
    dict of str to int, float or None
        None without names. [-, -, EUR]
    """
    rows = results.frame("names", ("name", "action", "fee_ueur"))
    if rows.empty:
        return dict.fromkeys(NAME_INDICATORS)
    actions = rows["action"].value_counts()
    return {
        "names_registered": int(actions.get("registered", 0)),
        "names_handed_on": int(actions.get("accepted", 0)),
        "name_fees_eur": eur_from_ueur(int(rows["fee_ueur"].sum())),
    }
