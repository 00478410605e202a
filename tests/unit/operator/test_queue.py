"""The work queue: one worker per key, coalescing, backoff, later."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator

import pytest

from support.virtual_time import live, now
from training_operator.queue import BATCH_SECONDS, LONGEST_BACKOFF, Work, WorkQueue, backoff
from training_operator.records import Key

ONE, TWO = ("ns", "one"), ("ns", "two")


@contextlib.asynccontextmanager
async def working(queue: WorkQueue, work: Work, workers: int = 4) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(queue.work(work)) for _ in range(workers)]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def until(holds: "asyncio.Event") -> None:
    await asyncio.wait_for(holds.wait(), 5)


async def test_a_key_is_worked_on_by_one_worker_at_a_time_and_never_forgotten() -> None:
    queue, begun, go_on, done = WorkQueue(), asyncio.Event(), asyncio.Event(), asyncio.Event()
    at_once = most = passes = 0

    async def work(key: Key) -> None:
        nonlocal at_once, most, passes
        at_once += 1
        passes += 1
        most = max(most, at_once)
        begun.set()
        await go_on.wait()
        at_once -= 1
        if passes == 2:
            done.set()

    async with working(queue, work):
        queue.add(ONE)
        await until(begun)
        for _ in range(10):
            queue.add(ONE)  # while it is worked on
        go_on.set()
        await until(done)
        assert len(queue) == 0
    assert (most, passes) == (1, 2)


async def test_keys_are_worked_on_side_by_side() -> None:
    queue, both = WorkQueue(), asyncio.Barrier(2)
    done = asyncio.Event()

    async def work(key: Key) -> None:
        await both.wait()  # ends only when the other is there too
        done.set()

    async with working(queue, work):
        queue.add(ONE)
        queue.add(TWO)
        await until(done)


async def test_a_failure_comes_back_and_disturbs_nobody(caplog: pytest.LogCaptureFixture) -> None:
    queue, seen, done = WorkQueue(), [], asyncio.Event()

    async def work(key: Key) -> None:
        seen.append(key)
        if key == ONE and seen.count(ONE) == 1:
            raise ValueError("a defect")
        if seen.count(ONE) == 2 and TWO in seen:
            done.set()

    with caplog.at_level(logging.CRITICAL):
        async with working(queue, work, workers=1):
            queue.add(ONE)
            queue.add(TWO)
            await until(done)
    assert seen == [ONE, TWO, ONE]


async def test_later_is_what_was_said_last() -> None:
    queue, seen, done = WorkQueue(), [], asyncio.Event()

    async def work(key: Key) -> None:
        seen.append(key)
        done.set()

    async with working(queue, work):
        queue.later(ONE, 1000)
        queue.later(TWO, 0.01)
        queue.later(TWO, None)
        queue.later(ONE, 0.01)
        await until(done)
    assert seen == [ONE]


async def test_a_pass_says_when_to_look_again() -> None:
    queue, times, done = WorkQueue(), 0, asyncio.Event()

    async def work(key: Key) -> float | None:
        nonlocal times
        times += 1
        if times == 3:
            done.set()
            return None
        return 0.0

    async with working(queue, work):
        queue.add(ONE)
        await until(done)
    assert times == 3


BATCHES: dict[str, tuple[list[tuple[float, str]], list[float]]] = {
    # When it is added, and how; when it is worked on, two seconds each time.
    "many in a row make one pass": ([(n / 10, "batched") for n in range(9)], [1]),
    "the next ones make another": ([(0, "batched"), (4, "batched"), (4.5, "batched")], [1, 5]),
    "so do those that come during a pass": ([(0, "now"), (0.2, "batched"), (0.9, "batched")], [0, 2]),
    "and those that come late in it": ([(0, "now"), (1.5, "batched"), (1.9, "batched")], [0, 2.5]),
    "what cannot wait does not, and takes them along": ([(0, "batched"), (0.3, "now")], [0.3]),
    "also when it has to wait for a pass to end": ([(0, "now"), (0.5, "now"), (1.2, "batched")], [0, 2]),
}


@pytest.mark.parametrize(("added", "worked_on"), BATCHES.values(), ids=BATCHES)
def test_what_can_wait_is_batched(added: list[tuple[float, str]], worked_on: list[float]) -> None:
    async def life() -> list[float]:
        queue, times, began = WorkQueue(), list[float](), now()

        async def work(key: Key) -> None:
            times.append(round(now() - began, 3))
            await asyncio.sleep(2)

        async with working(queue, work):
            for moment, how in added:
                await asyncio.sleep(began + moment - now())
                (queue.add if how == "now" else queue.add_batched)(ONE)
            await asyncio.sleep(10)
        return times

    assert live(life()) == worked_on


async def test_age_is_of_the_oldest() -> None:
    queue = WorkQueue()
    assert queue.age == 0.0
    queue.add(ONE)
    await asyncio.sleep(0)
    assert queue.age >= 0.0
    assert len(queue) == 1


@pytest.mark.parametrize(("failures", "longest"), [(1, 0.5), (2, 1.0), (5, 8.0), (99, LONGEST_BACKOFF)])
def test_backoff(failures: int, longest: float) -> None:
    tries = [backoff(failures) for _ in range(200)]
    assert longest / 2 <= min(tries) <= max(tries) <= longest
    assert max(tries) - min(tries) > longest / 10


async def test_a_closed_queue_forgets_everything_and_takes_nothing() -> None:
    queue = WorkQueue()
    queue.add(ONE)
    queue.later(TWO, 0)
    queue.add_batched(TWO)
    queue.close()
    queue.add(ONE)
    queue.add_batched(ONE)
    await asyncio.sleep(BATCH_SECONDS + 0.1)
    assert (len(queue), queue.age) == (0, 0.0)


async def test_a_queue_that_is_opened_begins_with_all_keys() -> None:
    queue, seen, both = WorkQueue(), set[Key](), asyncio.Event()

    async def work(key: Key) -> None:
        seen.add(key)
        if seen == {ONE, TWO}:
            both.set()

    queue.close()
    queue.open([ONE])
    queue.add(TWO)
    async with working(queue, work):
        await until(both)


async def test_a_pass_that_is_broken_off_leaves_nothing_behind() -> None:
    queue, begun = WorkQueue(), asyncio.Event()

    async def work(key: Key) -> None:
        begun.set()
        await asyncio.Event().wait()

    async with working(queue, work):
        queue.add(ONE)
        await until(begun)
        queue.add(ONE)
        queue.close()
    assert len(queue) == 0
    queue.open([TWO])
    assert len(queue) == 1
