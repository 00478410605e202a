"""Batches of a program's own loader in an order that depends on the epoch alone, from any place in it."""

import multiprocessing
import random
from collections.abc import Iterable, Iterator, Sequence, Sized
from dataclasses import dataclass
from itertools import chain, islice
from multiprocessing import resource_tracker
from typing import Any, cast
from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch.utils.data import BatchSampler, DataLoader, Dataset, IterableDataset, RandomSampler, Sampler, get_worker_info
from torch.utils.data.sampler import SubsetRandomSampler, WeightedRandomSampler

from trainer.pod.stopping import deaf_children
from trainer.script.random_state import seed_all, seeded
from trainer.seeds import derived_seed

_INDEPENDENT = (RandomSampler, SubsetRandomSampler, WeightedRandomSampler)


@dataclass(frozen=True)
class Place:
    """Where in a training the batches are wanted."""

    seed: int
    epoch: int
    consumed: int
    """Of all ranks; samples where their number is known beforehand, else batches."""
    rank: int
    size: int


@dataclass(frozen=True)
class Entry:
    """One batch still to come."""

    batch: Any
    consumed: int
    """What this batch adds, over all ranks."""
    is_last: bool
    """As far as that can be known."""


class Orders:
    """Keeps what is made of each loader: workers that persist must not be started anew for every epoch.

    No longer than the program keeps its loader: it may make one for every epoch.
    """

    def __init__(self) -> None:
        self._loaders: WeakKeyDictionary[DataLoader[Any], tuple[DataLoader[Any], _Order]] = WeakKeyDictionary()

    def entries(self, loader: Iterable[Any], place: Place) -> Iterator[Entry]:
        """What is left of this epoch. What has to be left out is left out before this returns."""
        if type(loader) is DataLoader and (batches := _batches(loader, place)) is not None:
            return self._by_rows(loader, batches, place)
        return _by_batches(loader, place)

    def _by_rows(self, loader: DataLoader[Any], batches: "Sequence[_Rows]", place: Place) -> Iterator[Entry]:
        ours, order = self._ours(loader)
        rest = _skipped(batches, place)
        order.batches = rest
        assert isinstance(ours.generator, torch.Generator)
        ours.generator.manual_seed(derived_seed(place.seed, "workers", place.epoch))
        return (
            Entry(batch, len(rows) * place.size, is_last=number == len(rest))
            for number, (rows, batch) in enumerate(zip(rest, ours, strict=True), start=1)
        )

    def _ours(self, loader: DataLoader[Any]) -> "tuple[DataLoader[Any], _Order]":
        if loader not in self._loaders:
            order = _Order()
            self._loaders[loader] = _loader_like(loader, order), order
        return self._loaders[loader]


class _Rows(list[Any]):
    """The rows of one batch."""

    seed = 0
    """For what a worker draws while it reads them."""


class _Order(Sampler[Any]):
    """Batches that are decided already."""

    batches: Sequence[_Rows] = ()

    def __iter__(self) -> Iterator[_Rows]:
        return iter(self.batches)

    def __len__(self) -> int:
        return len(self.batches)


class _SeededRows(Dataset[Any]):
    """A dataset in a worker, whose random augmentation depends on the batch instead of on those read before it."""

    def __init__(self, dataset: Any) -> None:
        self.dataset = dataset

    def __getitems__(self, rows: _Rows) -> Any:
        seed_all(rows.seed)
        together = getattr(self.dataset, "__getitems__", None)
        return together(rows) if together else [self.dataset[row] for row in rows]


@dataclass(frozen=True)
class _Beginning:
    """A worker's first act: to the program's own code its dataset is what it was."""

    theirs: Any

    def __call__(self, worker: int) -> None:
        info = get_worker_info()
        assert info is not None
        object.__setattr__(info, "dataset", cast(_SeededRows, info.dataset).dataset)  # torch freezes it
        if self.theirs is not None:
            self.theirs(worker)


def spare_workers() -> None:
    """From here on a signal to a whole group ends no worker of any DataLoader: the step in hand needs its batch."""
    make_iterator = DataLoader._get_iterator
    if make_iterator.__module__ == __name__:
        return

    def make(self: DataLoader[Any]) -> Any:
        if self.num_workers and (self.multiprocessing_context or multiprocessing).get_start_method() != "fork":
            resource_tracker.ensure_running()  # which it would start itself, and make ours hear signals again
        with deaf_children():
            return make_iterator(self)

    DataLoader._get_iterator = make  # type: ignore[method-assign]


