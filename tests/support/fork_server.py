"""Ranks that start in milliseconds: forked from a process that has imported torch once.

Everything after the import is the trainer's own: signals, group, loop, checkpoints. Only supervisor and torchrun are
missing; tests of those start real pods.
"""

import atexit
import importlib
import json
import os
import runpy
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from support.waiting import PATIENCE, wait_for
from trainer.checkpoint.folder import Folder
from trainer.config import Launch
from trainer.pod.launching import environment_of
from trainer.pod.ports import reserved_port
from trainer.pod.pulse import read_pulse
from trainer.pod.run_folder import RankEnd, RunFolder
from trainer.pod.stopping import REQUEST
from trainingjob_api.progress import RunConfig

if TYPE_CHECKING:
    from support.sabotage import Sabotage


@dataclass(frozen=True)
class Interruption:
    """A signal that ranks send to themselves right after a step.

    once_saved: not before the checkpoint that is on its way to the disk is there.
    """

    step: int
    number: signal.Signals
    ranks: Sequence[int]
    once_saved: bool = False


@dataclass
class Group:
    """The ranks of one attempt."""

    server: "ForkServer"
    folder: RunFolder
    pids: list[int]

    def step(self) -> int:
        """What rank 0 has reached."""
        pulse = read_pulse(self.folder.pulse(0))
        return pulse.step if pulse and pulse.has_stepped else 0

    def wait_for_step(self, step: int) -> bool:
        """False if training ended before."""
        wait_for(lambda: self.step() >= step or self.has_ended(), f"step {step}", 0.002)
        return not self.has_ended()

    def has_ended(self) -> bool:
        return set(self.pids) <= self.server.codes.keys()

    def signal(self, number: signal.Signals, ranks: Sequence[int] | None = None) -> None:
        for rank in range(len(self.pids)) if ranks is None else ranks:
            with suppress(ProcessLookupError):
                os.kill(self.pids[rank], number)

    def codes(self) -> list[int]:
        """Waits for the exit codes, by rank."""
        self.server.wait_for(self.pids)
        return [self.server.codes[pid] for pid in self.pids]

    def end(self, rank: int = 0) -> RankEnd | None:
        return self.folder.read_end(rank)

    def events(self, name: str, rank: int = 0) -> list[dict[str, Any]]:
        """Those of that name in the log."""
        lines = (self.folder.path / f"log-{rank}").read_text().splitlines()
        events = [json.loads(line) for line in lines if line.startswith('{"')]
        return [event for event in events if event["event"] == name]


@dataclass
class ForkServer:
    """A process that forks ranks on request."""

    process: "subprocess.Popen[str]"
    scratch: Path
    _ports: ExitStack
    """Of all groups, until the server ends."""
    codes: dict[int, int] = field(default_factory=dict)
    _started: int = 0

    def start(
        self,
        config: RunConfig,
        ranks: int,
        sabotage: "Sabotage | None" = None,
        interruption: Interruption | None = None,
        alone: Path | None = None,
        pictures: bool = False,
        apart: bool = False,
    ) -> Group:
        """Begins an attempt; the folder is claimed as the supervisor would.

        alone: instead the program is run in this folder, as by torchrun where there is no pod.
        pictures: to be drawn at the end, which takes longer than most trainings of tests.
        apart: every rank as in a pod of its own.
        """
        if alone is None:
            Folder(config).claim()
        self._started += 1
        folder = RunFolder(self.scratch / f"run-{self._started}")
        folder.path.mkdir()
        whole = Launch(config, local_world_size=ranks, port=self._ports.enter_context(reserved_port()))
        for rank in range(ranks):
            launch = replace(whole, nodes=ranks, local_world_size=1, node_rank=rank) if apart else whole
            environment = environment_of(launch, folder, rank, {"OMP_NUM_THREADS": "1"})
            environment |= sabotage.to_environment() if sabotage else {}
            log = str(folder.path / f"log-{rank}")
            question: dict[str, Any] = {"environment": environment, "log": log, "pictures": pictures}
            if alone and config.script:
                question["alone"] = [str(alone), config.script.path, *(config.script.args or ())]
            if interruption and rank in interruption.ranks:
                question["interruption"] = [interruption.step, int(interruption.number), interruption.once_saved]
            self._ask(question)
        pids = [self._answer()["pid"] for _ in range(ranks)]
        return Group(self, folder, pids)

    def wait_for(self, pids: Sequence[int]) -> None:
        for pid in pids:
            if pid not in self.codes:
                self._ask({"wait": pid, "seconds": PATIENCE})
                self.codes[pid] = self._answer()["code"]

    def _ask(self, question: dict[str, object]) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(question) + "\n")
        self.process.stdin.flush()

    def _answer(self) -> dict[str, int]:
        assert self.process.stdout is not None
        answer: dict[str, int] = json.loads(self.process.stdout.readline())
        return answer


