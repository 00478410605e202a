"""kustomize follows every name in a TrainingJob: a generator's hash, a prefix, another image."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from local_cluster.binaries import find_kubectl
from support.manifests import VALID, changed

SHIPPED = Path(__file__).parents[3] / "deploy/kustomize"
JOB = changed(
    VALID,
    {
        "spec.checkpoint.volume": {"claimName": "old-claim"},
        "spec.pod": {
            "image": "old-image",
            "imagePullSecrets": [{"name": "old-secret"}],
            "serviceAccountName": "old-account",
            "priorityClassName": "old-priority",
            "env": [
                {"name": "A", "valueFrom": {"configMapKeyRef": {"name": "old-map", "key": "k"}}},
                {"name": "B", "valueFrom": {"secretKeyRef": {"name": "old-secret", "key": "k"}}},
            ],
            "volumes": [
                {"name": "a", "configMap": {"name": "old-map"}},
                {"name": "b", "secret": {"secretName": "old-secret"}},
                {"name": "c", "persistentVolumeClaim": {"claimName": "old-claim"}},
            ],
        },
    },
)
OTHERS: list[dict[str, Any]] = [
    {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "old-claim"}},
    {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "old-account"}},
    {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": "old-priority"}},
]


@pytest.mark.parametrize("use", ["components: [shipped]", "configurations: [shipped/trainingjob.yaml]"])
def test_every_name_of_another_object_is_followed(tmp_path: Path, use: str) -> None:
    (tmp_path / "shipped").mkdir()
    for file in SHIPPED.iterdir():
        (tmp_path / "shipped" / file.name).write_text(file.read_text())
    (tmp_path / "all.yaml").write_text("\n---\n".join(json.dumps(each) for each in [JOB, *OTHERS]))
    (tmp_path / "kustomization.yaml").write_text(
        f"resources: [all.yaml]\n{use}\nnamePrefix: new-\nimages: [{{name: old-image, newName: new-image}}]\n"
        "configMapGenerator: [{name: old-map, literals: [k=v]}]\n"
        "secretGenerator: [{name: old-secret, literals: [k=v]}]\n"
    )
    built = subprocess.run([find_kubectl(), "kustomize", tmp_path], capture_output=True, text=True, check=True).stdout
    job = next(each for each in yaml.safe_load_all(built) if each["kind"] == "TrainingJob")
    names = [word for word in json.dumps(job["spec"]).split('"') if "old-" in word or "new-" in word]
    assert len(names) == 10
    assert all(name.startswith("new-") for name in names)
    assert sum(name.startswith(("new-old-map-", "new-old-secret-")) for name in names) == 5, "and a hash behind it"
