"""What doctor makes of what it has read."""

import copy
from datetime import UTC, datetime
from typing import Any

import pytest

from support.manifests import manifest
from trainingjob_api.schema import structural_schema
from trainingjob_api.status import Reason
from trainingjob_cli import findings
from trainingjob_cli.advice import next_steps
from trainingjob_client.job import Job, Pod

_NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


def _job(phase: str = "Starting", age: int = 3, observed: int = 2, **conditions: tuple[str, str]) -> Job:
    """conditions: reason and message of those that are true."""
    told = [
        {
            "type": kind,
            "status": "True",
            "reason": reason,
            "message": message,
            "observedGeneration": 1,
            "lastTransitionTime": "2026-01-01T11:59:00Z",
        }
        for kind, (reason, message) in conditions.items()
    ]
    written = [{"time": f"2026-01-01T11:{59 - age:02d}:00Z"}, {"time": "2026-01-01T11:59:59Z", "subresource": "status"}]
    metadata = {
        "name": "job",
        "namespace": "n",
        "creationTimestamp": "2026-01-01T11:00:00Z",
        "generation": 2,
        "managedFields": written,
    }
    status = {"phase": phase, "conditions": told, "observedGeneration": observed}
    return Job({**manifest(), "metadata": metadata, "status": status})


_ELSEWHERE = Job({**_job("Pending", observed=-1).raw, "spec": {**manifest()["spec"], "managedBy": "example.org/other"}})


def _pod(message: str) -> Pod:
    waiting = [{"name": "trainer", "state": {"waiting": {"message": message}}}]
    return Pod({"metadata": {"name": "job-1-0", "labels": {}}, "spec": {}, "status": {"containerStatuses": waiting}})


def _said(found: list[findings.Finding]) -> list[str]:
    return [f"{each.level} {each.text}" for each in found]


@pytest.mark.parametrize(
    ("job", "pods", "missing", "first", "rest"),
    [
        (_job("Running", Running=("Training", "")), [], [], "ok job is Running", ["trainingjob watch job"]),
        (
            _job(Stalled=("Unschedulable", "no room")),
            [_pod("no room.")],
            [],
            "bad job is Starting: no room",
            ["Ask for less (spec.pod.resources, spec.nodes), or make room: kubectl describe nodes"],
        ),
        (
            _job(Reconciling=("Starting", "starts")),
            [_pod("no such image")],
            ["ConfigMap data"],
            "bad job is Starting: starts",
            ["ConfigMap data, which is not there", "job-1-0 waits: no such image"],
        ),
        (
            _job("Paused", Suspended=("PausedByUser", "Step 3 is saved.")),
            [],
            [],
            "note job is Paused: Step 3",
            ["resume"],
        ),
        (_job("Pending", observed=-1), [], [], "bad job is Pending: nobody has looked at it", ["trainingjob doctor"]),
        (
            _job("Paused", observed=1, Suspended=("PausedByUser", "Step 3 is saved.")),
            [],
            [],
            "bad job is Paused: nobody has looked at it",
            ["trainingjob doctor"],
        ),
        (_ELSEWHERE, [], [], "note job is Pending: example.org/other looks after it", []),
        (_job("Paused", age=0, observed=1, Suspended=("PausedByUser", "Step 3.")), [], [], "note job is Paused", []),
        (
            _job("Failed", Failed=("DataError", "no file"), Stalled=("DataError", "no file")),
            [],
            [],
            "bad job",
            ["data"],
        ),
    ],
)
def test_a_job_is_told_why_it_does_not_run(
    job: Job, pods: list[Pod], missing: list[str], first: str, rest: list[str]
) -> None:
    found = findings.of_job(job, pods, missing, "trainingjob", _NOW)
    said = [f"{each.level} {each.text} {each.next}" for each in found]
    assert said[0].startswith(first)
    for words in rest:
        assert any(words in line for line in said[1:]), said
    assert not any("waits: no room" in line for line in said), "the job's own message says so"


