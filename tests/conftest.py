"""What holds for all tests: fixtures that every one may ask for, and the order of their files."""

import os
import signal
from itertools import chain, zip_longest
from pathlib import Path

import pytest

# Before torch and its like are imported. Workers share the cores: threads of one that wait for each other keep others
# from working, and that takes several times what is computed here.
os.environ.setdefault("OMP_NUM_THREADS", "1")

pytest_plugins = ["support.cluster", "support.product"]


def pytest_configure(config: pytest.Config) -> None:
    """SIGTERM to the process that has the workers is Ctrl-C: they end in good order, with what they have started.

    In the background a shell lets SIGINT be ignored, and so would every program that a test starts and interrupts.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if config.getoption("numprocesses", None) and not hasattr(config, "workerinput"):
        signal.signal(signal.SIGTERM, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files of different folders take turns: those that wait for a cluster run beside those that compute."""
    folders: dict[Path, dict[Path, list[pytest.Item]]] = {}
    for item in items:
        folders.setdefault(item.path.parent, {}).setdefault(item.path, []).append(item)
    turns = chain.from_iterable(zip_longest(*(files.values() for files in folders.values()), fillvalue=()))
    # Hundreds of short tests come last: they leave no worker alone with a long one.
    items[:] = sorted(chain.from_iterable(turns), key=lambda item: "unit" in item.path.parts)
