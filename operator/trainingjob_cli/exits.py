"""How a command ends. A training that has failed is something else than a command that has."""

from enum import IntEnum


class ExitCode(IntEnum):
    DONE = 0
    FAILED = 1
    """The command could not do it: there is no such job, it is refused, the cluster is away."""
    USAGE = 2
    """The command line is wrong; nothing was asked of the cluster."""
    JOB_FAILED = 3
    """The command has done its work, and the training has failed, or ended otherwise than was waited for."""
    TIMED_OUT = 4
    """What was waited for has not come in time."""
    INTERRUPTED = 130
