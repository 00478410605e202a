"""The API server must know the TrainingJob before it can judge one."""

from pathlib import Path

import pytest

from quickstart.product import ESTABLISHED
from support.cluster import kubectl_of

CRD = Path(__file__).parents[3] / "crds/trainingjob.yaml"


@pytest.fixture(scope="session")
def definition(admin_kubeconfig: Path) -> None:
    """The CRD of this checkout is installed and served."""
    kubectl = kubectl_of(admin_kubeconfig, "default")
    kubectl("apply", "--server-side", "--force-conflicts", "-f", str(CRD))
    kubectl("wait", "--for", ESTABLISHED, "crd/trainingjobs.trainingjob.dev", "--timeout=30s")
