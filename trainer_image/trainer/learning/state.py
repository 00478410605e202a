"""Everything that makes the rest of a training what it would have been: into a checkpoint and out of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from trainer.checkpoint import tensors as safe
from trainer.checkpoint.files import Content
from trainer.checkpoint.folder import first_difference
from trainer.distributed import World
from trainer.errors import CheckpointCorrupt, CheckpointMismatch
from trainer.learning.early_stopping import Standing
from trainer.learning.epoch_sums import EpochSums
from trainer.learning.exactness import Circumstances, Likeness, compare
from trainer.learning.learner import Learner
from trainer.learning.plateau import Plateau
from trainer.resumable import FACTS, RANKS, Position, decode_file, own_of
from trainer.seeds import derived_seed
from trainingjob_api.base import Report
from trainingjob_api.progress import EpochMetrics

MODEL, OPTIMIZER, BEST = "model.safetensors", "optimizer.safetensors", "best.safetensors"


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
    """A Resumable: one rank's view. Model, optimizer, position and standing are the same on every rank."""

    learner: Learner
    sums: EpochSums
    """This rank's, over the samples of the epoch so far."""
    identity: dict[str, str]
    circumstances: Circumstances
    features: Sequence[str]
    labels: Sequence[str | int | float | bool] | None
    standing: Standing
    keeps_best: bool = True
    """Whether the weights of the best epoch are remembered."""
    epoch: int = 0
    consumed: int = 0
    step: int = 0
    plateau: Plateau = field(default_factory=Plateau)
    best: dict[str, Tensor] = field(default_factory=dict)
    best_step: int | None = None
    epoch_seconds: float = 0.0
    """Time spent in this epoch by earlier attempts."""

    @property
    def model(self) -> nn.Module:
        return self.learner.model

    @property
    def best_metrics(self) -> EpochMetrics | None:
        return self.standing.metrics

    @property
    def position(self) -> Position:
        return Position(self.epoch, self.consumed, self.step)

    def advance(self, samples: int) -> None:
        """One step more."""
        self.consumed += samples
        self.step += 1

    def finish_epoch(self, standing: Standing) -> None:
        """The epoch is done and measured; its weights are remembered if they are the best."""
        self.epoch, self.consumed = self.epoch + 1, 0
        self.sums.clear()
        self.epoch_seconds = 0.0
        self.standing = standing
        if standing.metrics is None or standing.metrics.epoch != self.epoch:
            return
        self.best_step = self.step
        if self.keeps_best:
            self.best = {name: value.detach().clone() for name, value in self.model.state_dict().items()}

    def load_best(self) -> None:
        if self.best:
            self.model.load_state_dict(self.best)

    def is_finite(self) -> bool:
        """Weights and what the optimizer knows: a buffer may well hold an infinite mask."""
        names = [name for name, _ in self.model.named_parameters()]
        best = [self.best[name] for name in names if self.best]
        return safe.all_finite([*self.model.parameters(), *best, *self.learner.state_tensors().values()])

    def shared_tensors(self) -> dict[str, dict[str, Tensor]]:
        """File name -> name -> tensor; the same on every rank."""
        files = {MODEL: dict(self.model.state_dict()), OPTIMIZER: self.learner.state_tensors()}
        return files if self._best_is_model or not self.best else {**files, BEST: self.best}

    def own_tensors(self) -> dict[str, Tensor]:
        """What differs between ranks, on the CPU."""
        own = {**self.sums.tensors(), "cpu_rng": torch.get_rng_state()}
        device = self.learner.world.device
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
        return facts.model_dump_json(by_alias=True, exclude_none=True, indent=1).encode()

    def load(self, files: Mapping[str, Content], world: World) -> Likeness:
        """Becomes what was saved. Random generators come last: nothing may draw from them afterwards."""
        facts = read_facts(files)
        if field := first_difference(facts.identity, self.identity):
            raise CheckpointMismatch(f"training.{field} is not that of the recipe which the checkpoint belongs to")
        self._require_same_columns(facts)
        load_weights(self.model, decode_file(files, MODEL))
        self.learner.load_state_tensors(decode_file(files, OPTIMIZER))
        then, self.epoch_seconds = facts.position, facts.epoch_seconds
        self.epoch, self.consumed, self.step = then.epoch, then.consumed, then.step
        self._load_standing(facts, files)
        self._load_own(decode_file(files, RANKS), facts.circumstances.world_size, world)
        if facts.circumstances.data_digest != self.circumstances.data_digest:  # sums of rows that may be there no more
            self.consumed = 0
            self.sums.clear()
            self.epoch_seconds = 0.0
        return compare(facts.circumstances, self.circumstances)

    def _load_standing(self, facts: Facts, files: Mapping[str, Content]) -> None:
        """What was watched or the best by another measure counts for nothing: both may be changed in a pause."""
        then, now = facts.standing, self.standing
        self.plateau = facts.plateau
        if then.watched == now.watched:
            self.standing = now.model_copy(update={"reference": then.reference, "waited": then.waited})
        else:
            self.plateau = Plateau(reductions=facts.plateau.reductions)
        if then.criterion == now.criterion:
            self._load_best(facts, files)

    def _load_best(self, facts: Facts, files: Mapping[str, Content]) -> None:
        """Where its weights are asked for and were not kept, none has been the best so far."""
        if self.keeps_best:
            self.best = self._best_in(facts, files)
            if not self.best:
                return
        self.best_step = facts.best_step
        best = {"value": facts.standing.value, "metrics": facts.standing.metrics}
        self.standing = self.standing.model_copy(update=best)

    def _best_in(self, facts: Facts, files: Mapping[str, Content]) -> dict[str, Tensor]:
        if facts.best_is_model:
            return {name: value.detach().clone() for name, value in self.model.state_dict().items()}
        if BEST not in files:
            return {}
        device = self.learner.world.device
        return {name: value.to(device) for name, value in decode_file(files, BEST).items()}

    def _load_own(self, ranks: Mapping[str, Tensor], saved_size: int, world: World) -> None:
        if saved_size == world.size:
            own = own_of(ranks, world.rank)
            self.sums.load(own)
            torch.set_rng_state(own["cpu_rng"])
            if "cuda_rng" in own:
                torch.cuda.set_rng_state(own["cuda_rng"], world.device)
            return
        # Other ranks than then: the sums so far go to one of them, and each draws numbers of its own from here on.
        if world.is_rank_zero:
            self.sums.load_all([own_of(ranks, rank) for rank in range(saved_size)])
        seed = self.circumstances.recipe["seed"]
        torch.manual_seed(derived_seed(seed, "resumed", self.step, world.size, world.rank))

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
        return bool(self.best) and self.best_step == self.step


def load_weights(model: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """CheckpointMismatch if the network is another one by now, such as a custom one whose code has changed."""
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        first = str(error).splitlines()[1:2] or [str(error)]
        raise CheckpointMismatch(
            f"training.model: the weights of the checkpoint do not fit the network: {first[0].strip()[:500]}"
        ) from error


def read_facts(files: Mapping[str, Content]) -> Facts:
    try:
        return Facts.model_validate_json(bytes(files[FACTS]))
    except (KeyError, ValueError) as error:
        raise CheckpointCorrupt(f"{FACTS} of the checkpoint cannot be understood: {error}") from error


def _shorten(names: Sequence[object]) -> str:
    shown = ", ".join(map(str, names[:8]))
    return f"{shown} … ({len(names)} in all)" if len(names) > 8 else shown
