"""What can go wrong between this client and the API server. Every error is one line that can be shown to a person."""

import re
from collections.abc import Sequence

from pydantic_core import from_json


class ClientError(Exception):
    """Whatever this package raises."""


class NotConfiguredError(ClientError):
    """No cluster is named, or what names one cannot be used."""


class ManifestError(ClientError):
    """A manifest that cannot be read, or holds no TrainingJob."""


class NotFoundError(ClientError):
    """There is nothing of this name."""


class NotInstalledError(NotFoundError):
    """The cluster does not know this kind at all."""


class ConflictError(ClientError):
    """What was to be changed is no longer as it was seen."""


class AlreadyExistsError(ConflictError):
    """Something of this name is there."""


class FinishedError(ConflictError):
    """The training is over, and nothing of it changes any more."""

    def __init__(self, message: str, phase: str) -> None:
        super().__init__(message)
        self.phase = phase
        """Succeeded or Failed."""


class EndedError(ClientError):
    """What was waited for will not come: the training ended otherwise."""

    def __init__(self, message: str, phase: str) -> None:
        super().__init__(message)
        self.phase = phase


class WaitTimeoutError(ClientError, TimeoutError):
    """What was waited for has not come in time."""


class NoLogError(ClientError):
    """There is no pod whose log could be read."""


class RefusedError(ClientError):
    """The API server will not take this, however often it is asked."""

    def __init__(self, message: str, causes: Sequence[tuple[str, str]] = (), code: int = 422) -> None:
        super().__init__(message)
        self.causes = tuple(causes)
        """Path of the field, such as spec.training.epochs, and what is wrong with it."""
        self.code = code


class ForbiddenError(ClientError):
    """This user may not do that."""


class UnauthorizedError(ClientError):
    """The API server does not know this user, or no longer."""


class UnavailableError(ClientError):
    """The API server is away, busy, or cannot do it now."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        """Seconds that the API server asked to wait."""


class LostTrackError(UnavailableError):
    """A watch cannot go on from where it was: everything has to be listed anew."""


def error_of(code: int, text: bytes, retry_after: str | None = None) -> ClientError:
    """What an answer of 400 or more means."""
    reason, message, causes = _status(text)
    match code:
        case 401:
            return UnauthorizedError("the API server does not accept these credentials: log in again")
        case 403 if reason != "Forbidden" or "is being terminated" not in message:
            return ForbiddenError(message)
        case 404:
            return NotFoundError(message) if reason == "NotFound" and _names_one(text) else _not_installed(message)
        case 409:
            return AlreadyExistsError(message) if reason == "AlreadyExists" else ConflictError(message)
        case 410:
            return LostTrackError(message)
        case 408 | 429 | 500 | 502 | 503 | 504:
            return UnavailableError(message or f"the API server answers with {code}", _seconds(retry_after))
        case _:
            return RefusedError(_shortened(message, causes), causes, code)


def _not_installed(message: str) -> NotInstalledError:
    return NotInstalledError(f"the cluster does not know this kind of object ({message}): install the operator first")


def _shortened(message: str, causes: Sequence[tuple[str, str]]) -> str:
    """Without the kind and name before the fields, which whoever has sent it knows."""
    return "; ".join(f"{field}: {text}" if field else text for field, text in causes) or message


def _status(text: bytes) -> tuple[str, str, list[tuple[str, str]]]:
    """Reason, message and causes of a metav1.Status, or whatever a proxy answered."""
    try:
        status = from_json(text)
        causes = (status.get("details") or {}).get("causes") or []
        found = [(str(cause.get("field", "")), str(cause.get("message", ""))) for cause in causes]
        message = str(status.get("message", ""))
        return str(status.get("reason", "")), message, _of_fields(found) or _unknown_fields(message)
    except (ValueError, AttributeError):
        return "", text[:200].decode(errors="replace").strip(), []


def _of_fields(causes: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Without "some validation rules were not checked", which the API server says of the field <nil>."""
    return [cause for cause in causes if cause[0] != "<nil>"] or causes


def _unknown_fields(message: str) -> list[tuple[str, str]]:
    """What does not belong into a manifest at all: the API server says it in one sentence, and nothing else of it."""
    _, strict, fields = message.partition("strict decoding error: ")
    return (
        [(field, "there is no such field") for field in re.findall(r'unknown field "([^"]+)"', fields)]
        if strict
        else []
    )


def _names_one(text: bytes) -> bool:
    """A 404 for an object says which; one for a kind that is not served does not."""
    details = from_json(text).get("details") or {}
    return bool(details.get("name"))


def _seconds(header: str | None) -> float | None:
    return float(header) if header and header.isdigit() else None
