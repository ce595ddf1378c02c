"""spec.routing: which worker a request gets."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from tidegate.api.base import Model


class Routing(Model):
    """Which worker a request gets, and whether it may go to a second one."""

    policy: Literal["LeastInFlight", "PrefixAffinity"] = Field(
        default="LeastInFlight",
        description=(
            "LeastInFlight: the worker that runs the fewest requests. PrefixAffinity: prompts that begin "
            "alike go to the same worker, whose prefix cache then has their beginning, as long as it runs "
            "less than 1.25 times its even share of all requests and has a free slot. Default: LeastInFlight."
        ),
    )
    retry_unstarted: bool = Field(
        default=True,
        description=(
            "Whether a request whose worker fails before a byte of the answer was passed on is sent to "
            "another worker, or waits for one. False: it is answered with 502 at once. Default: true."
        ),
    )
