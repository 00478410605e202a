"""A training of which nothing is left but what is saved."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from trainer.checkpoint.tensors import all_finite
from trainer.distributed import World
from trainer.learning.exactness import Likeness
from trainer.resumable import Position
from trainingjob_api.progress import EpochMetrics


@dataclass
class Weights:
    """A state that is nothing but some numbers."""

    values: Tensor = field(default_factory=lambda: torch.ones(100))
    position: Position = field(default_factory=lambda: Position(step=1))
    best_metrics: EpochMetrics | None = None
    best_step: int | None = None

    def next(self) -> "Weights":
        """One step later."""
        self.position = Position(step=self.position.step + 1)
        self.values += 1
        return self

    def is_finite(self) -> bool:
        return all_finite([self.values])

    def shared_tensors(self) -> Mapping[str, Mapping[str, Tensor]]:
        return {"model.safetensors": {"values": self.values}}

    def own_tensors(self) -> Mapping[str, Tensor]:
        return {"random": torch.get_rng_state()}

    def facts(self) -> bytes:
        return b"{}"

    def load(self, files: Mapping[str, bytes | memoryview], world: World) -> Likeness:
        raise NotImplementedError
