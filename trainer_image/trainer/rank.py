"""One rank's process: signals first, then exporter and signs of life, then torch and the work, then its last word."""

import atexit
import faulthandler
import gc
import os
import signal
import sys
import time
import traceback
from typing import TYPE_CHECKING, NoReturn

from trainer.pod import stopping
from trainer.pod.processes import die_with_parent

_LOOK_SECONDS = 0.2

if TYPE_CHECKING:
    from trainer.config import RankConfig
    from trainer.pod.run_folder import RankEnd
    from trainer.pod.surroundings import Surroundings
    from trainingjob_api.progress import Outcome


def main() -> NoReturn:
    """Nothing slow may be imported before the signals are taken care of."""
    stop = stopping.StopRequest()
    stopping.listen(stop)
    die_with_parent()
    faulthandler.register(signal.SIGUSR1)  # asked by the supervisor where a rank hangs
    # Here, not at the end: once a program is over, Python lets nobody announce a pool of threads.
    from trainer.checkpoint.writing import finish_writing
    from trainer.config import rank_config_from
    from trainer.pod.run_folder import RunFolder

    config = rank_config_from(os.environ)
    from trainer.pod.surroundings import prepare

    around = prepare(config, stop)
    end = _run(around)
    RunFolder(config.folder).write_end(end)  # then the supervisor knows what is waited for here
    finish_writing(config.run.deadlines.save_seconds)
    _wait_for_reader(end, around)
    _leave(end, config)


def _run(around: "Surroundings") -> "RankEnd":
    from trainer.pod.outcome import end_of
    from trainer.pod.run_folder import RankEnd
    from trainingjob_api.progress import Outcome, State

    config = around.config
    try:
        outcome, message = _work(around)
        end = RankEnd(config.rank, outcome, time.time(), message)
    except BaseException as error:
        end = end_of(error, config.rank)
        if end.outcome in (Outcome.CRASH, Outcome.HANG):
            traceback.print_exc()
    around.log.event("ended", outcome=end.outcome, message=end.message)
    around.log.close()
    deadlines = config.run.deadlines  # for what is still being written
    around.pulse.beat(State.SAVING, around.board.step, deadlines.step_seconds + deadlines.save_seconds)
    return end


def _work(around: "Surroundings") -> "tuple[Outcome, str]":
    if around.config.run.script is not None:
        from trainer.pod.program import run_program

        return run_program(around)
    gc.disable()  # what torch makes while it is imported stays: looking through it again and again takes a tenth
    from trainer.learning.work import work

    gc.freeze()
    gc.enable()
    return work(around)


def _wait_for_reader(end: "RankEnd", around: "Surroundings") -> None:
    """Where epochs are done faster than anybody asks, and are more than the last word holds: a moment for who asks."""
    from trainingjob_api.progress import Outcome, State

    goes_on = end.outcome in (Outcome.STOPPED, Outcome.NOT_SAVED, Outcome.PEER_LOST)
    seconds, deadlines = around.config.run.history_wait_seconds, around.config.run.deadlines
    if not seconds or goes_on or end.rank or around.board.history.is_told:
        return
    around.pulse.beat(State.FINISHED, around.board.step, seconds + deadlines.step_seconds)
    until = time.monotonic() + seconds
    while time.monotonic() < until and not around.stop.is_set and not around.board.history.is_told:
        time.sleep(_LOOK_SECONDS)
    time.sleep(_LOOK_SECONDS)  # the answer is on its way


def _leave(end: "RankEnd", config: "RankConfig") -> NoReturn:
    """Without the interpreter's teardown, which takes half a second and helps nobody."""
    from trainingjob_api.progress import EXIT_CODE_OF

    if config.run.script is not None:
        _end_daemons()
        atexit._run_exitfuncs()  # a program may have some of its own, which os._exit would leave out
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(EXIT_CODE_OF[end.outcome])


def _end_daemons() -> None:
    """Python's own exit function would wait for ever for a DataLoader's workers, which are deaf to SIGTERM."""
    import multiprocessing

    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # a DataLoader's handler takes the end of a worker for a failure
    for child in multiprocessing.active_children():
        if child.daemon:
            child.kill()


if __name__ == "__main__":
    main()
