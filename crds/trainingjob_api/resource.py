"""The TrainingJob as a whole."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from trainingjob_api.base import Model, Report, Time, rule, rules
from trainingjob_api.contract import RESTART_ANNOTATION, default_sub_path, own_claim_name
from trainingjob_api.spec import TrainingJobSpec
from trainingjob_api.status import TrainingJobStatus

NAME_PATTERN = "^[a-z]([-a-z0-9]*[a-z0-9])?$"


class Metadata(Report):
    """What we use of an object's metadata."""

    name: Annotated[str, Field(max_length=48, pattern=NAME_PATTERN)]
    namespace: str = "default"
    uid: str = ""
    resource_version: str = ""
    generation: int = 0
    labels: dict[str, str] = Field(default={})
    annotations: dict[str, str] = Field(default={})
    creation_timestamp: Time | None = None
    deletion_timestamp: Time | None = None

    @property
    def restarted_at(self) -> str:
        """When a person last asked for a new attempt; empty: never."""
        return self.annotations.get(RESTART_ANNOTATION, "")

    @property
    def key(self) -> tuple[str, str]:
        """Namespace and name."""
        return self.namespace, self.name


_FIELDS = {field.alias or name for name, field in TrainingJobSpec.model_fields.items()}
_UNCHANGED = " && ".join(
    f"has(self.spec.{field}) == has(oldSelf.spec.{field})"
    f" && (!has(self.spec.{field}) || self.spec.{field} == oldSelf.spec.{field})"
    for field in sorted(_FIELDS - {"ttlSecondsAfterFinished"})
)


class TrainingJob(Model):
    """A model to train: data, recipe, pods and how to pause it.

    Deleting it deletes its Jobs, pods and Service; of a claim that was made for it see claimTemplate.retain.
    """

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                f"self.metadata.name.size() <= 48 && self.metadata.name.matches('{NAME_PATTERN}')",
                "metadata.name: at most 48 characters, a-z, 0-9 and '-', beginning with a letter:"
                " names of pods are built on it",
            ),
            rule(
                f"!oldSelf.?status.completionTime.hasValue() || ({_UNCHANGED})",
                "the training is over, and nothing but ttlSecondsAfterFinished changes any more:"
                " to train again or longer, make a new TrainingJob",
                ".spec",
            ),
        )
    )

    api_version: Literal["trainingjob.dev/v1alpha1"] = "trainingjob.dev/v1alpha1"
    kind: Literal["TrainingJob"] = "TrainingJob"
    metadata: Metadata
    spec: TrainingJobSpec
    status: TrainingJobStatus = TrainingJobStatus()

    @property
    def checkpoint_claim(self) -> str | None:
        """Where checkpoints and results lie, also before it is made; None: in an emptyDir."""
        volume = self.spec.checkpoint.volume
        return volume.claim_name if volume.claim_template is None else own_claim_name(self.metadata.name)

    @property
    def checkpoint_folder(self) -> str:
        """The job's folder in its volume."""
        metadata, checkpoint = self.metadata, self.spec.checkpoint
        folder = checkpoint.sub_path or default_sub_path(metadata.namespace, metadata.name)
        return f"{folder}-{metadata.uid}" if checkpoint.start_fresh else folder
