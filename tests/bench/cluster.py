"""An embedded cluster for a measurement: the product is installed, and what runs of it the measurement starts."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from local_cluster import binaries
from local_cluster.cluster import LocalCluster
from local_cluster.settings import Settings
from quickstart.kubectl import Kubectl
from quickstart.product import OperatorProcess, install


@contextmanager
def cluster_with_product(settings: Settings | None = None) -> Iterator[LocalCluster]:
    """In a folder of its own; gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True) as folder:
        cluster = LocalCluster(Path(folder), settings)
        try:
            cluster.start()
            install(Kubectl(binaries.find_kubectl(), cluster.kubeconfig, Console(quiet=True)))
            yield cluster
        finally:
            cluster.stop()


@contextmanager
def operator_on(cluster: LocalCluster) -> Iterator[int]:
    """Its pid."""
    operator = OperatorProcess(cluster)
    try:
        operator.start()
        assert operator.process is not None
        yield operator.process.pid
    finally:
        operator.stop()
