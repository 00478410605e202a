"""A training that was stopped or killed after any step ends with the same bits as one that was not.

Every two properties of a recipe meet in some case, and each occurs in one that is not left to `make test-exhaustive`;
recurrent networks have a file of their own.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from support.fork_server import ForkServer
from support.interruptions import Trial, trials_of


@pytest.mark.parametrize(("case", "seed"), trials_of("mlp", "cnn"))
def test_interrupted_after_random_steps(server: ForkServer, tmp_path: Path, case: Mapping[str, Any], seed: int) -> None:
    assert Trial(server, case, tmp_path).run(seed) > 0
