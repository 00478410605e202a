"""Passes that could not be brought to their end -> what is shown of that. Every error of a pass comes through here."""

from training_operator.errors import ConflictError, RefusedError, TryAgainError
from training_operator.obstacle import BlockedError, Obstacle
from training_operator.records import Key
from trainingjob_api.status import Reason

SHOWN_FROM = 3
"""How many passes in a row have failed before a person hears of it: most trouble is over sooner."""


class Failures:
    """How many passes in a row have failed, by TrainingJob."""

    def __init__(self) -> None:
        self._counts: dict[Key, int] = {}

    def add(self, key: Key, error: Exception) -> None:
        """A pass has failed; that somebody else was faster is no failure."""
        if not isinstance(error, ConflictError):
            self._counts[key] = self._counts.get(key, 0) + 1

    def forget(self, key: Key) -> None:
        self._counts.pop(key, None)

    def obstacle(self, key: Key, error: Exception) -> Obstacle | None:
        """What to show of the error of this pass; None: it is too early, or nobody could read it."""
        if isinstance(error, BlockedError):
            return error.obstacle
        if isinstance(error, RefusedError):
            return Obstacle(Reason.FORBIDDEN, str(error))
        count = self._counts.get(key, 0) + 1
        if count < SHOWN_FROM or isinstance(error, ConflictError):
            return None
        if isinstance(error, TryAgainError):
            return Obstacle(Reason.RECONCILE_FAILED, str(error)) if error.was_answered else None
        words = f"The operator failed, and tries again: {type(error).__name__}: {error}; its log says where"
        return Obstacle(Reason.RECONCILE_FAILED, words)
