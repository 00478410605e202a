"""What a trainer tells: its configuration in, `/progress` and the termination message out."""

import re
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from trainingjob_api.base import Count, Report, Time
from trainingjob_api.contract import TERMINATION_MESSAGE_LIMIT, ExitCode
from trainingjob_api.spec.checkpoint import DEFAULT_SECONDS, CheckpointInterval
from trainingjob_api.spec.lifecycle import Deadlines
from trainingjob_api.spec.script import Script
from trainingjob_api.spec.training import Training

Message = Annotated[str, Field(max_length=2048)]


class RunConfig(Report):
    """What the operator tells an attempt's trainers, as JSON in environment variables."""

    namespace: str
    name: str
    uid: str = Field(description="Of the TrainingJob: whose checkpoints these are.")
    attempt: int = Field(ge=1)
    training: Training | None = None
    script: Script | None = None
    checkpoint_path: str = Field(description="The job's folder, as the trainer sees it.")
    checkpoint_every: CheckpointInterval = CheckpointInterval(seconds=DEFAULT_SECONDS)
    keep_last: int = 2
    deadlines: Deadlines = Deadlines()
    history_wait_seconds: int = Field(
        default=0,
        description="Rank 0 stays at most so long after its end until somebody has asked for its newest epochs.",
    )
    identity: dict[str, str] = Field(
        default={},
        description="Of what was written; empty: that of `training` or `script`, whose paths may be translated.",
    )

    @property
    def recipe(self) -> Training:
        """What the built-in trainer is to do; a program of the user's own has none."""
        assert self.training is not None
        return self.training

    @property
    def epochs_asked(self) -> int | None:
        """None: the data or the program will tell."""
        return self.training.total_epochs if self.training else None

    @model_validator(mode="after")
    def _one_thing_to_do(self) -> "RunConfig":
        if (self.training is None) == (self.script is None):
            raise ValueError("exactly one of training and script is needed")
        return self


class State(StrEnum):
    """What the trainer is doing."""

    STARTING = "starting"
    RUNNING = "running"
    """A program of the user's own that does not report."""
    RESTORING = "restoring"
    TRAINING = "training"
    EVALUATING = "evaluating"
    SAVING = "saving"
    STOPPING = "stopping"
    FINISHING = "finishing"
    """After the last epoch: test, export, pictures, report."""
    FINISHED = "finished"

    @classmethod
    def _missing_(cls, value: object) -> "State | None":
        """A word of a later release: whatever it does, it is beyond starting."""
        return cls.TRAINING if isinstance(value, str) else None


class Outcome(StrEnum):
    """Why a trainer ended; finer than its exit code."""

    COMPLETED = "Completed"
    EARLY_STOPPED = "EarlyStopped"
    ALREADY_COMPLETED = "AlreadyCompleted"
    STOPPED = "Stopped"
    NOT_SAVED = "NotSaved"
    USER_ERROR = "UserError"
    DATA_ERROR = "DataError"
    VOLUME_NOT_WRITABLE = "VolumeNotWritable"
    CHECKPOINT_MISMATCH = "CheckpointMismatch"
    FOLDER_IN_USE = "FolderInUse"
    CHECKPOINT_CORRUPT = "CheckpointCorrupt"
    NON_FINITE = "NonFinite"
    HANG = "Hang"
    PEER_LOST = "PeerLost"
    OUT_OF_DEVICE_MEMORY = "OutOfDeviceMemory"
    OUT_OF_MEMORY = "OutOfMemory"
    """Of the container, or as much as there is of the machine."""
    CRASH = "Crash"


EXIT_CODE_OF: dict[Outcome, ExitCode] = {
    Outcome.COMPLETED: ExitCode.COMPLETED,
    Outcome.EARLY_STOPPED: ExitCode.COMPLETED,
    Outcome.ALREADY_COMPLETED: ExitCode.COMPLETED,
    Outcome.STOPPED: ExitCode.STOPPED,
    Outcome.NOT_SAVED: ExitCode.NOT_SAVED,
    Outcome.USER_ERROR: ExitCode.USER_ERROR,
    Outcome.DATA_ERROR: ExitCode.DATA_ERROR,
    Outcome.VOLUME_NOT_WRITABLE: ExitCode.USER_ERROR,
    Outcome.CHECKPOINT_MISMATCH: ExitCode.USER_ERROR,
    Outcome.FOLDER_IN_USE: ExitCode.USER_ERROR,
    Outcome.CHECKPOINT_CORRUPT: ExitCode.NO_VALID_CHECKPOINT,
    Outcome.NON_FINITE: ExitCode.NON_FINITE,
    Outcome.HANG: ExitCode.HANG,
    Outcome.PEER_LOST: ExitCode.PEER_LOST,
    Outcome.OUT_OF_DEVICE_MEMORY: ExitCode.OUT_OF_MEMORY,
    Outcome.OUT_OF_MEMORY: ExitCode.OUT_OF_MEMORY,
    Outcome.CRASH: ExitCode.CRASH,
}


