"""Everything of a user's program that goes into a checkpoint: a Resumable."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from trainer.checkpoint import tensors as safe
from trainer.checkpoint.files import Content
from trainer.distributed import World
from trainer.errors import CheckpointCorrupt
from trainer.learning.exactness import Circumstances, Likeness, compare, doubted
from trainer.resumable import FACTS, RANKS, Position, decode_file, own_of
from trainer.script.attributes import Attributes
from trainer.script.gradients import Copy, Gradients
from trainer.script.objects import Objects
from trainer.script.packing import TREE, pack, unpack
from trainer.script.random_state import Generators, seed_all
from trainer.seeds import derived_seed
from trainingjob_api.base import Report
from trainingjob_api.progress import EpochMetrics

PROGRAM = "program.safetensors"
_GENERATORS = "(generators)"

_GRADIENTS = "(gradients)"
_MOST_DOUBTS = 3


@dataclass(frozen=True)
class Snapshot:
    """Objects as they were."""

    contents: Sequence[tuple[Objects, Content]]
    gradients: Copy | None = None


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
    doubts: tuple[str, ...] = ()
    """What is in no checkpoint, and may make the rest another one."""


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
    doubts: list[Callable[[], Iterable[str]]] = field(default_factory=list)
    """Each tells what would be lost if the state was saved now."""
    _rate: float | Tensor | None = None
    _files: Mapping[str, Content] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.gradients = Gradients(self.objects.modules, [*self.objects.optimizers, *self.own.optimizers])
        attributes = Attributes({**self.objects.named_modules, **self.own.named_modules})
        self.doubts += [self.gradients.doubts, attributes.doubts]

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
        gradients = self.gradients.state()
        packed = {**self.own.pack(), **(pack({_GRADIENTS: gradients}) if gradients else {})}
        return {name: tensor.cpu() for name, tensor in packed.items()}

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
            doubts=tuple(_first(dict.fromkeys(text for tell in self.doubts for text in tell()))),
        )
        return json.dumps(facts.to_json_object(), indent=1).encode()

    def load(self, files: Mapping[str, Content], world: World) -> Likeness:
        """Random generators come last: nothing may draw from them afterwards."""
        self._files, facts = files, _facts(files)
        self.seed, self.position, self.epoch_seconds = facts.seed, facts.position, facts.epoch_seconds
        self.best_metrics, self.best_step, self.samples = facts.best_metrics, facts.best_step, facts.samples
        self._rate = facts.last_rate
        self._load_objects(files, facts, world)
        return doubted(compare(facts.circumstances, self.circumstances), facts.doubts)

    def load_again(self, world: World) -> None:
        """The objects become once more what they were in the checkpoint, for the last time."""
        self._load_objects(self._files, _facts(self._files), world)
        self._files = {}

    def _load_objects(self, files: Mapping[str, Content], facts: Facts, world: World) -> None:
        self.objects.load(decode_file(files, PROGRAM), self.own.weights())
        if facts.circumstances.world_size == world.size:
            own = own_of(decode_file(files, RANKS), world.rank)
            if f"{_GRADIENTS}{TREE}" in own:
                self.gradients.load(unpack(own, _GRADIENTS))
            rest = {name: tensor for name, tensor in own.items() if not name.startswith(_GRADIENTS)}
            self.own.load(rest, self.objects.weights())
        else:
            seed_all(derived_seed(self.seed, "resumed", self.position.step, world.size, world.rank))

    def snapshot(self) -> Snapshot:
        """All of this rank's objects, in memory."""
        contents = [(each, safe.encode(each.pack())) for each in (self.objects, self.own)]
        return Snapshot(contents, self.gradients.copy())

    def mark(self) -> Mark:
        """Without a copy of weights and moments."""
        both = self.objects, self.own
        weights = [tensor for each in both for tensor in each.trained() if not tensor.is_inference()]
        small = [(each, safe.encode(each.pack())) for each in (part.small() for part in both)]
        return Mark(Snapshot(small), [(tensor, tensor._version) for tensor in weights])

    def go_back(self, snapshot: Snapshot) -> None:
        """Every object in it becomes what it was."""
        for objects, content in snapshot.contents:
            objects.load(safe.decode(content), [*self.objects.weights(), *self.own.weights()])
        if snapshot.gradients is not None:
            self.gradients.go_back(snapshot.gradients)


def with_generators(own: Mapping[str, object]) -> Objects:
    """A rank's own objects; the generators are the last of them."""
    return Objects({**own, _GENERATORS: Generators()})


def device_of(objects: Objects) -> torch.device:
    """Where the first module lies."""
    parameters = (parameter for module in objects.modules for parameter in module.parameters())
    first = next(parameters, None)
    return torch.device("cpu") if first is None else first.device


def _first(doubts: Iterable[str]) -> list[str]:
    """As many as a person reads."""
    told = list(doubts)
    more = len(told) - _MOST_DOUBTS
    return [*told[:_MOST_DOUBTS], *([f"so it is with {more} more"] if more > 0 else [])]


def _facts(files: Mapping[str, Content]) -> Facts:
    try:
        return Facts.model_validate_json(bytes(files[FACTS]))
    except (KeyError, ValueError) as error:
        raise CheckpointCorrupt(f"{FACTS} of the checkpoint cannot be understood: {error}") from error
