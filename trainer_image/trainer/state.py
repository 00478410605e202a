"""Everything that makes the rest of a training what it would have been: into a checkpoint and out of it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from trainer.checkpoint import tensors as safe
from trainer.distributed import World
from trainer.early_stopping import Standing
from trainer.errors import CheckpointCorrupt, CheckpointMismatch
from trainer.exactness import Circumstances
from trainer.learner import Learner
from trainer.plateau import Plateau
from trainer.seeds import derived_seed
from trainingjob_api.base import Report

MODEL, OPTIMIZER, BEST, RANKS, FACTS = (
    "model.safetensors",
    "optimizer.safetensors",
    "best.safetensors",
    "ranks.safetensors",
    "state.json",
)


class Position(Report):
    """Where a training stands. In the middle of an epoch `consumed` samples of its order have been used."""

    epoch: int = 0
    consumed: int = 0
    step: int = 0


class Facts(Report):
    """state.json."""

    identity: dict[str, str]
    circumstances: Circumstances
    features: list[str]
    labels: list[str | int | float | bool] | None = None
    position: Position
    standing: Standing
    plateau: Plateau = Plateau()
    best_is_model: bool
    best_step: int | None = None
    epoch_seconds: float = 0.0


@dataclass
class TrainState:
    """One rank's view. Model, optimizer, position and standing are the same on every rank."""

    learner: Learner
    tally: Tensor
    """This rank's sums over the samples of the epoch so far."""
    identity: dict[str, str]
    circumstances: Circumstances
    features: Sequence[str]
    labels: Sequence[str | int | float | bool] | None
    position: Position = field(default_factory=Position)
    standing: Standing = field(default_factory=Standing)
    plateau: Plateau = field(default_factory=Plateau)
    best: dict[str, Tensor] = field(default_factory=dict)
    best_step: int | None = None
    epoch_seconds: float = 0.0
    """Time spent in this epoch by earlier attempts."""

    @property
    def model(self) -> nn.Module:
        return self.learner.model

    def advance(self, samples: int, tally: Tensor) -> None:
        """One step more."""
        now = self.position
        self.position = Position(epoch=now.epoch, consumed=now.consumed + samples, step=now.step + 1)
        self.tally += tally

    def finish_epoch(self, standing: Standing) -> None:
        """The epoch is done and measured; its weights are remembered if none were better."""
        self.position = Position(epoch=self.position.epoch + 1, step=self.position.step)
        self.tally = torch.zeros_like(self.tally)
        self.epoch_seconds = 0.0
        self.standing = standing
        if standing.waited == 0:
            self.best = {name: value.detach().clone() for name, value in self.model.state_dict().items()}
            self.best_step = self.position.step

    def load_best(self) -> None:
        if self.best:
            self.model.load_state_dict(self.best)

    def shared_tensors(self) -> dict[str, dict[str, Tensor]]:
        """File name -> name -> tensor; the same on every rank."""
        files = {MODEL: dict(self.model.state_dict()), OPTIMIZER: self.learner.state_tensors()}
        return files if self._best_is_model or not self.best else {**files, BEST: self.best}

    def own_tensors(self) -> dict[str, Tensor]:
        """What differs between ranks, on the CPU."""
        own = {"tally": self.tally.cpu(), "cpu_rng": torch.get_rng_state()}
        device = self.tally.device
        return {**own, "cuda_rng": torch.cuda.get_rng_state(device)} if device.type == "cuda" else own

    def facts(self) -> bytes:
        """state.json."""
        facts = Facts(
            identity=self.identity,
            circumstances=self.circumstances,
            features=list(self.features),
            labels=list(self.labels) if self.labels is not None else None,
            position=self.position,
            standing=self.standing,
            plateau=self.plateau,
            best_is_model=self._best_is_model,
            best_step=self.best_step,
            epoch_seconds=self.epoch_seconds,
        )
        return json.dumps(facts.to_json_object(), indent=1).encode()

    def load(self, files: Mapping[str, bytes], world: World) -> Facts:
        """Becomes what was saved. Random generators come last: nothing may draw from them afterwards."""
        facts = read_facts(files)
        self._require_same_columns(facts)
        self.model.load_state_dict(_decode(files, MODEL))
        self.learner.load_state_tensors(_decode(files, OPTIMIZER))
        self.position, self.standing, self.epoch_seconds = facts.position, facts.standing, facts.epoch_seconds
        self.plateau = facts.plateau
        if facts.best_is_model:
            self.best = {name: value.detach().clone() for name, value in self.model.state_dict().items()}
        elif BEST in files:
            self.best = {name: value.to(self.tally.device) for name, value in _decode(files, BEST).items()}
        self.best_step = facts.best_step
        self._load_own(_decode(files, RANKS), facts.circumstances.world_size, world)
        return facts

    def _load_own(self, ranks: Mapping[str, Tensor], saved_size: int, world: World) -> None:
        if saved_size == world.size:
            own = {
                name: ranks[f"{world.rank}.{name}"] for name in self.own_tensors() if f"{world.rank}.{name}" in ranks
            }
            self.tally.copy_(own["tally"])
            torch.set_rng_state(own["cpu_rng"])
            if "cuda_rng" in own:
                torch.cuda.set_rng_state(own["cuda_rng"], self.tally.device)
            return
        # Other ranks than then: the sums so far go to one of them, and each draws numbers of its own from here on.
        total = torch.stack([ranks[f"{rank}.tally"] for rank in range(saved_size)]).sum(dim=0)
        self.tally.copy_(total if world.is_rank_zero else torch.zeros_like(total))
        seed = self.circumstances.recipe["seed"]
        torch.manual_seed(derived_seed(seed, "resumed", self.position.step, world.size, world.rank))

    def _require_same_columns(self, facts: Facts) -> None:
        if facts.features != list(self.features):
            raise CheckpointMismatch(
                "training.data.features: the checkpoint was trained on the columns "
                f"{_shorten(facts.features)}, the file has {_shorten(list(self.features))}"
            )
        if facts.labels != (list(self.labels) if self.labels is not None else None):
            raise CheckpointMismatch(
                f"training.data.target: the checkpoint knows the classes {_shorten(facts.labels or [])}, "
                f"the file has {_shorten(list(self.labels or []))}"
            )

    @property
    def _best_is_model(self) -> bool:
        """At the end of a best epoch the weights need not be written twice."""
        return bool(self.best) and self.best_step == self.position.step


def read_facts(files: Mapping[str, bytes]) -> Facts:
    try:
        return Facts.model_validate_json(files[FACTS])
    except (KeyError, ValueError) as error:
        raise CheckpointCorrupt(f"{FACTS} of the checkpoint cannot be understood: {error}") from error


def encode_files(state: TrainState, rows: Sequence[Mapping[str, Tensor]]) -> dict[str, bytes]:
    """All files of a checkpoint; rows: every rank's own tensors, by rank."""
    own = {f"{rank}.{name}": tensor for rank, row in enumerate(rows) for name, tensor in row.items()}
    files = {name: safe.encode(tensors) for name, tensors in state.shared_tensors().items()}
    return {**files, RANKS: safe.encode(own), FACTS: state.facts()}


def _decode(files: Mapping[str, bytes], name: str) -> dict[str, Tensor]:
    if name not in files:
        raise CheckpointCorrupt(f"the checkpoint has no {name}")
    return safe.decode(files[name])


def _shorten(names: Sequence[object]) -> str:
    shown = ", ".join(map(str, names[:8]))
    return f"{shown} … ({len(names)} in all)" if len(names) > 8 else shown
