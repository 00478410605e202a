"""What the API is told about a pod, from what is known of its containers."""

from typing import Any

import pytest

from local_cluster.node import parsing
from local_cluster.node.models import Pod
from local_cluster.node.status import ContainerFacts, PodFacts, Running, Terminated, Verdict, Waiting, phase, pod_status

WAITING = ContainerFacts(Waiting())
RUNNING = ContainerFacts(Running("10:00"), ready=True, identity="local://x")
DONE = ContainerFacts(Terminated(0, "Completed", "", "10:00", "10:01"), identity="local://x")
FAILED = ContainerFacts(Terminated(43, "Error", "saved", "10:00", "10:01"), identity="local://x")
CRASHING = ContainerFacts(Waiting("CrashLoopBackOff"), last=Terminated(1, "Error", "", "", ""), identity="local://x")


def pod(init: bool = False, **status: Any) -> Pod:
    spec: dict[str, Any] = {"containers": [{"name": "main"}, {"name": "side"}]}
    if init:
        spec["initContainers"] = [{"name": "init"}]
    return parsing.pod({"metadata": {"namespace": "n", "name": "p", "uid": "u"}, "spec": spec, "status": status})


def facts(main: ContainerFacts, side: ContainerFacts, init: ContainerFacts = DONE, **more: Any) -> PodFacts:
    return PodFacts("127.9.9.9", "127.0.0.1", "09:59", {"main": main, "side": side, "init": init}, **more)


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        pytest.param(facts(WAITING, WAITING), "Pending", id="nothing has started"),
        pytest.param(facts(RUNNING, WAITING), "Pending", id="one has not started yet"),
        pytest.param(facts(WAITING, WAITING, init=RUNNING), "Pending", id="it initializes"),
        pytest.param(facts(RUNNING, RUNNING), "Running", id="both run"),
        pytest.param(facts(FAILED, RUNNING), "Running", id="one has ended"),
        pytest.param(facts(CRASHING, RUNNING), "Running", id="one is to be restarted"),
        pytest.param(facts(DONE, DONE, is_over=True), "Succeeded", id="both ended well"),
        pytest.param(facts(DONE, FAILED, is_over=True), "Failed", id="one failed"),
        pytest.param(facts(WAITING, WAITING, init=FAILED, is_over=True), "Failed", id="it could not initialize"),
        pytest.param(facts(DONE, DONE, is_over=True, verdict=Verdict("X", "")), "Failed", id="the node ended it"),
    ],
)
def test_the_phase(known: PodFacts, expected: str) -> None:
    assert phase(pod(init=True), known) == expected


def conditions(status: dict[str, Any]) -> dict[str, str]:
    return {condition["type"]: condition["status"] for condition in status["conditions"]}


@pytest.mark.parametrize(
    ("known", "ready"), [(facts(RUNNING, RUNNING), "True"), (facts(RUNNING, FAILED), "False")], ids=["both", "one"]
)
def test_a_pod_is_ready_when_all_its_containers_are(known: PodFacts, ready: str) -> None:
    found = conditions(pod_status(pod(), known, "now"))
    assert found["Ready"] == found["ContainersReady"] == ready
    assert found["PodScheduled"] == found["Initialized"] == "True"


def test_the_end_of_a_container_is_told_whole() -> None:
    status = pod_status(pod(), facts(FAILED, DONE, is_over=True), "now")
    ended = status["containerStatuses"][0]["state"]["terminated"]
    assert (ended["exitCode"], ended["reason"], ended["message"]) == (43, "Error", "saved")


def test_a_state_clears_the_one_before() -> None:
    """The status is a patch: what is not null there would stay."""
    state = pod_status(pod(), facts(RUNNING, WAITING), "now")["containerStatuses"][0]["state"]
    assert state == {"waiting": None, "terminated": None, "running": {"startedAt": "10:00"}}


def test_the_time_of_a_transition_stays_while_the_condition_does() -> None:
    before = [{"type": "Ready", "status": "True", "lastTransitionTime": "earlier"}]
    ready = pod_status(pod(conditions=before), facts(RUNNING, RUNNING), "now")["conditions"]
    unready = pod_status(pod(conditions=before), facts(FAILED, RUNNING), "now")["conditions"]
    assert next(one for one in ready if one["type"] == "Ready")["lastTransitionTime"] == "earlier"
    assert next(one for one in unready if one["type"] == "Ready")["lastTransitionTime"] == "now"


def test_a_disruption_is_a_condition_and_another_verdict_a_reason() -> None:
    disrupted = pod_status(pod(), facts(FAILED, DONE, is_over=True, verdict=Verdict("Gone", "", True)), "now")
    expired = pod_status(pod(), facts(FAILED, DONE, is_over=True, verdict=Verdict("DeadlineExceeded", "")), "now")
    assert conditions(disrupted)["DisruptionTarget"] == "True"
    assert "DisruptionTarget" not in conditions(expired)
    assert expired["reason"] == "DeadlineExceeded"


def test_equal_facts_make_equal_statuses() -> None:
    """So that nothing is written when nothing changed."""
    status = pod_status(pod(), facts(RUNNING, RUNNING), "now")
    again = pod_status(pod(conditions=status["conditions"]), facts(RUNNING, RUNNING), "later")
    assert again == status
