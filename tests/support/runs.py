"""A run without a pod around it."""

import torch

from trainer.config import Mounts, RankConfig
from trainer.distributed import World
from trainer.pod.pulse import PulseWriter
from trainer.pod.run_folder import RunFolder
from trainer.pod.stopping import StopRequest
from trainer.pod.surroundings import Surroundings
from trainer.reporting.board import Board
from trainer.reporting.log import Silence
from trainer.session import Run
from trainingjob_api.progress import RunConfig


def run_of(config: RunConfig, folder: RunFolder) -> tuple[Run, PulseWriter]:
    """The only rank's."""
    pulse, rank = PulseWriter(folder.pulse(0)), RankConfig(config, 0, 1, 1, 0, folder.path, Mounts(), pod_ip=None)
    around = Surroundings(rank, Board(config), StopRequest(), pulse, Silence())
    return Run(around, World(0, 1, torch.device("cpu"))), pulse
