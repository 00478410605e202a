"""The Indexed Job of one attempt; it is created once and never changed but to be suspended."""

from training_operator.builders.metadata import Manifest, metadata, queue_labels, spec_digest
from training_operator.builders.pod import build_pod_template
from trainingjob_api.contract import CONTAINER_NAME, DIGEST_ANNOTATION, attempt_name
from trainingjob_api.resource import TrainingJob


def build_job(job: TrainingJob, attempt: int, trainer_image: str) -> Manifest:
    nodes = job.spec.nodes
    own = metadata(job, attempt_name(job.metadata.name, attempt), attempt)
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            **own,
            "labels": {**own["labels"], **queue_labels(job)},
            "annotations": {DIGEST_ANNOTATION: spec_digest(job.spec, job.metadata.restarted_at)},
        },
        "spec": {
            "completionMode": "Indexed",
            "completions": nodes,
            "parallelism": nodes,
            # One pod's end is the attempt's end: what follows is the operator's decision.
            "backoffLimit": 0,
            # A pod that is still saving has not failed yet.
            "podReplacementPolicy": "Failed",
            "podFailurePolicy": _pod_failure_policy(),
            "template": build_pod_template(job, attempt, trainer_image),
        },
    }


def _pod_failure_policy() -> Manifest:
    """Not to decide anything, but because the Job's condition then names the first pod and how it ended."""
    return {
        "rules": [
            {"action": "FailJob", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
            {
                "action": "FailJob",
                "onExitCodes": {"containerName": CONTAINER_NAME, "operator": "NotIn", "values": [0]},
            },
        ]
    }
