"""The reconciler in a simulated world: whatever happens to a TrainingJob, what must hold holds.

A few lives of each kind are always lived, the same ones; `make test-lives` lives thousands that are new.
"""

import os
import random

import pytest

from unit.operator.world.circumstances import KINDS
from unit.operator.world.invariants import ViolatedError
from unit.operator.world.life import live

LIVES = int(os.environ.get("LIVES", "10"))
"""Of each kind."""
FIRST = int(os.environ.get("FIRST_SEED", "1" if "LIVES" not in os.environ else str(random.randrange(10**9))))


@pytest.mark.parametrize("kind", KINDS)
def test_what_must_hold_holds_when(kind: str) -> None:
    for seed in range(FIRST, FIRST + LIVES):
        try:
            live(seed, KINDS[kind])
        except ViolatedError as violated:
            pytest.fail(f"{violated}\nonce more: LIVES=1 FIRST_SEED={seed}", pytrace=False)


def test_the_same_seed_is_the_same_life() -> None:
    once, again = (live(FIRST, KINDS["everything at once"]) for _ in range(2))
    assert once.story.lines == again.story.lines
