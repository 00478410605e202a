"""Starts the ranks of a pod, each with the environment that torchrun would give it.

torchrun itself is left out: which node is which is known, nothing restarts within a pod, and who ended first and how
the supervisor sees better as a parent. Its agent would import torch once more, and only then start the ranks.
"""

import os
import sys
from collections.abc import Mapping

from trainer.config import MOUNTS_ENV, RUN_FOLDER_ENV, Launch
from trainer.cpus import threads_for
from trainer.pod import processes
from trainer.pod.run_folder import RunFolder
from trainingjob_api.handover import run_variables, without_run


def start_ranks(launch: Launch, folder: RunFolder) -> dict[int, int]:
    """PID -> rank."""
    given = {**launch.environment, **os.environ}
    command = [sys.executable, "-m", "trainer.rank"]
    return {processes.start(command, environment_of(launch, folder, rank, given)): rank for rank in launch.local_ranks}


def environment_of(launch: Launch, folder: RunFolder, rank: int, given: Mapping[str, str]) -> dict[str, str]:
    """All variables of one rank's process; given: what the pod has itself."""
    local_rank = rank - launch.local_ranks[0]
    return {
        "TORCH_NCCL_ASYNC_ERROR_HANDLING": "1",
        # Threads that wait awake for one that has no CPU keep it from getting one: on loaded cores steps take many
        # times as long.
        "OMP_WAIT_POLICY": "PASSIVE",
        **without_run(given),
        **run_variables(launch.run),
        RUN_FOLDER_ENV: str(folder.path),
        MOUNTS_ENV: launch.mounts.to_json(),
        # Libraries that torch loads keep an own count of threads.
        "OMP_NUM_THREADS": str(threads_for(launch.local_world_size, given)),
        "PYTHONUNBUFFERED": "1",
        "RANK": str(rank),
        "LOCAL_RANK": str(local_rank),
        "WORLD_SIZE": str(launch.world_size),
        "LOCAL_WORLD_SIZE": str(launch.local_world_size),
        "GROUP_RANK": str(launch.node_rank),
        "GROUP_WORLD_SIZE": str(launch.nodes),
        "ROLE_NAME": "default",
        "ROLE_RANK": str(rank),
        "ROLE_WORLD_SIZE": str(launch.world_size),
        "MASTER_ADDR": launch.host,
        "MASTER_PORT": str(launch.port),
        "TORCHELASTIC_RUN_ID": f"{launch.run.uid}-{launch.run.attempt}",  # frameworks look for it
        "TORCHELASTIC_RESTART_COUNT": "0",
        "TORCHELASTIC_MAX_RESTARTS": "0",
    }
