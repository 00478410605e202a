"""What errors of the API server mean: try again, or refused."""

from pydantic_core import from_json


class TryAgainError(OSError):
    """The API server was away, busy or of another mind; look at the cluster again, later."""

    was_answered = False
    """The API server said so itself."""


class NotNowError(TryAgainError):
    """The API server, or a webhook that it asked, could not do it."""

    was_answered = True


class ConflictError(TryAgainError):
    """What we meant to change is no longer as we saw it."""


class LostTrackError(TryAgainError):
    """A watch cannot go on from where it was: everything has to be listed anew."""


class RefusedError(Exception):
    """The API server will not do this, however often it is asked."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class AlreadyExistsError(RefusedError):
    """Something of this name is there."""


class NotFoundError(ConflictError):
    """There is nothing of this name."""


def error_of(method: str, path: str, code: int, text: bytes) -> Exception:
    """What an answer of 400 or more means."""
    reason, message = _status(text)
    told = f"{method} {path}: {code} {message}"
    if code == 404:
        return NotFoundError(told)
    if code == 410:
        return LostTrackError(told)
    if code == 409:
        return AlreadyExistsError(code, message) if reason == "AlreadyExists" else ConflictError(told)
    # A namespace that goes takes its TrainingJobs along: nothing of it is worth telling a person.
    if code in (401, 408, 429) or code >= 500 or b'"NamespaceTerminating"' in text:
        return NotNowError(told)
    return RefusedError(code, message)


def _status(text: bytes) -> tuple[str, str]:
    """Reason and message of a metav1.Status, or whatever a proxy answered."""
    try:
        status = from_json(text)
        return str(status.get("reason", "")), str(status.get("message", ""))
    except (ValueError, AttributeError):
        return "", text[:200].decode(errors="replace")
