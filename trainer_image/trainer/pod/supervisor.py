"""The first process of a pod: starts the ranks, passes on a stop, and says how it all ended. Never imports torch."""

import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from threading import Thread

from trainer.checkpoint.store import newest_saved
from trainer.config import Launch, termination_log, whose_attempt
from trainer.container import container_memory
from trainer.errors import TrainerError
from trainer.pod import processes
from trainer.pod.entrance import REQUESTS, enter
from trainer.pod.hanging import describe_hang
from trainer.pod.launching import start_ranks
from trainer.pod.neighbours import ask_all
from trainer.pod.outcome import SUCCESSES, end_of, explained, root_cause, silent_end
from trainer.pod.ports import reserved_port
from trainer.pod.pulse import Pulse, read_pulse
from trainer.pod.run_folder import RUNS, RankEnd, RunFolder
from trainer.pod.stopping import REQUEST
from trainer.reporting.log import JsonLog
from trainingjob_api.history import HistoryPage, with_tail
from trainingjob_api.progress import EXIT_CODE_OF, Outcome, Progress, SavedCheckpoint, State, TerminationMessage

_LOOK_SECONDS = 0.1
_LAST_WORDS_SECONDS = 2.0
_VOLUME_SECONDS = 3.0
_TOGETHER = SUCCESSES | {Outcome.STOPPED}
"""Ends that all ranks have agreed on, so that each is given its time."""


def supervise(launch: Launch) -> TerminationMessage:
    """Runs one pod to its end, whatever that is, and leaves no process behind."""
    # Blocked and asked for, instead of handled: nothing is ever interrupted. Ranks inherit it until they `listen`.
    signal.pthread_sigmask(signal.SIG_BLOCK, {*REQUESTS, signal.SIGCHLD, REQUEST})
    processes.adopt_orphans()
    memory = container_memory()
    with ExitStack() as stack:
        folder = stack.enter_context(_run_folder())
        try:
            end, progress = enter(launch, stack) or _with_ranks(launch, folder)
        except (TrainerError, OSError) as error:  # such as a volume that fails while it is asked for what was saved
            end, progress = end_of(error, launch.local_ranks[0]), None
        finally:
            processes.kill_descendants()
        return _last_word(launch, explained(end, memory, container_memory()), progress, folder.read_page())


@contextmanager
def _run_folder() -> Iterator[RunFolder]:
    with tempfile.TemporaryDirectory(prefix="trainer-") as path:
        yield RunFolder(Path(path))


def _with_ranks(launch: Launch, folder: RunFolder) -> tuple[RankEnd, Progress | None]:
    with reserved_port() as port:
        if launch.nodes == 1:  # nobody else need know where its ranks meet
            launch = replace(launch, port=port)
        watch = _Watch(launch, folder, start_ranks(launch, folder))
        while (end := watch.look()) is None:
            watch.take_signals()
        return end, folder.read_progress()


