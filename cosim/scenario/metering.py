"""Section ``metering``: who sends the readings of the meters."""

from __future__ import annotations

from pydantic import Field

from cosim.settings import Authority, BatchSize, Model, Submission


class MeteringSettings(Model):
    """Readings of the local market's meters, and who sends them."""

    submission: Submission = Field(
        "each",
        description="each: every meter sends its own; batched: the metering operator's head end "
        "sends them, batch_size at a time (docs/submission.md)",
    )
    batch_size: BatchSize = Field(
        64, description="most readings of a batch; fewer where half a block's gas holds fewer"
    )
    batch_authority: Authority = Field(
        "role",
        description="what the contract takes a batched reading for the meter's by: the head end's "
        "role, or the meter's signature",
    )
