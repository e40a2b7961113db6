"""Connection points of a result, and the accounts and meters that stand for them."""

from __future__ import annotations

from functools import cached_property

from cosim.chain.roles import key_ring
from cosim.evm.accounts import account
from cosim.results.reader import Results
from cosim.scenario import Scenario
from cosim.scenario.prosumers import assign_meters


class Participants:
    """Connection points, accounts and meters of a result.

    Parameters
    ----------
    results : Results
    """

    def __init__(self, results: Results) -> None:
        self._results = results

    @cached_property
    def prosumers(self) -> tuple[str, ...]:
        """Connection points in their order."""
        if not self._results.is_long:
            return tuple(dict.fromkeys(self._results.table("prosumers")["prosumer"]))
        found: dict[str, None] = {}
        for rows in self._results.batches("prosumers", ("prosumer",)):
            found |= dict.fromkeys(rows["prosumer"].unique().to_pylist())
        return tuple(found)

    @cached_property
    def meters(self) -> tuple[str, ...]:
        """Their meters."""
        return assign_meters(self.prosumers, self._results.scenario.prosumers.meters)

    @cached_property
    def prosumer_of(self) -> dict[str, str]:
        """Connection points by the address of their account, ``0x`` and hexadecimal."""
        seed = self._results.scenario.seed
        return {account(seed, f"prosumer {name}").hex: name for name in self.prosumers}

    @cached_property
    def metered_by(self) -> dict[str, str]:
        """Connection points by the address of their meter."""
        seed = self._results.scenario.seed
        pairs = zip(self.prosumers, self.meters, strict=True)
        return {account(seed, f"meter {meter}").hex: name for name, meter in pairs}

    @property
    def keys(self) -> dict[bytes, bytes]:
        """Private keys by address of everybody who sends: they follow from the seed."""
        return key_ring(self._results.scenario.seed, self.prosumers, self.meters)


def deviation(scenario: Scenario) -> str | None:
    """Return why devices and agents need not be those of this version; None if they are."""
    if scenario.simulators:
        names = ", ".join(one.name for one in scenario.simulators)
        return f"the scenario has simulators of its own: {names}"
    if scenario.attack is not None and scenario.attack.active:
        return "the scenario is an attack"
    return None
