# ruff: noqa: N818  (named after the outcomes that a person reads)
"""Ends that have a meaning of their own: each knows its outcome, and so its exit code."""

from typing import ClassVar

from trainingjob_api.progress import Outcome


class TrainerError(Exception):
    """An end whose message is for the person who wrote the manifest."""

    outcome: ClassVar[Outcome] = Outcome.CRASH


class UserError(TrainerError):
    """What was asked for cannot be done."""

    outcome = Outcome.USER_ERROR


class DataError(TrainerError):
    """A file cannot be read, a column is missing, a value is bad."""

    outcome = Outcome.DATA_ERROR


class VolumeNotWritable(TrainerError):
    """The checkpoint folder refuses us."""

    outcome = Outcome.VOLUME_NOT_WRITABLE


class CheckpointMismatch(TrainerError):
    """The folder holds another recipe's checkpoints."""

    outcome = Outcome.CHECKPOINT_MISMATCH


class CheckpointCorrupt(TrainerError):
    """Checkpoints exist, but none verifies."""

    outcome = Outcome.CHECKPOINT_CORRUPT


class NonFinite(TrainerError):
    """A loss or a gradient is NaN or infinite."""

    outcome = Outcome.NON_FINITE


class PeerLost(TrainerError):
    """Another rank is gone: the cause is there, not here."""

    outcome = Outcome.PEER_LOST


class Stopped(TrainerError):
    """Stopped on request; the state is on disk."""

    outcome = Outcome.STOPPED


class NotSaved(TrainerError):
    """Stopped on request; the state could not be saved."""

    outcome = Outcome.NOT_SAVED


class Superseded(TrainerError):
    """A newer attempt owns the folder: this one must not write any more."""


class SaveFailed(TrainerError):
    """A checkpoint that the end of training depends on could not be written."""
