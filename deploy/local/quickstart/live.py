"""What a person wants to see while a job trains: epoch, losses, accuracy, rate, time left, state."""

import urllib.error
import urllib.request
from collections.abc import Callable

from rich.console import Console
from rich.live import Live
from rich.table import Table

from quickstart.kubectl import Kubectl
from trainingjob_api.contract import ATTEMPT_LABEL, JOB_NAME_LABEL, METRICS_PORT, PROGRESS_LIMIT
from trainingjob_api.progress import Progress
from trainingjob_api.resource import TrainingJob

EVERY = 0.25  # seconds between looks
BAR = 28  # characters


def follow(
    kubectl: Kubectl, name: str, until: Callable[[TrainingJob, Progress | None], bool], console: Console
) -> TrainingJob:
    """Show the job until the condition holds; on a pipe, one line for every tenth of the epochs."""
    source, watch = Source(kubectl, name), kubectl.watch(name)
    lines = Lines(console)
    try:
        with Live(console=console, transient=True, auto_refresh=False) as live:
            while True:
                job = watch.latest(EVERY)
                if job is None:
                    continue
                progress = source.progress(job)
                lines.add(job, progress)
                if console.is_terminal:
                    live.update(view(job, progress), refresh=True)
                if until(job, progress):
                    return job
                if job.status.is_finished:
                    raise RuntimeError(f"{name} ended before it was expected to: {message(job)}")
    finally:
        watch.close()


class Source:
    """Asks rank 0 of the current attempt for its progress; its address is looked up once per attempt."""

    def __init__(self, kubectl: Kubectl, name: str) -> None:
        self._kubectl, self._name = kubectl, name
        self._attempt, self._address = 0, ""

    def progress(self, job: TrainingJob) -> Progress | None:
        if self._attempt != job.status.attempt or not self._address:
            self._attempt, self._address = job.status.attempt, self._look_up(job.status.attempt)
        if not self._address:
            return None
        try:
            with urllib.request.urlopen(f"http://{self._address}:{METRICS_PORT}/progress", timeout=1) as answer:
                return Progress.model_validate_json(answer.read(PROGRESS_LIMIT))
        except (urllib.error.URLError, OSError, ValueError):
            return None

    def _look_up(self, attempt: int) -> str:
        selector = f"{JOB_NAME_LABEL}={self._name},{ATTEMPT_LABEL}={attempt},batch.kubernetes.io/job-completion-index=0"
        return next((ip for pod in self._kubectl.pods(selector) if (ip := pod["status"].get("podIP"))), "")


def view(job: TrainingJob, progress: Progress | None) -> Table:
    """The live picture on a terminal."""
    table = Table.grid(padding=(0, 2))
    for _ in range(4):
        table.add_column()
    latest, epochs = progress.latest if progress else None, (progress.epochs if progress else 0)
    done = progress.epoch if progress else 0
    filled = BAR * done // (epochs or 1)
    table.add_row("[dim]state[/]", f"[bold]{job.status.phase}[/]", "[dim]attempt[/]", str(job.status.attempt))
    table.add_row("[dim]epoch[/]", f"[green]{'━' * filled}[/][dim]{'━' * (BAR - filled)}[/] {done}/{epochs}")
    if progress and latest:
        table.add_row(
            "[dim]train loss[/]", number(latest.train_loss), "[dim]accuracy[/]", percent(latest.train_accuracy)
        )
        table.add_row(
            "[dim]validation loss[/]",
            number(latest.validation_loss),
            "[dim]accuracy[/]",
            percent(latest.validation_accuracy),
        )
        table.add_row(
            "[dim]samples/s[/]",
            f"{progress.samples_per_second or 0:,.0f}",
            "[dim]time left[/]",
            "-" if progress.seconds_remaining is None else f"{progress.seconds_remaining:.0f} s",
        )
    return table


class Lines:
    """The same for a pipe or a log: one line for every tenth of the training, and for every change of phase."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._last: tuple[str, int] = ("", -1)

    def add(self, job: TrainingJob, progress: Progress | None) -> None:
        share = progress.epoch * 10 // (progress.epochs or 1) if progress else 0
        state = (str(job.status.phase), share)
        if state == self._last or self._console.is_terminal:
            return
        self._last = state
        self._console.print(line(job, progress), highlight=False)


def line(job: TrainingJob, progress: Progress | None) -> str:
    if progress is None or progress.latest is None:
        return f"  {job.status.phase}"
    latest = progress.latest
    return (
        f"  {job.status.phase}  epoch {progress.epoch}/{progress.epochs}  train loss {number(latest.train_loss)}"
        f"  validation loss {number(latest.validation_loss)}  accuracy {percent(latest.validation_accuracy)}"
        f"  {progress.samples_per_second or 0:,.0f} samples/s"
    )


def message(job: TrainingJob) -> str:
    return "; ".join(
        f"{condition.type}: {condition.reason} {condition.message}"
        for condition in job.status.conditions
        if condition.status == "True"
    )


def number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def percent(ratio: float | None) -> str:
    return "-" if ratio is None else f"{100 * ratio:.1f} %"
