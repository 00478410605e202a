"""What an end means, and which of several ends explains the others."""

import contextlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from torch import nn

from trainer import errors
from trainer.container import ContainerMemory, container_memory
from trainer.errors import DataError, NonFinite, PeerLost, Stopped, UserError, VolumeNotWritable
from trainer.pod.outcome import end_of, explained, outcome_of, root_cause, silent_end
from trainer.pod.run_folder import RankEnd
from trainingjob_api.contract import ExitCode
from trainingjob_api.progress import EXIT_CODE_OF, Outcome


class DistBackendError(RuntimeError):
    """As torch.distributed names it."""


class DistStoreError(RuntimeError):
    """As torch.distributed names it."""


class OutOfMemoryError(RuntimeError):
    """As torch.cuda names it."""


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        pytest.param(DataError("x"), Outcome.DATA_ERROR, id="what the trainer says itself"),
        pytest.param(VolumeNotWritable("x"), Outcome.VOLUME_NOT_WRITABLE, id="volume"),
        pytest.param(NonFinite("x"), Outcome.NON_FINITE, id="NaN"),
        pytest.param(OutOfMemoryError("CUDA"), Outcome.OUT_OF_DEVICE_MEMORY, id="device memory"),
        pytest.param(
            RuntimeError("[..gloo/transport/tcp/pair.cc:534] Connection closed by peer [127.0.0.1]:7"),
            Outcome.PEER_LOST,
            id="gloo: closed",
        ),
        pytest.param(
            RuntimeError("[gloo/transport/tcp/buffer.cc] Timed out waiting 5000ms for recv operation"),
            Outcome.HANG,
            id="gloo: time is over",
        ),
        pytest.param(DistBackendError("NCCL error: remote process exited"), Outcome.PEER_LOST, id="NCCL: gone"),
        *(
            pytest.param(RuntimeError(f"[gloo/transport/tcp/pair.cc] {text}"), Outcome.PEER_LOST, id=f"gloo: {text}")
            for text in ("Connection reset by peer", "Connection refused", "Broken pipe")
        ),
        pytest.param(RuntimeError("Socket Timeout"), Outcome.PEER_LOST, id="the store is gone"),
        pytest.param(
            RuntimeError("The client socket has failed to connect to any network address of (a, 29500)."),
            Outcome.PEER_LOST,
            id="the store was never there",
        ),
        pytest.param(DistBackendError("failed to recv, got 0 bytes"), Outcome.PEER_LOST, id="NCCL: no bytes"),
        pytest.param(
            DistBackendError("retrieving ncclUniqueId by key '0', but store->get('0') got error: it is gone"),
            Outcome.PEER_LOST,
            id="NCCL: no store",
        ),
        pytest.param(
            DistStoreError("wait timeout after 5000ms, keys: /met/1"), Outcome.HANG, id="the store: a timeout"
        ),
        pytest.param(ConnectionRefusedError("socket: connection refused"), Outcome.CRASH, id="a user's own connection"),
        pytest.param(MemoryError("Unable to allocate 745. GiB"), Outcome.OUT_OF_MEMORY, id="numpy's request"),
        pytest.param(
            RuntimeError("[enforce fail at alloc_cpu.cpp:124] DefaultCPUAllocator: can't allocate memory: you tried"),
            Outcome.OUT_OF_MEMORY,
            id="torch's request",
        ),
        pytest.param(ValueError("connection reset"), Outcome.CRASH, id="other exceptions with such words"),
        pytest.param(RuntimeError("shapes cannot be multiplied"), Outcome.CRASH, id="any bug"),
        pytest.param(KeyboardInterrupt(), Outcome.CRASH, id="not even an Exception"),
    ],
)
def test_outcomes_of_exceptions(error: BaseException, outcome: Outcome) -> None:
    assert outcome_of(error) is outcome


MIB = 1024**2
V2 = {"memory.max": "536870912\n", "memory.peak": "536866816\n", "memory.events": "low 0\noom 2\noom_kill 3\n"}
V1 = {
    "memory/memory.limit_in_bytes": "536870912\n",
    "memory/memory.max_usage_in_bytes": "536866816\n",
    "memory/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n",
}


