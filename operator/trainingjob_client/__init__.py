"""TrainingJobs from Python: submit, watch, pause, resume, wait, read. `TrainingJobs` for programs and notebooks,
`AsyncTrainingJobs` where there is an event loop. docs/client.md shows how."""

from trainingjob_client.errors import (
    AlreadyExistsError,
    ClientError,
    ConflictError,
    EndedError,
    FinishedError,
    ForbiddenError,
    ManifestError,
    NoLogError,
    NotConfiguredError,
    NotFoundError,
    NotInstalledError,
    RefusedError,
    UnauthorizedError,
    UnavailableError,
    WaitTimeoutError,
)
from trainingjob_client.history import JobHistory
from trainingjob_client.job import Change, Event, Job, Page, Pod
from trainingjob_client.jobs import AsyncTrainingJobs, Until
from trainingjob_client.sync import TrainingJobs

__all__ = [
    "AlreadyExistsError",
    "AsyncTrainingJobs",
    "Change",
    "ClientError",
    "ConflictError",
    "EndedError",
    "Event",
    "FinishedError",
    "ForbiddenError",
    "Job",
    "JobHistory",
    "ManifestError",
    "NoLogError",
    "NotConfiguredError",
    "NotFoundError",
    "NotInstalledError",
    "Page",
    "Pod",
    "RefusedError",
    "TrainingJobs",
    "UnauthorizedError",
    "UnavailableError",
    "Until",
    "WaitTimeoutError",
]
