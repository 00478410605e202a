"""The headless Service that gives the pods of several nodes their names."""

from training_operator.builders.metadata import Manifest, labels, metadata
from trainingjob_api.contract import JOB_NAME_LABEL
from trainingjob_api.resource import TrainingJob


def service_name(job: TrainingJob) -> str:
    return f"{job.metadata.name}-nodes"


def build_service(job: TrainingJob) -> Manifest:
    """One for all attempts: host names differ by attempt."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata(job, service_name(job)),
        "spec": {
            "clusterIP": "None",
            # Peers look each other up before any of them is ready.
            "publishNotReadyAddresses": True,
            "selector": {JOB_NAME_LABEL: labels(job)[JOB_NAME_LABEL]},
        },
    }
