"""The same folder met again: it is continued, complete at once, or refused."""

from local_cluster.cluster import LocalCluster
from support.manifests import ABSENT
from support.product import Trainings
from trainingjob_api.status import ConditionType, Phase, Reason, TrainingJobStatus


def reason_of(status: TrainingJobStatus, type: ConditionType) -> tuple[Reason, str]:
    condition = status.condition(type)
    assert condition is not None
    return condition.reason, condition.message


def test_a_new_job_of_the_same_name_goes_on_from_the_folder_of_the_deleted_one(trainings: Trainings) -> None:
    """By default the claim that was made for it stays."""
    default = {"checkpoint__volume__claimTemplate__retain": ABSENT}
    first = trainings.submit(**default)
    first.wait_for_step(50)
    saved = first.pause().pause
    first.delete()
    second = trainings.submit(**default)
    resumed = second.wait(lambda status: status.resume, "where it went on from").resume
    assert saved is not None
    assert resumed is not None
    assert resumed.from_step == saved.saved_step


def test_a_finished_training_is_complete_at_once(trainings: Trainings) -> None:
    claim = trainings.claim("kept")
    first = trainings.submit(claim=claim, training__epochs=20)
    before = first.wait_for_end()
    first.delete()
    after = trainings.submit(claim=claim, training__epochs=20).wait_for_end()
    assert reason_of(after, ConditionType.COMPLETE)[0] == Reason.ALREADY_COMPLETED
    assert before.metrics is not None
    assert after.metrics is not None
    assert after.metrics.best == before.metrics.best


def test_another_recipe_is_refused_and_named(trainings: Trainings) -> None:
    claim = trainings.claim("kept")
    first = trainings.submit(claim=claim, training__epochs=20)
    first.wait_for_end()
    first.delete()
    status = trainings.submit(claim=claim, training__epochs=20, training__seed=7).wait_for_end()
    reason, message = reason_of(status, ConditionType.FAILED)
    assert reason == Reason.CHECKPOINT_MISMATCH
    assert "training.seed" in message
    assert status.restarts == 0


def test_a_fresh_start_leaves_the_old_folder_alone(cluster: LocalCluster, trainings: Trainings) -> None:
    claim = trainings.claim("kept")
    first = trainings.submit(claim=claim, training__epochs=20)
    first.wait_for_end()
    folder = cluster.claim_directory(trainings.kubectl.namespace, claim) / trainings.kubectl.namespace
    first.delete()
    old = sorted(path.name for path in (folder / "job").iterdir())
    second = trainings.submit(claim=claim, training__epochs=20, training__seed=7, checkpoint__startFresh=True)
    assert second.wait_for_end().phase == Phase.SUCCEEDED
    assert sorted(path.name for path in (folder / "job").iterdir()) == old
    assert len(list(folder.iterdir())) == 2


def test_a_claim_that_does_not_exist_is_named_and_its_creation_is_enough(trainings: Trainings) -> None:
    job = trainings.submit(claim="absent", training__epochs=20)
    waiting = job.wait(
        lambda status: (c := status.condition(ConditionType.STALLED)) and c.reason == Reason.VOLUME_MISSING,
        "VolumeMissing",
    )
    assert "absent" in reason_of(waiting, ConditionType.STALLED)[1]
    trainings.claim("absent")
    assert job.wait_for_end().phase == Phase.SUCCEEDED


def test_a_folder_that_cannot_be_written_is_named_with_what_to_do(cluster: LocalCluster, trainings: Trainings) -> None:
    claim = trainings.claim("kept")
    volume = cluster.claim_directory(trainings.kubectl.namespace, claim)
    (volume / "a-file").write_text("not a folder")
    job = trainings.submit(claim=claim, checkpoint__subPath="a-file")
    reason, message = reason_of(job.wait_for_end(), ConditionType.FAILED)
    assert reason == Reason.VOLUME_NOT_WRITABLE
    assert message.startswith("cannot write to /checkpoints as user")
    assert "runAsUser to its owner" in message
