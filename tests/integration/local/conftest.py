"""Fixtures for the tests of the local cluster itself."""

from collections.abc import Callable
from typing import Any

import pytest

from local_cluster.cluster import LocalCluster
from support.pods import Object, Pods


@pytest.fixture
def pods(cluster: LocalCluster, namespace: str) -> Pods:
    return Pods(cluster, namespace)


@pytest.fixture
def run(pods: Pods) -> Callable[..., Object]:
    """Run one pod to its end: (container, **spec) -> how it ended, with its log under "log"."""

    def run_to_the_end(container: Object, name: str = "pod", **spec: Any) -> Object:
        pods.create(name, container, **spec)
        return {**pods.wait_for_end(name), "log": pods.log(name)}

    return run_to_the_end
