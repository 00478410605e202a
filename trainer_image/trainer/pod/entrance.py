"""What a pod finds out before its ranks start, without torch: a training that is done, a folder that is not its own."""

import signal
import time
from contextlib import ExitStack

from trainer.checkpoint.folder import Folder
from trainer.config import Launch
from trainer.errors import FolderInUse
from trainer.pod.run_folder import RankEnd
from trainer.reporting.log import JsonLog
from trainingjob_api.contract import grace_seconds
from trainingjob_api.progress import Outcome, Progress

REQUESTS = {signal.SIGTERM, signal.SIGINT}
_LOOK_SECONDS = 1.0


def enter(launch: Launch, stack: ExitStack) -> tuple[RankEnd, Progress | None] | None:
    """Makes the folder this attempt's, until the stack is closed; returns the end, if it has come already."""
    folder = Folder(launch.run)
    if end := _done(launch, folder):
        return end
    if launch.node_rank > 0:
        return None
    if stopped := _occupy(launch, folder, stack):
        return stopped, None
    if end := _done(launch, folder):  # by whom this one has waited for
        return end
    folder.claim()
    return None


def _done(launch: Launch, folder: Folder) -> tuple[RankEnd, Progress] | None:
    done = folder.done()
    if done is None:
        return None
    outcome = done.outcome if done.uid == launch.run.uid else Outcome.ALREADY_COMPLETED
    message = f"training was already done in {folder.path}: {done.message}"
    progress = done.progress.model_copy(update={"uid": launch.run.uid, "attempt": launch.run.attempt})
    return RankEnd(launch.local_ranks[0], outcome, time.time(), message), progress


def _occupy(launch: Launch, folder: Folder, stack: ExitStack) -> RankEnd | None:
    """Waits for a job that is about to leave, as long as a pod may take to end; returns if it is asked to stop."""
    until, has_told = time.monotonic() + grace_seconds(launch.run.deadlines.save_seconds), False
    while True:
        try:
            stack.enter_context(folder.occupied())
        except FolderInUse as error:
            if time.monotonic() > until:
                raise
            if not has_told:
                JsonLog().event("waiting", reason=str(error))
            has_told = True
            if signal.sigtimedwait(REQUESTS, _LOOK_SECONDS):
                words = f"stopped on request before it began: {error}"
                return RankEnd(launch.local_ranks[0], Outcome.STOPPED, time.time(), words)
        else:
            return None
