"""The random generators that a process has without asking for one: torch's, Python's, numpy's."""

import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch


class Generators:
    """All of them, as one object with a state."""

    def state_dict(self) -> dict[str, Any]:
        state: dict[str, Any] = {"torch": torch.get_rng_state(), "python": random.getstate()}
        if torch.cuda.is_available():
            state["cuda"] = torch.cuda.get_rng_state()
        if (numpy := sys.modules.get("numpy")) is not None:
            state["numpy"] = numpy.random.get_state()
        return state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        torch.set_rng_state(state["torch"])
        random.setstate(state["python"])
        if "cuda" in state and torch.cuda.is_available():
            torch.cuda.set_rng_state(state["cuda"])
        if "numpy" in state:
            import numpy as np

            np.random.set_state(state["numpy"])


def seed_all(seed: int) -> None:
    """Those of the CPU; torch.manual_seed would seed the devices as well."""
    torch.default_generator.manual_seed(seed)
    random.seed(seed)
    if (numpy := sys.modules.get("numpy")) is not None:
        numpy.random.seed(seed % 2**32)


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """What is drawn inside depends on the seed alone, and changes nothing outside."""
    generators = Generators()
    before = generators.state_dict()
    seed_all(seed)
    try:
        yield
    finally:
        generators.load_state_dict(before)
