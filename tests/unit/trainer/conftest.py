"""As in a rank, without the compiler, whose import takes longer than most of these tests together."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from trainer.learning.without_compiler import skip_compiler

skip_compiler()


@pytest.fixture
def memory() -> Iterator[Path]:
    """A real file system, in memory where the machine has one: syncing thousands of files to a disk takes minutes."""
    place = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="trainer-tests-", dir=place) as path:
        yield Path(path)
