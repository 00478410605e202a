"""The guided demo: train the digits on two pods, pause half-way, resume, show what came out."""

from pathlib import Path

from rich.console import Console
from rich.rule import Rule

from quickstart.kubectl import Kubectl
from quickstart.live import follow, percent
from trainingjob_api.contract import JOB_NAME_LABEL, own_claim_name
from trainingjob_api.progress import Progress
from trainingjob_api.resource import TrainingJob
from trainingjob_api.status import ConditionType

JOB = "digits"
CLAIM = own_claim_name(JOB)
MANIFEST = Path("deploy/examples/digits.yaml")
WANTED_ACCURACY = 0.95


class DemoError(Exception):
    """The demo saw something that should not be; the message says what."""


def run(kubectl: Kubectl, console: Console) -> TrainingJob:
    """The whole demo on a running cluster; returns the finished job."""
    remove_last_time(kubectl, console)
    submit(kubectl, console)
    paused = pause(kubectl, console)
    resume(kubectl, console, paused)
    return finish(kubectl, console)


def remove_last_time(kubectl: Kubectl, console: Console) -> None:
    """The claim too, which outlives its TrainingJob: with it the training would be done before it begins."""
    there = kubectl.quiet("get", "tj,pvc", "-o", "name").split()
    if f"trainingjob.trainingjob.dev/{JOB}" in there:
        console.print(f"\nThe TrainingJob {JOB} of last time is deleted first.")
        kubectl.show("delete", "-f", str(MANIFEST), "--cascade=foreground")
    if f"persistentvolumeclaim/{CLAIM}" in there:
        console.print("\nThe volume of last time is deleted first, with its checkpoints.")
        kubectl.show("delete", "pvc", CLAIM)


def submit(kubectl: Kubectl, console: Console) -> None:
    console.print(Rule("1  submit: data and job in one file", align="left"))
    kubectl.show("apply", "-f", str(MANIFEST))
    console.print("\nTwo pods train together; pausing when half of the epochs are done.\n")
    follow(kubectl, JOB, _half_way, console)


def _half_way(job: TrainingJob, progress: Progress | None) -> bool:
    return progress is not None and 2 * progress.epoch >= progress.epochs


def pause(kubectl: Kubectl, console: Console) -> TrainingJob:
    console.print(Rule("2  pause", align="left"))
    kubectl.show("get", "tj", JOB)
    kubectl.show("get", "pods", "-l", f"{JOB_NAME_LABEL}={JOB}")
    kubectl.show("patch", "tj", JOB, "--type", "merge", "-p", '{"spec":{"suspend":true}}')
    job = follow(kubectl, JOB, lambda job, _: job.status.is_true(ConditionType.SUSPENDED), console)
    kubectl.show("get", "pods", "-l", f"{JOB_NAME_LABEL}={JOB}")
    report = job.status.pause
    if report is None or report.saved_step is None or report.lost_steps != 0:
        raise DemoError(f"the pause is not proven: {report}")
    console.print(
        f"\nThe pods are gone. On disk: [bold]step {report.saved_step}[/], {report.lost_steps} steps lost"
        f" (evidence: {report.evidence}).\n"
    )
    return job


def resume(kubectl: Kubectl, console: Console, paused: TrainingJob) -> None:
    console.print(Rule("3  resume", align="left"))
    kubectl.show("patch", "tj", JOB, "--type", "merge", "-p", '{"spec":{"suspend":false}}')
    job = follow(kubectl, JOB, lambda job, _: job.status.is_true(ConditionType.COMPLETE), console)
    resumed, saved = job.status.resume, paused.status.pause
    if resumed is None or saved is None or resumed.from_step != saved.saved_step:
        raise DemoError(f"went on from {resumed}, saved was {saved}")
    console.print(
        f"\nAttempt {job.status.attempt} went on from [bold]step {resumed.from_step}[/] ({resumed.exactness})"
        f" and finished.\n"
    )


def finish(kubectl: Kubectl, console: Console) -> TrainingJob:
    console.print(Rule("4  the result", align="left"))
    kubectl.show("get", "tj", JOB)
    job = kubectl.job(JOB)
    test = job.status.metrics.test if job.status.metrics else None
    if test is None or test.accuracy is None:
        raise DemoError("no test accuracy in status")
    console.print(f"\nTest accuracy: [bold green]{percent(test.accuracy)}[/] of {test.samples} images\n")
    if test.accuracy < WANTED_ACCURACY:
        raise DemoError(f"test accuracy {test.accuracy:.3f} is below {WANTED_ACCURACY}")
    return job
