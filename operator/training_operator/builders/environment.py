"""The trainer's environment: who it is, where its peers are, what to train."""

from training_operator.builders.metadata import Manifest
from training_operator.builders.service import service_name
from trainingjob_api import contract
from trainingjob_api.handover import run_variables
from trainingjob_api.progress import RunConfig
from trainingjob_api.resource import TrainingJob
from trainingjob_api.spec.pod import EnvironmentVariable

HISTORY_WAIT_SECONDS = 10
"""Longer than it takes until a pod is asked again."""
INDEX_ANNOTATION = "batch.kubernetes.io/job-completion-index"


def build_environment(job: TrainingJob, attempt: int) -> list[Manifest]:
    """Who the pod is, then the user's variables, which may refer to it, then ours, which nothing of theirs replaces."""
    port = contract.rendezvous_port(job.metadata.uid, attempt)
    values = {
        **run_variables(run_config(job, attempt)),
        contract.TERMINATION_LOG_ENV: contract.TERMINATION_LOG_PATH,
        contract.NODES_ENV: str(job.spec.nodes),
        contract.LOCAL_WORLD_SIZE_ENV: str(job.spec.local_world_size),
        **({contract.GPUS_ENV: str(job.spec.gpus)} if job.spec.gpus else {}),
        contract.RENDEZVOUS_HOST_ENV: rendezvous_host(job, attempt),
        contract.RENDEZVOUS_PORT_ENV: str(port),
        "HOME": contract.TEMPORARY_PATH,
        "TMPDIR": contract.TEMPORARY_PATH,
    }
    fields = {
        contract.POD_IP_ENV: "status.podIP",
        contract.POD_NAME_ENV: "metadata.name",
        contract.NODE_RANK_ENV: f"metadata.annotations['{INDEX_ANNOTATION}']",
    }
    return [
        *({"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}} for name, path in fields.items()),
        *(_users(variable) for variable in job.spec.pod.env or []),
        *({"name": name, "value": _verbatim(value)} for name, value in values.items()),
    ]


def rendezvous_host(job: TrainingJob, attempt: int) -> str:
    """Where rank 0 listens; a single pod finds itself without any Service."""
    if job.spec.nodes == 1:
        return "127.0.0.1"
    return f"{contract.attempt_name(job.metadata.name, attempt)}-0.{service_name(job)}"


def run_config(job: TrainingJob, attempt: int) -> RunConfig:
    """What the attempt's trainers are told."""
    return RunConfig(
        namespace=job.metadata.namespace,
        name=job.metadata.name,
        uid=job.metadata.uid,
        attempt=attempt,
        training=job.spec.training,
        script=job.spec.script,
        checkpoint_path=contract.CHECKPOINT_PATH,
        checkpoint_every=job.spec.checkpoint.every,
        keep_last=job.spec.checkpoint.keep_last,
        deadlines=job.spec.deadlines,
        history_wait_seconds=HISTORY_WAIT_SECONDS,
        identity=job.spec.identity,
    )


def _verbatim(value: str) -> str:
    """For the kubelet, which makes one $ of $$ and a value of $(NAME)."""
    return value.replace("$", "$$")


def _users(variable: EnvironmentVariable) -> Manifest:
    return variable.to_json_object()
