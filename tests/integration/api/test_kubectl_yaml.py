"""What kubectl makes of YAML is what `trainer --config` makes of it."""

import json

import pytest

from support.kubectl import Kubectl
from support.yaml_words import PLAIN

pytestmark = pytest.mark.any_cluster

HEAD = "apiVersion: trainingjob.dev/v1alpha1\nkind: TrainingJob\nmetadata: {name: words}\nspec:\n  words:\n"


def test_words_without_quotes_mean_the_same_to_kubectl(kubectl: Kubectl) -> None:
    manifest = HEAD + "".join(f"  - {text}\n" for text, _ in PLAIN)
    answer = kubectl("create", "--dry-run=client", "--validate=false", "-o", "json", "-f", "-", stdin=manifest)
    words = json.loads(answer)["spec"]["words"]
    assert [(type(word), word) for word in words] == [(type(value), value) for _, value in PLAIN]
