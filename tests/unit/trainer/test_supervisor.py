"""What the supervisor makes of the ranks' signs of life: when a request to stop is over, and who hangs."""

import errno
import os
import signal
import threading
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from types import SimpleNamespace

import pytest

from support.checkpoints import commit, newest_step
from support.runs import run_of
from support.trainer import recipe, run_config
from support.weights import Weights
from trainer.checkpoint.folder import Folder
from trainer.checkpoint.store import Store
from trainer.checkpoint.writing import finish_writing
from trainer.config import Launch, Mounts, RankConfig
from trainer.pod import supervisor
from trainer.pod.entrance import enter
from trainer.pod.pulse import PulseWriter, read_pulse
from trainer.pod.run_folder import RankEnd, RunFolder
from trainer.pod.stopping import REQUEST, StopRequest
from trainer.pod.surroundings import prepare
from trainer.resumable import Position
from trainingjob_api.contract import ExitCode
from trainingjob_api.progress import EXIT_CODE_OF, Outcome, RunConfig, State, TerminationMessage

GRACES = [5, 60]
REACHED = 7
NOBODY = 2**30
"""No kernel gives a process this PID."""
BEFORE_A_STEP = [State.STARTING, State.RESTORING, State.TRAINING]
UNDER_WAY = [State.TRAINING, State.EVALUATING, State.SAVING, State.STOPPING, State.FINISHED]


class Pod:
    """Two ranks that only give signs of life, and their supervisor."""

    def __init__(self, path: Path, **deadlines: float) -> None:
        self.config = config_of(path, **deadlines)
        folder = RunFolder(path / "run")
        folder.path.mkdir()
        self.ranks: list[PulseWriter] = []
        self._folder = folder
        launch = Launch(self.config, local_world_size=2)
        self.watch = supervisor._Watch(launch, folder, ranks={NOBODY: 0, NOBODY + 1: 1})

    def beat(self, state: State, step: int, has_stepped: bool = True, within: float = 1000.0, epoch: int = 0) -> None:
        """Of the next rank."""
        writer = PulseWriter(self._folder.pulse(len(self.ranks)))
        writer.has_stepped = has_stepped
        writer.beat(state, step, within, epoch)
        self.ranks.append(writer)

    def stopped_since(self, seconds: float) -> RankEnd | None:
        self.watch.pass_on()
        self.watch._asked = time.monotonic() - seconds
        return self.watch.look()

    def leave(self, rank: int, outcome: Outcome) -> None:
        """Its last word; it still lives."""
        self._folder.write_end(RankEnd(rank, outcome, float(rank)))


def config_of(path: Path, **deadlines: float) -> RunConfig:
    return run_config(path / "c", recipe(path / "table.csv"), deadlines=deadlines)


@pytest.fixture
def killed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Not for real: it would be everything that the tests have started."""
    calls: list[str] = []
    monkeypatch.setattr(supervisor.processes, "kill_descendants", lambda: calls.append("everything"))
    return calls


@pytest.mark.parametrize("grace", GRACES)
@pytest.mark.parametrize(
    ("states", "saved", "words"),
    [
        pytest.param([], None, "there is nothing to save yet", id="while torch is imported"),
        pytest.param([], 4, "the last saved step is 4", id="while torch is imported by a later attempt"),
        *(pytest.param([state] * 2, 4, "the last saved step is 4", id=state.value) for state in BEFORE_A_STEP),
        pytest.param([State.STARTING], None, "there is nothing to save yet", id="while a rank is missing"),
    ],
)
def test_a_stop_before_a_step_waits_for_nothing(
    tmp_path: Path, states: list[State], saved: int | None, words: str, grace: int
) -> None:
    pod = Pod(tmp_path, saveSeconds=grace)
    if saved is not None:
        (tmp_path / "c").mkdir()
        commit(Store(tmp_path / "c", 2), saved)
    for state in states:
        pod.beat(state, saved or 0, has_stepped=False)
    end = pod.stopped_since(0)
    assert end is not None
    assert (end.outcome, EXIT_CODE_OF[end.outcome]) == (Outcome.STOPPED, ExitCode.STOPPED)
    assert words in end.message


def test_a_first_step_after_the_request_changes_nothing(tmp_path: Path) -> None:
    """The ranks have not been told to stop: to wait for what they save would be for ever."""
    pod = Pod(tmp_path)
    pod.watch.pass_on()
    for _ in range(2):
        pod.beat(State.TRAINING, 1)
    end = pod.watch.look()
    assert end is not None
    assert end.outcome is Outcome.STOPPED


def test_a_volume_that_does_not_answer_keeps_nobody_from_the_last_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, killed: list[str]
) -> None:
    dead_server = threading.Event()

    def ask(_: Path) -> None:
        dead_server.wait(60)

    monkeypatch.setattr(supervisor, "newest_saved", ask)
    monkeypatch.setattr(supervisor, "_VOLUME_SECONDS", 0.01)
    pod = Pod(tmp_path, saveSeconds=5)
    for _ in range(2):
        pod.beat(State.STOPPING, REACHED)
    end = pod.stopped_since(6)
    dead_server.set()
    assert end is not None
    assert (end.outcome, killed) == (Outcome.NOT_SAVED, ["everything"])


def test_a_volume_that_fails_is_told_in_the_last_word(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a child, for a supervisor takes the signals of its process and the orphans of its children."""

    def fail(*_: object) -> None:
        raise OSError(errno.ESTALE, "Stale file handle", "/checkpoints")

    monkeypatch.setattr(supervisor, "enter", fail)
    child = os.fork()
    if child == 0:
        with suppress(BaseException):
            message = supervisor.supervise(Launch(config_of(tmp_path), local_world_size=1))
            (tmp_path / "message").write_text(f"{message.exit_code} {message.message}")
        os._exit(0)
    os.waitpid(child, 0)
    assert (tmp_path / "message").read_text() == "1 OSError: [Errno 116] Stale file handle: '/checkpoints'"


