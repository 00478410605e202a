"""The Python client on a real control plane: one job, from submitting to deleting, then what can go wrong."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from pathlib import Path

import pytest
import yaml

from integration.operator.operator_process import OperatorProcess
from integration.operator.training import Training
from local_cluster.cluster import LocalCluster
from support.waiting import PATIENCE
from trainingjob_client import (
    AlreadyExistsError,
    AsyncTrainingJobs,
    EndedError,
    FinishedError,
    ForbiddenError,
    Job,
    ManifestError,
    NoLogError,
    NotFoundError,
    RefusedError,
    TrainingJobs,
    WaitTimeoutError,
)
from trainingjob_client.resources import CLAIMS, CONFIG_MAPS, NAMESPACES


@pytest.fixture
async def jobs(installed: LocalCluster, namespace: str) -> AsyncIterator[AsyncTrainingJobs]:
    async with await AsyncTrainingJobs.connect(kubeconfig=installed.kubeconfig, namespace=namespace) as connected:
        yield connected


@pytest.fixture
def blocking(installed: LocalCluster, namespace: str) -> Iterator[TrainingJobs]:
    with TrainingJobs.connect(kubeconfig=installed.kubeconfig, namespace=namespace) as connected:
        yield connected


async def test_a_job_from_submit_to_delete(
    operator: OperatorProcess, training: Training, jobs: AsyncTrainingJobs, tmp_path: Path
) -> None:
    file = tmp_path / "job.yaml"
    beside = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "beside"}, "data": {"a": "b"}}
    file.write_text(yaml.safe_dump_all([beside, training.manifest(training__epochs=30)]))

    tried = await jobs.submit(file, dry_run=True)
    assert tried.name == "job"
    with pytest.raises(NotFoundError, match="there is no trainingjob job in namespace test-"):
        await jobs.get("job")
    with pytest.raises(NotFoundError):
        await jobs.api.get(CONFIG_MAPS, "beside", jobs.namespace)

    following = asyncio.create_task(_log(jobs))
    made = await jobs.submit(file)
    assert made.phase == "Pending"
    assert (await jobs.api.get(CONFIG_MAPS, "beside", jobs.namespace))["data"] == {"a": "b"}
    with pytest.raises(AlreadyExistsError, match=r"job is in namespace test-.* already .*; nothing was changed"):
        await jobs.submit(file)

    running = await jobs.wait("job", until="running", timeout=PATIENCE)
    assert running.is_running
    assert [pod.attempt for pod in await jobs.pods("job")] == [1]
    with pytest.raises(WaitTimeoutError, match=r"job is not failed after 0\.01 s"):
        await jobs.wait("job", until="failed", timeout=0.01)

    asked = [await jobs.pause("job"), await jobs.pause("job")]
    assert [job.is_suspended for job in asked] == [True, True]
    assert asked[0].raw["spec"] == asked[1].raw["spec"]
    paused = await jobs.wait("job", until="paused", timeout=PATIENCE)
    assert paused.status.pause is not None
    assert await jobs.pods("job") == []
    with pytest.raises(NoLogError, match="job has no pod now"):
        await anext(jobs.logs("job"))

    await jobs.resume("job")
    phases = [job.phase async for job in jobs.watch("job")]
    assert phases[-1] == "Succeeded"
    ended = await jobs.wait("job", timeout=PATIENCE)
    assert ended.status.attempt == 2
    with pytest.raises(EndedError, match="job has ended as Succeeded and will not be failed"):
        await jobs.wait("job", until="failed")
    with pytest.raises(FinishedError, match=r"job is over \(Succeeded\)"):
        await jobs.pause("job")
    log = await asyncio.wait_for(following, PATIENCE)
    assert [line.split(" at ")[0] for line in log] == ["leaving with 43", "leaving with 0"]
    await asyncio.wait_for(_are_told(jobs, {"AttemptStarted", "Completed", "Scheduled"}), PATIENCE)

    await jobs.delete("job", keep_checkpoints=True)
    with pytest.raises(NotFoundError):
        await jobs.get("job")
    claim = await jobs.api.get(CLAIMS, "job-checkpoints", jobs.namespace)
    assert "ownerReferences" not in claim["metadata"]


async def _are_told(jobs: AsyncTrainingJobs, reasons: set[str]) -> None:
    """Events are written after what they tell of."""
    while not reasons <= {event.reason for event in await jobs.events("job", of_pods=True)}:  # noqa: ASYNC110
        await asyncio.sleep(0.1)


async def _log(jobs: AsyncTrainingJobs) -> list[str]:
    """Followed from before there is a job."""
    while True:
        try:
            return [line async for line in jobs.logs("job", follow=True)]
        except NotFoundError:
            await asyncio.sleep(0)


async def test_a_watch_shows_what_is_there_and_what_comes(training: Training, jobs: AsyncTrainingJobs) -> None:
    suspended = training.manifest("first", suspend=True)
    await jobs.submit(suspended)
    seen: list[tuple[str, str]] = []
    async with aclosing(jobs.watch_all()) as changes:
        async for change in changes:
            seen.append((change.type, change.job.name if change.job else ""))
            match seen[-1]:
                case ("SYNCED", ""):
                    await jobs.submit(training.manifest("second", suspend=True))
                case ("ADDED", "second"):
                    await jobs.delete("second", keep_checkpoints=False)
                case ("DELETED", _):
                    break
    assert [each for each in seen if each[0] != "MODIFIED"] == [
        ("ADDED", "first"),
        ("SYNCED", ""),
        ("ADDED", "second"),
        ("DELETED", "second"),
    ]


async def test_pages_follow_each_other(training: Training, jobs: AsyncTrainingJobs) -> None:
    for name in ("a", "b", "c"):
        await jobs.submit({**training.manifest(name, suspend=True)})
    first = await jobs.list(limit=2)
    rest = await jobs.list(limit=2, page=first.next)
    assert [job.name for job in (*first.items, *rest.items)] == ["a", "b", "c"]
    assert rest.next == ""
    everywhere = await jobs.list(all_namespaces=True)
    assert {"a", "b", "c"} <= {job.name for job in everywhere.items if job.namespace == jobs.namespace}


async def test_what_is_refused_is_named(training: Training, jobs: AsyncTrainingJobs) -> None:
    wrong = training.manifest(training__epochs=-1)
    wrong["spec"]["nodes"] = 0
    with pytest.raises(RefusedError) as refused:
        await jobs.submit(wrong)
    assert {field for field, _ in refused.value.causes} == {"spec.training.epochs", "spec.nodes"}
    with pytest.raises(RefusedError, match="there is no such field"):
        await jobs.submit(training.manifest(epochen=3))
    with pytest.raises(NotFoundError, match="there is no trainingjob none"):
        await jobs.pause("none")
    with pytest.raises(NotFoundError, match="there is no trainingjob none"):
        await anext(jobs.watch("none"))
    with pytest.raises(NotFoundError, match="there is no namespace nowhere"):
        await jobs.submit(training.manifest(), namespace="nowhere")
    unicorn = {"apiVersion": "v1", "kind": "Unicorn", "metadata": {"name": "u"}}
    with pytest.raises(ManifestError, match="the cluster knows no Unicorn of v1"):
        await jobs.submit(yaml.safe_dump_all([training.manifest(), unicorn]))
    claimed = training.manifest("claimed", suspend=True, checkpoint__volume={"claimName": "mine"})
    await jobs.submit(claimed)
    with pytest.raises(RefusedError, match="claim mine, which was not made for it"):
        await jobs.delete("claimed", keep_checkpoints=False)


async def test_who_may_not_is_told_so(installed: LocalCluster, namespace: str) -> None:
    kubeconfig = installed.service_account_kubeconfig(namespace, "default")
    async with await AsyncTrainingJobs.connect(kubeconfig=kubeconfig) as jobs:
        assert jobs.namespace == namespace
        with pytest.raises(ForbiddenError, match="cannot list resource"):
            await jobs.list()
        with pytest.raises(ForbiddenError):
            await jobs.api.list(NAMESPACES)


def test_the_same_without_an_event_loop(training: Training, blocking: TrainingJobs) -> None:
    submitted = blocking.submit(training.manifest(suspend=True))
    seen: list[Job] = []
    for job in blocking.watch("job"):
        seen.append(job)
        break
    assert [job.uid for job in seen] == [submitted.uid]
    assert [job.name for job in blocking.list().items] == ["job"]
    blocking.delete("job")
    with pytest.raises(NotFoundError):
        blocking.wait("job")
