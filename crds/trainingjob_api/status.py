"""What the operator writes under `status`; derived whole from what it observed."""

from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import Field, WithJsonSchema

from trainingjob_api.base import Count, Report, Time
from trainingjob_api.progress import EpochMetrics, TestMetrics


class Phase(StrEnum):
    """One word for people; nothing reads it to decide."""

    PENDING = "Pending"
    QUEUED = "Queued"
    STARTING = "Starting"
    RUNNING = "Running"
    FINISHING = "Finishing"
    PAUSING = "Pausing"
    PAUSED = "Paused"
    RESTARTING = "Restarting"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"


class ConditionType(StrEnum):
    READY = "Ready"
    RECONCILING = "Reconciling"
    STALLED = "Stalled"
    SUSPENDED = "Suspended"
    RUNNING = "Running"
    COMPLETE = "Complete"
    FAILED = "Failed"
    CHECKPOINT_AVAILABLE = "CheckpointAvailable"


class Reason(StrEnum):
    """Every reason that a condition or an attempt's end can have."""

    # the training's way
    PENDING = "Pending"
    STARTING = "Starting"
    TRAINING = "Training"
    FINISHING = "Finishing"
    COMPLETED = "Completed"
    EARLY_STOPPED = "EarlyStopped"
    ALREADY_COMPLETED = "AlreadyCompleted"
    FINISHED = "Finished"
    AS_SPECIFIED = "AsSpecified"
    NOT_REQUESTED = "NotRequested"
    # waiting
    WAITING_FOR_QUEUE = "WaitingForQueue"
    UNSCHEDULABLE = "Unschedulable"
    IMAGE_PULL_FAILED = "ImagePullFailed"
    VOLUME_MISSING = "VolumeMissing"
    STILL_TERMINATING = "StillTerminating"
    RESTARTING = "Restarting"
    CONTAINER_NOT_CREATED = "ContainerNotCreated"
    # pause
    PAUSED_BY_USER = "PausedByUser"
    PAUSED_BY_QUEUE = "PausedByQueue"
    SAVING_CHECKPOINT = "SavingCheckpoint"
    SPEC_CHANGED = "SpecChanged"
    # checkpoints
    CHECKPOINT_SAVED = "CheckpointSaved"
    NO_CHECKPOINT = "NoCheckpoint"
    NOT_REPORTED = "NotReported"
    EPHEMERAL_VOLUME = "EphemeralVolume"
    SAVE_FAILED = "SaveFailed"
    # what cannot go on without a person
    INVALID_SPEC = "InvalidSpec"
    RECONCILE_FAILED = "ReconcileFailed"
    STATUS_REFUSED = "StatusRefused"
    UNREADABLE_CHILD = "UnreadableChild"
    ORPHANED_PODS = "OrphanedPods"
    CONTAINER_LEFT = "ContainerLeft"
    NAME_TAKEN = "NameTaken"
    NODE_LOST = "NodeLost"
    FORBIDDEN = "Forbidden"
    # how an attempt ended
    PREEMPTED = "Preempted"
    DISRUPTED = "Disrupted"
    EVICTED = "Evicted"
    POD_REFUSED = "PodRefused"
    PARTLY_PLACED = "PartlyPlaced"
    KILLED = "Killed"
    CRASH = "Crash"
    USER_ERROR = "UserError"
    DATA_ERROR = "DataError"
    NON_FINITE = "NonFinite"
    OUT_OF_MEMORY = "OutOfMemory"
    HANG = "Hang"
    PEER_LOST = "PeerLost"
    GRACE_EXCEEDED = "GraceExceeded"
    CHECKPOINT_CORRUPT = "CheckpointCorrupt"
    CHECKPOINT_MISMATCH = "CheckpointMismatch"
    FOLDER_IN_USE = "FolderInUse"
    VOLUME_NOT_WRITABLE = "VolumeNotWritable"
    START_DEADLINE_EXCEEDED = "StartDeadlineExceeded"
    DEADLINE_EXCEEDED = "DeadlineExceeded"
    RESTART_BUDGET_SPENT = "RestartBudgetSpent"
    UNKNOWN = "Unknown"


def _open(words: str) -> WithJsonSchema:
    """Words of status are open: a release that does not know one yet, or no more, still reads and keeps it."""
    return WithJsonSchema({"type": "string", "description": words})


_KNOWN_FIRST: Any = Field(union_mode="left_to_right")
OpenPhase = Annotated[
    Phase | str, _KNOWN_FIRST, _open(f"One word for people; nothing reads it to decide: {', '.join(Phase)}.")
]
OpenReason = Annotated[Reason | str, _KNOWN_FIRST, _open("One word; docs/reference.md lists them.")]
OpenConditionType = Annotated[ConditionType | str, _KNOWN_FIRST, _open(f"{', '.join(ConditionType)}.")]