@pytest.mark.parametrize("state", UNDER_WAY)
@pytest.mark.parametrize(
    ("since", "grace", "saved", "outcome"),
    [
        (0, 5, 4, None),
        (4, 5, 4, None),
        (6, 5, 4, Outcome.NOT_SAVED),
        (6, 5, REACHED, Outcome.STOPPED),
        (6, 60, 4, None),
        (59, 60, REACHED, None),
        (61, 60, 4, Outcome.NOT_SAVED),
        (61, 60, REACHED, Outcome.STOPPED),
    ],
)
def test_a_stop_waits_for_the_save_as_long_as_it_may_and_tells_the_truth(
    tmp_path: Path, killed: list[str], state: State, since: float, grace: int, saved: int, outcome: Outcome | None
) -> None:
    (tmp_path / "c").mkdir()
    commit(Store(tmp_path / "c", 2), saved)
    pod = Pod(tmp_path, saveSeconds=grace)
    for _ in range(2):
        pod.beat(state, REACHED)
    end = pod.stopped_since(since)
    assert (end.outcome if end else None) == outcome
    assert bool(killed) == (outcome is not None), "a rank that may still write has to go first"
    if end and outcome is Outcome.NOT_SAVED:
        assert EXIT_CODE_OF[outcome] == ExitCode.NOT_SAVED
        assert end.message == f"stopped on request, but not saved within {grace} s"


@pytest.mark.parametrize(
    ("ends", "later", "cause"),
    [
        pytest.param([], 0, None, id="nobody has ended"),
        pytest.param([Outcome.COMPLETED], 10, None, id="the other still writes its last checkpoint"),
        pytest.param([Outcome.STOPPED], 10, None, id="the other still saves on request"),
        pytest.param([Outcome.COMPLETED, Outcome.COMPLETED], 0, Outcome.COMPLETED, id="both are done"),
        pytest.param([Outcome.PEER_LOST], 1, None, id="the other may know why"),
        pytest.param([Outcome.PEER_LOST, Outcome.DATA_ERROR], 0, Outcome.DATA_ERROR, id="and says it"),
        pytest.param([Outcome.PEER_LOST], 3, Outcome.PEER_LOST, id="and does not"),
        pytest.param([Outcome.CRASH], 3, Outcome.CRASH, id="the other waits for the dead for ever"),
        pytest.param([Outcome.COMPLETED, Outcome.CRASH], 0, Outcome.CRASH, id="success of one is no success"),
    ],
)
def test_one_end_is_the_end_of_all_only_when_it_is_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ends: list[Outcome], later: float, cause: Outcome | None
) -> None:
    pod = Pod(tmp_path)
    for rank in range(2):
        pod.beat(State.TRAINING, REACHED, within=5 if rank < len(ends) else 1000)  # who has ended is not overdue
    for rank, outcome in enumerate(ends):
        pod.leave(rank, outcome)
        pod.watch._note(RankEnd(rank, outcome, float(rank)))
    now = time.monotonic() + later
    monkeypatch.setattr(time, "monotonic", lambda: now)
    for _ in range(2):
        end = pod.watch.look()
        assert (end.outcome if end else None) == cause


