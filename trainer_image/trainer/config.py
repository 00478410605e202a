"""What a pod is asked to do, read once from the environment into frozen values."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from pydantic import ValidationError

from trainer.errors import UserError
from trainingjob_api import contract
from trainingjob_api.handover import run_text
from trainingjob_api.progress import RunConfig

# Between supervisor and ranks, in addition to the contract's variables and torchrun's.
RUN_FOLDER_ENV = "TRAINER_RUN_FOLDER"
MOUNTS_ENV = "TRAINER_MOUNTS"

# A path begins after anything that cannot be the middle of a longer path or of a URL's host, or after file://.
_BEFORE_PATH = r"(?:(?<![\w./~)}\]-])|(?<=file://))"
_AFTER_PATH = r"(?![\w.-])"


@dataclass(frozen=True)
class Mounts:
    """Where the pod's paths lie on this machine; empty in a pod, where they are what they say."""

    places: Mapping[str, str] = field(default_factory=dict)

    def locate(self, path: str) -> Path:
        """The path to open for a path of the manifest; the longest mount that holds it wins."""
        for mount in sorted(self.places, key=len, reverse=True):
            if PurePosixPath(path).is_relative_to(mount):
                return Path(self.places[mount]) / PurePosixPath(path).relative_to(mount)
        return Path(path)

    def in_text(self, text: str) -> str:
        """The same for every path that a text holds, such as an argument --data=/data/a.csv or a list of folders."""
        mounts = "|".join(re.escape(mount) for mount in sorted(self.places, key=len, reverse=True))
        if not mounts:
            return text
        return re.sub(f"{_BEFORE_PATH}(?:{mounts}){_AFTER_PATH}", lambda found: self.places[found[0]], text)

    def to_json(self) -> str:
        return json.dumps(dict(self.places))

    @classmethod
    def from_json(cls, text: str) -> "Mounts":
        return cls(json.loads(text))


@dataclass(frozen=True)
class Launch:
    """One pod of one attempt."""

    run: RunConfig
    nodes: int = 1
    local_world_size: int = 1
    node_rank: int = 0
    host: str = "127.0.0.1"
    port: int = 29500
    termination_log: Path | None = None
    mounts: Mounts = Mounts()
    environment: Mapping[str, str] = field(default_factory=dict)
    """What a manifest sets where no pod has done it; a variable that is set already stays as it is."""
    notes: tuple[str, ...] = ()
    """What a person should know before it starts."""

    @property
    def world_size(self) -> int:
        return self.nodes * self.local_world_size

    @property
    def local_ranks(self) -> range:
        """The global ranks that run in this pod."""
        first = self.node_rank * self.local_world_size
        return range(first, first + self.local_world_size)


def launch_from(environment: Mapping[str, str]) -> Launch:
    """The pod that the operator described; whatever is wrong is named."""
    return Launch(
        run=_run_config(environment),
        nodes=_number(environment, contract.NODES_ENV, 1),
        local_world_size=_number(environment, contract.LOCAL_WORLD_SIZE_ENV, 1),
        node_rank=_number(environment, contract.NODE_RANK_ENV, 0),
        host=environment.get(contract.RENDEZVOUS_HOST_ENV) or "127.0.0.1",
        port=_number(environment, contract.RENDEZVOUS_PORT_ENV, 29500),
        termination_log=termination_log(environment),
        mounts=Mounts.from_json(environment.get(MOUNTS_ENV) or "{}"),
    )


def whose_attempt(environment: Mapping[str, str]) -> tuple[str, int]:
    """UID and attempt of a configuration, even if nothing else of it is understood."""
    try:
        run = json.loads(run_text(environment))
        return str(run["uid"]), int(run["attempt"])
    except (ValueError, KeyError, TypeError):
        return "", 0


def termination_log(environment: Mapping[str, str]) -> Path | None:
    """Where the last word goes; None outside of a pod."""
    path = Path(environment.get(contract.TERMINATION_LOG_ENV) or contract.TERMINATION_LOG_PATH)
    return path if contract.TERMINATION_LOG_ENV in environment or path.exists() else None


@dataclass(frozen=True)
class RankConfig:
    """One rank's place in the world."""

    run: RunConfig
    rank: int
    world_size: int
    local_world_size: int
    """How many of them run in this pod."""
    local_rank: int
    folder: Path
    mounts: Mounts
    pod_ip: str | None
    gpus: int = 0
    """Those that the pod has asked for; 0 outside of a cluster."""


def rank_config_from(environment: Mapping[str, str]) -> RankConfig:
    """What the supervisor has written for this rank."""
    return RankConfig(
        run=_run_config(environment),
        rank=_number(environment, "RANK", 0),
        world_size=_number(environment, "WORLD_SIZE", 1),
        local_world_size=_number(environment, "LOCAL_WORLD_SIZE", 1),
        local_rank=_number(environment, "LOCAL_RANK", 0),
        folder=Path(environment[RUN_FOLDER_ENV]),
        mounts=Mounts.from_json(environment.get(MOUNTS_ENV) or "{}"),
        pod_ip=environment.get(contract.POD_IP_ENV) or None,
        gpus=_number(environment, contract.GPUS_ENV, 0),
    )


def _run_config(environment: Mapping[str, str]) -> RunConfig:
    text = run_text(environment)
    if not text:
        raise UserError(f"{contract.RUN_ENV} is not set: in a cluster the operator sets it; elsewhere use --config")
    try:
        return RunConfig.model_validate_json(text)
    except ValidationError as error:
        lines = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
        raise UserError(
            f"{contract.RUN_ENV} is not understood; is this image of the operator's release? {lines}"
        ) from error


def _number(environment: Mapping[str, str], name: str, default: int) -> int:
    text = environment.get(name) or str(default)
    if not text.isdigit():
        raise UserError(f"{name} must be a number, not {text!r}")
    return int(text)
