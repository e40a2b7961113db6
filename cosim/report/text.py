"""Numbers as text, for the terminal and for reports."""

from __future__ import annotations

from collections.abc import Mapping


def number(value: float | None, unit: str = "", digits: int = 1) -> str:
    """Return a number with thousands set apart and its unit; an em dash where there is none."""
    if value is None:
        return "—"
    text = f"{value:,.{digits}f}".replace(",", "\u202f").replace("-", "−")
    if not any(character in "123456789" for character in text):
        text = text.removeprefix("−")
    return f"{text}\u00a0{unit}" if unit else text


def plus_minus(
    value: float | None, half_width: float | None, unit: str = "", digits: int = 1
) -> str:
    """Return a number, with half of its interval where that is known."""
    if value is None or half_width is None:
        return number(value, unit, digits)
    return f"{number(value, '', digits)}\u00a0± {number(half_width, unit, digits)}"


def percent(value: float | None) -> str:
    """Return a share in percent."""
    return number(None if value is None else 100 * value, "%")


def span(lowest: float | None, highest: float | None) -> str:
    """Return a range of voltages."""
    return "—" if lowest is None else f"{number(lowest, '', 4)} to {number(highest, '', 4)}"


def times(values_s: Mapping[str, float] | None) -> str:
    """Return mean, 95th percentile where there is one, and longest time."""
    if values_s is None:
        return "—"
    shown = (values_s[key] for key in ("mean", "p95", "max") if key in values_s)
    return " / ".join(number(value) for value in shown) + "\u00a0s"


def risks(probabilities: Mapping[str, float]) -> str:
    """Return probabilities of a reversal in percent, however small."""
    return " / ".join(f"{100 * p:.2g}" for p in probabilities.values()) + "\u00a0%"


def confirmations_text(waits: int) -> str:
    """Return a number of confirmations in words."""
    return "1 confirmation" if waits == 1 else f"{waits} confirmations"


def on_top(waits: int) -> str:
    """Return a number of confirmations as blocks that lie on top."""
    return "1 block on top" if waits == 1 else f"{waits} blocks on top"
