"""Restarts and deadlines: `spec.restart`, `spec.deadlines`."""

from typing import Annotated

from pydantic import ConfigDict, Field, model_validator

from trainingjob_api.base import Model, rule, rules

_LEAST_BEFORE_MOST = "backoffSeconds (default 10) must not exceed maxBackoffSeconds (default 300)"


class Restart(Model):
    """What happens after a crash. Pauses, drains and lost nodes do not count."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "(has(self.backoffSeconds) ? self.backoffSeconds : 10)"
                " <= (has(self.maxBackoffSeconds) ? self.maxBackoffSeconds : 300)",
                _LEAST_BEFORE_MOST,
                ".backoffSeconds",
            )
        )
    )

    max_restarts: int = Field(
        default=3, ge=0, le=1000, description="How many in a row; after resetSeconds of training they begin anew."
    )
    backoff_seconds: int = Field(default=10, ge=0, le=86_400, description="Doubles with every restart.")
    max_backoff_seconds: int = Field(default=300, ge=0, le=86_400)
    reset_seconds: int = Field(
        default=3600,
        ge=1,
        le=31_536_000,
        description="After so long of training, with something saved, restarts and backoff begin anew.",
    )

    @model_validator(mode="after")
    def _least_before_most(self) -> "Restart":
        if self.backoff_seconds > self.max_backoff_seconds:
            raise ValueError(_LEAST_BEFORE_MOST)
        return self


class Deadlines(Model):
    """How long things may take."""

    start_seconds: int = Field(
        default=600,
        ge=1,
        le=864_000,
        description="From the start of the last pod to the first step; as long the pods that run wait for the others.",
    )
    step_seconds: int = Field(
        default=600,
        ge=1,
        le=864_000,
        description="No step for so long is a hang; evaluation and saving have their own allowance.",
    )
    save_seconds: int = Field(
        default=60,
        ge=1,
        le=86_400,
        description="How long a pause may take to save; the pods' grace period derives from it.",
    )
    total_seconds: Annotated[int, Field(ge=1, le=31_536_000)] | None = Field(
        default=None, description="From the first start to the end, pauses included. Default: none."
    )
