"""TrainingJobs in a real Kueue: they wait, are admitted, give way and come back, and a person's pause is respected."""

from pathlib import Path
from typing import Any

from kueue.conftest import POOL
from support.product import Training, Trainings
from support.terminal import terminal_in
from support.waiting import wait_for
from trainingjob_api.status import ConditionType, Phase, Reason, TrainingJobStatus

RESOURCES = {"requests": {"cpu": "1500m", "memory": "256Mi"}, "limits": {"memory": "2Gi"}}
"""Two of them are more than the quota."""


def submit(queued: Trainings, name: str, priority: str = "", **changes: Any) -> Training:
    queue = {"name": "default", **({"priorityClass": priority} if priority else {})}
    return queued.submit(name, queue=queue, pod__resources=RESOURCES, **changes)


def waits(job: Training, reason: Reason) -> TrainingJobStatus:
    def is_told(status: TrainingJobStatus) -> bool:
        condition = status.condition(ConditionType.RECONCILING)
        return status.phase == Phase.QUEUED and condition is not None and condition.reason == reason

    return job.wait(is_told, f"Queued, {reason}")


def trains_from(job: Training, step: int) -> TrainingJobStatus:
    """It has gone on exactly where it was saved."""
    status = job.wait(lambda status: status.resume and status.phase == Phase.RUNNING, "the next attempt")
    assert status.resume is not None
    assert (status.resume.from_step, status.resume.exactness) == (step, "Bitwise")
    job.wait_for_step(step)
    return status


def saved_step(status: TrainingJobStatus) -> int:
    assert status.pause is not None
    assert (status.pause.lost_steps, status.pause.resources_released) == (0, True)
    assert status.pause.saved_step is not None
    return status.pause.saved_step


def test_a_training_waits_for_quota_and_a_pause_gives_it_free_for_good(queued: Trainings, tmp_path: Path) -> None:
    first = submit(queued, "first")
    first.wait_for_step(20)
    assert POOL.items() <= first.pods()[0]["spec"]["nodeSelector"].items(), "the flavour's nodes"
    second = submit(queued, "second")
    waits(second, Reason.WAITING_FOR_QUEUE)
    assert second.pods() == []
    said = terminal_in(queued.kubectl, tmp_path).piped("doctor", "second").stdout
    assert "second is Queued" in said, said
    assert "It waits for its queue: kubectl get workloads" in said, said
    step = saved_step(first.pause())
    second.wait_for_step(0)
    assert (first.status.phase, first.pods()) == (Phase.PAUSED, []), "Kueue has not let it run again"
    first.suspend(False)
    waits(first, Reason.WAITING_FOR_QUEUE)
    saved_step(second.pause())
    status = trains_from(first, step)
    assert (status.restarts, status.disruptions) == (0, 0)


def test_a_training_gives_way_to_one_that_is_more_urgent_and_goes_on_after_it(queued: Trainings) -> None:
    low = submit(queued, "low")
    reached = low.wait_for_step(20).step
    urgent = submit(queued, "urgent", "urgent", training__epochs=2)
    waits(low, Reason.PAUSED_BY_QUEUE)
    wait_for(lambda: not low.pods(), "the end of its pods")
    assert urgent.wait_for_end().phase == Phase.SUCCEEDED
    status = low.wait(lambda status: status.resume and status.phase == Phase.RUNNING, "the training to go on")
    assert status.resume is not None
    assert status.resume.exactness == "Bitwise"
    assert status.resume.from_step >= reached
    assert (status.restarts, status.attempt) == (0, 1), "neither a restart is spent nor an attempt: the Job is the same"


def test_all_pods_are_admitted_or_none(queued: Trainings) -> None:
    pair = submit(queued, "pair", nodes=2)
    status = waits(pair, Reason.WAITING_FOR_QUEUE)
    assert pair.pods() == []
    alone = submit(queued, "alone", training__epochs=1)
    assert alone.wait_for_end().phase == Phase.SUCCEEDED, "what fits goes first"
    assert (pair.pods(), pair.status.attempt) == ([], status.attempt)
