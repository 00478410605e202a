"""Environment -> frozen settings."""

import logging
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from math import inf
from typing import Any, Literal, get_args

from trainingjob_api.contract import RELEASE

PREFIX = "TRAININGJOB_OPERATOR_"
LogFormat = Literal["text", "json"]


_ABOVE_ZERO = "workers", "relist_seconds", "poll_seconds", "progress_writes_per_second", "retry_seconds"


@dataclass(frozen=True)
class Settings:
    """Everything that can be set; each field is one variable, `TRAININGJOB_OPERATOR_<FIELD>`."""

    namespaces: tuple[str, ...] = ()
    """Comma-separated namespaces to serve; none: all of the cluster."""
    trainer_image: str = f"ghcr.io/trainingjob/trainer:{RELEASE}"
    """Image of pods whose TrainingJob names none."""
    address: str = "0.0.0.0"  # noqa: S104  (scraped and probed from other hosts)
    """Where /metrics, /healthz and /readyz are served."""
    port: int = 8080
    metrics_auth: bool = False
    """Whether /metrics wants a token that the API server knows and allows to get it."""
    metrics_port: int = 8443
    """The port of /metrics, with TLS, if it does."""
    metrics_keep_seconds: int = 86_400
    """How long the series of a TrainingJob stay at /metrics after it has ended."""
    log_format: LogFormat = "text"
    """text or json."""
    log_level: str = "INFO"
    workers: int = 16
    """TrainingJobs that are worked on at the same time."""
    relist_seconds: int = 60
    """How often everything is listed, to find what the watches missed."""
    poll_seconds: float = 5.0
    """How often rank 0 is asked for its progress."""
    progress_writes_per_second: float = 20.0
    """How often progress is written into status, of all TrainingJobs together; what matters more is not held back."""
    retry_seconds: float = 15.0
    """How often something is tried again that was refused, by a quota or because a name is taken."""

    network_policy_from: tuple[str, ...] = ()
    """Make a NetworkPolicy for each TrainingJob: its pods reach each other, and these namespaces (names, or label=value
    of several, comma-separated: the operator's and that of Prometheus) their progress and metrics; none: no policy."""

    lease: str = ""
    """namespace/name of the Lease by which replicas agree on who acts; none: this process acts whoever else does."""

    def __post_init__(self) -> None:
        for name in _ABOVE_ZERO:
            if not 0 < getattr(self, name) < inf:
                raise ValueError(f"{PREFIX}{name.upper()} must be above 0, not {getattr(self, name)}")
        if self.lease and not re.fullmatch("[^/]+/[^/]+", self.lease):
            raise ValueError(f"{PREFIX}LEASE must be namespace/name, not {self.lease!r}")
        if self.log_format not in get_args(LogFormat):
            raise ValueError(f"{PREFIX}LOG_FORMAT must be one of {', '.join(get_args(LogFormat))}")
        if self.log_level not in logging.getLevelNamesMapping():
            raise ValueError(f"{PREFIX}LOG_LEVEL must be one of {', '.join(logging.getLevelNamesMapping())}")

    @property
    def is_cluster_wide(self) -> bool:
        return not self.namespaces


def from_environment(environment: Mapping[str, str] = os.environ) -> Settings:
    """The settings, or ValueError naming the variable that is wrong."""
    given = {field.name: environment.get(PREFIX + field.name.upper()) for field in fields(Settings)}
    return Settings(**{name: _parsed(name, text) for name, text in given.items() if text})


def _parsed(name: str, text: str) -> Any:
    if left := re.search(r"\$\(\w+\)", text):
        raise ValueError(
            f"{PREFIX}{name.upper()} has {left[0]}, which must come before it among the container's variables"
        )
    default: Any = next(field.default for field in fields(Settings) if field.name == name)
    if isinstance(default, tuple):
        return tuple(part.strip() for part in text.split(",") if part.strip())
    if isinstance(default, bool):
        return _truth(name, text)
    try:
        return type(default)(text)
    except ValueError:
        raise ValueError(f"{PREFIX}{name.upper()} must be a number, not {text!r}") from None


def _truth(name: str, text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise ValueError(f"{PREFIX}{name.upper()} must be true or false, not {text!r}")
    return text.lower() == "true"
