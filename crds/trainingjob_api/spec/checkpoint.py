"""`spec.checkpoint`: when and where the state of training is saved."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, model_validator

from trainingjob_api.base import Model, rule, rules
from trainingjob_api.quantity import Quantity

AccessMode = Literal["ReadWriteOnce", "ReadWriteMany", "ReadWriteOncePod"]
ClaimName = Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$")]


_ONE_OF_THEM = "give at least one of epochs, steps and seconds"


class CheckpointInterval(Model):
    """Whichever of them comes first; a pause saves besides."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "has(self.epochs) || has(self.steps) || has(self.seconds)",
                _ONE_OF_THEM,
            )
        )
    )

    epochs: Annotated[int, Field(ge=1, le=1_000_000)] | None = Field(
        default=None, description="Put off while the save before is still written, as seconds are."
    )
    steps: Annotated[int, Field(ge=1, le=1_000_000_000)] | None = Field(
        default=None, description="No more are ever lost than twice as many: training waits for a disk that is slow."
    )
    seconds: Annotated[int, Field(ge=1, le=864_000)] | None = None

    @model_validator(mode="after")
    def _at_least_one(self) -> "CheckpointInterval":
        if not (self.epochs or self.steps or self.seconds):
            raise ValueError(_ONE_OF_THEM)
        return self


DEFAULT_SECONDS = 30


class ClaimTemplate(Model):
    """A claim that the operator creates, named <job>-checkpoints."""

    size: Quantity
    storage_class_name: Annotated[str, Field(max_length=253)] | None = Field(
        default=None, description="Default: the cluster's."
    )
    access_modes: list[AccessMode] = Field(
        default=["ReadWriteOnce"],
        min_length=1,
        max_length=3,
        description="More than one node needs ReadWriteMany.",
    )
    retain: bool = Field(
        default=True,
        description="true: the claim, with checkpoints and model, stays when the TrainingJob is deleted, and one of "
        "the same name finds it again. false: the claim is deleted with it. Counts when the claim is made.",
    )


class EmptyDir(Model):
    """Gone with the pod, the finished model as well: a pause or a restart begins again from epoch 0."""


class CheckpointVolume(Model):
    """Exactly one kind of volume."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "[has(self.claimName), has(self.claimTemplate), has(self.emptyDir)].filter(x, x).size() == 1",
                "give exactly one of claimName, claimTemplate and emptyDir",
            )
        )
    )

    claim_name: ClaimName | None = Field(
        default=None, description="An existing PersistentVolumeClaim; it stays, whatever is deleted."
    )
    claim_template: ClaimTemplate | None = None
    empty_dir: EmptyDir | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> "CheckpointVolume":
        if [self.claim_name, self.claim_template, self.empty_dir].count(None) != 2:
            raise ValueError("give exactly one of claimName, claimTemplate and emptyDir")
        return self


class Checkpoint(Model):
    """When and where the state of training is saved."""

    every: CheckpointInterval = CheckpointInterval(seconds=DEFAULT_SECONDS)
    keep_last: int = Field(default=2, ge=2, le=1000, description="The best one is kept besides.")
    start_fresh: bool = Field(
        default=False,
        description="true: a folder of its own, <subPath>-<uid>, instead of going on from what is there. "
        "Without a cluster it is named after the recipe.",
    )
    volume: CheckpointVolume
    sub_path: Annotated[str, Field(min_length=1, max_length=512, pattern=r"^[A-Za-z0-9_-][A-Za-z0-9._/-]*$")] | None = (
        Field(default=None, description="Folder in the volume. Default: <namespace>/<name>.")
    )

    @model_validator(mode="after")
    def _no_way_up(self) -> "Checkpoint":
        if self.sub_path and ".." in self.sub_path.split("/"):
            raise ValueError("subPath must not contain '..'")
        return self
