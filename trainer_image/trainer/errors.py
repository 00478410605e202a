# ruff: noqa: N818  (named after the outcomes that a person reads)
"""Ends that have a meaning of their own: each knows its outcome, and so its exit code."""

import os
import traceback
from pathlib import Path
from typing import ClassVar

import trainingjob_api
from trainingjob_api.progress import Outcome

_PYTHON, _PACKAGES, _TORCH = f"{Path(os.__file__).parent}/", "-packages/", "-packages/torch/"
_OURS = f"{Path(__file__).parent}/", f"{Path(trainingjob_api.__path__[0])}/", "<frozen"


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


class FolderInUse(TrainerError):
    """Another job is at work in the folder."""

    outcome = Outcome.FOLDER_IN_USE


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


def lines_of(error: BaseException) -> list[tuple[str, int]]:
    """File and line of all code that led to an error, the outermost first."""
    return [(frame.f_code.co_filename, line or 0) for frame, line in traceback.walk_tb(error.__traceback__)]


def users_line(error: BaseException) -> tuple[str, int] | None:
    """File and line of the user's code that led to an error, of an installed package if there is no other; or None."""
    others = [place for place in lines_of(error) if not _is_known(place[0])]
    users = [place for place in others if _PACKAGES not in place[0]] or others
    return users[-1] if users else None


def is_users(file: str) -> bool:
    """Whether code is neither the trainer's nor Python's nor of an installed package."""
    return not _is_known(file) and _PACKAGES not in file and not file.startswith("<")


def _is_known(file: str) -> bool:
    """Whether it is the trainer's, Python's or PyTorch's."""
    is_pythons = file.startswith(_PYTHON) and _PACKAGES not in file
    return is_pythons or file.startswith(_OURS) or _TORCH in file


def told(error: Exception) -> str:
    """What a user's code has raised, and where."""
    line = None if isinstance(error, SyntaxError) else users_line(error)  # that one says so itself
    return f"{type(error).__name__}: {error}" + (f" ({line[0]}, line {line[1]})" if line else "")
