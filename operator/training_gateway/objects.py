"""The objects that the gateway makes, as manifests. Pure."""

from typing import Any

from training_gateway.gate import User
from training_gateway.identity import IDEMPOTENCY_LABEL, REQUEST_ANNOTATION
from trainingjob_api.contract import API_VERSION, KIND, REQUESTED_BY_ANNOTATION, TASK_LABEL, TITLE_ANNOTATION

MANAGER = "training-gateway"
MANAGED_BY_LABEL = "app.kubernetes.io/managed-by"


def training_job(
    name: str, task_id: str, title: str, user: User, spec: dict[str, Any], idempotency: tuple[str, str] | None = None
) -> dict[str, Any]:
    """idempotency: the digests of key and request."""
    key, digest = idempotency or ("", "")
    labels = {TASK_LABEL: task_id, MANAGED_BY_LABEL: MANAGER, IDEMPOTENCY_LABEL: key}
    annotations = {TITLE_ANNOTATION: title, REQUESTED_BY_ANNOTATION: user.name, REQUEST_ANNOTATION: digest}
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {
            "name": name,
            "labels": {key: value for key, value in labels.items() if value},
            "annotations": {key: value for key, value in annotations.items() if value},
        },
        "spec": spec,
    }
