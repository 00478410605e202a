"""A pod through which the files of a claim are reached: restricted, without a token, gone after an hour. Pure."""

from typing import Any

from trainingjob_api.contract import DEFAULT_USER, GROUP, RELEASE

Raw = dict[str, Any]

CONTAINER = "files"
MOUNT = "/claim"
DEFAULT_IMAGE = f"ghcr.io/trainingjob/trainer:{RELEASE}"
"""It is on the nodes already, and has python3 and tar."""
_LONGEST = 3600  # seconds


def file_pod(claim: str, image: str, *, write: bool) -> Raw:
    """It waits for commands; where it only reads, the claim is mounted so."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        # Not by the label of a job's pods: nothing begins beside those.
        "metadata": {"generateName": f"{claim[:40]}-files-", "labels": {f"{GROUP}/files-of": claim[:63]}},
        "spec": {
            "restartPolicy": "Never",
            "activeDeadlineSeconds": _LONGEST,
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": DEFAULT_USER,
                "runAsGroup": DEFAULT_USER,
                "fsGroup": DEFAULT_USER,
                "fsGroupChangePolicy": "OnRootMismatch",
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [
                {
                    "name": CONTAINER,
                    "image": image,
                    "command": ["python3", "-c", f"import time; time.sleep({_LONGEST})"],
                    "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"memory": "256Mi"}},
                    "securityContext": {
                        "allowPrivilegeEscalation": False,
                        "readOnlyRootFilesystem": True,
                        "capabilities": {"drop": ["ALL"]},
                    },
                    "volumeMounts": [{"name": "claim", "mountPath": MOUNT, "readOnly": not write}],
                }
            ],
            "volumes": [{"name": "claim", "persistentVolumeClaim": {"claimName": claim, "readOnly": not write}}],
        },
    }