@pytest.mark.parametrize(
    ("word", "end"),
    [
        pytest.param(Outcome.NON_FINITE, Outcome.NON_FINITE, id="a failure is what it was"),
        pytest.param(Outcome.COMPLETED, Outcome.HANG, id="a success that does not end is none"),
    ],
)
def test_a_rank_that_has_said_its_last_word_is_given_time_for_what_it_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, word: Outcome, end: Outcome
) -> None:
    pod = Pod(tmp_path)
    pod.beat(State.SAVING, REACHED, within=30)
    pod.beat(State.TRAINING, REACHED, within=1000)
    pod.watch._note(RankEnd(1, Outcome.PEER_LOST, 1.0))
    pod.leave(0, word)
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + 29)
    assert [pod.watch.look() for _ in range(2)] == [None] * 2
    monkeypatch.setattr(time, "monotonic", lambda: now + 31)
    assert pod.watch.look() is None
    last = pod.watch.look()
    assert last is not None
    assert (last.rank, last.outcome) == (0, end)


@pytest.mark.parametrize(
    ("state", "has_stepped", "within", "words"),
    [
        pytest.param(State.TRAINING, True, 3.0, "rank 1: no step within 3 s after step 7 (training)", id="in training"),
        pytest.param(
            State.SAVING,
            True,
            8.5,
            "rank 1: no step within 8.5 s after step 7 (saving); "
            "the ranks are at different places: rank 0 in step 8 (epoch 1), rank 1 saving after step 7",
            id="in a save",
        ),
        pytest.param(
            State.RESTORING, False, 9, "rank 1 did not reach its first step within 9 s (restoring)", id="before a step"
        ),
    ],
)
def test_a_rank_that_is_not_heard_of_in_time_hangs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, state: State, has_stepped: bool, within: float, words: str
) -> None:
    pod = Pod(tmp_path)
    pod.beat(State.TRAINING, REACHED, within=60)
    pod.beat(state, REACHED, has_stepped, within=within)
    assert pod.watch.look() is None
    later = time.monotonic() + within
    monkeypatch.setattr(time, "monotonic", lambda: later)
    assert pod.watch.look() is None, "what is read while it is written may be half of two values"
    end = pod.watch.look()
    assert end is not None
    assert (end.rank, end.outcome, end.message) == (1, Outcome.HANG, words)


@pytest.mark.parametrize(
    ("places", "nodes", "words"),
    [
        pytest.param(
            [(State.EVALUATING, 10), (State.TRAINING, 10)],
            1,
            "; the ranks are at different places: rank 0 evaluating after step 10 (epoch 2), "
            "rank 1 in step 11 (epoch 2); all ranks must make the same number of steps in every epoch",
            id="one has more batches",
        ),
        pytest.param(
            [(State.TRAINING, 9), (State.FINISHED, 10), (State.TRAINING, 9)],
            1,
            "; the ranks are at different places: ranks 0, 2 in step 10 (epoch 2), rank 1 finished after step 10; "
            "all ranks must make the same number of steps in every epoch",
            id="one has ended its epochs early",
        ),
        pytest.param([(State.TRAINING, 10)] * 2, 1, "", id="all wait for something else"),
        pytest.param(
            [(State.TRAINING, 10)],
            2,
            "; ranks of other pods may be at another place: "
            "all ranks must make the same number of steps in every epoch",
            id="the others are in other pods",
        ),
    ],
)
def test_ranks_that_wait_for_each_other_are_told_where_each_is(
    tmp_path: Path, sent: list[tuple[int, int]], places: list[tuple[State, int]], nodes: int, words: str
) -> None:
    pod = Pod(tmp_path)
    launch = Launch(pod.config, nodes=nodes, local_world_size=len(places))
    ranks = {NOBODY + rank: rank for rank in range(len(places))}
    pod.watch = supervisor._Watch(launch, pod._folder, ranks)
    for state, step in places:
        pod.beat(state, step, within=-1, epoch=1)
    assert pod.watch.look() is None
    end = pod.watch.look()
    assert end is not None
    state, step = places[end.rank]
    assert end.message == f"rank {end.rank}: no step within -1 s after step {step} ({state}){words}"


@pytest.mark.parametrize(
    ("begun", "later", "outcome"), [(0, 8, None), (0, 10, Outcome.HANG), (1, 10, Outcome.HANG), (2, 10, None)]
)
def test_ranks_that_give_no_sign_of_life_hang(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, begun: int, later: float, outcome: Outcome | None
) -> None:
    pod = Pod(tmp_path, startSeconds=9)
    for _ in range(begun):
        pod.beat(State.RESTORING, 0, has_stepped=False)
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + later)
    end = pod.watch.look()
    assert (end.outcome if end else None) == outcome


