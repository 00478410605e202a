"""Reading and changing Kubernetes' objects, which are never changed in place."""

from typing import Any

from trainingjob_api.contract import ATTEMPT_LABEL, JOB_NAME_LABEL

Raw = dict[str, Any]

INDEX_LABEL = "batch.kubernetes.io/job-completion-index"
JOB_UID_LABEL = "batch.kubernetes.io/controller-uid"
"""Of the Job that made the pod, whoever owns it now."""
TRACKING = "batch.kubernetes.io/job-tracking"
"""The Job controller's finalizer: a pod stays until it is counted."""
NAMESPACE = "team"


def name_of(raw: Raw) -> str:
    return str(raw["metadata"]["name"])


def uid_of(raw: Raw) -> str:
    return str(raw["metadata"]["uid"])


def owner_of(raw: Raw, kind: str) -> str | None:
    """UID of the controller of this kind."""
    owners = raw["metadata"].get("ownerReferences", [])
    return next((o["uid"] for o in owners if o["kind"] == kind and o.get("controller")), None)


def attempt_of(raw: Raw) -> int:
    return int(raw["metadata"]["labels"][ATTEMPT_LABEL])


def training_job_of(raw: Raw) -> str:
    """Name of the TrainingJob that the label names."""
    return str(raw["metadata"]["labels"][JOB_NAME_LABEL])


def rank_of(pod: Raw) -> int:
    return int(pod["metadata"]["labels"][INDEX_LABEL])


def is_over(pod: Raw) -> bool:
    """Nothing of the pod runs any more."""
    return pod["status"].get("phase") in ("Succeeded", "Failed")


def is_going(raw: Raw) -> bool:
    return "deletionTimestamp" in raw["metadata"]


def is_true(raw: Raw, type: str) -> bool:
    return any(c["type"] == type and c["status"] == "True" for c in raw.get("status", {}).get("conditions", []))


def reason_of(raw: Raw, type: str) -> str:
    """Of a condition that is True; else empty."""
    conditions = raw.get("status", {}).get("conditions", [])
    return next((str(c["reason"]) for c in conditions if c["type"] == type and c["status"] == "True"), "")


def is_finished(job: Raw) -> bool:
    return is_true(job, "Complete") or is_true(job, "Failed")


def with_condition(raw: Raw, type: str, status: str, time: str, reason: str = "", message: str = "") -> list[Raw]:
    """The object's conditions with this one in them."""
    before = raw["status"].get("conditions", [])
    known = next((c for c in before if c["type"] == type), None)
    turned = known["lastTransitionTime"] if known and known["status"] == status else time
    new = {"type": type, "status": status, "reason": reason, "message": message, "lastTransitionTime": turned}
    return [*(c for c in before if c["type"] != type), new]


def merged(raw: Raw, patch: Raw) -> Raw:
    """A JSON merge patch."""
    result = dict(raw)
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, dict) and isinstance(result.get(key), dict):
            result[key] = merged(result[key], value)
        else:
            result[key] = value
    return result
