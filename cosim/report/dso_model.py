"""The DSO's model of the network in words: where it differs, and who is not metered.

What a DSO checks schedules with is its own model (``grid.dso_model``). Checks of the stages
``scheduled`` and ``relieved`` are therefore what it believes; those of ``delivered`` are solved on
the network itself.
"""

from __future__ import annotations

from cosim.grid.unmetered import drawn_metering
from cosim.plugins.mechanism import added_names
from cosim.results.reader import Results
from cosim.scenario.grid import DsoModelSettings

BELIEVED = "before and after flexibility: what the DSO believes; delivered: the network itself"


def model_text(results: Results) -> str | None:
    """Return where the DSO's model differs from the network, None where it does not."""
    settings = _settings(results)
    parts = []
    if settings.impedance_factor != 1:
        parts.append(f"impedances × {settings.impedance_factor:g}")
    if settings.tap_offset:
        n = abs(settings.tap_offset)
        sign = "+" if settings.tap_offset > 0 else "−"
        word = "position" if n == 1 else "positions"
        parts.append(f"taps without a controller {sign}{n} {word} off")
    if unseen := unmetered_names(results):
        parts.append(f"{len(unseen)} of {len(_points(results))} connection points unmetered")
    return ", ".join(parts) or None


def unmetered_names(results: Results) -> list[str]:
    """Return the connection points that the DSO does not see, in the order of the network."""
    share = _settings(results).unmetered_share
    if not share:
        return []
    names = _points(results)
    seed = int(results.scenario_fields["seed"])
    metering = drawn_metering(names, share, seed, added_names(results.scenario.mechanisms()))
    return [] if metering is None else [names[i] for i in metering.unmetered.nonzero()[0]]


def model_definitions(results: Results) -> list[tuple[str, str]]:
    """Return what the DSO's model means for the numbers, where it differs from the network."""
    text = model_text(results)
    if text is None:
        return []
    found = (
        f"The DSO checks schedules, and buys flexibility, by a model of its own: {text}. All that "
        "is called before or after flexibility, schedule or scheduled is what it believes; what is "
        "delivered is the network as it is, so that a difference of both need not come from what "
        "was done in between."
    )
    if unseen := unmetered_names(results):
        found += (
            f" Unmetered, and taken for the mean of the other connection points: "
            f"{', '.join(unseen)}."
        )
    return [("DSO's model", found)]


def _settings(results: Results) -> DsoModelSettings:
    return DsoModelSettings.model_validate(results.scenario_fields["grid"].get("dso_model") or {})


def _points(results: Results) -> list[str]:
    """Return the names of all connection points, in the order of the network."""
    names = results.frame("prosumers", ("prosumer",))["prosumer"]
    return list(dict.fromkeys(names.astype(str)))
