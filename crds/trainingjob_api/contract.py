"""Names and numbers that operator and trainer both use: labels, environment, ports, paths, exit codes."""

from enum import IntEnum
from typing import Final
from zlib import crc32

GROUP: Final = "trainingjob.dev"
VERSION: Final = "v1alpha1"
API_VERSION: Final = f"{GROUP}/{VERSION}"
KIND: Final = "TrainingJob"
PLURAL: Final = "trainingjobs"
HISTORY_KIND: Final = "TrainingHistory"
HISTORY_PLURAL: Final = "traininghistories"
MANAGED_BY: Final = f"{GROUP}/operator"
RELEASE: Final = "0.2.0"  # of this project: the images hold no package that could be asked

# Labels of every child; the operator's watches select on the first.
JOB_NAME_LABEL: Final = f"{GROUP}/name"
ATTEMPT_LABEL: Final = f"{GROUP}/attempt"
# On the Job: digest of everything the attempt was made from.
DIGEST_ANNOTATION: Final = f"{GROUP}/spec-digest"

# On the TrainingJob: whatever is written there anew begins a new attempt, as `kubectl rollout restart` does.
RESTART_ANNOTATION: Final = f"{GROUP}/restarted-at"

# On a TrainingJob that somebody started or changed by way of the HTTP API.
TASK_LABEL: Final = f"{GROUP}/task-id"
TITLE_ANNOTATION: Final = f"{GROUP}/title"  # what a person calls it, in any language
REQUESTED_BY_ANNOTATION: Final = f"{GROUP}/requested-by"
CHANGED_BY_ANNOTATION: Final = f"{GROUP}/changed-by"

# On the Job: why the operator suspended it. A suspended Job without it was suspended by somebody else, such as a queue.
STOP_ANNOTATION: Final = f"{GROUP}/stopped-for"
# Kueue's, on Job and pods.
QUEUE_LABEL: Final = "kueue.x-k8s.io/queue-name"
QUEUE_PRIORITY_LABEL: Final = "kueue.x-k8s.io/priority-class"

CONTAINER_NAME: Final = "trainer"
METRICS_PORT: Final = 9464
METRICS_PORT_NAME: Final = "metrics"

# Environment of the trainer's container. The PET_* variables are torchrun's own.
RUN_ENV: Final = "TRAININGJOB_RUN"  # a RunConfig as JSON; how it is cut: handover.py
TERMINATION_LOG_ENV: Final = "TRAININGJOB_TERMINATION_LOG"
POD_IP_ENV: Final = "POD_IP"
POD_NAME_ENV: Final = "POD_NAME"
NODES_ENV: Final = "PET_NNODES"
LOCAL_WORLD_SIZE_ENV: Final = "PET_NPROC_PER_NODE"
GPUS_ENV: Final = "TRAININGJOB_GPUS"  # of the pod's limits; absent where there are none
NODE_RANK_ENV: Final = "PET_NODE_RANK"
RENDEZVOUS_HOST_ENV: Final = "PET_MASTER_ADDR"
RENDEZVOUS_PORT_ENV: Final = "PET_MASTER_PORT"

CHECKPOINT_PATH: Final = "/checkpoints"  # the job's own folder of the volume is mounted here
OUTPUT_FOLDER: Final = "output"  # in that folder: where a program of one's own starts, and writes
TEMPORARY_PATH: Final = "/tmp"  # noqa: S108  (a writable emptyDir, also HOME: the root file system is read-only)
SHARED_MEMORY_PATH: Final = "/dev/shm"  # noqa: S108
TERMINATION_LOG_PATH: Final = "/dev/termination-log"
TERMINATION_MESSAGE_LIMIT: Final = 4096  # bytes; the kubelet cuts what is longer
PROGRESS_LIMIT: Final = 64 * 1024  # bytes of /progress that the operator reads
HISTORY_LIMIT: Final = 1024**2  # bytes of /history that the operator reads at once

DEFAULT_USER: Final = 65532  # user, group and fsGroup of the pods


class ExitCode(IntEnum):
    """How a trainer pod ends. 0 is never anything but completion: an Indexed Job counts it as done for ever."""

    COMPLETED = 0
    CRASH = 1
    STOPPED = 43
    """Stopped on request, state saved (or nothing new to save)."""
    USER_ERROR = 44
    NON_FINITE = 45
    HANG = 46
    PEER_LOST = 47
    NOT_SAVED = 48
    """Stopped on request, but the state could not be saved in time."""
    OUT_OF_MEMORY = 49
    """Of a device, or of the host where the kernel has not killed the whole container (137)."""
    DATA_ERROR = 50
    NO_VALID_CHECKPOINT = 51


def grace_seconds(save_seconds: int) -> int:
    """The pod's terminationGracePeriodSeconds: the trainer gives up saving first, then the kubelet."""
    return save_seconds + 8


def rendezvous_port(uid: str, attempt: int) -> int:
    """A port of its own for each attempt (20000-29999): torch's store listens on every interface of a host."""
    return 20_000 + crc32(f"{uid}/{attempt}".encode()) % 10_000


def attempt_name(job: str, attempt: int) -> str:
    """Name of an attempt's Job; its pods and their host names build on it."""
    return f"{job}-{attempt}"


def own_claim_name(job: str) -> str:
    """Name of the claim that is made for a job."""
    return f"{job}-checkpoints"


def default_sub_path(namespace: str, name: str) -> str:
    """Folder of a job in its volume."""
    return f"{namespace}/{name}"
