"""Meters of the local market's members, as the registry's calldata and ``join`` tell them."""

from __future__ import annotations

from typing import Any

from cosim.clock import DeliveryClock
from cosim.replay.history import Sent


class MemberMeters:
    """Registry of meters and memberships of a replayed chain, transaction by transaction.

    Parameters
    ----------
    clock : DeliveryClock
    """

    def __init__(self, clock: DeliveryClock) -> None:
        self._clock = clock
        self._registered: dict[str, tuple[str, int]] = {}
        self._joined: dict[str, tuple[str, int]] = {}

    def take(self, sent: Sent) -> None:
        """Note what a successful transaction changes; others change nothing."""
        if sent.refused_with is not None:
            return
        said, at_s = sent.call.arguments, int(sent.included.included_at_s)
        match sent.call.contract, sent.call.method:
            case "SmartMeters", "registerMeter":
                self._registered[_hex(said["meter"])] = (_hex(said["customer"]), at_s)
            case "SmartMeters", "unregisterMeter":
                self._registered.pop(_hex(said["meter"]), None)
            case "LocalMarket", "join":
                ahead_s = at_s - self._clock.delivery_start_s(0)
                first = max(-(-ahead_s // self._clock.step_s), 0)
                self._joined[sent.sender] = (_hex(said["meter"]), first)

    def is_metered(self, interval: int, account: str) -> bool:
        """Tell if an account took part with a meter of its own since before the interval began.

        Parameters
        ----------
        interval : int
        account : str
            Address as 0x hex.
        """
        meter, first = self._joined.get(account, ("", 0))
        customer, since_s = self._registered.get(meter, ("", 0))
        in_time = since_s <= self._clock.delivery_start_s(interval) and first <= interval
        return customer == account and in_time


def _hex(address: Any) -> str:
    return "0x" + bytes(address).hex()
