"""The batches of an epoch from any place in it are those that come after that place."""

import gc
import random
import weakref
from ast import literal_eval
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import (
    DataLoader,
    Dataset,
    DistributedSampler,
    IterableDataset,
    Sampler,
    WeightedRandomSampler,
    get_worker_info,
)

from trainer.script.order import Orders, Place
from trainer.script.random_state import seed_all, seeded


class Noisy(Dataset[Any]):
    """Rows that are drawn anew each time they are read; in a worker it must still find itself."""

    def __len__(self) -> int:
        return 11

    def __getitem__(self, row: int) -> tuple[int, float, float]:
        info = get_worker_info()
        assert info is None or isinstance(info.dataset, Noisy)
        return row, random.random(), torch.rand(()).item()


class Told(Dataset[Any]):
    """Rows that are read together, by workers that were told something at their beginning."""

    began: tuple[int, int] | None = None

    def __len__(self) -> int:
        return 8

    def __getitems__(self, rows: list[int]) -> list[tuple[list[int], Any]]:
        return [(list(rows), self.began)]

    @staticmethod
    def begin(worker: int) -> None:
        info = get_worker_info()
        assert info is not None
        info.dataset.began = worker, info.seed - worker


class Stream(IterableDataset[int]):
    def __iter__(self) -> Iterator[int]:
        return iter(range(11))


class Drawn(IterableDataset[int]):
    def __iter__(self) -> Iterator[int]:
        return iter(torch.randperm(11).tolist())


class Half(Sampler[int]):
    """A rank's half of an order that all ranks draw alike."""

    def __init__(self, rank: int) -> None:
        self.rank = rank

    def __iter__(self) -> Iterator[int]:
        return iter(torch.randperm(12)[self.rank :: 2].tolist())

    def __len__(self) -> int:
        return 6


class Unsized(Sampler[int]):
    """An order without a length."""

    def __iter__(self) -> Iterator[int]:
        yield from torch.randperm(11).tolist()


class Unwilling(Unsized):
    """It has the method, but no answer."""

    def __len__(self) -> int:
        raise NotImplementedError


class Endless(Sampler[int]):
    """It says how long an epoch is, and goes on for as long as it is read."""

    def __len__(self) -> int:
        return 4

    def __iter__(self) -> Iterator[int]:
        order = torch.randperm(11).tolist()
        while True:
            yield from order


class Shuffled(Sampler[int]):
    """Its generator remembers how often it was asked."""

    def __init__(self, generator: Any) -> None:
        self.mine = generator

    def __len__(self) -> int:
        return 11

    def __iter__(self) -> Iterator[int]:
        rows = list(range(11))
        if isinstance(self.mine, torch.Generator):
            return iter(torch.randperm(11, generator=self.mine).tolist())
        self.mine.shuffle(rows)
        return iter(rows)


def shuffled(build: Callable[[], Any], name: str) -> Any:
    return pytest.param(lambda: DataLoader(range(11), 2, sampler=Shuffled(build())), id=name)  # type: ignore[arg-type]


class Shifted(list[int]):
    """A loader that knows of epochs."""

    epoch = 0

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __iter__(self) -> Iterator[int]:
        return (number + self.epoch for number in super().__iter__())


LOADERS: list[Any] = [
    pytest.param(lambda: DataLoader(Noisy(), 2, num_workers=2, shuffle=True), id="workers that draw"),
    pytest.param(lambda: DataLoader(range(11), 2, shuffle=True), id="shuffled"),  # type: ignore[arg-type]
    pytest.param(lambda: DataLoader(range(11), 2, shuffle=True, generator=torch.Generator()), id="a generator"),  # type: ignore[arg-type]
    pytest.param(lambda: DataLoader(range(11), 2, sampler=WeightedRandomSampler([1.0] * 11, 11)), id="weighted"),  # type: ignore[arg-type]
    shuffled(random.Random, "a sampler with Python's generator"),
    shuffled(np.random.default_rng, "a sampler with numpy's generator"),
    shuffled(np.random.RandomState, "a sampler with numpy's old generator"),
    shuffled(torch.Generator, "a sampler with a generator of torch"),
    pytest.param(lambda: DataLoader(range(11), 2, sampler=Unsized()), id="a sampler without a length"),  # type: ignore[arg-type]
    pytest.param(lambda: DataLoader(range(11), 2, sampler=Unwilling()), id="a sampler that will not say its length"),  # type: ignore[arg-type]
    pytest.param(lambda: DataLoader(range(11), None, shuffle=True), id="rows without batches"),  # type: ignore[arg-type]
    pytest.param(lambda: DataLoader(Stream(), 2), id="a stream"),
    pytest.param(lambda: [3, 1, 2], id="a list"),
]


def rest(
    loader: Iterable[Any], epoch: int, consumed: int, orders: Orders | None = None, rank: int = 0
) -> list[tuple[str, int, bool]]:
    entries = (orders or Orders()).entries(loader, Place(seed=1, epoch=epoch, consumed=consumed, rank=rank, size=2))
    return [(str(entry.batch), entry.consumed, entry.is_last) for entry in entries]


