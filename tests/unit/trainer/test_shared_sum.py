"""Sums through shared memory, by real processes."""

import multiprocessing
import os
import random
import resource
import signal
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import timedelta
from functools import reduce
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch import Tensor

from support.waiting import PATIENCE
from trainer.distributed import World
from trainer.pod.outcome import outcome_of
from trainer.shared_sum import SharedSum, shared_sum
from trainingjob_api.progress import Outcome

MEGABYTE = 1024**2
FORK = multiprocessing.get_context("fork")
LENGTHS = (1, 1000, MEGABYTE // 8, MEGABYTE // 8 + 1, 5 * MEGABYTE // 8)


Task = Callable[[World], Any]


def joined(world: World, seconds: float = PATIENCE) -> SharedSum | None:
    return shared_sum(world.rank, world.size, world.gather, timedelta(seconds=seconds))


def sums_of(world: World, seconds: float = PATIENCE) -> SharedSum:
    sums = joined(world, seconds)
    assert sums is not None
    return sums


class Group:
    """Processes that do the same task."""

    def __init__(self, size: int, folder: Path, task: Task) -> None:
        ends = [FORK.Pipe(duplex=False) for _ in range(size)]
        self._results = [end for end, _ in ends]
        self.processes = [
            FORK.Process(target=_become, args=(rank, size, folder, task, end)) for rank, (_, end) in enumerate(ends)
        ]
        for process in self.processes:
            process.start()

    def have_ended(self, within: float) -> bool:
        return all(end.poll(within) for end in self._results)

    def results(self) -> list[Any]:
        return [self.result_of(rank) for rank in range(len(self.processes))]

    def result_of(self, rank: int) -> Any:
        assert self._results[rank].poll(PATIENCE), f"rank {rank} said nothing"
        return self._results[rank].recv()

    def close(self) -> None:
        for process in self.processes:
            process.kill()
            process.join()


def _become(rank: int, size: int, folder: Path, task: Task, end: Connection) -> None:
    os.environ["GLOO_SOCKET_IFNAME"] = "lo"
    torch.set_num_threads(1)
    dist.init_process_group("gloo", store=dist.FileStore(str(folder / "store"), size), rank=rank, world_size=size)
    try:
        result = task(World(rank, size, torch.device("cpu"), dist.group.WORLD))
    except Exception as error:
        result = outcome_of(error), str(error)
    end.send(result)
    signal.pause()  # whether the others could go on without it is another matter


def together(size: int, folder: Path, task: Task) -> list[Any]:
    with closing(Group(size, folder, task)) as group:
        return group.results()


def numbers_of(rank: int, dtype: torch.dtype) -> list[Tensor]:
    generator = torch.Generator().manual_seed(rank)
    return [torch.randn(length, generator=generator).to(dtype) for length in LENGTHS]


@pytest.mark.parametrize("size", [2, 3, 4])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_every_rank_has_the_sum_in_the_order_of_ranks(tmp_path: Path, size: int, dtype: torch.dtype) -> None:
    def task(world: World) -> list[bytes]:
        sums, numbers = sums_of(world), numbers_of(world.rank, dtype)
        for each in numbers:
            sums.add_up(each)
        return [each.view(torch.uint8).numpy().tobytes() for each in numbers]

    rows: Sequence[Sequence[Tensor]] = list(zip(*(numbers_of(rank, dtype) for rank in range(size)), strict=True))
    expected = [reduce(torch.add, row).view(torch.uint8).numpy().tobytes() for row in rows]
    assert together(size, tmp_path, task) == [expected] * size


@pytest.mark.parametrize("size", [2, 3])
def test_ranks_that_are_held_up_anywhere_add_what_belongs_together(tmp_path: Path, size: int) -> None:
    rounds = 3000

    def task(world: World) -> int:
        sums, wrong = sums_of(world), 0
        for each in range(rounds):
            numbers = torch.full((20_000,), float(each * size + world.rank))
            sums.add_up(numbers)
            wrong += not bool((numbers == sum(each * size + other for other in range(size))).all())
        return wrong

    chance = random.Random(size)
    with closing(Group(size, tmp_path, task)) as group:
        while not group.have_ended(within=chance.random() / 1000):
            pid = chance.choice(group.processes).pid
            assert pid
            os.kill(pid, signal.SIGSTOP)
            group.have_ended(within=chance.random() / 1000)
            os.kill(pid, signal.SIGCONT)
        assert group.results() == [0] * size


def test_a_rank_waits_for_one_that_is_late(tmp_path: Path) -> None:
    def task(world: World) -> float:
        sums, number = sums_of(world), torch.ones(1)
        if world.rank == 1:
            signal.sigtimedwait([], 0.3)
        sums.add_up(number)
        return float(number)

    assert together(2, tmp_path, task) == [2.0, 2.0]


def test_a_rank_whose_peer_dies_says_so(tmp_path: Path) -> None:
    def task(world: World) -> None:
        sums = sums_of(world)
        if world.rank == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        sums.add_up(torch.ones(1))

    with closing(Group(2, tmp_path, task)) as group:
        outcome, message = group.result_of(0)
    assert outcome is Outcome.PEER_LOST
    assert "rank 1 ended" in message


def test_a_rank_whose_peer_never_comes_gives_up_at_its_limit(tmp_path: Path) -> None:
    def task(world: World) -> None:
        sums = sums_of(world, seconds=0.1)
        if world.rank == 0:
            sums.add_up(torch.ones(1))

    (outcome, message), _ = together(2, tmp_path, task)
    assert outcome is Outcome.HANG
    assert "rank 1" in message


@pytest.mark.parametrize("who", [0, 1])
def test_where_one_rank_cannot_share_memory_none_does(tmp_path: Path, who: int) -> None:
    def task(world: World) -> bool:
        if world.rank == who:
            os.close(lowest_free := os.dup(0))
            resource.setrlimit(resource.RLIMIT_NOFILE, (lowest_free, lowest_free))
        return joined(world) is None

    assert together(2, tmp_path, task) == [True, True]
