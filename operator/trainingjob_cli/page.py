"""`describe`: all that is to be known of one job, on one page. Pure."""

from collections.abc import Sequence
from datetime import datetime

from trainingjob_api.contract import REQUESTED_BY_ANNOTATION, TASK_LABEL
from trainingjob_api.progress import EpochMetrics
from trainingjob_cli.advice import next_steps
from trainingjob_cli.columns import eta
from trainingjob_cli.table import fields, table
from trainingjob_cli.words import count, number, percent, since, size
from trainingjob_client.job import Event, Job, Pod

_EVENTS = 12
"""The newest ones are shown."""


def describe(job: Job, pods: Sequence[Pod], events: Sequence[Event], now: datetime, program: str) -> list[str]:
    """Lines."""
    sections = [
        fields(_head(job, now)),
        _section("Progress", fields(_progress(job, now), 2)),
        _section("Metrics", _metrics(job)),
        _section("Saved", fields(_saved(job, now), 2)),
        _section("Pause and resume", fields(_pause(job, now), 2)),
        _section("Last failure", fields(_failure(job, now), 2)),
        _section("Notices", [f"  {notice}" for notice in job.status.notices]),
        _section("Conditions", _indented(_conditions(job, now))),
        _section("Pods", _indented(_pods(pods, now))),
        _section("Events", _indented(_events(events, now))),
        _section("Next", [f"  {step}" for step in next_steps(job, pods, program)]),
    ]
    return [line for section in sections if section for line in (*section, "")][:-1]


def _section(title: str, lines: Sequence[str]) -> list[str]:
    return [f"{title}:", *lines] if lines else []


def _indented(lines: Sequence[str]) -> list[str]:
    return [f"  {line}" for line in lines] if len(lines) > 1 else []


def _head(job: Job, now: datetime) -> list[tuple[str, str]]:
    spec = job.spec
    ranks = spec.nodes * spec.local_world_size
    return [
        ("Name", job.name),
        ("Namespace", job.namespace),
        ("Title", job.title if job.title != job.name else ""),
        ("Task", job.labels.get(TASK_LABEL, "")),
        ("Asked by", job.annotations.get(REQUESTED_BY_ANNOTATION, "")),
        ("Age", since(job.created, now)),
        ("Phase", job.phase),
        ("Message", job.message),
        ("Trains", _what(job)),
        ("On", f"{count(spec.nodes, 'pod')}, {count(ranks, 'rank')}" + (f", {spec.gpus} GPUs each" * bool(spec.gpus))),
        ("Attempt", str(job.status.attempt or "")),
        ("Restarts", f"{job.status.restarts} of its own, {count(job.status.disruptions, 'disruption')}"),
    ]


def _what(job: Job) -> str:
    if job.spec.script is not None:
        return " ".join([job.spec.script.path, *job.spec.script.args])
    training = job.spec.training
    return f"{training.model.type}, {training.task}" if training else ""


def _progress(job: Job, now: datetime) -> list[tuple[str, str]]:
    progress = job.status.progress
    if progress is None:
        return []
    rate = progress.samples_per_second
    return [
        ("Epoch", progress.epoch_text),
        ("Step", str(progress.step)),
        ("Speed", f"{rate:.0f} samples/s" if rate and job.is_running else ""),
        ("Time left", eta(job)),
        ("Seen", f"{since(progress.update_time, now)} ago"),
    ]


def _metrics(job: Job) -> list[str]:
    metrics = job.status.metrics
    if metrics is None:
        return []
    lines = [_epoch_line("latest", metrics.latest), _epoch_line("best", metrics.best)]
    if (test := metrics.test) is not None:
        quality = f"accuracy {percent(test.accuracy)}" if test.accuracy is not None else f"MAE {number(test.mae)}"
        lines.append(f"  test    loss {number(test.loss)}, {quality}, {count(test.samples, 'sample')}")
    return [line for line in lines if line]


def _epoch_line(which: str, epoch: EpochMetrics | None) -> str:
    if epoch is None:
        return ""
    said = [
        ("train loss", number(epoch.train_loss)),
        ("val. loss", number(epoch.validation_loss)),
        ("val. accuracy", percent(epoch.validation_accuracy)),
        ("val. MAE", number(epoch.validation_mae)),
        *((name, number(value)) for name, value in (epoch.extra or {}).items()),
    ]
    return f"  {which:<6}  epoch {epoch.epoch}: " + ", ".join(f"{name} {value}" for name, value in said if value)


def _saved(job: Job, now: datetime) -> list[tuple[str, str]]:
    saved = job.status.checkpoint
    return [
        ("Step", f"{saved.step} (epoch {saved.epoch}), {since(saved.save_time, now)} ago" if saved else ""),
        ("Size", f"{size(saved.size_bytes)}, saved in {number(saved.save_seconds)} s" if saved else ""),
        ("Path", saved.path if saved else ""),
        ("Claim", job.model.checkpoint_claim or ""),
    ]


def _pause(job: Job, now: datetime) -> list[tuple[str, str]]:
    pause, resume = job.status.pause, job.status.resume
    pairs: list[tuple[str, str]] = []
    if pause is not None:
        saved = "nothing" if pause.saved_step is None else f"step {pause.saved_step}"
        lost = "" if pause.lost_steps is None else f", {count(pause.lost_steps, 'step')} lost"
        pairs += [("Paused", f"{since(pause.request_time, now)} ago, saved {saved}{lost}")]
    if resume is not None:
        why = f": {resume.reason}" if resume.reason else ""
        pairs += [
            ("Went on", f"from step {resume.from_step} of attempt {resume.from_attempt}, {resume.exactness}{why}")
        ]
    return pairs


def _failure(job: Job, now: datetime) -> list[tuple[str, str]]:
    failure = job.status.last_failure
    if failure is None:
        return []
    return [
        ("Reason", f"{failure.reason}, attempt {failure.attempt}, {since(failure.time, now)} ago"),
        ("Message", failure.message),
        ("Exit code", "" if failure.exit_code is None else str(failure.exit_code)),
        ("Pod", failure.pod or ""),
    ]


def _conditions(job: Job, now: datetime) -> list[str]:
    rows = [
        [str(each.type), each.status, str(each.reason), since(each.last_transition_time, now), each.message]
        for each in job.status.conditions
    ]
    return table(("TYPE", "STATUS", "REASON", "AGE", "MESSAGE"), rows)


def _pods(pods: Sequence[Pod], now: datetime) -> list[str]:
    rows = [
        [
            pod.name,
            str(pod.attempt),
            pod.phase,
            pod.node,
            "" if pod.exit_code is None else str(pod.exit_code),
            since(pod.started, now) if pod.started else "",
            pod.waits_for,
        ]
        for pod in pods
    ]
    return table(("NAME", "ATTEMPT", "PHASE", "NODE", "EXIT CODE", "AGE", "WAITS FOR"), rows)


def _events(events: Sequence[Event], now: datetime) -> list[str]:
    rows = [
        [since(each.time, now), each.type, each.reason, each.about, each.message.replace("\n", " ")]
        for each in events[-_EVENTS:]
    ]
    return table(("AGE", "TYPE", "REASON", "ABOUT", "MESSAGE"), rows)