class _Watch:
    """Looks at the ranks until there is an end to report."""

    def __init__(self, launch: Launch, folder: RunFolder, ranks: Mapping[int, int]) -> None:
        """ranks: PID -> rank."""
        self._launch = launch
        self._folder = folder
        self._ranks = ranks
        self._ends: dict[int, RankEnd] = {}
        self._failed: float | None = None  # since when
        self._begin = time.monotonic()
        self._asked: float | None = None
        self._is_passed_on = False
        self._was_late = False

    def take_signals(self) -> None:
        """Waits a moment; passes on the first request to stop. A second one changes nothing."""
        received = signal.sigtimedwait({*REQUESTS, signal.SIGCHLD}, _LOOK_SECONDS)
        for pid, code in processes.reap().items():
            if (rank := self._ranks.get(pid)) is not None:
                self._note(self._folder.read_end(rank) or silent_end(rank, code))
        if received is None or received.si_signo not in REQUESTS or self._asked is not None:
            return
        self.pass_on()

    def pass_on(self) -> None:
        """Ranks before their first step have nothing new to save, and a rendezvous would keep them for minutes."""
        self._asked, self._is_passed_on = time.monotonic(), self._all_under_way()
        if self._is_passed_on:
            self._send(REQUEST)

    def look(self) -> RankEnd | None:
        """The end, once there is one."""
        if self._is_over():
            return root_cause(list(self._ends.values()))
        if self._asked is not None:
            return self._end_on_request(self._asked)
        return self._hang()

    def _note(self, end: RankEnd) -> None:
        self._ends[end.rank] = end
        if end.outcome not in _TOGETHER and self._failed is None:
            self._failed = time.monotonic()

    def _is_over(self) -> bool:
        """After a rank that fails the others have a moment: one of them may know why. What it holds may be good."""
        if len(self._ends) == len(self._ranks):
            return True
        has_failed = self._failed is not None and time.monotonic() > self._failed + _LAST_WORDS_SECONDS
        return has_failed and not any(self._is_leaving(rank) for rank in self._ranks.values())

    def _is_leaving(self, rank: int) -> bool:
        """Whether it has said its last word, and only waits for what it still writes."""
        return rank not in self._ends and self._folder.read_end(rank) is not None

    def _end_on_request(self, asked: float) -> RankEnd | None:
        if not self._is_passed_on:
            return self._stopped()
        if time.monotonic() < asked + self._launch.run.deadlines.save_seconds:
            return None
        processes.kill_descendants()
        if self._is_saved():
            return self._stopped()
        limit = self._launch.run.deadlines.save_seconds
        return self._say(Outcome.NOT_SAVED, f"stopped on request, but not saved within {limit} s")

    def _stopped(self) -> RankEnd:
        saved = self._saved()
        if saved is None and self._is_silent():
            self._folder.write_progress(_at_rest(self._launch, None, State.RUNNING))
            message = "stopped on request; the program does not report, so nothing is known of what it saved or lost"
            return self._say(Outcome.STOPPED, message)
        self._folder.write_progress(_at_rest(self._launch, saved))
        where = f"the last saved step is {saved.step}" if saved else "there is nothing to save yet"
        return self._say(Outcome.STOPPED, f"stopped on request before a new step was done; {where}")

    def _hang(self) -> RankEnd | None:
        now = time.monotonic()
        pulses = {rank: self._pulse(rank) for rank in self._launch.local_ranks}
        heard = [(rank, pulse) for rank, pulse in pulses.items() if pulse and rank not in self._ends]
        is_late = any(pulse.is_overdue(now) for _, pulse in heard)
        confirmed, self._was_late = is_late and self._was_late, is_late
        if confirmed:  # in two looks: what is read while it is written may be half of two values
            # The others wait for the one that is stuck, and may be late before it is.
            rank, pulse = min(heard, key=lambda each: (not processes.is_stuck(each[1].pid), each[1].deadline))
            last_word = self._folder.read_end(rank)
            if last_word and last_word.outcome not in SUCCESSES:
                return last_word
            self._ask_where_they_hang()
            everywhere = {**ask_all(self._folder.read_neighbours()), **dict(heard)}
            message = describe_hang(rank, everywhere, self._launch.world_size, processes.is_stuck(pulse.pid))
            return RankEnd(rank, Outcome.HANG, time.time(), message)
        start = self._launch.run.deadlines.start_seconds
        if not all(pulses.values()) and now > self._begin + start:
            return self._say(Outcome.HANG, f"the ranks did not start within {start} s")
        return None

    def _ask_where_they_hang(self) -> None:
        """Each rank writes its stack to standard error."""
        self._send(signal.SIGUSR1)
        signal.sigtimedwait({signal.SIGCHLD}, 0.3)

    def _send(self, number: signal.Signals) -> None:
        for pid, rank in self._ranks.items():
            if rank not in self._ends:
                processes.send(pid, number)

    def _say(self, outcome: Outcome, message: str) -> RankEnd:
        return RankEnd(self._launch.local_ranks[0], outcome, time.time(), message)

    def _pulse(self, rank: int) -> Pulse | None:
        return read_pulse(self._folder.pulse(rank))

    def _pulses(self) -> list[Pulse]:
        return [pulse for rank in self._launch.local_ranks if (pulse := self._pulse(rank))]

    def _all_under_way(self) -> bool:
        pulses = self._pulses()
        return len(pulses) == self._launch.local_world_size and all(pulse.has_stepped for pulse in pulses)

    def _is_silent(self) -> bool:
        """Whether what runs is a program that has not called `trainer.script.start`."""
        return self._launch.run.script is not None and all(pulse.state is State.RUNNING for pulse in self._pulses())

    def _saved(self) -> SavedCheckpoint | None:
        if place := self._folder.read_place():
            return newest_saved(Path(place))
        whole = Path(self._launch.run.checkpoint_path)
        found = [newest_saved(folder) for folder in (whole, *whole.glob(f"{RUNS}/*"))]
        return max((each for each in found if each), key=lambda saved: saved.save_time, default=None)

    def _is_saved(self) -> bool:
        """Whether the step that the ranks have reached is on disk after all. No, if the volume does not answer."""
        found: list[SavedCheckpoint | None] = []
        looking = Thread(target=lambda: found.append(self._saved()), daemon=True)  # a dead server would keep us as well
        looking.start()
        looking.join(_VOLUME_SECONDS)
        saved = found[0] if found else None
        return saved is not None and saved.step >= max((pulse.step for pulse in self._pulses()), default=0)


