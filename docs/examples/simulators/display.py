"""A simulator in a process of its own: prints voltage, loading and price of every interval.

It needs mosaik's API and nothing of cosim. A scenario starts it by
``cmd: "%(python)s display.py %(addr)s"``; ``start_simulation`` connects to that address.
"""

from __future__ import annotations

from typing import Any

import mosaik_api_v3

META = {
    "api_version": "3.0",
    "type": "time-based",
    "models": {
        "Display": {"public": True, "params": [], "attrs": ["voltage", "loading", "prices"]},
    },
}
STEP_S = 900


class DisplaySimulator(mosaik_api_v3.Simulator):
    """Shows what it reads."""

    def __init__(self) -> None:
        super().__init__(META)

    def init(self, sid: str, time_resolution: float = 1.0, step_s: int = STEP_S) -> dict[str, Any]:
        """Take the length of an interval. [s]"""
        self.step_s = step_s
        return self.meta

    def create(self, num: int, model: str) -> list[dict[str, Any]]:
        """Create the display."""
        return [{"eid": "display", "type": model}]

    def step(self, time: int, inputs: dict[str, Any], max_advance: int) -> int:
        """Print what was read of the interval that begins at this time."""
        read = {name: next(iter(of.values())) for name, of in inputs.get("display", {}).items()}
        if prices := read.get("prices"):  # absent in the last step, which only settles
            print(
                f"interval {time // self.step_s}: {read['voltage']:.4f} pu, "
                f"{read['loading']:.1f} %, {prices['price_ueur_per_kwh'][0]} µEUR/kWh",
                flush=True,
            )
        return time + self.step_s

    def get_data(self, outputs: dict[str, list[str]]) -> dict[str, Any]:
        """Give nothing: it only reads."""
        return {}


if __name__ == "__main__":
    mosaik_api_v3.start_simulation(DisplaySimulator())
