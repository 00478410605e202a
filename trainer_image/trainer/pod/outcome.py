"""From exceptions to outcomes, and from the ends of several ranks to the one that explains them all."""

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from signal import Signals

from trainer.container import ContainerMemory, container_memory
from trainer.errors import TrainerError, lines_of, users_line
from trainer.pod.run_folder import RankEnd
from trainingjob_api.contract import ExitCode
from trainingjob_api.progress import EXIT_CODE_OF, Outcome

SUCCESSES = frozenset({Outcome.COMPLETED, Outcome.EARLY_STOPPED, Outcome.ALREADY_COMPLETED})

# What gloo, NCCL and the store say when the other side is gone; they have no exception types that would tell.
_LOST = (
    "connection closed by peer",
    "connection reset",
    "connection refused",
    "broken pipe",
    "socket timeout",
    "remote process exited",
    "failed to connect",
    "failed to recv",
    "store->get",
)
_NO_MEMORY = "can't allocate memory"  # a RuntimeError of torch's, on the CPU
_TIMED_OUT = ("timed out", "timeout")
_COLLECTIVE = ("gloo", "nccl", "tcpstore", "socket", "rendezvous", "rank", "recv", "distributed")
_NAME_LIMIT = 256


def end_of(error: BaseException, rank: int) -> RankEnd:
    """The end that an exception means; the message is for a person."""
    outcome = outcome_of(error)
    message = str(error) if isinstance(error, TrainerError) else f"{type(error).__name__}: {error}"
    place = _place(error)
    if outcome is Outcome.OUT_OF_MEMORY and (memory := str(container_memory())):
        message = f"{message} ({memory})"
    return RankEnd(
        rank,
        outcome,
        time.time(),
        _printable(message, 2000),
        _printable(type(error).__name__, _NAME_LIMIT),
        place and _printable(place, _NAME_LIMIT),
    )


def _printable(text: str, limit: int) -> str:
    """Names, of files above all, may be no text and of any length; the last word has room for so much."""
    return text[:limit].encode(errors="backslashreplace").decode()[:limit]


def outcome_of(error: BaseException) -> Outcome:
    """Torch's exceptions are told apart by name and text, so that this module need not import torch."""
    if isinstance(error, TrainerError):
        return error.outcome
    if type(error).__name__ == "OutOfMemoryError":
        return Outcome.OUT_OF_DEVICE_MEMORY
    text = str(error).lower()
    if isinstance(error, MemoryError) or _NO_MEMORY in text:
        return Outcome.OUT_OF_MEMORY
    if _is_collective(error, text):
        if any(word in text for word in _LOST):
            return Outcome.PEER_LOST
        if any(word in text for word in _TIMED_OUT):
            return Outcome.HANG
    return Outcome.CRASH


def _is_collective(error: BaseException, text: str) -> bool:
    if type(error).__name__ in {"DistError", "DistBackendError", "DistNetworkError", "DistStoreError"}:
        return True
    return isinstance(error, RuntimeError) and any(word in text for word in _COLLECTIVE)


def _place(error: BaseException) -> str | None:
    """file:line where the last frame of code that is not a library's was; of a TrainerError, the user's."""
    lines = lines_of(error)
    own = [line for line in lines if "site-packages" not in line[0]] or lines
    line = users_line(error) if isinstance(error, TrainerError) else next(reversed(own), None)
    return f"{Path(line[0]).name}:{line[1]}" if line else None


def root_cause(ends: Sequence[RankEnd]) -> RankEnd:
    """The end that explains the others: the earliest that is neither success nor a peer's loss."""
    causes = [end for end in ends if end.outcome not in SUCCESSES and end.outcome is not Outcome.PEER_LOST]
    lost = [end for end in ends if end.outcome is Outcome.PEER_LOST]
    return min(causes or lost or ends, key=lambda end: (end.time, end.rank))


def silent_end(rank: int, code: int | None) -> RankEnd:
    """The end of a rank that could not say anything itself."""
    return RankEnd(rank, _outcome_of_code(code), time.time(), f"rank {rank} {_describe(code)}")


def explained(end: RankEnd, before: ContainerMemory, now: ContainerMemory) -> RankEnd:
    """A failure during which the kernel has killed one of the container's processes, such as a rank or its worker."""
    if end.outcome not in (Outcome.CRASH, Outcome.HANG) or now.kills <= before.kills:
        return end
    words = f"{end.message}; the kernel has killed a process of this container for its memory: {now}"
    return replace(end, outcome=Outcome.OUT_OF_MEMORY, message=words)


def _outcome_of_code(code: int | None) -> Outcome:
    """A success without a word is none: its checkpoint's manifest is not proven to be on disk."""
    meanings = {value: key for key, value in EXIT_CODE_OF.items() if key not in SUCCESSES}
    meanings[ExitCode.USER_ERROR] = Outcome.USER_ERROR
    return meanings.get(ExitCode(code), Outcome.CRASH) if code in set(ExitCode) else Outcome.CRASH


def _describe(code: int | None) -> str:
    if code is None:
        return "ended without a word"
    if code >= 0:
        return f"ended with exit code {code} and without a word"
    hint = " (out of memory, or killed by hand)" if code == -Signals.SIGKILL else ""
    name = Signals(-code).name if -code in set(Signals) else f"signal {-code}"  # real-time ones have no names
    return f"was killed by {name}{hint}"
