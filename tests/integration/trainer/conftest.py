"""One process with torch for all tests of this folder, and one table."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.fork_server import ForkServer, fork_server
from support.trainer import write_table


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ForkServer]:
    with fork_server(tmp_path_factory.mktemp("server")) as running:
        yield running


@pytest.fixture(scope="session")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """81 rows to train on: five batches of 16, and one of a single sample, for which most ranks have none."""
    return write_table(tmp_path_factory.mktemp("data") / "table.csv", 101)
