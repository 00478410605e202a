"""What an answer of the API server means."""

import json

import pytest

from trainingjob_client import errors


def _status(reason: str, message: str, **details: object) -> bytes:
    return json.dumps({"kind": "Status", "reason": reason, "message": message, "details": details}).encode()


_GONE = _status("NotFound", 'trainingjobs "a" not found', name="a")
_CAUSES = [{"field": "spec.nodes", "message": "too many"}, {"field": "", "message": "and more"}]


@pytest.mark.parametrize(
    ("code", "text", "kind", "words"),
    [
        (401, b"Unauthorized", errors.UnauthorizedError, "log in again"),
        (403, _status("Forbidden", "user may not"), errors.ForbiddenError, "user may not"),
        (404, _GONE, errors.NotFoundError, 'trainingjobs "a" not found'),
        (404, b"404 page not found", errors.NotInstalledError, "install the operator first"),
        (404, _status("NotFound", "the server could not find"), errors.NotInstalledError, "does not know this kind"),
        (409, _status("AlreadyExists", "is there"), errors.AlreadyExistsError, "is there"),
        (409, _status("Conflict", "has changed"), errors.ConflictError, "has changed"),
        (410, _status("Expired", "too old"), errors.LostTrackError, "too old"),
        (422, _status("Invalid", "long", causes=_CAUSES), errors.RefusedError, "spec.nodes: too many; and more"),
        (400, _status("BadRequest", "strict decoding error"), errors.RefusedError, "strict decoding error"),
        (429, b"", errors.UnavailableError, "answers with 429"),
        (503, b"<html>proxy</html>", errors.UnavailableError, "<html>proxy</html>"),
    ],
)
def test_codes_have_their_errors(code: int, text: bytes, kind: type[errors.ClientError], words: str) -> None:
    error = errors.error_of(code, text)
    assert type(error) is kind
    assert words in str(error)


def test_the_time_to_wait_is_passed_on() -> None:
    error = errors.error_of(429, b"", "7")
    assert isinstance(error, errors.UnavailableError)
    assert error.retry_after == 7.0


def test_fields_are_passed_on() -> None:
    error = errors.error_of(422, _status("Invalid", "long", causes=_CAUSES))
    assert isinstance(error, errors.RefusedError)
    assert error.causes == (("spec.nodes", "too many"), ("", "and more"))


def test_fields_that_there_are_not_are_named_like_others() -> None:
    told = 'cannot be handled: strict decoding error: unknown field "spec.a", unknown field "spec.b[0].c"'
    error = errors.error_of(400, _status("BadRequest", told))
    assert isinstance(error, errors.RefusedError)
    assert error.causes == (("spec.a", "there is no such field"), ("spec.b[0].c", "there is no such field"))


def test_that_not_all_was_looked_at_is_no_mistake_of_anybody() -> None:
    aside = {"field": "<nil>", "message": "some validation rules were not checked"}
    error = errors.error_of(422, _status("Invalid", "long", causes=[*_CAUSES, aside]))
    assert str(error) == "spec.nodes: too many; and more"
