"""`spec.pod`: the fields of a pod that a training job may set; all the rest is the operator's."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, model_validator

from trainingjob_api.base import Model, rule, rules
from trainingjob_api.contract import CHECKPOINT_PATH, SHARED_MEMORY_PATH, TEMPORARY_PATH
from trainingjob_api.quantity import Quantity, amount

Name = Annotated[str, Field(min_length=1, max_length=253)]
Text = Annotated[str, Field(max_length=4096)]
Label = Annotated[str, Field(max_length=63)]
MountPath = Annotated[str, Field(min_length=2, max_length=512, pattern=r"^/[^:]+$")]
ResourceList = Annotated[dict[Name, Quantity], Field(max_length=16)]


class Resources(Model):
    """As in a container; GPUs go under limits, such as nvidia.com/gpu: 1."""

    requests: ResourceList | None = None
    limits: ResourceList | None = None

    @property
    def gpus(self) -> int:
        """Of each pod."""
        return sum(int(amount(count)) for name, count in (self.limits or {}).items() if _is_gpu(name))

    @model_validator(mode="after")
    def _gpus_are_whole(self) -> "Resources":
        for name, count in {**(self.requests or {}), **(self.limits or {})}.items():
            if _is_gpu(name) and amount(count) % 1:
                raise ValueError(f"{name}: must be a whole number, not {count}")
        return self


def _is_gpu(resource: str) -> bool:
    return resource.endswith("/gpu")


class KeyReference(Model):
    """One key of a ConfigMap or Secret."""

    name: Name
    key: Name
    optional: bool | None = None


_OURS = "this name is set by the operator or by torchrun"
_OUR_PREFIXES = ("TRAININGJOB_", "PET_", "TORCHELASTIC_")
_OUR_NAMES = (
    *("RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"),
    *("POD_IP", "POD_NAME", "HOME", "TMPDIR"),
)
_ONE_KEY = "give exactly one of configMapKeyRef and secretKeyRef"
_ONE_VALUE = "give value or valueFrom, not both"


class EnvironmentSource(Model):
    """Where a variable's value comes from."""

    model_config = ConfigDict(
        json_schema_extra=rules(rule("has(self.configMapKeyRef) != has(self.secretKeyRef)", _ONE_KEY))
    )

    config_map_key_ref: KeyReference | None = None
    secret_key_ref: KeyReference | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> "EnvironmentSource":
        if (self.config_map_key_ref is None) == (self.secret_key_ref is None):
            raise ValueError(_ONE_KEY)
        return self


