"""Objects as the API server would show them, and what the operator makes of them."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from support.manifests import manifest
from training_operator.attempt import Heard
from training_operator.builders.metadata import spec_digest
from training_operator.children import Job, Pod, read_job, read_pod
from training_operator.observe import Observed, observe
from training_operator.store import View
from trainingjob_api.progress import Outcome, Progress, State
from trainingjob_api.resource import TrainingJob
from trainingjob_api.status import JobReference, TrainingJobStatus

NOW = datetime(2026, 1, 31, 12, 0, 0, tzinfo=UTC)
SAME = "made from the spec as it is"
UID = "11111111-2222-3333-4444-555555555555"
_versions = count(1000)


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


def text(time: datetime) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")


def raw_training_job(name: str = "digits", uid: str = UID, generation: int = 1, **spec: Any) -> dict[str, Any]:
    raw = manifest(name, **spec)
    raw["metadata"] |= {
        "namespace": "team",
        "uid": uid,
        "resourceVersion": str(next(_versions)),
        "generation": generation,
        "creationTimestamp": text(ago(3600)),
    }
    return raw


def training_job(status: TrainingJobStatus | None = None, **spec: Any) -> TrainingJob:
    job = TrainingJob.model_validate(raw_training_job(**spec))
    return job.model_copy(update={"status": status or TrainingJobStatus()})


def open_status(attempt: int = 1, recorded: bool = True, **fields: Any) -> TrainingJobStatus:
    """An attempt goes on."""
    reference = JobReference(name=f"digits-{attempt}", uid=job_uid(attempt) if recorded else None)
    return TrainingJobStatus(attempt=attempt, job=reference, start_time=ago(600), **fields)


def ended_status(attempt: int = 1, end: str = "PausedByUser", **fields: Any) -> TrainingJobStatus:
    """An attempt is over and that is on record."""
    reference = JobReference(name=f"digits-{attempt}", uid=job_uid(attempt), end=end)
    return TrainingJobStatus(attempt=attempt, job=reference, start_time=ago(600), **fields)


def job_uid(attempt: int) -> str:
    return f"job-{attempt}"


def condition(type: str, status: str = "True", reason: str = "", message: str = "") -> dict[str, str]:
    return {"type": type, "status": status, "reason": reason, "message": message}


def raw_job(
    attempt: int = 1,
    *conditions: dict[str, str],
    suspended: bool = False,
    digest: str = SAME,
    name: str = "",
    age: float = 60,
    labels: dict[str, str] | None = None,
    stopped_for: str = "",
    **status: Any,
) -> dict[str, Any]:
    return {
        "metadata": {
            "name": name or f"digits-{attempt}",
            "namespace": "team",
            "uid": job_uid(attempt),
            "resourceVersion": str(next(_versions)),
            "creationTimestamp": text(ago(age)),
            "labels": {"trainingjob.dev/name": "digits", "trainingjob.dev/attempt": str(attempt), **(labels or {})},
            "annotations": {
                "trainingjob.dev/spec-digest": digest,
                **({"trainingjob.dev/stopped-for": stopped_for} if stopped_for else {}),
            },
            "ownerReferences": [{"kind": "TrainingJob", "name": "digits", "uid": UID, "controller": True}],
        },
        "spec": {"suspend": suspended},
        "status": {"conditions": list(conditions), **status},
    }


def job(*args: Any, **kwargs: Any) -> Job:
    return read_job(raw_job(*args, **kwargs))


def suspended_job(attempt: int = 1, **kwargs: Any) -> Job:
    """Suspended by the operator, and the Job controller has seen it."""
    kwargs = {"stopped_for": "PausedByUser", **kwargs}
    return job(attempt, condition("Suspended"), suspended=True, **kwargs)


def failed_job(attempt: int = 1, message: str = "a pod failed", **kwargs: Any) -> Job:
    return job(attempt, condition("Failed", reason="PodFailurePolicy", message=message), **kwargs)


def complete_job(attempt: int = 1, **kwargs: Any) -> Job:
    return job(attempt, condition("Complete"), **kwargs)


def said(
    code: int,
    outcome: Outcome,
    message: str = "",
    step: int = 30,
    saved: int | None = 30,
    attempt: int = 1,
    rank: int = 0,
    saved_by: int | None = None,
) -> str:
    """A termination message; saved_by: the attempt that saved the checkpoint, if another."""
    return json.dumps(
        {
            "uid": UID,
            "attempt": attempt,
            "nodeRank": rank,
            "outcome": outcome.value,
            "exitCode": code,
            "message": message,
            "time": text(NOW),
            "progress": report(step=step, saved=saved, attempt=attempt, saved_by=saved_by).to_json_object(),
        }
    )


def raw_pod(
    rank: int = 0,
    attempt: int = 1,
    *,
    phase: str = "Running",
    code: int | None = None,
    reason: str = "",
    message: str = "",
    ended: float = 1,
    started: float | None = 30,
    waiting: tuple[str, str] | None = None,
    conditions: tuple[dict[str, str], ...] = (),
    deleted: float | None = None,
    node: str = "node-a",
    owner: str | None = None,
    age: float = 40,
    ip: str = "10.0.0.9",
    container: dict[str, Any] | None = None,
    uid: str = "",
) -> dict[str, Any]:
    """A pod; with a code its container has ended so many seconds ago. container: what else its status says."""
    state: dict[str, Any] = {}
    if code is not None:
        phase = "Succeeded" if code == 0 else "Failed"
        times = {"finishedAt": text(ago(ended))}
        state = {"terminated": {"exitCode": code, "reason": reason or "Error", "message": message, **times}}
    elif waiting is not None:
        phase, state = "Pending", {"waiting": {"reason": waiting[0], "message": waiting[1]}}
    elif phase == "Running" and started is not None:
        state = {"running": {"startedAt": text(ago(started))}}
    return {
        "metadata": {
            "name": f"digits-{attempt}-{rank}-abcde",
            "namespace": "team",
            "uid": uid or f"pod-{attempt}-{rank}",
            "resourceVersion": str(next(_versions)),
            "creationTimestamp": text(ago(age)),
            **({"deletionTimestamp": text(ago(deleted))} if deleted is not None else {}),
            "labels": {
                "trainingjob.dev/name": "digits",
                "trainingjob.dev/attempt": str(attempt),
                "batch.kubernetes.io/job-completion-index": str(rank),
                "batch.kubernetes.io/controller-uid": owner or job_uid(attempt),
            },
            "ownerReferences": [{"kind": "Job", "name": "x", "uid": owner or job_uid(attempt), "controller": True}],
        },
        "spec": {"nodeName": node} if node else {},
        "status": {
            "phase": phase,
            "podIP": ip,
            "conditions": list(conditions),
            "containerStatuses": [{"name": "trainer", "state": state, **(container or {})}] if state else [],
        },
    }


def pod(*args: Any, **kwargs: Any) -> Pod:
    return read_pod(raw_pod(*args, **kwargs))


def report(
    epoch: int = 3,
    step: int = 30,
    saved: int | None = 30,
    attempt: int = 1,
    state: State = State.TRAINING,
    on_request: bool = False,
    resume: dict[str, Any] | None = None,
    saved_by: int | None = None,
    **fields: Any,
) -> Progress:
    checkpoint = {
        "step": saved,
        "epoch": epoch,
        "attempt": saved_by or attempt,
        "path": f"step-{saved}.{attempt}",
        "sizeBytes": 1,
        "saveTime": text(ago(2)),
        "saveSeconds": 0.1,
        "onRequest": on_request,
    }
    return Progress.model_validate(
        {
            "uid": UID,
            "attempt": attempt,
            "state": state,
            "epoch": epoch,
            "epochs": 10,
            "step": step,
            "checkpoint": checkpoint if saved is not None else None,
            "resume": resume,
            **fields,
        }
    )


def look(
    training: TrainingJob,
    *children: Job | Pod,
    gone: tuple[Pod, ...] = (),
    report: Progress | None = None,
    fresh: bool = True,
    now: datetime = NOW,
    report_age: float = 0.0,
    vanished: bool = False,
) -> Observed:
    """What the operator observes when the store shows these."""
    jobs = tuple(_from_spec(child, training) for child in children if isinstance(child, Job))
    pods = tuple(child for child in children if isinstance(child, Pod))
    heard = Heard(report, report_age) if report else None
    unseen = frozenset(pod.uid for pod in gone) if vanished else frozenset()
    return observe(training, View(training, jobs, pods, gone, unseen), now, heard, pods_are_fresh=fresh)


def _from_spec(child: Job, training: TrainingJob) -> Job:
    if child.digest != SAME:
        return child
    annotations = {**child.metadata.annotations, "trainingjob.dev/spec-digest": spec_digest(training.spec)}
    return replace(child, metadata=replace(child.metadata, annotations=annotations))
