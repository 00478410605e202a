"""Who may reach the pods of a TrainingJob: torch.distributed asks nobody who he is, so the network has to."""

from training_operator.builders.metadata import Manifest, labels, metadata
from trainingjob_api.contract import JOB_NAME_LABEL, METRICS_PORT
from trainingjob_api.resource import TrainingJob

_NAMESPACE_NAME = "kubernetes.io/metadata.name"
"""Kubernetes labels every namespace with it."""


def build_network_policy(job: TrainingJob, readers: tuple[str, ...]) -> Manifest:
    """One for all attempts: the pods reach each other; readers, namespaces or label=value of some, their progress."""
    ours = {"matchLabels": {JOB_NAME_LABEL: labels(job)[JOB_NAME_LABEL]}}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": metadata(job, f"{job.metadata.name}-nodes"),
        "spec": {
            "podSelector": ours,
            "policyTypes": ["Ingress"],
            "ingress": [
                {"from": [{"podSelector": ours}]},
                {
                    "from": [{"namespaceSelector": {"matchLabels": _labels_of(reader)}} for reader in readers],
                    "ports": [{"protocol": "TCP", "port": METRICS_PORT}],
                },
            ],
        },
    }


def _labels_of(reader: str) -> dict[str, str]:
    label, equals, value = reader.partition("=")
    return {label: value} if equals else {_NAMESPACE_NAME: reader}