class Condition(Report):
    """As metav1.Condition."""

    type: OpenConditionType
    status: Literal["True", "False", "Unknown"]
    observed_generation: int
    last_transition_time: Time
    reason: OpenReason
    message: str = Field(default="", max_length=32768)


class ProgressStatus(Report):
    """A sparse summary of the running attempt."""

    epoch: Count
    epochs: Count
    step: Count
    epoch_text: str = Field(description="Such as 37/100.")
    percent: int | None = Field(default=None, description="Unset: nobody knows how many epochs there will be.")
    samples_per_second: float | None = None
    seconds_remaining: Count | None = None
    remaining_text: str | None = Field(default=None, description="Such as 1m2s.")
    doing: str | None = Field(
        default=None, description="What is being done after the last epoch, such as 'exporting to ONNX (3/4)'."
    )
    update_time: Time


class MetricsStatus(Report):
    """Latest and best epoch, and the test."""

    latest: EpochMetrics | None = None
    best: EpochMetrics | None = None
    test: TestMetrics | None = None


class CheckpointStatus(Report):
    """The newest checkpoint that the trainer has reported."""

    step: Count
    epoch: Count
    path: str = Field(description="In the volume.")
    size_bytes: Count
    save_time: Time
    save_seconds: float


Evidence = Literal["PodReport", "JobCondition", "NextAttempt"]
OpenEvidence = Annotated[Evidence | str, WithJsonSchema({"type": "string"})]


class PauseStatus(Report):
    """What the last pause saved, and how that is known."""

    request_time: Time
    saved_step: Count | None = Field(default=None, description="None: not known, or nothing was saved.")
    saved_time: Time | None = None
    lost_steps: Count | None = Field(
        default=None, description="Steps that its attempt did and has not saved: they will be done again."
    )
    resources_released: bool
    evidence: OpenEvidence | None = Field(
        default=None,
        description="PodReport: the pods said so; NextAttempt: read from the checkpoint when the job went on.",
    )
    completed_time: Time | None = Field(default=None, description="When no pod was left.")


class ResumeStatus(Report):
    """From where the current attempt went on."""

    from_step: Count
    from_attempt: Count
    exactness: str = Field(description="Bitwise, StepExact or Approximate.")
    reason: str | None = None


class FailureStatus(Report):
    """The last attempt that did not end well."""

    attempt: int
    reason: OpenReason
    message: str
    exit_code: int | None = None
    pod: str | None = None
    time: Time
    evidence: OpenEvidence | None = Field(default=None, description="Unset: nobody saw the end.")


class JobReference(Report):
    """The current attempt's Job: once its UID is recorded, it is never created again."""

    name: str
    uid: str | None = Field(default=None, description="Unset until the Job was seen.")
    end: OpenReason | None = Field(default=None, description="How the attempt ended; unset while it goes on.")


class TrainingJobStatus(Report):
    """What the operator writes."""

    observed_generation: int = 0
    phase: OpenPhase = Phase.PENDING
    conditions: list[Condition] = Field(
        default=[],
        max_length=16,
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
    )
    attempt: int = Field(default=0, description="Counts every start, resume included.")
    nodes: int | None = Field(default=None, description="Pods of that attempt.")
    restarts: int = Field(default=0, description="Only failures that spent the budget.")
    recent_restarts: int | None = Field(
        default=None, description="Those that count against restart.maxRestarts: since training last went well."
    )
    fruitless_attempts: int = Field(
        default=0, description="In a row without a new checkpoint; the wait before the next grows with them."
    )
    disruptions: int = Field(default=0, description="Drains, preemptions and lost nodes; they never spend it.")
    start_time: Time | None = None
    completion_time: Time | None = None
    progress: ProgressStatus | None = None
    metrics: MetricsStatus | None = None
    checkpoint: CheckpointStatus | None = None
    pause: PauseStatus | None = None
    resume: ResumeStatus | None = None
    notices: list[Annotated[str, Field(max_length=2048)]] = Field(
        default=[],
        max_length=8,
        description="What to know of data and recipe, such as what lies there and is not read.",
    )
    last_failure: FailureStatus | None = None
    job: JobReference | None = None
    service: str | None = None
    volume_claim: str | None = None
    retry_time: Time | None = Field(default=None, description="While restarting: when the next attempt begins.")

    @property
    def spent_restarts(self) -> int:
        """Restarts that count against the budget."""
        return self.restarts if self.recent_restarts is None else self.recent_restarts

    def condition(self, type: str) -> Condition | None:
        return next((c for c in self.conditions if c.type == type), None)

    def is_true(self, type: ConditionType) -> bool:
        condition = self.condition(type)
        return condition is not None and condition.status == "True"

    @property
    def is_finished(self) -> bool:
        return self.is_true(ConditionType.COMPLETE) or self.is_true(ConditionType.FAILED)
