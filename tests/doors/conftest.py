"""The command line and the HTTP API on an embedded cluster with the whole product: real operator, real trainers."""

from pathlib import Path

import pytest

from quickstart.product import OperatorProcess
from support.kubectl import Kubectl
from support.terminal import Terminal, terminal_in


@pytest.fixture
def terminal(operator: OperatorProcess, kubectl: Kubectl, tmp_path: Path) -> Terminal:
    """In the test's namespace."""
    return terminal_in(kubectl, tmp_path)
