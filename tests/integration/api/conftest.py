"""The API server must know the TrainingJob before it can judge one."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console

from local_cluster import binaries
from quickstart.kubectl import Kubectl as QuietKubectl
from quickstart.product import wait_until_served
from support.cluster import new_namespace
from support.kubectl import Kubectl

CRDS = Path(__file__).parents[3] / "crds"


@pytest.fixture(scope="module")
def kubectl(admin_kubeconfig: Path, definition: None) -> Iterator[Kubectl]:
    """In one namespace for hundreds of objects that hardly exist."""
    with new_namespace(admin_kubeconfig) as kubectl:
        yield kubectl


@pytest.fixture(scope="session")
def definition(admin_kubeconfig: Path) -> None:
    """The CRDs of this checkout are installed and served."""
    kubectl = QuietKubectl(binaries.find_kubectl(), admin_kubeconfig, Console(quiet=True))
    kubectl.quiet("apply", "--server-side", "--force-conflicts", "-k", str(CRDS))
    wait_until_served(kubectl)