def test_half_of_a_beat_is_forgotten_at_the_next_look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pod = Pod(tmp_path)
    for _ in range(2):
        pod.beat(State.TRAINING, REACHED, within=5)
    now = time.monotonic()
    for later in (6, 0, 6, 0):
        monkeypatch.setattr(time, "monotonic", lambda later=later: now + later)
        assert pod.watch.look() is None


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """PIDs and the signals that they would have got."""
    signals: list[tuple[int, int]] = []
    monkeypatch.setattr(supervisor.processes, "send", lambda pid, number: signals.append((pid, number)))
    return signals


def test_ranks_that_hang_are_asked_where(tmp_path: Path, sent: list[tuple[int, int]]) -> None:
    pod = Pod(tmp_path)
    for _ in range(2):
        pod.beat(State.TRAINING, REACHED, within=-1)
    assert pod.watch.look() is None
    assert pod.watch.look() is not None
    assert sent == [(NOBODY, signal.SIGUSR1), (NOBODY + 1, signal.SIGUSR1)]


def test_the_rank_that_is_stuck_hangs_and_not_those_that_wait_for_it(
    tmp_path: Path, sent: list[tuple[int, int]]
) -> None:
    pod = Pod(tmp_path)
    pod.beat(State.TRAINING, REACHED, within=-2)
    child = os.fork()
    if child == 0:
        signal.pause()
    try:
        os.kill(child, signal.SIGSTOP)
        os.waitpid(child, os.WUNTRACED)
        pod.beat(State.TRAINING, REACHED, within=-1)  # late only after the other
        pod.ranks[1]._pid = child
        pod.ranks[1].beat(State.TRAINING, REACHED, -1)
        assert pod.watch.look() is None
        end = pod.watch.look()
        assert end is not None
        assert (end.outcome, end.rank) == (Outcome.HANG, 1)
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def test_a_request_is_passed_on_to_those_that_still_live(tmp_path: Path, sent: list[tuple[int, int]]) -> None:
    pod = Pod(tmp_path)
    for _ in range(2):
        pod.beat(State.TRAINING, REACHED)
    pod.watch._note(RankEnd(0, Outcome.COMPLETED, 0.0))
    pod.watch.pass_on()
    assert sent == [(NOBODY + 1, REQUEST)]


def test_a_second_request_to_stop_does_not_begin_the_grace_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sent: list[tuple[int, int]], killed: list[str]
) -> None:
    monkeypatch.setattr(supervisor.processes, "reap", dict)
    monkeypatch.setattr(signal, "sigtimedwait", lambda *_: SimpleNamespace(si_signo=signal.SIGTERM))
    pod = Pod(tmp_path, saveSeconds=5)
    for _ in range(2):
        pod.beat(State.TRAINING, REACHED)
    now = time.monotonic()
    for later in (0, 4):
        monkeypatch.setattr(time, "monotonic", lambda later=later: now + later)
        pod.watch.take_signals()
        assert pod.watch.look() is None
    monkeypatch.setattr(time, "monotonic", lambda: now + 6)
    end = pod.watch.look()
    assert end is not None
    assert (end.outcome, killed) == (Outcome.NOT_SAVED, ["everything"])


def test_what_counts_is_the_furthest_rank(tmp_path: Path, killed: list[str]) -> None:
    (tmp_path / "c").mkdir()
    commit(Store(tmp_path / "c", 2), REACHED)
    pod = Pod(tmp_path, saveSeconds=5)
    pod.beat(State.STOPPING, REACHED)
    pod.beat(State.STOPPING, REACHED + 1)
    end = pod.stopped_since(6)
    assert end is not None
    assert (end.outcome, killed) == (Outcome.NOT_SAVED, ["everything"])


@pytest.mark.parametrize("saved", [None, 4])
def test_a_stop_before_a_step_tells_what_is_saved(tmp_path: Path, saved: int | None) -> None:
    pod = Pod(tmp_path)
    if saved:
        (tmp_path / "c").mkdir()
        commit(Store(tmp_path / "c", 2), saved)
    pod.stopped_since(0)
    progress = pod.watch._folder.read_progress()
    assert progress is not None
    assert (progress.state, progress.step, progress.epochs) == (State.STOPPING, saved or 0, 12)
    assert (progress.checkpoint.step if progress.checkpoint else None) == saved


