"""The batches of an epoch from any place in it are those that come after that place."""

import random
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
import torch
from torch.utils.data import DataLoader, Dataset, IterableDataset, WeightedRandomSampler, get_worker_info

from trainer.script.order import Orders, Place


class Noisy(Dataset[Any]):
    """Rows that are drawn anew each time they are read; in a worker it must still find itself."""

    def __len__(self) -> int:
        return 11

    def __getitem__(self, row: int) -> tuple[int, float, float]:
        info = get_worker_info()
        assert info is None or isinstance(info.dataset, Noisy)
        return row, random.random(), torch.rand(()).item()


class Stream(IterableDataset[int]):
    def __iter__(self) -> Iterator[int]:
        return iter(range(11))


LOADERS: list[Any] = [
    pytest.param(lambda: DataLoader(Noisy(), 2, num_workers=2, shuffle=True), id="workers that draw"),
    pytest.param(lambda: DataLoader(range(11), 2, shuffle=True), id="shuffled"),  # type: ignore[arg-type]
    pytest.param(lambda: DataLoader(range(11), 2, shuffle=True, generator=torch.Generator()), id="a generator"),  # type: ignore[arg-type]
    pytest.param(lambda: DataLoader(range(11), 2, sampler=WeightedRandomSampler([1.0] * 11, 11)), id="weighted"),  # type: ignore[arg-type]
    pytest.param(lambda: DataLoader(range(11), None, shuffle=True), id="rows without batches"),  # type: ignore[arg-type]
    pytest.param(lambda: DataLoader(Stream(), 2), id="a stream"),
    pytest.param(lambda: [3, 1, 2], id="a list"),
]


def rest(loader: Iterable[Any], epoch: int, consumed: int, orders: Orders | None = None) -> list[tuple[str, int, bool]]:
    entries = (orders or Orders()).entries(loader, Place(seed=1, epoch=epoch, consumed=consumed, rank=0, size=2))
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


@pytest.mark.parametrize("build", LOADERS[:4])
def test_every_epoch_has_an_order_of_its_own_and_the_last_batch_is_known(build: Callable[[], Iterable[Any]]) -> None:
    orders, loader = Orders(), build()
    one, other = rest(loader, 0, 0, orders), rest(loader, 1, 0, orders)
    assert one != other
    assert [last for *_, last in one] == [False] * 5 + [True]
