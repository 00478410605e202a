"""The budget of progress writes: a bound for all together, and the same share for each."""

from collections import Counter, defaultdict
from itertools import pairwise

import pytest

from support.clock import Clock
from training_operator.budget import EXPIRY, Budget
from training_operator.records import Key

ONE, TWO = ("team", "one"), ("team", "two")


@pytest.fixture
def clock() -> Clock:
    return Clock(100.0)


def test_who_is_alone_writes_at_once(clock: Clock) -> None:
    budget = Budget(2, clock)
    for _ in range(10):
        assert budget.wait(ONE) == 0
        clock.now += 0.5


def test_who_asks_again_early_keeps_its_turn(clock: Clock) -> None:
    budget = Budget(2, clock)
    assert budget.wait(ONE) == 0
    assert budget.wait(TWO) == 0.5
    assert budget.wait(TWO) == 0.5
    clock.now += 0.4
    assert budget.wait(TWO) == pytest.approx(0.1)
    clock.now += 0.1
    assert budget.wait(TWO) == 0
    assert budget.wait(TWO) == 0.5


def test_who_leaves_has_no_turn(clock: Clock) -> None:
    budget = Budget(1, clock)
    budget.wait(ONE)
    assert budget.wait(TWO) == 1
    budget.leave(TWO)
    assert budget.wait(TWO) == 2


@pytest.mark.parametrize("jobs", [1, 50, 1000], ids=lambda jobs: f"{jobs} jobs")
@pytest.mark.parametrize("pace", [10, 1, 0.3], ids=lambda pace: f"news every {pace} s")
def test_all_together_keep_the_budget_and_each_has_its_share(clock: Clock, jobs: int, pace: float) -> None:
    """Jobs have news at their pace and look again when they were told to; all began at the same moment."""
    budget, due = Budget(20, clock), {("team", f"{number}"): clock.now for number in range(jobs)}
    written = defaultdict[Key, list[float]](list)
    while clock.now < 400:
        key = min(due, key=due.__getitem__)
        clock.now = max(clock.now, due[key])
        if wait := budget.wait(key):
            due[key] = clock.now + wait
        else:
            written[key].append(clock.now)
            due[key] = clock.now + pace
    a_second = Counter(int(time) for times in written.values() for time in times)
    assert max(a_second.values()) <= 20 + 1
    fair = max(pace, jobs / 20)
    gaps = [b - a for times in written.values() for a, b in pairwise(times)]
    assert len(written) == jobs
    assert max(gaps) <= fair + 1
    assert min(len(times) for times in written.values()) >= int(300 / fair) - 1


def test_turns_that_nobody_could_take_are_not_taken_all_at_once(clock: Clock) -> None:
    budget, keys = Budget(10, clock), [("team", f"{number}") for number in range(100)]
    for key in keys:
        budget.wait(key)
    clock.now += 60  # the API server was away
    assert [key for key in keys if budget.wait(key) == 0] == keys[:1]
    assert EXPIRY < 60
