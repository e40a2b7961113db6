"""Transactions before delivery, interval by interval, as the chain holds them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from cosim.chain.blocks import Included
from cosim.mechanisms.deployment import Deployment
from cosim.mechanisms.flexibility_market.client import FlexibilityMarket
from cosim.mechanisms.flexibility_market.curves import Blocks
from cosim.mechanisms.flexibility_market.outcomes import CallStep, FlexibilityStep, Request


@dataclass(frozen=True)
class Step:
    """A transaction before delivery: a request, an offer, awards, or what a draw needs."""

    handle: int
    request: int
    opens: Request | None = None
    offer: tuple[int, int, Blocks, int] | None = None
    awards: Mapping[int, int] = field(default_factory=dict)
    call: CallStep | None = None


class RequestSteps:
    """Steps of every interval before its delivery, and the requests that follow from them.

    Parameters
    ----------
    deployment : Deployment
        With the contract.
    """

    def __init__(self, deployment: Deployment) -> None:
        self.client = deployment.client(FlexibilityMarket)
        self.chain = deployment.chain
        self._requests: dict[int, list[Request]] = {}
        self._steps: dict[int, list[Step]] = {}

    def begin(self, interval: int) -> None:
        """Forget what was sent for an interval before it began."""
        self._steps[interval] = []

    def reread(self, interval: int) -> tuple[FlexibilityStep | CallStep, ...]:
        """Return requests, offers and awards of an interval as the chain holds them now."""
        taken = []
        for step in self._steps.get(interval, ()):
            included = self.chain.included(step.handle)
            if included is not None and included.receipt.status:
                taken.append((included.block, included.index, step, included))
        requests: dict[int, Request] = {}
        steps: list[FlexibilityStep | CallStep] = []
        for _, _, step, included in sorted(taken, key=lambda row: row[:2]):
            if step.opens is not None:
                number = self._number(included)
                opened = step.opens
                requests[number] = Request(number, interval, opened.direction, opened.quantity_wh)
                steps.append(FlexibilityStep(requests[number]))
                continue
            if step.call is not None:
                steps.append(step.call)
                continue
            request = requests[step.request]
            if step.offer is not None:
                request.add_offer(*step.offer)
                steps.append(FlexibilityStep(request, offer=len(request.prosumers) - 1))
            else:
                awarded = {request.prosumers.index(i): wh for i, wh in step.awards.items()}
                for o, wh in awarded.items():
                    request.awarded_wh[o] += wh
                steps.append(FlexibilityStep(request, awarded_wh=awarded))
        self._requests[interval] = list(requests.values())
        return tuple(steps)

    def number_of(self, request: Request | None) -> int | None:
        """Return the number that the chain gave a request, as it stands; None if it has none."""
        for step in () if request is None else self._steps.get(request.interval, ()):
            if step.opens is request:
                included = self.chain.included(step.handle)
                if included is not None and included.receipt.status:
                    return self._number(included)
        return None

    def paid_by(self, interval: int) -> Iterator[tuple[int, int]]:
        """Prosumer and handle of every offer of an interval, which is forgotten."""
        for step in self._steps.pop(interval, []):
            if step.offer is not None:
                yield step.offer[0], step.handle

    def _note(self, interval: int, step: Step) -> None:
        self._steps.setdefault(interval, []).append(step)

    def _number(self, included: Included) -> int:
        """Number of the request that a transaction opened."""
        return next(
            int(arguments["request"])
            for name, arguments in self.client.events(included)
            if name == "RequestOpened"
        )