@contextmanager
def fork_server(scratch: Path, *modules: str, **environment: str) -> Iterator[ForkServer]:
    """modules: further ones to import before the first fork."""
    process = subprocess.Popen(
        [sys.executable, "-m", "support.fork_server", *modules],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")]),
            "OMP_NUM_THREADS": "1",
            "GLOO_SOCKET_IFNAME": "lo",
            "TORCHINDUCTOR_CACHE_DIR": str(scratch / "compiled"),
            **environment,
        },
    )
    try:
        with ExitStack() as ports:
            yield ForkServer(process, scratch, ports)
    finally:
        assert process.stdin is not None
        assert process.stdout is not None
        process.kill()  # the ranks die with their parent
        process.wait()
        process.stdin.close()
        process.stdout.close()


def _serve() -> None:
    for slow in (
        "trainer.learning.work",
        "trainer.script",
        "trainer.reporting.curves",
        "trainer.reporting.report_picture",
        *sys.argv[1:],
    ):  # torch and matplotlib, once
        importlib.import_module(slow)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, REQUEST})  # as the supervisor does
    for line in sys.stdin:
        question = json.loads(line)
        answer = _wait(question) if "wait" in question else {"pid": _fork(question)}
        print(json.dumps(answer), flush=True)


def _fork(question: dict[str, Any]) -> int:
    pid = os.fork()
    return pid if pid else _become_rank(question)


def _become_rank(question: dict[str, Any]) -> NoReturn:
    os.environ.update(question["environment"])
    log = os.open(str(question["log"]), os.O_WRONLY | os.O_CREAT)
    os.dup2(log, 1)
    os.dup2(log, 2)
    if "interruption" in question:
        _interrupt_after(*question["interruption"])
    if "alone" in question:
        _run_alone(*question["alone"])
    from support import sabotage
    from trainer.rank import main
    from trainer.reporting import curves, report_picture

    if not question["pictures"]:
        curves.draw_curves = report_picture.draw_report = lambda *_: None

    sabotage.prepare()
    main()


def _run_alone(folder: str, *command: str) -> NoReturn:
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    os.chdir(folder)
    sys.argv, code = list(command), 0
    try:
        runpy.run_path(command[0], run_name="__main__")
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BaseException:
        traceback.print_exc()
        code = 1
    threading._shutdown()  # type: ignore[attr-defined]  # as the interpreter does: threads first
    atexit._run_exitfuncs()
    os._exit(code)


def _interrupt_after(step: int, number: int, once_saved: bool) -> None:
    """From a rank's own hand: no other process could meet a step of a millisecond."""
    from trainer.checkpoint.writing import finish_writing
    from trainer.session import Run

    count_step = Run.count_step

    def count_and_interrupt(self: Run, samples: int) -> None:
        count_step(self, samples)
        if self.board.step == step:
            finish_writing(PATIENCE if once_saved else 0)
            os.kill(os.getpid(), number)

    Run.count_step = count_and_interrupt  # type: ignore[method-assign]


def _wait(question: dict[str, float]) -> dict[str, int]:
    """The exit code; a rank that does not end in time is killed, so that the test fails instead of hanging."""
    pid, end = int(question["wait"]), time.monotonic() + question["seconds"]
    while time.monotonic() < end:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return {"code": os.waitstatus_to_exitcode(status)}
        signal.sigtimedwait([signal.SIGCHLD], 0.01)
    os.kill(pid, signal.SIGKILL)
    return {"code": os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])}


if __name__ == "__main__":
    _serve()
