"""Starts the ranks of a pod: one directly, several through torchrun."""

import os
import sys
from collections.abc import Mapping

from trainer.config import MOUNTS_ENV, RUN_FOLDER_ENV, Launch, threads_for
from trainer.pod import processes
from trainer.pod.run_folder import RunFolder
from trainingjob_api.contract import RUN_ENV, torchrun_shutdown_seconds

_RANK_MODULE = "trainer.rank"


def start_ranks(launch: Launch, folder: RunFolder) -> int:
    """PID of the only rank, or of torchrun's agent."""
    environment = {**launch.environment, **os.environ, **_shared_environment(launch, folder, os.environ)}
    if launch.world_size == 1:
        alone = {"RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "1", "LOCAL_WORLD_SIZE": "1"}
        return processes.start([sys.executable, "-m", _RANK_MODULE], {**environment, **alone})
    return processes.start([sys.executable, "-m", "trainer.pod.agent", *_torchrun_arguments(launch)], environment)


def _shared_environment(launch: Launch, folder: RunFolder, given: Mapping[str, str]) -> dict[str, str]:
    return {
        RUN_ENV: launch.run.model_dump_json(by_alias=True, exclude_none=True),
        RUN_FOLDER_ENV: str(folder.path),
        MOUNTS_ENV: launch.mounts.to_json(),
        "OMP_NUM_THREADS": str(threads_for(launch.local_world_size, given)),
        # Libraries that torch loads keep an own count of threads.
        "PYTHONUNBUFFERED": "1",
    }


def _torchrun_arguments(launch: Launch) -> list[str]:
    return [
        f"--nnodes={launch.nodes}",
        f"--nproc-per-node={launch.local_world_size}",
        f"--node-rank={launch.node_rank}",
        f"--master-addr={launch.host}",
        f"--master-port={launch.port}",
        "--max-restarts=0",  # whether to restart is decided for the job as a whole, not for one pod
        f"--shutdown-timeout={torchrun_shutdown_seconds(launch.run.deadlines.save_seconds)}",
        f"--rdzv-conf=timeout={launch.run.deadlines.start_seconds}",
        "-m",
        _RANK_MODULE,
    ]
