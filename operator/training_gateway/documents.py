"""What answers look like, for /openapi.json and clients that are made from it. Nothing is checked by it at run time."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

TASK_ID = "epoch_training_20240101_120000"
_EPOCH: dict[str, JsonValue] = {
    "epoch": 12,
    "train_loss": 0.21,
    "train_accuracy": 0.93,
    "val_loss": 0.25,
    "val_accuracy": 0.91,
    "learning_rate": 0.001,
    "time_per_epoch": 0.4,
}


class Answer(BaseModel):
    model_config = ConfigDict(extra="allow")

    success: Literal[True] = True


class WrongField(BaseModel):
    field: str = Field(examples=["epochs"])
    message: str = Field(examples=["Input should be greater than or equal to 1"])


class Error(BaseModel):
    """Every answer of 400 or more."""

    success: Literal[False] = False
    message: str = Field(examples=["epochs: Input should be greater than or equal to 1"])
    errors: list[WrongField] | None = None
    state: str | None = Field(default=None, description="Of the task, where that is the reason.")
    request_id: str


class Epoch(BaseModel):
    """Of regression: train_mae, val_mae, val_rmse, val_r2 as well, and null for accuracies."""

    model_config = ConfigDict(extra="allow", json_schema_extra={"examples": [_EPOCH]})

    epoch: int
    train_loss: float | None
    train_accuracy: float | None
    val_loss: float | None
    val_accuracy: float | None
    learning_rate: float | None
    time_per_epoch: float | None = Field(description="Seconds.")


class Best(BaseModel):
    model_config = ConfigDict(extra="allow")

    loss: float | None
    accuracy: float | None


class NothingYet(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Progress(BaseModel):
    current_epoch: int
    total_epochs: int | None = Field(description="null: the data will tell.")
    training_state: str = Field(examples=["running"])
    latest_metrics: Epoch | NothingYet
    best_metrics: Best


class ProgressAnswer(Answer):
    task_id: str = Field(examples=[TASK_ID])
    progress: Progress


class Started(Answer):
    task_id: str = Field(examples=[TASK_ID])
    message: str
    namespace: str
    config: dict[str, Any] = Field(description="The request with every default filled in.")


class Changed(Answer):
    task_id: str = Field(examples=[TASK_ID])
    message: str
    training_state: str = Field(examples=["pausing"])


class Deleted(Answer):
    task_id: str = Field(examples=[TASK_ID])
    message: str


class AttemptStart(BaseModel):
    attempt: int
    first_epoch: int


class HistoryAnswer(Answer):
    task_id: str = Field(examples=[TASK_ID])
    history: list[Epoch]
    attempts: list[AttemptStart] = Field(description="Where each began: pauses and restarts.")
    missing: list[tuple[int, int]] = Field(description="First and last of epochs that were done and could not be had.")
    thinned: bool = Field(description="Not every epoch is kept.")
    best_epoch: int | None


class Item(BaseModel):
    """One line of the list; what is not known is null."""

    model_config = ConfigDict(extra="allow")

    task_id: str = Field(examples=[TASK_ID, "default.digits"])
    name: str
    object_name: str
    namespace: str
    state: str
    suspended: bool
    reason: str | None = Field(description="One word for the state: of the condition Ready, or of what failed last.")
    message: str
    epoch: int
    epochs: int | None
    percent: int | None
    loss: float | None
    validation_loss: float | None
    accuracy: float | None
    best: Best | None
    eta_seconds: int | None
    created_at: str | None
    started_at: str | None
    completed_at: str | None
    attempt: int
    restarts: int
    nodes: int
    model_type: str
    task: str | None


class JobList(Answer):
    jobs: list[Item]
    next: str | None = Field(description="For `page` of the next request; null: these were the last.")
    total: int


class JobAnswer(Answer):
    job: Item = Field(description="With manifest, status, events and uid as well.")


class Submitted(Answer):
    task_id: str = Field(examples=["default.digits"])
    name: str
    namespace: str
    message: str


class ResultAnswer(Answer):
    task_id: str = Field(examples=[TASK_ID])
    result: dict[str, Any] = Field(description="Final, best and test metrics, and where files are in which claim.")


class Uploaded(Answer):
    dataset_id: str = Field(examples=["dataset-2f1d8a7c90b3e456"])
    namespace: str
    format: Literal["csv", "parquet"]
    columns: list[str]
    rows: int | None
    target_column: str | None
    task: str | None
    message: str


class Me(Answer):
    user: str
    namespaces: list[str]
    all_namespaces: bool


Responses = dict[int | str, dict[str, Any]]
_MEANING = {
    400: "This is no HTTP request that can be understood.",
    401: "A valid bearer token is needed.",
    403: "The user may not do this in that namespace.",
    404: "There is no such task that the user may see.",
    405: "The path knows other methods.",
    409: "The training is over, or something of this name is there.",
    413: "The body is too long.",
    422: "Fields are wrong; each is named.",
    429: "Too many requests; Retry-After says when to come back.",
    503: "The Kubernetes API server is away; Retry-After says when to come back.",
}
ERRORS: Responses = {code: {"model": Error, "description": meaning} for code, meaning in _MEANING.items()}
_EVENTS = (
    'retry: 3000\nid: 812-12\ndata: {"type":"progress","task_id":"epoch_training_20240101_120000","progress":'
    '{"current_epoch":12,"total_epochs":50,"training_state":"running","latest_metrics":{},"best_metrics":'
    '{"loss":0.25,"accuracy":0.91}}}\n\n'
)
_EVENT = {
    "type": "object",
    "description": "One event, as clients of server-sent events show it.",
    "properties": {
        "id": {"type": "string"},
        "data": {"type": "string", "contentMediaType": "application/json"},
        "retry": {"type": "integer"},
    },
    "required": ["data"],
}
EVENTS: Responses = {
    200: {
        "description": "Server-sent events.",
        "content": {"text/event-stream": {"schema": _EVENT, "example": _EVENTS}},
    }
}
TEXT: Responses = {200: {"description": "Lines of the log.", "content": {"text/plain": {"schema": {"type": "string"}}}}}


def answers(model: type[Answer], code: int = 200) -> Responses:
    return {code: {"model": model}}