@pytest.mark.parametrize("build", LOADERS)
def test_from_any_place(build: Callable[[], Iterable[Any]]) -> None:
    orders, loader = Orders(), build()
    rest(loader, 0, 0, orders)  # an epoch before it changes nothing
    whole, consumed = rest(loader, 1, 0, orders), 0
    for number, (_, step, _) in enumerate(whole[:2], start=1):
        consumed += step
        torch.rand(3), random.random()
        assert rest(build(), 1, consumed) == whole[number:]
    assert rest(build(), 1, sum(step for _, step, _ in whole)) == []


@pytest.mark.parametrize("build", LOADERS[:8])
def test_every_epoch_has_an_order_of_its_own_and_the_last_batch_is_known(build: Callable[[], Iterable[Any]]) -> None:
    orders, loader = Orders(), build()
    one, other = rest(loader, 0, 0, orders), rest(loader, 1, 0, orders)
    assert one != other
    assert [last for *_, last in one] == [False] * 5 + [True]


def test_an_order_without_an_end_is_read_as_far_as_the_program_goes() -> None:
    def some(consumed: int) -> list[str]:
        loader: DataLoader[int] = DataLoader(range(11), 2, sampler=Endless())  # type: ignore[arg-type]
        entries = Orders().entries(loader, Place(seed=1, epoch=0, consumed=consumed, rank=0, size=1))
        return [str(entry.batch) for entry in islice(entries, 12 - consumed)]

    assert some(3) == some(0)[3:]


def test_a_loader_is_kept_for_no_longer_than_the_program_keeps_it() -> None:
    orders, loader = Orders(), DataLoader(Noisy(), 2)
    data = weakref.ref(loader.dataset)
    assert rest(loader, 0, 0, orders)
    del loader
    gc.collect()
    assert data() is None


def test_a_loader_of_which_nothing_is_known_hears_of_the_epoch_and_ends_where_it_says() -> None:
    assert rest(Shifted([3, 1, 2]), 5, 2) == [("6", 2, False), ("7", 2, True)]
    assert rest([3, 1, 2], 0, 3) == [("2", 2, True)], "of more ranks: what one of them had done is not done again"


@pytest.mark.parametrize(
    "sampler",
    [pytest.param(Half, id="drawn"), pytest.param(lambda rank: DistributedSampler(range(12), 2, rank), id="torch's")],  # type: ignore[arg-type]
)
def test_ranks_share_an_order_that_is_another_in_every_epoch(sampler: Callable[[int], Sampler[int]]) -> None:
    seen = []
    for epoch in range(2):
        ranks = [DataLoader(range(12), 2, sampler=sampler(rank), collate_fn=sum) for rank in range(2)]  # type: ignore[arg-type]
        entries = [rest(loader, epoch, 0, rank=rank) for rank, loader in enumerate(ranks)]
        seen.append([int(batch) for each in entries for batch, *_ in each])
    assert [sum(epoch) for epoch in seen] == [66, 66]
    assert seen[0] != seen[1]


def test_ranks_that_draw_by_themselves_draw_differently() -> None:
    def noise(rank: int) -> list[float]:
        loader = DataLoader(Noisy(), 2, num_workers=1, collate_fn=lambda rows: [row[1] for row in rows])
        return [value for batch, *_ in rest(loader, 0, 0, rank=rank) for value in literal_eval(batch)]

    assert len({*noise(0), *noise(1)}) == 22
    for loader in (DataLoader(range(11), 2, shuffle=True), DataLoader(Drawn(), 2)):  # type: ignore[arg-type]
        assert rest(loader, 0, 0) != rest(loader, 0, 0, rank=1)


def test_workers_begin_as_the_program_says_from_a_seed_of_the_epoch_and_read_a_batch_at_once() -> None:
    def batches(epoch: int) -> list[Any]:
        torch.rand(3)
        loader = DataLoader(Told(), 2, num_workers=2, worker_init_fn=Told.begin, collate_fn=lambda read: read[0])
        return [literal_eval(batch) for batch, *_ in rest(loader, epoch, 0)]

    first = batches(0)
    assert [rows for rows, _ in first] == [[0, 1], [2, 3], [4, 5], [6, 7]]
    assert [worker for _, (worker, _) in first] == [0, 1, 0, 1]
    assert len({seed for _, (_, seed) in first}) == 1
    assert batches(0) == first
    assert batches(1) != first


def test_what_is_drawn_inside_depends_on_the_seed_alone_and_changes_nothing_outside() -> None:
    def draw() -> tuple[float, ...]:
        return torch.rand(()).item(), random.random(), float(np.random.rand())

    def inside(seed: int) -> tuple[float, ...]:
        with seeded(seed):
            return draw()

    seed_all(3)
    expected = draw()
    seed_all(3)
    found = inside(2**40)
    assert draw() == expected
    assert inside(2**40) == found
    assert not set(found) & set(expected)
