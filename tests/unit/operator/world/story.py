"""What happened in a life, as a person would tell it."""

import logging
from dataclasses import dataclass, field

from unit.operator.world.api import Event
from unit.operator.world.clock import Clock
from unit.operator.world.objects import Raw, is_going, name_of


@dataclass
class Story:
    """Lines of time, who and what."""

    clock: Clock
    lines: list[str] = field(default_factory=list)

    def tell(self, who: str, what: str) -> None:
        self.lines.append(f"{self.clock.seconds:9.2f}  {who:<10}  {what}")

    def on_event(self, event: Event) -> None:
        """What is worth a line in a change of the cluster."""
        if event.plural not in ("trainingjobs", "jobs", "pods"):
            return
        name, before = f"{event.plural[:-1]} {name_of(event.raw)}", event.before
        if event.type == "ADDED" or before is None:
            self.tell("cluster", f"{name} is new")
        elif event.type == "DELETED":
            self.tell("cluster", f"{name} is gone")
        elif is_going(event.raw) and not is_going(before):
            self.tell("cluster", f"{name} is being deleted")
        elif event.raw["status"] != before["status"] and (words := _SUMMARIES[event.plural](event.raw)):
            self.tell("status" if event.plural == "trainingjobs" else "cluster", f"{name}: {words}")

    def text(self, last: int = 120) -> str:
        skipped = len(self.lines) - last
        before = [f"… {skipped} lines before"] if skipped > 0 else []
        return "\n".join([*before, *self.lines[-last:]])


class StoryHandler(logging.Handler):
    """The operator's log as part of the story."""

    def __init__(self, story: Story) -> None:
        super().__init__(logging.WARNING)
        self._story = story

    def emit(self, record: logging.LogRecord) -> None:
        self._story.tell("operator", record.getMessage())


def _true(raw: Raw) -> str:
    conditions = raw["status"].get("conditions", [])
    return ", ".join(f"{c['type']}/{c['reason']}" for c in conditions if c["status"] == "True")


def _training_job(raw: Raw) -> str:
    status = raw["status"]
    attempt, end = status.get("attempt", 0), status.get("job", {}).get("end", "open")
    counts = f"{status.get('restarts', 0)} restarts, {status.get('disruptions', 0)} disruptions"
    return f"{status.get('phase')}: {_true(raw)}; attempt {attempt} ({end}), {counts}"


def _job(raw: Raw) -> str:
    status = raw["status"]
    return f"[{_true(raw)}] {status['active']} active, {status['terminating']} terminating"


def _pod(raw: Raw) -> str:
    status = raw["status"]
    ended = [c["state"]["terminated"] for c in status.get("containerStatuses", []) if "terminated" in c["state"]]
    code = f" with exit code {ended[0]['exitCode']}" if ended else ""
    return f"{status['phase']} {status.get('reason', '')}{code}"


_SUMMARIES = {"trainingjobs": _training_job, "jobs": _job, "pods": _pod}