def test_the_last_word_is_whole(tmp_path: Path) -> None:
    launch = Launch(config_of(tmp_path), nodes=2, node_rank=1, termination_log=tmp_path / "message")
    supervisor._last_word(launch, RankEnd(1, Outcome.CRASH, 5.0, "no", "ValueError", "train.py:3"), None)
    said = TerminationMessage.model_validate_json((tmp_path / "message").read_text())
    assert (said.node_rank, said.rank, said.exception, said.place) == (1, 1, "ValueError", "train.py:3")
    assert (said.outcome, said.exit_code, said.message, said.time.timestamp()) == (Outcome.CRASH, 1, "no", 5.0)


def test_a_last_word_that_cannot_be_left_costs_no_outcome(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    launch = Launch(config_of(tmp_path), termination_log=tmp_path / "nowhere" / "message")
    assert supervisor._last_word(launch, RankEnd(0, Outcome.STOPPED, 5.0), None).outcome is Outcome.STOPPED
    assert "No such file" in capsys.readouterr().err


def test_what_is_done_is_told_as_this_attempts(tmp_path: Path) -> None:
    config = config_of(tmp_path)
    folder = Folder(config)
    folder.claim()
    folder.write_done(Outcome.COMPLETED, "good", supervisor._at_rest(Launch(config), None, State.FINISHED))
    with ExitStack() as stack:
        found = enter(Launch(config.model_copy(update={"uid": "uid-2", "attempt": 3})), stack)
    assert found is not None
    end, progress = found
    assert end.outcome is Outcome.ALREADY_COMPLETED
    assert progress is not None
    assert (progress.uid, progress.attempt) == ("uid-2", 3)


def test_only_the_first_pod_claims_the_folder(tmp_path: Path) -> None:
    for node, claims in ((1, False), (0, True)):
        with ExitStack() as stack:
            assert enter(Launch(config_of(tmp_path), nodes=2, node_rank=node), stack) is None
        assert (tmp_path / "c").exists() is claims


@pytest.mark.parametrize("path", ["nowhere", "run"], ids=["even if it cannot hear", "who hears"])
def test_a_save_is_told_to_the_supervisor_when_it_is_on_disk(tmp_path: Path, path: str) -> None:
    """A pod that is killed now says so."""
    (tmp_path / "run").mkdir()
    config, folder = config_of(tmp_path), RunFolder(tmp_path / "run")
    Folder(config).claim()
    run, _ = run_of(config, folder)
    run._run_folder = RunFolder(tmp_path / path)
    for step in (1, 2):
        run.save(Weights(position=Position(step=step)))
        finish_writing(30)
        if path == "run":
            progress = folder.read_progress()
            assert progress is not None
            assert progress.checkpoint is not None
            assert progress.checkpoint.step == step
    assert newest_step(tmp_path / "c") == 2


@pytest.mark.parametrize(
    ("state", "has_stepped", "seconds"),
    [
        (State.RESTORING, False, 9),
        (State.RESTORING, True, 3),
        (State.TRAINING, True, 3),
        (State.EVALUATING, False, 3),
        (State.SAVING, False, 3 + 5),
        (State.STOPPING, True, 3 + 5),
        (State.FINISHED, True, 3 + 5),
    ],
)
def test_a_rank_is_given_the_deadline_of_its_phase(
    tmp_path: Path, state: State, has_stepped: bool, seconds: float
) -> None:
    """A rank that is stopped or stuck in a save is so found after a step's deadline and the grace."""
    config, folder = config_of(tmp_path, startSeconds=9, stepSeconds=3, saveSeconds=5), RunFolder(tmp_path)
    run, pulse = run_of(config, folder)
    pulse.has_stepped = has_stepped
    begin = time.monotonic()
    run.enter(state)
    said = read_pulse(folder.pulse(0))
    assert said is not None
    assert begin + seconds <= said.deadline <= time.monotonic() + seconds


@pytest.mark.parametrize(("ranks", "seconds"), [(2, 9), (4, 18)], ids=["all in this pod", "half in another pod"])
def test_who_waits_for_other_pods_is_given_the_time_that_they_may_be_late(
    tmp_path: Path, ranks: int, seconds: float
) -> None:
    """One that is placed at the last moment has a whole start before it."""
    config, folder = config_of(tmp_path, startSeconds=9), RunFolder(tmp_path)
    prepare(RankConfig(config, 1, ranks, 2, 1, tmp_path, Mounts(), pod_ip=None), StopRequest())
    said = read_pulse(folder.pulse(1))
    assert said is not None
    assert said.within == seconds
