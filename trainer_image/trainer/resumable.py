"""What a Run asks of a training's state, whatever is trained: where it stands, and its way into files and back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from trainer.checkpoint import tensors as safe
from trainer.checkpoint.files import Content
from trainer.distributed import World
from trainer.errors import CheckpointCorrupt
from trainer.learning.exactness import Likeness
from trainingjob_api.progress import EpochMetrics

RANKS, FACTS = "ranks.safetensors", "state.json"


@dataclass(frozen=True)
class Position:
    """Where a training stands. In the middle of an epoch `consumed` samples of its order have been used."""

    epoch: int = 0
    consumed: int = 0
    step: int = 0


class Resumable(Protocol):
    """One rank's view of everything that makes the rest of a training what it would have been."""

    @property
    def position(self) -> Position: ...

    @property
    def best_metrics(self) -> EpochMetrics | None:
        """Of the best epoch so far."""

    @property
    def best_step(self) -> int | None:
        """The step whose checkpoint is kept besides the last ones."""

    def is_finite(self) -> bool:
        """Whether no weight is NaN or infinite; what is not finite is never saved. Asked on rank 0."""

    def shared_tensors(self) -> Mapping[str, Mapping[str, Tensor]]:
        """File name -> name -> tensor; the same on every rank. Asked on rank 0."""

    def own_tensors(self) -> Mapping[str, Tensor]:
        """What differs between ranks, on the CPU; shapes and names may differ too."""

    def facts(self) -> bytes:
        """state.json: all that is no tensor. Asked on rank 0."""

    def load(self, files: Mapping[str, Content], world: World) -> Likeness:
        """Becomes what was saved; says how closely the rest will be what it would have been. Asked on every rank."""


def tensor_files(state: Resumable, rows: Sequence[Mapping[str, Tensor]]) -> dict[str, Mapping[str, Tensor]]:
    """File name -> name -> tensor of a checkpoint; rows: every rank's own tensors, by rank."""
    own = {f"{rank}.{name}": tensor for rank, row in enumerate(rows) for name, tensor in row.items()}
    return {**state.shared_tensors(), RANKS: own}


def decode_file(files: Mapping[str, Content], name: str) -> dict[str, Tensor]:
    """The tensors of one file of a checkpoint."""
    if name not in files:
        raise CheckpointCorrupt(f"the checkpoint has no {name}")
    try:
        return safe.decode(files[name])
    except ValueError as error:
        raise CheckpointCorrupt(f"{name} of the checkpoint: {error}") from error


def own_of(ranks: Mapping[str, Tensor], rank: int) -> dict[str, Tensor]:
    """One rank's own tensors among those of all."""
    prefix = f"{rank}."
    return {name.removeprefix(prefix): tensor for name, tensor in ranks.items() if name.startswith(prefix)}
