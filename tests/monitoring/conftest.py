"""The scenario, played once for all tests of this folder."""

from collections.abc import Iterator

import pytest

from monitoring.scenario import Scenario, play, started

SCRAPE_SECONDS = 15
"""As is shipped."""


@pytest.fixture(scope="session")
def scenario(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scenario]:
    with started(tmp_path_factory.mktemp("seen"), SCRAPE_SECONDS) as scenario:
        play(scenario)
        yield scenario