NOTICES_LIMIT = 8
EXTRA_METRICS_LIMIT = 32
EXTRA_NAME_LIMIT = 64
_EXTRA_NAME = re.compile(rf"[a-zA-Z0-9_.-]{{1,{EXTRA_NAME_LIMIT}}}")


def _named_plainly(metrics: dict[str, float]) -> dict[str, float]:
    for name in metrics:
        if not _EXTRA_NAME.fullmatch(name):
            raise ValueError(f"the metric's name {name!r} must be 1 to 64 letters, digits, '_', '.' or '-'")
    return metrics


ExtraMetrics = Annotated[dict[str, float], Field(max_length=EXTRA_METRICS_LIMIT), AfterValidator(_named_plainly)]


class EpochMetrics(Report):
    """The numbers of one epoch. Ratios are 0 to 1; mae, mse and rmse are in units of the target."""

    epoch: Count
    train_loss: float | None = None
    train_accuracy: float | None = None
    train_mae: float | None = None
    train_mse: float | None = None
    validation_loss: float | None = None
    validation_accuracy: float | None = None
    validation_precision: float | None = Field(default=None, description="Macro average over classes.")
    validation_recall: float | None = Field(default=None, description="Macro average over classes.")
    validation_f1: float | None = Field(default=None, description="Macro average over classes.")
    validation_roc_auc: float | None = Field(default=None, description="Binary, or macro average of one against rest.")
    validation_mae: float | None = None
    validation_mse: float | None = None
    validation_rmse: float | None = None
    validation_r2: float | None = None
    learning_rate: float | None = None
    seconds_per_epoch: float | None = None
    samples_per_second: float | None = None
    extra: ExtraMetrics | None = Field(
        default=None, description=f"What a program of one's own reports: at most {EXTRA_METRICS_LIMIT} numbers by name."
    )


class TestMetrics(Report):
    """The finished model on the test rows; as of EpochMetrics' validation."""

    loss: float
    accuracy: float | None = None
    precision: float | None = None
    recall: float | None = None
    f1: float | None = None
    roc_auc: float | None = None
    mae: float | None = None
    mse: float | None = None
    rmse: float | None = None
    r2: float | None = None
    samples: Count


class SavedCheckpoint(Report):
    """A checkpoint whose manifest is on disk."""

    step: Count
    epoch: Count = Field(description="Whole epochs done.")
    attempt: int
    path: str = Field(description="Folder name below the job's folder.")
    size_bytes: Count
    save_time: Time
    save_seconds: float
    on_request: bool = Field(default=False, description="Saved because somebody asked the trainer to stop.")


class Resumption(Report):
    """From where an attempt went on."""

    from_step: Count
    from_attempt: Count
    exactness: Literal["Bitwise", "StepExact", "Approximate"]
    reason: str | None = Field(default=None, description="Why it is not Bitwise; what is wrong with newer ones.")
    save_time: Time
    on_request: bool = Field(default=False, description="That checkpoint was saved on request: no step was lost.")


class Finishing(Report):
    """What is being done after the last epoch."""

    doing: Message = Field(description="Such as 'exporting to ONNX'.")
    done: Count = Field(description="Tasks that are over.")
    tasks: Count

    def __str__(self) -> str:
        return f"{self.doing} ({min(self.done + 1, self.tasks)}/{self.tasks})"


