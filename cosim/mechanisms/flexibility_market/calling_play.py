"""Random calling in a run: links of the DSO, draws after each interval's offers, cuts it orders."""

from __future__ import annotations

from dataclasses import replace

from cosim.clock import DeliveryClock
from cosim.mechanisms.deployment import Deployment
from cosim.mechanisms.flexibility_market.calling import Calling, CallingTerms, hash_chain
from cosim.mechanisms.flexibility_market.outcomes import (
    AppraisedDraw,
    CallStep,
    FlexibilityInterval,
)
from cosim.mechanisms.flexibility_market.requests import Requests
from cosim.messages import DecisionMessage
from cosim.messages.extras import CallingAppraisal
from cosim.units import IntArray


def links_of(deployment: Deployment, n_intervals: int) -> tuple[bytes, ...]:
    """Return the DSO's chain of hashes, a draw for every interval; the secret is first."""
    return hash_chain(deployment.dso.private_key + b"calls", n_intervals)


def with_last_link(terms: CallingTerms, deployment: Deployment, n_intervals: int) -> CallingTerms:
    """Return terms with the end of the DSO's chain of hashes, where calls are drawn."""
    if not terms.is_random:
        return terms
    return replace(terms, last_link=links_of(deployment, n_intervals)[-1])


class CallingPlay:
    """Part of a flexibility market that draws who may be awarded.

    Parameters
    ----------
    deployment : Deployment
    clock : DeliveryClock
    terms : CallingTerms
        With the end of the chain of hashes.
    requests : Requests
        Through which the DSO transacts.
    """

    def __init__(
        self,
        deployment: Deployment,
        clock: DeliveryClock,
        terms: CallingTerms,
        requests: Requests,
    ) -> None:
        self.terms = terms
        self._requests = requests
        self._names = [account.name for account in deployment.prosumers]
        self._links = links_of(deployment, clock.n_intervals) if terms.is_random else ()

    def model(self, deployment: Deployment) -> Calling:
        """Return the model of the contract's draws."""
        return Calling(self.terms, {one.name: one.address for one in deployment.prosumers})

    def draw(self, interval: int, state: FlexibilityInterval, model: Calling) -> None:
        """Close an interval's offers and draw who may be awarded; the others are left out.

        Nobody may where no block takes the draw in time, and nobody owes anything for it.
        """
        if self._requests.close_offers(interval):
            model.close(interval)
            link = self._links[-2 - interval]
            if self._requests.draw(interval, link, interval - model.following):
                model.draw(interval, link)
        every, state.offers = state.offers, []
        for request, o in every:
            is_called = model.is_called(interval, self._names[request.prosumers[o]])
            (state.offers if is_called else state.left_out).append((request, o))
        if model.seed_of(interval) is not None:
            state.uncalled |= {request.prosumers[o] for request, o in state.left_out}

    def appraised(
        self,
        interval: int,
        state: FlexibilityInterval,
        decision: DecisionMessage,
        model: Calling,
    ) -> AppraisedDraw | None:
        """Return the draw of the last offers with its cost; None where nothing is drawn."""
        appraisal = decision.extras.of(CallingAppraisal)
        if appraisal is None:
            return None
        seed = model.seed_of(interval)
        called, left_out = (
            {request.prosumers[o] for request, o in offers}
            for offers in (state.offers, state.left_out)
        )
        prices = [block.price_ueur_per_kwh for _, _, block in state.rows()]
        prices += state.uncalled_offers().price_ueur_per_kwh.tolist()
        return AppraisedDraw(
            None if seed is None else seed.hex(),
            len(called | left_out),
            len(called),
            tuple(prices),
            appraisal,
        )

    def order_cuts(
        self,
        interval: int,
        state: FlexibilityInterval,
        curtailed_wh: IntArray,
        model: Calling,
    ) -> None:
        """Note on the ledger what the DSO cuts of those that were not called.

        Parameters
        ----------
        interval : int
        state : FlexibilityInterval
            With what the contract knows already; brought up to date.
        curtailed_wh : (n,) int64
            In force. [Wh]
        model : Calling
        """
        cuts_wh = {
            i: int(curtailed_wh[i])
            for i in sorted(state.uncalled)
            if int(curtailed_wh[i]) != state.cuts_wh.get(i, 0)
        }
        for batch in self._requests.order_cuts(interval, cuts_wh):
            for i in batch:
                model.order_cut(interval, self._names[i], cuts_wh[i])
                state.cuts_wh[i] = cuts_wh[i]

    def reread(self, interval: int, step: CallStep, model: Calling) -> None:
        """Follow in the model what the chain holds of a step after a reorganisation."""
        if step.cuts_wh is not None:
            for i, cut_wh in step.cuts_wh.items():
                model.order_cut(interval, self._names[i], cut_wh)
        elif step.link is not None:
            model.draw(interval, step.link)
        else:
            model.close(interval)
