"""What to do next with a job, as commands that can be pasted. Pure."""

from collections.abc import Sequence

from trainingjob_api.status import ConditionType, Reason
from trainingjob_client.job import Job, Pod

_OF_REASONS: dict[str, str] = {
    Reason.UNSCHEDULABLE: "Ask for less (spec.pod.resources, spec.nodes), or make room: kubectl describe nodes",
    Reason.IMAGE_PULL_FAILED: "Correct spec.pod.image or imagePullSecrets while it is paused: {program} pause {name}",
    Reason.VOLUME_MISSING: "Make what is missing: kubectl get pvc,configmap,secret",
    Reason.INVALID_SPEC: "Correct the field that the message names: kubectl edit tj {name}",
    Reason.FORBIDDEN: "A quota, a policy or a missing right refuses it: kubectl get events; {program} doctor",
    Reason.CONTAINER_NOT_CREATED: "Make or correct what the message names: {program} describe {name}",
    Reason.RECONCILE_FAILED: "See what the operator's log says of it, and {program} doctor",
    Reason.STATUS_REFUSED: "The CRD may be older than the operator: {program} doctor",
    Reason.UNREADABLE_CHILD: "Delete what the message names, or correct it with kubectl edit",
    Reason.STILL_TERMINATING: "Look at the node that the message names: kubectl describe node NODE",
    Reason.CONTAINER_LEFT: "Let the container that the message names end as well, or move it to initContainers",
    Reason.NODE_LOST: "If the node will not come back: kubectl delete node NODE",
    Reason.ORPHANED_PODS: "Delete the pods that the message names",
    Reason.NAME_TAKEN: "Delete or rename what has the name, or take another for the job",
    Reason.WAITING_FOR_QUEUE: "It waits for its queue: kubectl get workloads",
    Reason.PAUSED_BY_QUEUE: "It goes on when its queue lets it: kubectl get workloads",
    Reason.SAVE_FAILED: "Look at the volume: is it full? {program} checkpoints {name}",
    Reason.GRACE_EXCEEDED: "Give saving more time: spec.deadlines.saveSeconds",
    Reason.USER_ERROR: "Correct the manifest or the program that the message names, and submit it under another name",
    Reason.DATA_ERROR: "Correct the data that the message names, and submit it under another name",
    Reason.NON_FINITE: "Try a lower learning rate, or gradient.clip, under another name",
    Reason.OUT_OF_MEMORY: "Raise spec.pod.resources.limits.memory, or lower batchSize, under another name",
    Reason.HANG: "See where it stood: {program} logs {name} --tail 50",
    Reason.CHECKPOINT_MISMATCH: "The folder is another recipe's: checkpoint.startFresh: true, or another subPath",
    Reason.FOLDER_IN_USE: "Another job works in the folder: checkpoint.startFresh: true, or another subPath",
    Reason.VOLUME_NOT_WRITABLE: "Make the volume writable for the pod's user (spec.pod.securityContext)",
    Reason.CHECKPOINT_CORRUPT: "Begin anew: checkpoint.startFresh: true, or another subPath, under another name",
    Reason.START_DEADLINE_EXCEEDED: "Raise deadlines.startSeconds, or see where it stands: {program} logs {name}",
    Reason.PARTLY_PLACED: "Ask for fewer nodes, or make room: kubectl describe nodes",
    Reason.DEADLINE_EXCEEDED: "Raise deadlines.totalSeconds, and submit it under another name",
    Reason.POD_REFUSED: "See what its node says: kubectl get events",
    Reason.KILLED: "See what has killed it, such as its memory: {program} describe {name}",
    Reason.PEER_LOST: "See what the other ranks said last: {program} logs {name} --rank 1 --tail 50",
    Reason.UNKNOWN: "See what it said last: {program} logs {name} --tail 50",
    Reason.RESTART_BUDGET_SPENT: "See what it said last: {program} logs {name} --tail 50",
    Reason.CRASH: "See what it said last: {program} logs {name} --tail 50",
}


def next_steps(job: Job, pods: Sequence[Pod], program: str) -> list[str]:
    """One or more; what stands in the way comes first."""
    said = [_OF_REASONS[reason] for reason in _reasons(job) if reason in _OF_REASONS][:1]
    return [step.format(program=program, name=job.name) for step in [*said, *_usual(job, pods)]]


def _reasons(job: Job) -> list[str]:
    """Of what is wrong, the most telling first."""
    status = job.status
    conditions = [status.condition(kind) for kind in (ConditionType.STALLED, ConditionType.RECONCILING)]
    found = [str(each.reason) for each in conditions if each is not None and each.status == "True"]
    if status.last_failure is not None and not job.is_running and not job.has_succeeded:
        found.append(str(status.last_failure.reason))
    suspended = status.condition(ConditionType.SUSPENDED)
    return [*found, *([str(suspended.reason)] if suspended and suspended.status == "True" else [])]


def _usual(job: Job, pods: Sequence[Pod]) -> list[str]:
    if job.has_succeeded:
        return ["{program} download {name} --what model", "{program} plot {name}"]
    if job.is_over:
        return []
    if job.is_paused:
        return ["{program} resume {name}"]
    if job.status.observed_generation < 1:
        return ["If nothing happens the operator does not run: {program} doctor"]
    if job.is_running:
        return ["{program} watch {name}", "{program} pause {name}"]
    waiting = [f"{pod.name} waits: {pod.waits_for}" for pod in pods if pod.waits_for]
    return waiting[:1]
