"""Where a TrainingJob stands; everything that is shown follows from it."""

from enum import Enum, auto


class Situation(Enum):
    """What a pass finds."""

    ELSEWHERE = auto()
    """Another controller's."""
    FINISHED = auto()
    PAUSED = auto()
    """Asked to pause, and no pod is left."""
    WAITING_FOR_PODS = auto()
    """Pods of another attempt must end first: two attempts never overlap."""
    UNREADABLE = auto()
    """A new attempt would begin, but nobody knows what all of its manifest means."""
    BACKING_OFF = auto()
    BEGINNING = auto()
    """A new attempt's number is written down; its Job follows."""
    CREATING = auto()
    QUEUED = auto()
    """Somebody else has suspended the Job: it waits for its turn, or for its next."""
    ACTIVE = auto()
    """The Job exists and shall run."""
    LATE = auto()
    """It has not begun in time, or only in part: that is written down before the pods are ended."""
    STOPPING = auto()
    """Pods are ending, whoever told them to."""
    ENDED = auto()
    """The attempt's end is written down."""
