"""Every epoch since the first, wherever a job is, without mounting its volume."""

import base64
import gzip
import json

from local_cluster.cluster import LocalCluster
from quickstart.product import OperatorProcess
from support.product import AT_LEISURE, Training, Trainings
from support.waiting import wait_for
from trainingjob_api.history import History
from trainingjob_api.status import Phase

EPOCHS = 60


def history_of(job: Training) -> History:
    history = job.history()
    assert history is not None
    return history


def wait_for_epoch(job: Training, epoch: int) -> None:
    job.wait_for_progress(lambda progress: progress.epoch >= epoch, f"epoch {epoch}")


def epochs_of(history: History) -> list[int]:
    return [row.epoch for row in history.rows]


def test_it_is_whole_across_a_pause_a_dead_operator_and_a_killed_pod(
    cluster: LocalCluster, operator: OperatorProcess, trainings: Trainings
) -> None:
    claim = trainings.claim("kept")
    job = trainings.submit(claim=claim, training__epochs=EPOCHS, **AT_LEISURE)
    running = wait_for(job.history, "a history while it runs")
    assert epochs_of(running) == list(range(1, running.epochs + 1))

    wait_for_epoch(job, 10)
    status = job.pause()
    paused = history_of(job)
    assert status.progress is not None
    assert paused.epochs == status.progress.epoch >= 10
    assert epochs_of(paused) == list(range(1, paused.epochs + 1))

    operator.kill()
    job.suspend(False)
    operator.start()
    job.wait_for_progress(
        lambda progress: progress.checkpoint is not None and progress.checkpoint.epoch > paused.epochs + 5,
        "a checkpoint of the second attempt",
    )
    [pod] = job.pods(attempt=2)
    cluster.kill_pod_tree(trainings.kubectl.namespace, pod["metadata"]["name"])
    end = job.wait_for_end()
    assert (end.phase, end.restarts, end.attempt) == (Phase.SUCCEEDED, 1, 3)

    whole = history_of(job)
    assert epochs_of(whole) == list(range(1, EPOCHS + 1))
    assert (whole.missing, whole.thinned, whole.epochs) == ((), False, EPOCHS)
    assert [start.number for start in whole.attempts] == [1, 2, 3]
    assert whole.attempts[1].first_epoch == paused.epochs + 1
    for row in whole.rows:
        assert row.attempt == max(start.number for start in whole.attempts if start.first_epoch <= row.epoch)
    shown = end.metrics and end.metrics.latest
    assert shown is not None
    assert whole.rows[-1].metrics["validationLoss"] == shown.validation_loss

    folder = cluster.claim_directory(trainings.kubectl.namespace, claim) / trainings.kubectl.namespace / "job"
    lines = [json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines()]
    exact = [(line["epoch"], line["attempt"], line["step"], float(f"{line['trainLoss']:.6g}")) for line in lines]
    assert [(row.epoch, row.attempt, row.step, row.metrics["trainLoss"]) for row in whole.rows] == exact
    assert (whole.rows[-1].seconds, whole.rows[-1].learning_rate) != (None, None)


def test_epochs_that_are_faster_than_anybody_asks_are_all_told(trainings: Trainings) -> None:
    job = trainings.submit(training__epochs=300)
    assert job.wait_for_end().phase == Phase.SUCCEEDED
    whole = history_of(job)
    assert epochs_of(whole) == list(range(1, 301))
    assert whole.missing == ()
    assert job.pods() == []

    kubectl = trainings.kubectl
    data = kubectl("get", "thist", "job", "-o", "jsonpath={.data}")
    assert json.loads(gzip.decompress(base64.b64decode(data)))["epoch"] == list(range(1, 301))
    head, line = kubectl("get", "traininghistory", "job").splitlines()
    assert head.split() == ["NAME", "EPOCHS", "BEST", "ATTEMPTS", "MISSING", "THINNED", "UPDATED", "AGE"]
    assert line.split()[:6] == ["job", "300", str(whole.best), "1", "0", "false"]
    job.delete()
    wait_for(lambda: job.history() is None, "the history to go with its job")