def _loader_like(loader: DataLoader[Any], order: _Order) -> DataLoader[Any]:
    workers: dict[str, Any] = {"dataset": loader.dataset}
    if loader.num_workers:
        workers = {
            "dataset": _SeededRows(loader.dataset),
            "num_workers": loader.num_workers,
            "prefetch_factor": loader.prefetch_factor,
            "persistent_workers": loader.persistent_workers,
            "multiprocessing_context": loader.multiprocessing_context,
            "worker_init_fn": _Beginning(loader.worker_init_fn),
            "timeout": loader.timeout,
            "in_order": True,
        }
    return DataLoader(
        batch_sampler=order,
        collate_fn=loader.collate_fn,
        pin_memory=loader.pin_memory,
        generator=torch.Generator(),  # so that none of the program's own is asked for the workers' seed
        **workers,
    )


def _batches(loader: DataLoader[Any], place: Place) -> list[_Rows] | None:
    """All batches of the epoch; None if it has no order that is known beforehand, or none that ends."""
    length = None if isinstance(loader.dataset, IterableDataset) else _length(loader.batch_sampler)
    if length is None:
        return None
    # Ranks that draw independently must draw differently; samplers that share an order out must agree on it.
    is_alone = type(loader.batch_sampler) is BatchSampler and type(loader.sampler) in _INDEPENDENT
    seed = derived_seed(place.seed, "order", place.epoch, place.rank if is_alone else 0)
    _prepare(loader, place.epoch, seed)
    with seeded(seed):
        # A length may be an estimate. What gives twice as much may go on for ever, until the program leaves its loop.
        batches = [_Rows(rows) for rows in islice(loader.batch_sampler or (), 2 * length + 1)]
    if len(batches) > 2 * length:
        return None
    for number, rows in enumerate(batches):
        rows.seed = derived_seed(place.seed, "rows", place.epoch, number, place.rank)
    return batches


def _skipped(batches: Sequence[_Rows], place: Place) -> Sequence[_Rows]:
    done = 0
    for number, rows in enumerate(batches):
        if done >= place.consumed:
            return batches[number:]
        done += len(rows) * place.size
    return []


def _by_batches(loader: Iterable[Any], place: Place) -> Iterator[Entry]:
    """A loader of which nothing is known: what was done is read again and left out."""
    seed = derived_seed(place.seed, "order", place.epoch)
    _prepare(loader, place.epoch, seed)
    total = _length(loader)
    # Here loaders draw their order, and their workers' seed: on each rank its own, as for all that a rank draws.
    with seeded(derived_seed(seed, place.rank)):
        iterator = iter(loader)
        first = list(islice(iterator, 1))
    done, rest = -(-place.consumed // place.size), chain(first, iterator)
    for _ in islice(rest, done):
        pass
    return (Entry(batch, place.size, is_last=number == total) for number, batch in enumerate(rest, start=done + 1))


def _length(batches: object) -> int | None:
    try:
        return len(batches) if isinstance(batches, Sized) else None
    except (TypeError, NotImplementedError):  # of a stream, or a sampler without a length: a method, but no answer
        return None


def _prepare(loader: Any, epoch: int, seed: int) -> None:
    """Tells everything that knows of epochs which one it is, and sets the generators of samplers."""
    sampler, batch_sampler = getattr(loader, "sampler", None), getattr(loader, "batch_sampler", None)
    samplers = [sampler, batch_sampler, getattr(batch_sampler, "sampler", None)]
    for each in (loader, getattr(loader, "dataset", None), *samplers):
        if callable(set_epoch := getattr(each, "set_epoch", None)):
            set_epoch(epoch)
    if isinstance(generator := getattr(loader, "generator", None), torch.Generator):
        generator.manual_seed(seed)
    for each in samplers:
        for kept in getattr(each, "__dict__", {}).values():
            _seed(kept, seed)


def _seed(value: object, seed: int) -> None:
    """If it is a random generator."""
    match value:
        case torch.Generator():
            value.manual_seed(seed)
        case random.Random():
            value.seed(seed)
        case np.random.RandomState():
            value.seed(seed % 2**32)
        case np.random.Generator():
            value.bit_generator.state = type(value.bit_generator)(seed).state
