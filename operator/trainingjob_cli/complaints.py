"""Errors of the client in one line, with what to do next. Pure."""

from trainingjob_cli.exits import ExitCode
from trainingjob_client.errors import (
    AlreadyExistsError,
    ConflictError,
    EndedError,
    FinishedError,
    ForbiddenError,
    NoLogError,
    NotConfiguredError,
    NotFoundError,
    NotInstalledError,
    UnauthorizedError,
    UnavailableError,
    WaitTimeoutError,
)

_NEXT: dict[type[Exception], str] = {
    NotConfiguredError: "name a cluster by KUBECONFIG, or by --kubeconfig and --context",
    NotInstalledError: "{program} doctor says what is missing",
    FinishedError: "",
    AlreadyExistsError: "another name, or first {program} delete",
    NoLogError: "",
    NotFoundError: "{program} list -A shows those that there are",
    ForbiddenError: "ask whoever administers the cluster for the role trainingjob-edit or trainingjob-view",
    UnauthorizedError: "",
    WaitTimeoutError: "{program} describe says why",
    UnavailableError: "{program} doctor looks further",
    ConflictError: "try again",
}
"""By the first that fits."""


def words_of(error: Exception, program: str) -> str:
    """What has happened, and the next step."""
    told = " ".join(str(error).split())
    next_step = next((text for kind, text in _NEXT.items() if isinstance(error, kind)), "")
    return f"{told}; {next_step.format(program=program)}" if next_step else told


def code_of(error: Exception) -> ExitCode:
    if isinstance(error, EndedError):
        return ExitCode.JOB_FAILED
    if isinstance(error, WaitTimeoutError):
        return ExitCode.TIMED_OUT
    return ExitCode.FAILED