def test_what_kubernetes_says_of_pods_that_it_does_not_make_is_told() -> None:
    found = findings.of_job(_job(), [], [], "trainingjob", _NOW, "pods is forbidden: exceeded quota: none")
    assert _said(found)[1] == "bad pods is forbidden: exceeded quota: none"


def test_an_operator_that_does_nothing_is_found_by_its_jobs() -> None:
    deployment: dict[str, Any] = {"metadata": {"namespace": "s", "name": "op"}, "spec": {"replicas": 2}, "status": {}}
    ready = {**deployment, "status": {"readyReplicas": 2}}
    assert _said(findings.operator([ready], [_job()], _NOW)) == [
        "ok the operator s/op: 2 of 2 replicas are ready",
        "ok the operator looks after every job there is",
    ]
    assert _said(findings.operator([deployment], [], _NOW)) == ["bad the operator s/op: no replica is ready"]
    assert _said(findings.operator([ready], [_job(observed=-1)], _NOW))[1].startswith("bad nobody has looked at 1 job")
    assert _said(findings.operator(None, [_job(observed=-1, age=0)], _NOW))[0].startswith("ok"), "it was made just now"


def test_a_crd_of_another_release_is_noticed() -> None:
    known = structural_schema()
    older = copy.deepcopy(known)
    del older["properties"]["spec"]["properties"]["queue"]
    del older["properties"]["spec"]["properties"]["training"]["properties"]["schedule"]["properties"]["gamma"]
    served = {name: schema for name, schema in known.items() if name != "properties"}
    served["properties"] = {**known["properties"], "apiVersion": {}, "metadata": {"allOf": [{"$ref": "#/x"}]}}
    assert [each.level for each in findings.fields(served, known)] == ["ok"]
    assert _said(findings.fields(older, known)) == [
        "bad the cluster's CRD is older than this client: it does not know spec.queue, spec.training.schedule.gamma"
    ]
    assert _said(findings.fields(known, older))[0].startswith("note the cluster's CRD is newer than this client")
    assert findings.fields(None, known) == []


def test_a_cluster_is_told_what_it_lacks() -> None:
    assert _said(findings.kinds(["trainingjobs"])) == ["bad the cluster does not know traininghistories"]
    assert (
        findings.rights({"list pods": False, "get pods/log": True}, "n")[0].text
        == "you may not list pods in namespace n"
    )
    plain = {"metadata": {"name": "fast"}, "provisioner": "ebs.csi.aws.com"}
    shared = {"metadata": {"name": "nfs"}, "provisioner": "nfs.csi.k8s.io"}
    assert [each.level for each in findings.storage([plain])] == ["bad", "note"]
    assert "nfs" in findings.storage([plain, shared])[1].text
    node = {"metadata": {"name": "a"}, "status": {"allocatable": {"nvidia.com/gpu": "8"}}}
    assert findings.gpus([node, {"metadata": {"name": "b"}}])[0].text == "8 GPUs on 1 node"
    assert findings.gpus([])[0].level == "note"
    assert [findings.prometheus(groups)[0].level for groups in ([], ["monitoring.coreos.com"])] == ["note", "ok"]


NEEDS_NOBODY = {
    *("Pending", "Starting", "Training", "Finishing", "Completed", "EarlyStopped", "AlreadyCompleted", "Finished"),
    *(
        "AsSpecified",
        "NotRequested",
        "Restarting",
        "PausedByUser",
        "SavingCheckpoint",
        "SpecChanged",
        "CheckpointSaved",
    ),
    *("NoCheckpoint", "NotReported", "EphemeralVolume", "Preempted", "Disrupted", "Evicted"),
}
"""Reasons that are no trouble, or pass by themselves."""


@pytest.mark.parametrize("reason", sorted({*Reason} - NEEDS_NOBODY))
def test_whatever_stands_in_the_way_has_a_next_step(reason: str) -> None:
    steps = next_steps(_job(Stalled=(reason, "words")), [], "trainingjob")
    assert len(steps[0]) > 20
    assert "{" not in steps[0]