@pytest.mark.parametrize(
    ("files", "memory"),
    [
        pytest.param(V2, ContainerMemory(512 * MIB, 512 * MIB - 4096, 3), id="cgroup v2"),
        pytest.param(V1, ContainerMemory(512 * MIB, 512 * MIB - 4096, 3), id="cgroup v1"),
        pytest.param({**V2, "memory.max": "max\n"}, ContainerMemory(None, 512 * MIB - 4096, 3), id="no limit"),
        pytest.param(
            {**V1, "memory/memory.limit_in_bytes": "9223372036854771712\n"},
            ContainerMemory(None, 512 * MIB - 4096, 3),
            id="no limit, v1",
        ),
        pytest.param(
            {name: text for name, text in V2.items() if name != "memory.peak"},
            ContainerMemory(512 * MIB, None, 3),
            id="a kernel that keeps no peak",
        ),
        pytest.param({}, ContainerMemory(), id="no cgroup at all"),
    ],
)
def test_the_memory_of_a_container(tmp_path: Path, files: dict[str, str], memory: ContainerMemory) -> None:
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content)
    assert container_memory(tmp_path) == memory


@pytest.mark.parametrize(
    ("outcome", "kills", "explained_as"),
    [
        pytest.param(Outcome.CRASH, 1, Outcome.OUT_OF_MEMORY, id="a rank or its worker was killed"),
        pytest.param(Outcome.HANG, 1, Outcome.OUT_OF_MEMORY, id="the others wait for what was killed"),
        pytest.param(Outcome.CRASH, 0, Outcome.CRASH, id="by hand"),
        pytest.param(Outcome.COMPLETED, 1, Outcome.COMPLETED, id="of something that did not matter"),
        pytest.param(Outcome.USER_ERROR, 1, Outcome.USER_ERROR, id="what is known better"),
    ],
)
def test_an_end_for_lack_of_memory_has_numbers(outcome: Outcome, kills: int, explained_as: Outcome) -> None:
    before, now = ContainerMemory(kills=5), ContainerMemory(512 * MIB, 3 * 1024 * MIB // 2, kills=5 + kills)
    end = explained(replace(silent_end(1, -9), outcome=outcome), before, now)
    assert end.outcome is explained_as
    assert ("limit 512 MiB, peak 1.5 GiB" in end.message) is (explained_as is Outcome.OUT_OF_MEMORY)


def test_an_end_names_type_and_place() -> None:
    try:
        raise ValueError("three is not four")
    except ValueError as error:
        end = end_of(error, 3)
    assert (end.rank, end.exception, end.message) == (3, "ValueError", "ValueError: three is not four")
    assert end.place is not None
    assert end.place.startswith("test_outcome.py:")


PACKAGE = "/venv/lib/site-packages/mine/net.py"
PLACES = [
    pytest.param(["/home/user/train.py"], "train.py:2", id="not ours, which comes after it"),
    pytest.param(["/home/user/train.py", "/home/user/nets.py"], "nets.py:2", id="the last of the user's"),
    pytest.param(["/home/user/train.py", PACKAGE], "train.py:2", id="not a package's"),
    pytest.param(["/home/user/train.py", contextlib.__file__], "train.py:2", id="not Python's"),
    pytest.param([contextlib.__file__, nn.__file__], None, id="nobody's but Python's and PyTorch's"),
    pytest.param([PACKAGE, nn.__file__], "net.py:2", id="a network of the user's that is installed"),
]


@pytest.mark.parametrize(("files", "place"), PLACES)
def test_what_is_refused_is_at_the_users_line(files: list[str], place: str | None) -> None:
    """files: those that call each other, the outermost first; one of ours then refuses."""
    call = _function("raise UserError('no')", errors.__file__, UserError=UserError)
    for file in reversed(files):
        call = _function("call()", file, call=call)
    with pytest.raises(UserError) as caught:
        call()
    assert end_of(caught.value.with_traceback(caught.tb.tb_next), 0).place == place  # without the line above


@pytest.mark.parametrize(
    ("files", "place"),
    [
        pytest.param(["/home/user/train.py", "/home/user/nets.py"], "nets.py:2", id="the last"),
        pytest.param(["/home/user/train.py", PACKAGE], "train.py:2", id="not a package's"),
        pytest.param([PACKAGE], "net.py:2", id="unless there is no other"),
        pytest.param(["y" * 300], "y" * 256, id="a name without end"),
        pytest.param(["caf\udce9.py"], "caf\\udce9.py:2", id="a name that is no text"),
    ],
)
def test_what_crashes_is_at_the_last_line_that_is_no_packages(files: list[str], place: str) -> None:
    call = _function("raise ValueError('no')", files[-1])
    for file in reversed(files[:-1]):
        call = _function("call()", file, call=call)
    with pytest.raises(ValueError, match="no") as caught:
        call()
    assert end_of(caught.value.with_traceback(caught.tb.tb_next), 0).place == place


def test_the_name_of_a_type_may_be_long() -> None:
    error: Exception = type("X" * 300, (ValueError,), {})("x")
    assert end_of(error, 0).exception == "X" * 256


def _function(body: str, file: str, **names: Any) -> Callable[[], object]:
    """As if it were written in that file; names: what it knows."""
    exec(compile(f"def function():\n    {body}", file, "exec"), names)
    function: Callable[[], object] = names["function"]
    return function


def test_a_message_for_a_person_stands_alone() -> None:
    assert end_of(Stopped("saved at step 3"), 0).message == "saved at step 3"
    assert len(end_of(PeerLost("x" * 10_000), 0).message) <= 2048
    assert end_of(DataError("/data/caf\udce9.png: damaged"), 0).message == "/data/caf\\udce9.png: damaged"


def ends(*outcomes: Outcome) -> list[RankEnd]:
    """Ranks that ended one second after another."""
    return [RankEnd(rank, outcome, float(rank)) for rank, outcome in enumerate(outcomes)]


@pytest.mark.parametrize(
    ("outcomes", "cause"),
    [
        pytest.param([Outcome.COMPLETED, Outcome.COMPLETED], 0, id="all completed"),
        pytest.param([Outcome.PEER_LOST, Outcome.NON_FINITE], 1, id="a later cause before an earlier loss"),
        pytest.param([Outcome.PEER_LOST, Outcome.CRASH, Outcome.DATA_ERROR], 1, id="the earliest cause"),
        pytest.param([Outcome.PEER_LOST, Outcome.PEER_LOST], 0, id="the cause was in another pod"),
        pytest.param([Outcome.COMPLETED, Outcome.CRASH], 1, id="success of one is no success"),
        pytest.param([Outcome.COMPLETED, Outcome.PEER_LOST], 1, id="nor beside a loss"),
        pytest.param([Outcome.STOPPED, Outcome.PEER_LOST], 0, id="stopped"),
    ],
)
def test_the_root_cause(outcomes: list[Outcome], cause: int) -> None:
    assert root_cause(ends(*outcomes)).rank == cause


def test_the_earliest_end_explains_the_others_whatever_its_rank() -> None:
    first, later = RankEnd(1, Outcome.CRASH, 3.0), RankEnd(0, Outcome.DATA_ERROR, 4.0)
    assert root_cause([later, first]) is first


@pytest.mark.parametrize(
    ("code", "outcome", "words"),
    [
        (-9, Outcome.CRASH, "SIGKILL (out of memory"),
        (-11, Outcome.CRASH, "SIGSEGV"),
        (-40, Outcome.CRASH, "signal 40"),
        (0, Outcome.CRASH, "exit code 0"),
        (3, Outcome.CRASH, "exit code 3"),
        (45, Outcome.NON_FINITE, "exit code 45"),
        (44, Outcome.USER_ERROR, "exit code 44"),
        (None, Outcome.CRASH, "without a word"),
    ],
)
def test_a_rank_that_said_nothing(code: int | None, outcome: Outcome, words: str) -> None:
    end = silent_end(1, code)
    assert end.outcome is outcome
    assert words in end.message


def test_only_success_is_exit_code_zero() -> None:
    zero = {outcome for outcome, code in EXIT_CODE_OF.items() if code == ExitCode.COMPLETED}
    assert zero == {Outcome.COMPLETED, Outcome.EARLY_STOPPED, Outcome.ALREADY_COMPLETED}
    assert set(EXIT_CODE_OF) == set(Outcome)