class Progress(Report):
    """The document that rank 0 serves at /progress."""

    uid: str
    attempt: int
    state: State
    epoch: Count = Field(default=0, description="Whole epochs done.")
    epochs: Count
    step: Count = 0
    steps: Count | None = Field(default=None, description="In the whole training; known once the data is read.")
    samples_per_second: float | None = None
    seconds_remaining: float | None = Field(default=None, description="Until everything is on disk, not only trained.")
    finishing: Finishing | None = Field(default=None, description="None: it still trains, or all is done.")
    latest: EpochMetrics | None = None
    best: EpochMetrics | None = None
    test: TestMetrics | None = None
    checkpoint: SavedCheckpoint | None = None
    checkpoint_problem: Message | None = Field(
        default=None, description="Why the last save failed, such as a full disk; training goes on."
    )
    notices: list[Message] = Field(
        default=[], max_length=NOTICES_LIMIT, description="What a person should know of data and recipe."
    )
    resume: Resumption | None = Field(default=None, description="None: the attempt began at step 0.")
    update_time: Time | None = None

    @property
    def has_extra(self) -> bool:
        return any(metrics is not None and metrics.extra for metrics in (self.latest, self.best))

    def without_extra(self) -> "Progress":
        """Without the metrics of one's own, which may be long."""
        bare = {
            name: metrics and metrics.model_copy(update={"extra": None})
            for name, metrics in (("latest", self.latest), ("best", self.best))
        }
        return self.model_copy(update=bare)


class TerminationMessage(Report):
    """The one JSON document that a pod leaves behind, at most 4096 bytes."""

    uid: str
    attempt: int
    node_rank: int
    rank: int | None = Field(default=None, description="The rank whose end this describes: the root cause's.")
    outcome: Outcome
    exit_code: int
    message: Message = ""
    exception: str | None = Field(default=None, max_length=256, description="Type of the last exception.")
    place: str | None = Field(default=None, max_length=256, description="file:line of the user's or trainer's code.")
    time: Time
    progress: Progress | None = Field(default=None, description="Last state that this pod knows of.")
    history: str | None = Field(default=None, description="The newest epochs, packed; history/tail.py reads it.")

    @property
    def saved_step(self) -> int | None:
        """The newest step on disk, None when there is none or it is not known."""
        checkpoint = self.progress.checkpoint if self.progress else None
        return checkpoint.step if checkpoint else None

    def to_text(self) -> str:
        """JSON that fits the kubelet's limit."""
        return self.fitted()._dumped()

    def fitted(self) -> "TerminationMessage":
        """Within the kubelet's limit: what can be read elsewhere or is only long goes first."""
        fitting = self
        while len(fitting._dumped().encode()) > TERMINATION_MESSAGE_LIMIT:
            fitting = fitting._shortened()
        return fitting

    def _shortened(self) -> "TerminationMessage":
        progress = self.progress
        if self.history is not None:
            return self.model_copy(update={"history": None})
        if progress is not None and progress.has_extra:
            return self.model_copy(update={"progress": progress.without_extra()})
        if progress is not None and progress.notices:
            return self.model_copy(update={"progress": progress.model_copy(update={"notices": []})})
        if len(self.message) > 64:
            return self.model_copy(update={"message": _two_thirds(self.message)})
        if progress is not None and len(problem := progress.checkpoint_problem or "") > 64:
            shorter = progress.model_copy(update={"checkpoint_problem": _two_thirds(problem)})
            return self.model_copy(update={"progress": shorter})
        if progress is not None and progress.resume is not None and len(progress.resume.reason or "") > 64:
            resume = progress.resume.model_copy(update={"reason": _two_thirds(progress.resume.reason or "")})
            return self.model_copy(update={"progress": progress.model_copy(update={"resume": resume})})
        if progress is not None:
            return self.model_copy(update={"progress": None})
        return self.model_copy(update={"exception": None, "place": None})

    def _dumped(self) -> str:
        return self.model_dump_json(by_alias=True, exclude_none=True)


def _two_thirds(text: str) -> str:
    """By thirds, not by the excess: a character may take twelve bytes once it is escaped."""
    return text[: len(text) * 2 // 3]


def parse_termination_message(text: str | None, uid: str, attempt: int) -> TerminationMessage | None:
    """The message of this job's attempt, or None: a pod is not trusted, and another attempt's word does not count."""
    if not text or len(text.encode()) > TERMINATION_MESSAGE_LIMIT:
        return None
    try:
        message = TerminationMessage.model_validate_json(text)
    except ValueError:
        return None
    return message if (message.uid, message.attempt) == (uid, attempt) else None
