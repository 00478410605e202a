"""Everything of a user's program that goes into a checkpoint: a Resumable."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from trainer.checkpoint import tensors as safe
from trainer.checkpoint.files import Content
from trainer.distributed import World
from trainer.errors import CheckpointCorrupt
from trainer.learning.exactness import Circumstances, Likeness, compare
from trainer.resumable import FACTS, RANKS, Position, decode_file, own_of
from trainer.script.objects import Objects
from trainer.script.random_state import Generators, seed_all
from trainer.seeds import derived_seed
from trainingjob_api.base import Report
from trainingjob_api.progress import EpochMetrics

PROGRAM = "program.safetensors"
_GENERATORS = "(generators)"

Snapshot = list[tuple[Objects, Content]]


@dataclass(frozen=True)
class Mark:
    """A place to go back to for as long as no weight has changed."""

    snapshot: Snapshot
    versions: list[tuple[Tensor, int]]

    def is_valid(self) -> bool:
        return all(tensor._version == version for tensor, version in self.versions)


class Facts(Report):
    """state.json."""

    circumstances: Circumstances
    seed: int
    position: Position
    best_metrics: EpochMetrics | None = None
    best_step: int | None = None
    epoch_seconds: float = 0.0
    samples: int = 0
    last_rate: float | None = None


@dataclass
class ScriptState:
    """One rank's view of the program's objects, and where in its epochs it stands."""

    objects: Objects
    own: Objects
    """What differs between ranks, the random generators among it."""
    circumstances: Circumstances
    seed: int
    """Of the order of samples; the same on every rank."""
    position: Position = field(default_factory=Position)
    best_metrics: EpochMetrics | None = None
    best_step: int | None = None
    epoch_seconds: float = 0.0
    """Time spent in this epoch by earlier attempts."""
    samples: int = 0
    """Of this epoch, over all ranks, as far as the program told."""
    _rate: float | Tensor | None = None
    _files: Mapping[str, Content] = field(default_factory=dict)

    @property
    def is_loaded(self) -> bool:
        """Whether there was a checkpoint that has not been left behind."""
        return bool(self._files)

    @property
    def last_rate(self) -> float | None:
        """The learning rate of the last step, as far as an optimizer told. A host synchronisation if it is a tensor."""
        return None if self._rate is None else float(self._rate)

    def note_rate(self, rate: float | Tensor) -> None:
        """Of a step that is about to be taken."""
        self._rate = rate.detach().clone() if isinstance(rate, Tensor) else rate

    def is_finite(self) -> bool:
        """Of parameters only: a buffer may well hold an infinite mask."""
        return all(safe.all_finite(module.parameters()) for module in self.objects.modules)

    def shared_tensors(self) -> dict[str, dict[str, Tensor]]:
        return {PROGRAM: self.objects.pack()}

    def own_tensors(self) -> dict[str, Tensor]:
        return {name: tensor.cpu() for name, tensor in self.own.pack().items()}

    def facts(self) -> bytes:
        facts = Facts(
            circumstances=self.circumstances,
            seed=self.seed,
            position=self.position,
            best_metrics=self.best_metrics,
            best_step=self.best_step,
            epoch_seconds=self.epoch_seconds,
            samples=self.samples,
            last_rate=self.last_rate,
        )
        return json.dumps(facts.to_json_object(), indent=1).encode()

    def load(self, files: Mapping[str, Content], world: World) -> Likeness:
        """Random generators come last: nothing may draw from them afterwards."""
        self._files, facts = files, _facts(files)
        self.seed, self.position, self.epoch_seconds = facts.seed, facts.position, facts.epoch_seconds
        self.best_metrics, self.best_step, self.samples = facts.best_metrics, facts.best_step, facts.samples
        self._rate = facts.last_rate
        self._load_objects(files, facts, world)
        return compare(facts.circumstances, self.circumstances)

    def load_again(self, world: World) -> None:
        """The objects become once more what they were in the checkpoint, for the last time."""
        self._load_objects(self._files, _facts(self._files), world)
        self._files = {}

    def _load_objects(self, files: Mapping[str, Content], facts: Facts, world: World) -> None:
        self.objects.load(decode_file(files, PROGRAM), self.own.weights())
        if facts.circumstances.world_size == world.size:
            self.own.load(own_of(decode_file(files, RANKS), world.rank), self.objects.weights())
        else:
            seed_all(derived_seed(self.seed, "resumed", self.position.step, world.size, world.rank))

    def snapshot(self) -> Snapshot:
        """All of this rank's objects, in memory."""
        return [(each, safe.encode(each.pack())) for each in (self.objects, self.own)]

    def mark(self) -> Mark:
        """Without a copy of weights and moments."""
        both = self.objects, self.own
        weights = [tensor for each in both for tensor in each.trained() if not tensor.is_inference()]
        small: Snapshot = [(each, safe.encode(each.pack())) for each in (part.small() for part in both)]
        return Mark(small, [(tensor, tensor._version) for tensor in weights])

    def go_back(self, snapshot: Snapshot) -> None:
        """Every object in it becomes what it was."""
        for objects, content in snapshot:
            objects.load(safe.decode(content), [*self.objects.weights(), *self.own.weights()])


def with_generators(own: Mapping[str, object]) -> Objects:
    """A rank's own objects; the generators are the last of them."""
    return Objects({**own, _GENERATORS: Generators()})


def device_of(objects: Objects) -> torch.device:
    """Where the first module lies."""
    parameters = (parameter for module in objects.modules for parameter in module.parameters())
    first = next(parameters, None)
    return torch.device("cpu") if first is None else first.device


def _facts(files: Mapping[str, Content]) -> Facts:
    try:
        return Facts.model_validate_json(bytes(files[FACTS]))
    except (KeyError, ValueError) as error:
        raise CheckpointCorrupt(f"{FACTS} of the checkpoint cannot be understood: {error}") from error
