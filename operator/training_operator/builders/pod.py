"""The pod template: meets Pod Security `restricted`, one container that is ours, the rest as the user asked."""

from training_operator.builders.environment import build_environment
from training_operator.builders.metadata import Manifest, labels, queue_labels
from training_operator.builders.service import service_name
from trainingjob_api import contract
from trainingjob_api.resource import TrainingJob
from trainingjob_api.spec import Pod
from trainingjob_api.spec.pod import SecurityContext

# A lost node keeps its pods, or the taint manager would end a training that may well still run there.
_STAYS_ON = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")


def build_pod_template(job: TrainingJob, attempt: int, trainer_image: str) -> Manifest:
    pod = job.spec.pod
    metadata: Manifest = {"labels": {**(pod.labels or {}), **queue_labels(job), **labels(job, attempt)}}
    if pod.annotations:
        metadata["annotations"] = dict(pod.annotations)
    subdomain = {"subdomain": service_name(job)} if job.spec.nodes > 1 else {}
    return {
        "metadata": metadata,
        "spec": {
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": contract.grace_seconds(job.spec.deadlines.save_seconds),
            "automountServiceAccountToken": False,
            # The kernel drops signals that a PID 1 does not handle yet: a pod asked to end while Python
            # starts would run on for its whole grace period. So PID 1 is the sandbox's, not the trainer.
            "shareProcessNamespace": True,
            "enableServiceLinks": False,
            "securityContext": _pod_security(pod.security_context or SecurityContext()),
            **subdomain,
            **_as_asked(pod),
            "tolerations": _tolerations(pod),
            "containers": [_container(job, attempt, trainer_image)],
            "volumes": _volumes(job),
        },
    }


def _as_asked(pod: Pod) -> Manifest:
    """Fields that go into the pod unchanged."""
    asked = pod.to_json_object()
    names = (
        "nodeSelector",
        "priorityClassName",
        "runtimeClassName",
        "schedulerName",
        "serviceAccountName",
        "imagePullSecrets",
    )
    return {name: asked[name] for name in names if name in asked}


def _tolerations(pod: Pod) -> list[Manifest]:
    users = [toleration.to_json_object() for toleration in pod.tolerations or []]
    chosen = {toleration.get("key") for toleration in users}
    ours = [{"key": key, "operator": "Exists", "effect": "NoExecute"} for key in _STAYS_ON if key not in chosen]
    return [*users, *ours]


def _pod_security(asked: SecurityContext) -> Manifest:
    return {
        "runAsNonRoot": True,
        "runAsUser": contract.DEFAULT_USER if asked.run_as_user is None else asked.run_as_user,
        "runAsGroup": contract.DEFAULT_USER if asked.run_as_group is None else asked.run_as_group,
        "fsGroup": contract.DEFAULT_USER if asked.fs_group is None else asked.fs_group,
        # Changing the owner of every checkpoint at every start would take minutes.
        "fsGroupChangePolicy": "OnRootMismatch",
        **({"supplementalGroups": asked.supplemental_groups} if asked.supplemental_groups else {}),
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def _container(job: TrainingJob, attempt: int, trainer_image: str) -> Manifest:
    pod = job.spec.pod
    pull_policy = {"imagePullPolicy": pod.image_pull_policy} if pod.image_pull_policy else {}
    resources = {"resources": pod.resources.to_json_object()} if pod.resources else {}
    return {
        "name": contract.CONTAINER_NAME,
        "image": pod.image or trainer_image,
        **pull_policy,
        "env": build_environment(job, attempt),
        "ports": [{"name": contract.METRICS_PORT_NAME, "containerPort": contract.METRICS_PORT}],
        **resources,
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "terminationMessagePath": contract.TERMINATION_LOG_PATH,
        "volumeMounts": _mounts(job),
    }


def _mounts(job: TrainingJob) -> list[Manifest]:
    checkpoint = job.spec.checkpoint
    sub_path = {} if checkpoint.volume.empty_dir is not None else {"subPath": job.checkpoint_folder}
    return [
        {"name": "checkpoints", "mountPath": contract.CHECKPOINT_PATH, **sub_path},
        {"name": "tmp", "mountPath": contract.TEMPORARY_PATH},
        {"name": "shared-memory", "mountPath": contract.SHARED_MEMORY_PATH},
        *(mount.to_json_object() for mount in job.spec.pod.volume_mounts or []),
    ]


def _volumes(job: TrainingJob) -> list[Manifest]:
    size = job.spec.pod.shared_memory or "1Gi"
    return [
        {"name": "checkpoints", **_checkpoint_source(job)},
        {"name": "tmp", "emptyDir": {}},
        {"name": "shared-memory", "emptyDir": {"medium": "Memory", "sizeLimit": size}},
        *(volume.to_json_object() for volume in job.spec.pod.volumes or []),
    ]


def _checkpoint_source(job: TrainingJob) -> Manifest:
    claim = job.checkpoint_claim
    return {"emptyDir": {}} if claim is None else {"persistentVolumeClaim": {"claimName": claim}}
