"""Batches of a program's own loader in an order that depends on the epoch alone, from any place in it."""

from collections.abc import Iterable, Iterator, Sequence, Sized
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any, cast

import torch
from torch.utils.data import BatchSampler, DataLoader, Dataset, IterableDataset, RandomSampler, Sampler, get_worker_info
from torch.utils.data.sampler import SubsetRandomSampler, WeightedRandomSampler

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
    """Keeps what is made of each loader: workers that persist must not be started anew for every epoch."""

    def __init__(self) -> None:
        self._loaders: dict[int, tuple[DataLoader[Any], DataLoader[Any], _Order]] = {}

    def entries(self, loader: Iterable[Any], place: Place) -> Iterator[Entry]:
        """What is left of this epoch. What has to be left out is left out before this returns."""
        if type(loader) is DataLoader and _knows_its_rows(loader):
            return self._by_rows(loader, place)
        return _by_batches(loader, place)

    def _by_rows(self, loader: DataLoader[Any], place: Place) -> Iterator[Entry]:
        ours, order = self._ours(loader)
        batches = _batches(loader, place)
        rest = _skipped(batches, place)
        order.batches = rest
        assert isinstance(ours.generator, torch.Generator)
        ours.generator.manual_seed(derived_seed(place.seed, "workers", place.epoch))
        return (
            Entry(batch, len(rows) * place.size, is_last=number == len(rest))
            for number, (rows, batch) in enumerate(zip(rest, ours, strict=True), start=1)
        )

    def _ours(self, loader: DataLoader[Any]) -> "tuple[DataLoader[Any], _Order]":
        if id(loader) not in self._loaders:
            order = _Order()
            self._loaders[id(loader)] = loader, _loader_like(loader, order), order
        _, ours, order = self._loaders[id(loader)]
        return ours, order


def _knows_its_rows(loader: DataLoader[Any]) -> bool:
    return not isinstance(loader.dataset, IterableDataset) and hasattr(loader.batch_sampler, "__len__")


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


def _batches(loader: DataLoader[Any], place: Place) -> list[_Rows]:
    """All batches of the epoch."""
    # Ranks that draw independently must draw differently; samplers that share an order out must agree on it.
    is_alone = type(loader.batch_sampler) is BatchSampler and type(loader.sampler) in _INDEPENDENT
    seed = derived_seed(place.seed, "order", place.epoch, place.rank if is_alone else 0)
    _prepare(loader, place.epoch, seed)
    with seeded(seed):
        batches = [_Rows(rows) for rows in loader.batch_sampler or ()]
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


def _length(loader: Iterable[Any]) -> int | None:
    try:
        return len(loader) if isinstance(loader, Sized) else None
    except TypeError:  # a DataLoader over a stream has the method, but no answer
        return None


def _prepare(loader: Any, epoch: int, seed: int) -> None:
    """Tells everything that knows of epochs which one it is, and sets the generators of samplers."""
    sampler, batch_sampler = getattr(loader, "sampler", None), getattr(loader, "batch_sampler", None)
    samplers = [sampler, batch_sampler, getattr(batch_sampler, "sampler", None)]
    for each in (loader, getattr(loader, "dataset", None), *samplers):
        if callable(set_epoch := getattr(each, "set_epoch", None)):
            set_epoch(epoch)
    for each in (loader, *samplers):
        if isinstance(generator := getattr(each, "generator", None), torch.Generator):
            generator.manual_seed(seed)
