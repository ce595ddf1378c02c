"""spec.engine.sleep: when an idle engine frees its device's memory."""

from __future__ import annotations

from pydantic import Field

from tidegate.api.base import Model


class Sleep(Model):
    """When an idle engine frees its device's memory while its worker goes on."""

    after_seconds: int = Field(
        ge=1,
        le=604800,
        description=(
            "Seconds without a request after which the engine frees its device's memory; the next request "
            "wakes it first, and none is lost. Less than scaling.idleTimeoutSeconds, after which the whole "
            "worker goes, unless workers are always kept."
        ),
    )
    level: int = Field(
        default=1,
        ge=1,
        le=2,
        description=(
            "1: the weights lie in the worker's memory meanwhile, of which resources.memory must have enough "
            "for them too; it wakes as fast as they are copied back. 2: they are dropped, and read again "
            "from where the model lies. Default: 1."
        ),
    )
