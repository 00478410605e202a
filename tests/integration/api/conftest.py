"""The API server must know the TrainingJob before it can judge one."""

from pathlib import Path

import pytest
from rich.console import Console

from local_cluster import binaries
from quickstart.kubectl import Kubectl
from quickstart.product import wait_until_served

CRD = Path(__file__).parents[3] / "crds/trainingjob.yaml"


@pytest.fixture(scope="session")
def definition(admin_kubeconfig: Path) -> None:
    """The CRD of this checkout is installed and served."""
    kubectl = Kubectl(binaries.find_kubectl(), admin_kubeconfig, Console(quiet=True))
    kubectl.quiet("apply", "--server-side", "--force-conflicts", "-f", str(CRD))
    wait_until_served(kubectl)