class EnvironmentVariable(Model):
    """One environment variable."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule("!(has(self.value) && has(self.valueFrom))", _ONE_VALUE),
            rule(
                " && ".join(f"!self.name.startsWith('{prefix}')" for prefix in _OUR_PREFIXES)
                + f" && !(self.name in {list(_OUR_NAMES)})",
                _OURS,
                ".name",
            ),
        )
    )

    name: Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
    value: Text | None = None
    value_from: EnvironmentSource | None = None

    @model_validator(mode="after")
    def _as_the_rules(self) -> "EnvironmentVariable":
        if self.value is not None and self.value_from is not None:
            raise ValueError(_ONE_VALUE)
        if self.name.startswith(_OUR_PREFIXES) or self.name in _OUR_NAMES:
            raise ValueError(f"name: {_OURS}")
        return self


class KeyToPath(Model):
    """A key of a ConfigMap or Secret and the file it becomes."""

    key: Name
    path: Annotated[str, Field(min_length=1, max_length=512)]


Items = Annotated[list[KeyToPath], Field(max_length=256)]


class ConfigMapVolume(Model):
    name: Name
    items: Items | None = None
    optional: bool | None = None


class SecretVolume(Model):
    secret_name: Name
    items: Items | None = None
    optional: bool | None = None


class ClaimVolume(Model):
    claim_name: Name
    read_only: bool | None = None


class EmptyDirVolume(Model):
    medium: Literal["", "Memory"] | None = None
    size_limit: Quantity | None = None


_ONE_SOURCE = "give exactly one of configMap, secret, persistentVolumeClaim and emptyDir"
_OUR_VOLUMES = ("checkpoints", "tmp", "shared-memory")
_OUR_VOLUME = "the operator has volumes of this name"
_OUR_PATHS = (CHECKPOINT_PATH, TEMPORARY_PATH, SHARED_MEMORY_PATH)
_OUR_PATH = f"{', '.join(_OUR_PATHS[:-1])} and {_OUR_PATHS[-1]} are the operator's"


class Volume(Model):
    """A volume beside the checkpoints', such as the data's. Exactly one source."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "[has(self.configMap), has(self.secret), has(self.persistentVolumeClaim), has(self.emptyDir)]"
                ".filter(x, x).size() == 1",
                _ONE_SOURCE,
            ),
            rule(f"!(self.name in {list(_OUR_VOLUMES)})", _OUR_VOLUME, ".name"),
        )
    )

    name: Annotated[str, Field(min_length=1, max_length=63, pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")]
    config_map: ConfigMapVolume | None = None
    secret: SecretVolume | None = None
    persistent_volume_claim: ClaimVolume | None = None
    empty_dir: EmptyDirVolume | None = None

    @model_validator(mode="after")
    def _as_the_rules(self) -> "Volume":
        if [self.config_map, self.secret, self.persistent_volume_claim, self.empty_dir].count(None) != 3:
            raise ValueError(_ONE_SOURCE)
        if self.name in _OUR_VOLUMES:
            raise ValueError(f"name: {_OUR_VOLUME}")
        return self


class VolumeMount(Model):
    """Where the trainer sees a volume."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                f"!{list(_OUR_PATHS)}.exists(p, self.mountPath == p || self.mountPath.startsWith(p + '/'))",
                _OUR_PATH,
                ".mountPath",
            )
        )
    )

    name: Name
    mount_path: MountPath
    sub_path: Annotated[str, Field(max_length=512)] | None = None
    read_only: bool | None = None

    @model_validator(mode="after")
    def _beside_ours(self) -> "VolumeMount":
        if any(f"{self.mount_path}/".startswith(f"{path}/") for path in _OUR_PATHS):
            raise ValueError(f"mountPath: {_OUR_PATH}")
        return self


class Toleration(Model):
    key: Annotated[str, Field(max_length=316)] | None = None
    operator: Literal["Exists", "Equal"] | None = None
    value: Label | None = None
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = None
    toleration_seconds: Annotated[int, Field(ge=0)] | None = None


class LocalObjectReference(Model):
    name: Name


class SecurityContext(Model):
    """Who the trainer is to the file system; root is not possible."""

    run_as_user: Annotated[int, Field(ge=1, le=2**31 - 1)] | None = None
    run_as_group: Annotated[int, Field(ge=0, le=2**31 - 1)] | None = None
    fs_group: Annotated[int, Field(ge=0, le=2**31 - 1)] | None = None
    supplemental_groups: Annotated[list[Annotated[int, Field(ge=0, le=2**31 - 1)]], Field(max_length=32)] | None = None


class Pod(Model):
    """Fields of the trainer's pods that are yours; the container itself is the operator's."""

    image: Annotated[str, Field(min_length=1, max_length=512)] | None = Field(
        default=None, description="Default: the trainer image of the operator's release."
    )
    image_pull_policy: Literal["Always", "IfNotPresent", "Never"] | None = None
    image_pull_secrets: Annotated[list[LocalObjectReference], Field(max_length=16)] | None = None
    resources: Resources | None = None
    env: Annotated[list[EnvironmentVariable], Field(max_length=128)] | None = None
    volumes: Annotated[list[Volume], Field(max_length=32)] | None = None
    volume_mounts: Annotated[list[VolumeMount], Field(max_length=32)] | None = None
    node_selector: Annotated[dict[Name, Label], Field(max_length=32)] | None = None
    tolerations: Annotated[list[Toleration], Field(max_length=32)] | None = None
    priority_class_name: Name | None = None
    runtime_class_name: Name | None = None
    scheduler_name: Name | None = None
    service_account_name: Name | None = None
    labels: Annotated[dict[Name, Label], Field(max_length=32)] | None = Field(
        default=None,
        description="Such as a team's. Of the TrainingJob's own labels only a queue's are handed on.",
    )
    annotations: Annotated[dict[Name, Text], Field(max_length=32)] | None = None
    shared_memory: Quantity | None = Field(default=None, description="Size of /dev/shm. Default: 1Gi.")
    security_context: SecurityContext | None = Field(
        default=None, description="Default: user, group and fsGroup 65532."
    )
