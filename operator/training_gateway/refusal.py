"""What is answered instead of what was asked for: a code, words, and the fields that they are about."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class FieldError:
    """What is wrong with one field, by its name in the request."""

    field: str
    message: str


@dataclass
class Refusal(Exception):  # noqa: N818  (it is the answer, not a fault)
    """An answer of 400 or more. The message is for whoever asked, and says what to do."""

    code: int
    message: str
    errors: tuple[FieldError, ...] = ()
    headers: dict[str, str] = field(default_factory=dict)
    state: str | None = None
    """Of the job, where that is the reason."""

    def __str__(self) -> str:
        return self.message


def invalid(*errors: FieldError) -> Refusal:
    """422, naming every field."""
    return Refusal(422, "; ".join(f"{each.field}: {each.message}" for each in errors), errors)


def not_found(task_id: str) -> Refusal:
    """For what is not there and for what one may not see: they are not told apart."""
    return Refusal(404, f"there is no task {task_id!r} that you may see")


def unavailable(seconds: float = 2.0) -> Refusal:
    return Refusal(
        503,
        "the Kubernetes API server does not answer at the moment; try again soon",
        headers={"Retry-After": str(max(1, round(seconds)))},
    )
