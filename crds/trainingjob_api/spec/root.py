"""`spec` as a whole, and what may change in it when."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, ConfigDict, Field, model_validator

from trainingjob_api.base import Model, NumberOr, rule, rules
from trainingjob_api.contract import MANAGED_BY
from trainingjob_api.spec.checkpoint import Checkpoint
from trainingjob_api.spec.identity import identity_of
from trainingjob_api.spec.lifecycle import Deadlines, Restart
from trainingjob_api.spec.pod import Pod
from trainingjob_api.spec.script import Script
from trainingjob_api.spec.training import Training, epochs_of

_SUSPENDED = "(has(self.suspend) && self.suspend) || (has(oldSelf.suspend) && oldSelf.suspend)"


def _unchanged(path: str) -> str:
    """CEL: the optional field at this path has neither changed nor appeared nor gone."""
    parents = path.split(".")[:-1]
    new, old = f"self.{path}", f"oldSelf.{path}"
    same = f"(has({new}) == has({old}) && (!has({new}) || {new} == {old}))"
    for depth in range(len(parents), 0, -1):
        parent = ".".join(parents[:depth])
        if parent in {"training", "script"}:  # a rule of their own keeps one from taking the other's place
            same = f"(!has(self.{parent}) || !has(oldSelf.{parent}) || {same})"
        elif parent != "checkpoint":  # which is required
            same = f"(has(self.{parent}) == has(oldSelf.{parent}) && (!has(self.{parent}) || {same}))"
    return same


def _kept(fields: tuple[str, ...], unless: str, why: str, instead: str) -> dict[str, str]:
    """One rule for all of these fields, which says which of them have changed.

    The API server evaluates rules at every write of a status as well, where a rule for each field took a fifth of
    its time.
    """
    all_same = " && ".join(map(_unchanged, fields))
    changed = " + ".join(f"({_unchanged(field)} ? '' : ' {field}')" for field in fields)
    return {
        **rule(f"self == oldSelf || {unless}({all_same})", f"{why}: {', '.join(fields)}; {instead}"),
        "messageExpression": f"'{why}:' + {changed} + '; {instead}'",
    }


_NEVER_CHANGE = (
    "managedBy",
    *(f"training.{field}" for field in ("task", "data", "model", "seed", "loss", "optimizer.type")),
    "script.path",
    *(f"checkpoint.{field}" for field in ("volume", "subPath", "startFresh")),
)
_CHANGE_WHEN_SUSPENDED = (
    *("nodes", "processesPerNode", "pod", "queue", "script.args"),
    *(
        f"training.{field}"
        for field in (
            "batchSize",
            "stages",
            "budget",
            "optimizer",
            "schedule",
            "regularization",
            "gradient",
            "earlyStopping",
            "selection",
            "precision",
            "deterministic",
            "compile",
            "tensorboard",
            "export",
        )
    ),
)
_SPEC_RULES = rules(
    rule("has(self.training) != has(self.script)", "give exactly one of training and script", ".training"),
    rule(
        "has(self.script) == has(oldSelf.script)",
        "a recipe cannot become a script, or the other way round: make a new TrainingJob",
        ".script",
    ),
    rule(
        "!has(self.nodes) || self.nodes == 1 || !has(self.checkpoint.volume.emptyDir)",
        "several nodes need a volume that all of them share: claimName or claimTemplate",
        ".checkpoint.volume",
    ),
    rule(
        "!has(self.nodes) || self.nodes == 1 || !has(self.checkpoint.volume.claimTemplate)"
        " || (has(self.checkpoint.volume.claimTemplate.accessModes)"
        " && 'ReadWriteMany' in self.checkpoint.volume.claimTemplate.accessModes)",
        "several nodes need accessModes: [ReadWriteMany]",
        ".checkpoint.volume.claimTemplate",
    ),
    rule(
        "!has(self.checkpoint.subPath) || !self.checkpoint.subPath.split('/').exists(p, p == '..')",
        "subPath must not contain '..'",
        ".checkpoint.subPath",
    ),
    rule(
        "!has(self.training) || !has(oldSelf.training) || has(self.training.stages) || has(self.training.budget)"
        f" || has(oldSelf.training.budget) || {epochs_of('self.training')} >= {epochs_of('oldSelf.training')}",
        "epochs may grow, never shrink",
        ".training.epochs",
    ),
    _kept(_NEVER_CHANGE, "", "cannot change", "make a new TrainingJob"),
    _kept(
        _CHANGE_WHEN_SUSPENDED,
        f"{_SUSPENDED} || ",
        "can change only while the job is suspended",
        "set suspend: true first, or in the same change",
    ),
)


class Queue(Model):
    """Whose quota the pods use, where Kueue runs in the cluster."""

    name: Annotated[str, Field(min_length=1, max_length=63)] = Field(description="Of a LocalQueue of the namespace.")
    priority_class: Annotated[str, Field(min_length=1, max_length=63)] | None = Field(
        default=None, description="Of a WorkloadPriorityClass: who goes first, and who makes room."
    )


_PROCESSES = NumberOr("auto", 64)
ProcessesPerNode = Annotated[
    int | Literal["auto"], Field(json_schema_extra=_PROCESSES.schema), BeforeValidator(_PROCESSES.check)
]


class TrainingJobSpec(Model):
    """What a person asks for."""

    model_config = ConfigDict(json_schema_extra=_SPEC_RULES)

    suspend: bool | None = Field(
        default=None,
        description="true: save, free the pods, wait. The operator never writes it. Default: false.",
    )
    managed_by: Annotated[str, Field(max_length=63)] | None = Field(
        default=None, description=f"Any other value than {MANAGED_BY}: this operator leaves the object alone."
    )
    queue: Queue | None = Field(
        default=None,
        description="Wait for a place in a queue of Kueue. Default: the object's own labels of Kueue.",
    )
    nodes: int = Field(default=1, ge=1, le=1000, description="Pods.")
    processes_per_node: ProcessesPerNode = Field(
        default=1, description="Ranks in each pod; auto: the GPUs asked for, else 1."
    )
    training: Training | None = Field(default=None, description="What the built-in trainer does. This or script.")
    script: Script | None = Field(default=None, description="A program of your own. This or training.")
    checkpoint: Checkpoint
    restart: Restart = Restart()
    deadlines: Deadlines = Deadlines()
    ttl_seconds_after_finished: Annotated[int, Field(ge=0, le=31_536_000)] | None = Field(
        default=None, description="Removes Jobs and pods, never the TrainingJob. Default: they stay."
    )
    pod: Pod = Pod()

    @property
    def wants_to_run(self) -> bool:
        return not self.suspend

    @property
    def is_ours(self) -> bool:
        return self.managed_by in (None, MANAGED_BY)

    @property
    def local_world_size(self) -> int:
        """Ranks in each pod."""
        return self.gpus or 1 if self.processes_per_node == "auto" else self.processes_per_node

    @property
    def gpus(self) -> int:
        """Asked for by each pod."""
        return self.pod.resources.gpus if self.pod.resources else 0

    @property
    def identity(self) -> dict[str, str]:
        return identity_of(self.training, self.script)

    @model_validator(mode="after")
    def _one_thing_to_do(self) -> "TrainingJobSpec":
        if (self.training is None) == (self.script is None):
            raise ValueError("give exactly one of training and script")
        return self

    @model_validator(mode="after")
    def _gpus_make_ranks(self) -> "TrainingJobSpec":
        if self.processes_per_node == "auto" and self.gpus > _PROCESSES.limit:
            raise ValueError(f"processesPerNode: auto is one for each GPU, {self.gpus}; {_PROCESSES.message}")
        return self

    @model_validator(mode="after")
    def _nodes_share_a_volume(self) -> "TrainingJobSpec":
        volume = self.checkpoint.volume
        if self.nodes > 1 and volume.empty_dir is not None:
            raise ValueError("checkpoint.volume: several nodes need a volume that all of them share")
        template = volume.claim_template
        if self.nodes > 1 and template and "ReadWriteMany" not in template.access_modes:
            raise ValueError("checkpoint.volume.claimTemplate: several nodes need accessModes: [ReadWriteMany]")
        return self