def say(message: TerminationMessage) -> None:
    """The end, for whoever reads the log or the terminal."""
    if sys.stdout.isatty():
        print(f"{message.outcome}: {message.message}")
    else:
        JsonLog().event("exit", outcome=message.outcome, exitCode=message.exit_code, message=message.message)


def _at_rest(launch: Launch, saved: SavedCheckpoint | None, state: State = State.STOPPING) -> Progress:
    """The progress of a training that stands where it was saved: no step was done after that."""
    return Progress(
        uid=launch.run.uid,
        attempt=launch.run.attempt,
        state=state,
        epoch=saved.epoch if saved else 0,
        epochs=launch.run.epochs_asked or 0,
        step=saved.step if saved else 0,
        checkpoint=saved,
    )


def _last_word(
    launch: Launch, end: RankEnd, progress: Progress | None, page: HistoryPage | None = None
) -> TerminationMessage:
    """The one document that the pod leaves behind."""
    if progress is not None and end.outcome in (Outcome.COMPLETED, Outcome.EARLY_STOPPED):
        progress = progress.model_copy(update={"state": State.FINISHED})
    message = TerminationMessage(
        uid=launch.run.uid,
        attempt=launch.run.attempt,
        node_rank=launch.node_rank,
        rank=end.rank,
        outcome=end.outcome,
        exit_code=EXIT_CODE_OF[end.outcome],
        message=end.message,
        exception=end.exception,
        place=end.place,
        time=datetime.fromtimestamp(end.time, UTC),
        progress=progress,
    )
    if page is not None:
        message = with_tail(message, page)
    _leave(message, launch.termination_log)
    return message


def _leave(message: TerminationMessage, path: Path | None) -> None:
    if path is None:
        return
    try:
        path.write_text(message.to_text())
    except OSError as error:
        print(f"the termination message could not be written: {error}", file=sys.stderr)


def refuse(environment: Mapping[str, str], error: TrainerError) -> None:
    """The last word of a pod that cannot read what it is to do, such as one of another release than its operator."""
    end, (uid, attempt) = end_of(error, 0), whose_attempt(environment)
    message = TerminationMessage(
        uid=uid,
        attempt=attempt,
        node_rank=0,
        outcome=end.outcome,
        exit_code=EXIT_CODE_OF[end.outcome],
        message=end.message,
        time=datetime.now(UTC),
    )
    _leave(message, termination_log(environment))
