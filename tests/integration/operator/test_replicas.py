"""Two replicas with one Lease: who leads acts, and whatever becomes of it, the other goes on where it was."""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from integration.operator.operator_process import OperatorProcess
from integration.operator.training import Training
from local_cluster.cluster import LocalCluster
from support.cluster import kubectl_of
from support.waiting import wait_for

ROOT = Path(__file__).parents[3]
NAMESPACE = "trainingjob-system"
LEASE = f"{NAMESPACE}/trainingjob-operator"


@pytest.fixture(scope="module")
def _pair(installed: LocalCluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[OperatorProcess]]:
    kubeconfig = installed.service_account_kubeconfig(NAMESPACE, "trainingjob-operator")
    folder = tmp_path_factory.mktemp("operators")
    pair = [OperatorProcess(kubeconfig, folder / name) for name in ("one", "two")]
    yield pair
    for process in pair:
        process.stop()


@pytest.fixture
def pair(_pair: list[OperatorProcess]) -> list[OperatorProcess]:
    """The leader and the other; a test may end them."""
    for process in _pair:
        process.start(LEASE=LEASE)
    wait_for(lambda: any(map(leads, _pair)), "somebody to lead")
    return sorted(_pair, key=leads, reverse=True)


def number(process: OperatorProcess, *words: str) -> float:
    """The sum of the series with these words."""
    lines = (process.get("/metrics") or "").splitlines()
    return sum(float(line.split()[-1]) for line in lines if line[:1] != "#" and all(word in line for word in words))


def leads(process: OperatorProcess) -> bool:
    return number(process, "trainingjob_operator_is_leader ") == 1


def holder(installed: LocalCluster) -> str:
    lease = kubectl_of(installed.kubeconfig, NAMESPACE).run("get", "lease", "trainingjob-operator", "-o", "json")
    return str(json.loads(lease.stdout)["spec"]["holderIdentity"])


def until_it_leads(process: OperatorProcess) -> None:
    wait_for(lambda: leads(process), f"{process.log.name} to lead")


def writes(process: OperatorProcess) -> float:
    """What it has sent, but for the Lease and refused attempts."""
    verbs = ("create", "update", "patch", "delete")
    sent = sum(number(process, "_api_requests_total", f'verb="{verb}"') for verb in verbs)
    return sent - sum(number(process, "_api_requests_total", 'resource="leases"', f'verb="{verb}"') for verb in verbs)


def settled(process: OperatorProcess) -> float:
    """What it has sent once it sends nothing more for two seconds: some things it sends together, after a while."""
    seen: list[float] = []

    def is_settled() -> bool:
        seen.append(writes(process))
        return len(seen) > 20 and len(set(seen[-20:])) == 1

    wait_for(is_settled, "the end of its writes")
    return seen[-1]


def test_the_one_that_stands_by_is_ready_and_warm_and_does_nothing(
    pair: list[OperatorProcess], training: Training
) -> None:
    leader, other = pair
    training.create(step=0.01)
    training.until_true("Complete")
    assert json.loads(other.get("/readyz") or "{}") == {"ok": True, "problems": []}
    assert leads(leader)
    assert not leads(other)
    assert writes(other) == 0
    assert writes(leader) > 0
    assert number(leader, "trainingjob_operator_jobs{") > 0
    assert number(other, "trainingjob_operator_jobs{") == 0  # sums over replicas count every job once


def test_a_leader_that_is_killed_is_followed(pair: list[OperatorProcess], training: Training) -> None:
    leader, other = pair
    training.create(training__epochs=1000)
    training.until_step(1)
    leader.kill()
    training.suspend()
    status = training.until_true("Suspended")
    assert leads(other)
    assert (status["attempt"], status["restarts"]) == (1, 0)
    assert status["pause"]["evidence"] == "PodReport"  # nothing of the pod's end was missed
    training.resume()
    training.until_attempt(2)


def test_a_leader_that_is_told_to_stop_hands_over(
    pair: list[OperatorProcess], training: Training, installed: LocalCluster
) -> None:
    leader, other = pair
    training.create(training__epochs=1000)
    training.until_step(1)
    before = holder(installed)
    assert leader.stop() == 0
    assert holder(installed) != before  # at once, not when the Lease has run out
    until_it_leads(other)
    training.suspend()
    training.until_true("Suspended")


def test_a_leader_that_stood_still_does_not_act_when_it_goes_on(
    pair: list[OperatorProcess], training: Training
) -> None:
    leader, other = pair
    training.create("before", training__epochs=1000, step=60)  # nothing to tell for a minute
    training.until(lambda status: "progress" in status, "the first progress", "before")
    sent = settled(leader)
    with leader.standing_still():
        until_it_leads(other)
        training.suspend("before")
        training.create("later", step=0.01)
        training.until_true("Suspended", "before")
        training.until_true("Complete", "later")
    wait_for(lambda: leader.get("/metrics"), "an answer of the one that stood still")
    training.resume("before")
    training.until_attempt(2, "before")
    assert (leads(leader), leads(other)) == (False, True)
    assert writes(leader) == sent
    assert training.status("later")["attempt"] == 1


def test_two_that_act_at_once_make_nothing_twice(
    pair: list[OperatorProcess], training: Training, installed: LocalCluster
) -> None:
    names = [f"job-{index}" for index in range(5)]
    for process in pair:
        process.stop()
        process.start()  # without a Lease
    try:
        assert all(map(leads, pair))
        for name in names:
            training.create(name, nodes=2, training__epochs=1000)
        for name in names:
            training.until_step(1, name)
            training.suspend(name)
        for name in names:
            training.until_true("Suspended", name)
            training.resume(name)
        for name in names:
            status = training.until_attempt(2, name)
            assert (status["restarts"], status.get("disruptions", 0)) == (0, 0)
        assert all(writes(process) > 0 for process in pair)
    finally:
        for process in pair:
            process.stop()
    made = Counter(created(installed.audit_log, training.kubectl.namespace))
    jobs = [f"jobs {name}-{attempt}" for name in names for attempt in (1, 2)]
    assert sorted(one for one in made if one.startswith("jobs ")) == jobs
    assert set(made.values()) == {1}


def created(log: Path, namespace: str) -> Iterator[str]:
    """What operators have created in a namespace, by kind and name."""
    for line in log.read_text().splitlines():
        entry = json.loads(line)
        target = entry.get("objectRef", {})
        is_ours = entry["user"]["username"].endswith(":trainingjob-operator") and target.get("namespace") == namespace
        is_made = entry["verb"] == "create" and entry["responseStatus"]["code"] == 201
        if is_ours and is_made and target["resource"] != "events":
            yield f"{target['resource']} {target['name']}"


def test_the_api_server_takes_all_that_is_installed(installed: LocalCluster) -> None:
    kubectl = kubectl_of(installed.kubeconfig, NAMESPACE)
    kubectl("apply", "-k", str(ROOT / "deploy/base"), "--server-side", "--force-conflicts", "--dry-run=server")
