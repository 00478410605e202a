"""The body of POST /start, with its defaults."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from trainingjob_api.spec.training.data import Column

Name = Annotated[str, Field(min_length=1, max_length=200)]
Section = dict[str, Any]
Scheduler = Literal[
    "step", "plateau", "cosine", "constant", "none", "exponential", "linear", "cyclic", "one_cycle", "oneCycle"
]

EXAMPLE: Section = {
    "name": "iris, first try",
    "model_type": "mlp",
    "epochs": 50,
    "batch_size": 16,
    "learning_rate": 0.01,
    "hidden_units": [64, 32],
    "dropout_rate": 0.2,
    "learning_rate_scheduler": "cosine",
    "dataset_id": "dataset-2f1d8a7c90b3e456",
    "target_column": "species",
}


class StartRequest(BaseModel):
    """A training. What is left out gets the default; `config` of the answer shows all of them."""

    model_config = ConfigDict(
        extra="forbid", allow_inf_nan=False, populate_by_name=True, json_schema_extra={"examples": [EXAMPLE]}
    )

    name: Name = Field(description="For people, in any language.")
    algorithm_type: Literal["deep_learning"] = "deep_learning"
    model_type: Literal["mlp", "cnn", "lstm", "gru"] = Field(default="mlp", description="custom: training.model.")
    epochs: int = Field(default=100, ge=1, le=1_000_000)
    batch_size: Annotated[int, Field(ge=1, le=1_000_000)] | Literal["all"] = 32
    learning_rate: float = Field(default=0.001, ge=1e-12, le=100)
    hidden_units: list[Annotated[int, Field(ge=1, le=65536)]] = Field(default=[64, 32], min_length=1, max_length=64)
    dropout_rate: float = Field(default=0.2, ge=0, le=0.95)
    early_stopping_patience: Annotated[int, Field(ge=1, le=100_000)] | None = Field(
        default=10, description="Epochs without improvement of the validation loss; null: train every epoch."
    )
    min_delta: float = Field(default=0.001, ge=0, le=1e9)
    learning_rate_scheduler: Scheduler = Field(
        default="step", description="Those of the manifest; what else they need goes into training.schedule."
    )
    step_size: Annotated[int, Field(ge=1, le=1_000_000)] | None = Field(default=None, description="step: 30.")
    gamma: Annotated[float, Field(ge=0.000001, le=1)] | None = Field(
        default=None, description="step: 0.1, exponential: 0.95."
    )
    patience: Annotated[int, Field(ge=0, le=100_000)] | None = Field(default=None, description="plateau: 5.")
    factor: Annotated[float, Field(ge=0.000001, le=0.999999)] | None = Field(default=None, description="plateau: 0.5.")
    t_max: Annotated[int, Field(ge=1, le=1_000_000)] | None = Field(
        default=None, alias="T_max", description="cosine: all epochs."
    )
    eta_min: Annotated[float, Field(ge=0, le=100)] | None = Field(default=None, description="cosine: 0.")
    feature_columns: list[Column] | None = Field(
        default=None, min_length=1, max_length=256, description="Default: every column but the target."
    )
    target_column: Column | None = Field(default=None, description="Of a dataset that was uploaded: its last column.")
    output_path: Annotated[str, Field(min_length=1, max_length=1000)] | None = Field(
        default=None, description="Where the model goes: a folder below that of the job. Default: model."
    )

    data_path: Annotated[str, Field(min_length=1, max_length=1024)] | None = Field(
        default=None,
        description="claim://CLAIM/path/in/it.csv, s3://bucket/key.csv, or a path in a volume that pod.volumes mounts. "
        "Without it and without dataset_id: the server's default.",
    )
    dataset_id: Annotated[str, Field(pattern=r"^dataset-[0-9a-f]{16}$")] | None = Field(
        default=None, description="What POST /datasets answered."
    )
    task: Literal["classification", "regression"] | None = Field(
        default=None, description="Default: classification; of a csv that was uploaded, what its target looks like."
    )
    namespace: Annotated[str, Field(max_length=63, pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")] | None = None
    nodes: int | None = Field(default=None, ge=1, le=1000, description="Pods. Default: 1.")
    processes_per_node: Annotated[int, Field(ge=1, le=64)] | Literal["auto"] | None = None
    gpus: int | None = Field(default=None, ge=0, le=64, description="nvidia.com/gpu of each node.")
    image: Annotated[str, Field(min_length=1, max_length=512)] | None = None
    resources: Section | None = Field(default=None, description="requests and limits, as in a container.")
    training: Section = Field(default={}, description="Anything else of spec.training, in snake_case.")
    checkpoint: Section = Field(default={}, description="Of spec.checkpoint, in snake_case.")
    restart: Section = Field(default={}, description="Of spec.restart, in snake_case.")
    deadlines: Section = Field(default={}, description="Of spec.deadlines, in snake_case.")
    pod: Section = Field(default={}, description="Of spec.pod, in snake_case.")
    queue: Section | None = Field(default=None, description="Of spec.queue: name and priority_class.")

    @field_validator("name")
    @classmethod
    def _says_something(cls, name: str) -> str:
        if not name.strip() or any(ord(letter) < 32 for letter in name):
            raise ValueError("must be a name on one line")
        return name

    @field_validator("output_path")
    @classmethod
    def _no_way_up(cls, path: str | None) -> str | None:
        if path and ".." in path.split("/"):
            raise ValueError("must not contain '..'")
        return path
