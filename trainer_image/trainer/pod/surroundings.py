"""What a rank has before torch is imported: its place, its board, its ways to hear and to tell."""

import sys
from dataclasses import dataclass

from trainer.config import RankConfig
from trainer.pod.neighbours import tell
from trainer.pod.pulse import PulseWriter
from trainer.pod.run_folder import RunFolder
from trainer.pod.stopping import StopRequest
from trainer.reporting import exporter
from trainer.reporting.board import Board
from trainer.reporting.log import JsonLog, Log, Silence
from trainingjob_api.progress import State


@dataclass(frozen=True)
class Surroundings:
    """Made once for each rank's process."""

    config: RankConfig
    board: Board
    stop: StopRequest
    pulse: PulseWriter
    log: Log


def prepare(config: RankConfig, stop: StopRequest, has_terminal: bool | None = None) -> Surroundings:
    """Opens everything; the pod can be scraped from here on.

    has_terminal: whether the log may draw on it; None: if there is one.
    """
    pulse = PulseWriter(RunFolder(config.folder).pulse(config.rank))
    pulse.beat(State.STARTING, 0, within=_until_first_step(config))
    board = Board(config.run, rank=config.rank, world_size=config.world_size)
    log = _log(config, board, sys.stdout.isatty() if has_terminal is None else has_terminal)
    if config.local_rank == 0:
        _say_started(log if config.rank == 0 else JsonLog(), config, serving=_serve(board, config))
    return Surroundings(config, board, stop, pulse, log)


def _until_first_step(config: RankConfig) -> float:
    """Other pods may find a place so much later than this one; only then the start begins."""
    waits = config.world_size > config.local_world_size
    return config.run.deadlines.start_seconds * (2 if waits else 1)


def _say_started(log: Log, config: RankConfig, serving: str) -> None:
    log.event("started", job=config.run.name, attempt=config.run.attempt, rank=config.rank, serving=serving)


def _log(config: RankConfig, board: Board, has_terminal: bool) -> Log:
    if config.rank != 0:
        return Silence()
    if has_terminal:
        from trainer.reporting.terminal import Terminal  # rich, which pods have no use for

        return Terminal(board)
    return JsonLog()


def _serve(board: Board, config: RankConfig) -> str:
    """Nobody can watch a training that cannot be scraped, but it trains."""
    try:
        return exporter.serve(board, config.pod_ip, lambda: tell(RunFolder(config.folder)))
    except OSError as error:
        return f"nowhere: {error}"
