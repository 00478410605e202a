"""What stood in the way of a plan and needs a person: shown as Stalled, and tried again now and then."""

from dataclasses import dataclass

from trainingjob_api.status import Reason


@dataclass(frozen=True)
class Trouble:
    """A reason and a message that a person can act on."""

    reason: Reason
    message: str
