"""A TrainingJob in every state that it can be in, as the API server shows it: written by `make recorded-states`.

The status of each is what the operator derives from what it observes. Argo CD's and Flux's checks are tested with them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from training_operator.observe import Observed
from training_operator.plan import decide
from training_operator.status.derive import derive
from trainingjob_api.progress import Outcome, State
from trainingjob_api.reading import read_training_job
from trainingjob_api.resource import TrainingJob
from trainingjob_api.schema import UNSEEN
from trainingjob_api.status import PauseStatus, TrainingJobStatus
from unit.operator.factories import (
    ago,
    complete_job,
    condition,
    ended_status,
    failed_job,
    job,
    look,
    open_status,
    pod,
    raw_training_job,
    report,
    said,
    suspended_job,
    training_job,
)

FOLDER = Path(__file__).parents[3] / "deploy/gitops/argocd/resource_customizations/trainingjob.dev/TrainingJob/testdata"

Raw = dict[str, Any]

QUEUE = {"kueue.x-k8s.io/queue-name": "team"}
PAUSING = PauseStatus(request_time=ago(5), resources_released=False)
FULL = condition("PodScheduled", "False", "Unschedulable", "0/3 nodes are available: 3 Insufficient nvidia.com/gpu.")


@dataclass(frozen=True)
class Moment:
    """What the operator observes, and what the API server has stored beside the status that follows."""

    observed: Observed
    generation: int = 1
    """Of the object; status is about generation 1."""
    deleted: bool = False


def _training(*children: Any, status: TrainingJobStatus | None = None, spec: Raw | None = None, **seen: Any) -> Moment:
    return Moment(look(training_job(status or open_status(), **(spec or {})), *children, **seen))


def _paused(code: int, outcome: Outcome, saved: int | None) -> Moment:
    end = pod(code=code, message=said(code, outcome, step=30, saved=saved))
    return _training(suspended_job(), status=open_status(pause=PAUSING), spec={"suspend": True}, gone=(end,))


def _unread() -> Observed:
    raw = raw_training_job(checkpoint__keepEvery=5)
    return look(read_training_job(raw))


RUNNING = _training(job(), pod(), report=report(3, 30))

STATES: Mapping[str, Moment] = {
    "starting": _training(job(age=5), pod(phase="Pending", age=5)),
    "restoring": _training(job(), pod(), report=report(0, 0, None, state=State.RESTORING)),
    "unschedulable": _training(job(), pod(phase="Pending", node="", conditions=(FULL,))),
    "image-pull-failed": _training(job(age=70), pod(waiting=("ImagePullBackOff", "no such image"), age=61)),
    "forbidden": _training(job(age=31)),
    "queued": _training(job(suspended=True, labels=QUEUE)),
    "preempted-by-queue": _training(job(suspended=True, labels=QUEUE), pod(deleted=-30)),
    "running": RUNNING,
    "running-save-failed": _training(job(), pod(), report=report(checkpointProblem="disk full")),
    "node-lost": Moment(replace(RUNNING.observed, lost_nodes=("node-a",))),
    "stale-generation": Moment(RUNNING.observed, generation=2),
    "pausing": _training(
        job(suspended=True), pod(deleted=-30), status=open_status(pause=PAUSING), spec={"suspend": True}
    ),
    "paused": _paused(43, Outcome.STOPPED, 30),
    "paused-not-saved": _paused(48, Outcome.NOT_SAVED, 20),
    "never-started": Moment(look(training_job(suspend=True))),
    "resuming": _training(suspended_job(), status=ended_status()),
    "spec-changed": _training(job(digest="other"), pod()),
    "restarting": _training(failed_job(), pod(code=1, message="")),
    "ending-late": _training(
        job(suspended=True), pod(deleted=61), status=open_status(pause=PAUSING), spec={"suspend": True}
    ),
    "invalid-spec": Moment(_unread()),
    "succeeded": _training(complete_job(), pod(code=0, message=said(0, Outcome.COMPLETED))),
    "stopped-early": _training(complete_job(), pod(code=0, message=said(0, Outcome.EARLY_STOPPED))),
    "user-error": _training(failed_job(), pod(code=44, message=said(44, Outcome.USER_ERROR, "no column y"))),
    "restarts-spent": _training(failed_job(), pod(code=1), status=open_status(restarts=3)),
    "deadline-exceeded": _training(
        status=ended_status(end="Crash"), spec={"deadlines": {"totalSeconds": 60}, "restart": {"maxRestarts": 3}}
    ),
    "deleting": Moment(RUNNING.observed, deleted=True),
}


def recorded() -> dict[str, Raw]:
    """Every state's object, and those which the operator has written nothing on."""
    untouched = {
        "new": {**_stored(training_job()), "status": UNSEEN},
        "another-controller": {**_stored(training_job(managedBy="kueue.x-k8s.io/multikueue")), "status": UNSEEN},
    }
    written = {name: _object(state) for name, state in STATES.items()}
    wanted = {**written["running"]["metadata"], "annotations": {"trainingjob.dev/healthy-when": "Running"}}
    return {**untouched, **written, "running-is-healthy": {**written["running"], "metadata": wanted}}


def _object(state: Moment) -> Raw:
    observed = state.observed
    raw = {**_stored(observed.job), "status": derive(observed, decide(observed)).to_json_object()}
    raw["metadata"]["generation"] = state.generation
    if state.deleted:
        raw["metadata"] |= {"deletionTimestamp": "2026-01-31T12:00:00Z", "deletionGracePeriodSeconds": 0}
        raw["metadata"]["finalizers"] = ["foregroundDeletion"]
    return raw


def _stored(job: TrainingJob) -> Raw:
    """As it was written: without defaults, and without what differs from run to run."""
    written = job.model_dump(mode="json", by_alias=True, exclude_unset=True, exclude_none=True)
    metadata = {key: value for key, value in written["metadata"].items() if key != "resourceVersion"}
    return {
        "apiVersion": "trainingjob.dev/v1alpha1",
        "kind": "TrainingJob",
        "metadata": metadata,
        "spec": written["spec"],
    }


def text(raw: Raw) -> str:
    return str(yaml.safe_dump(raw, sort_keys=False, width=110))


def write() -> None:
    for old in FOLDER.glob("*.yaml"):
        old.unlink()
    for name, raw in recorded().items():
        (FOLDER / f"{name}.yaml").write_text(text(raw))


if __name__ == "__main__":
    write()
